/* SPDX-License-Identifier: BSD-2-Clause */
/* Small options of devices and of where guest memory comes from: --hugepages, --prefault, --numa, --rng, --pmem. */
#include "cli/options.h"
#include "cli/options_apply.h"
#include "cli/parse.h"

#define RNG_MIN UINT64_C(1024)

enum { NODE_MAX = 1023 }; /* as many as a kernel can have (CONFIG_NODES_SHIFT is at most 10) */

int apply_numa(struct parser *parser, char *value)
{
	uint64_t node;

	if (!parse_number_within(value, 0, NODE_MAX, &node))
		return parse_fail(parser, "--numa: %s is not a number from 0 to %d", value,
				  NODE_MAX);
	options_config(parser)->has_numa = true;
	options_config(parser)->numa = (unsigned)node;
	return 0;
}

int apply_rng(struct parser *parser, char *value)
{
	const char *bw = parse_key(value, "bw");
	uint64_t size;

	if (!bw)
		return parse_fail(parser, "--rng: unknown word \"%s\"; there is bw=SIZE", value);
	if (parse_size(bw, &size) < 0 || size < RNG_MIN || size > UINT32_MAX)
		return parse_fail(
			parser, "--rng: %s is not a number of bytes a second from 1K to 4095M", bw);
	options_config(parser)->rng_bw = size;
	return 0;
}

int apply_pmem(struct parser *parser, char *value)
{
	struct vm_config *config = options_config(parser);
	char *list = value;
	const char *name = parse_part(&list);

	if (config->pmem_count == VM_MAX_PMEMS)
		return parse_fail(parser, "--pmem: there can be at most %d", VM_MAX_PMEMS);
	if (list)
		return parse_fail(
			parser,
			"--pmem %s: unknown word \"%s\"; a comma in a name is written twice", name,
			list);
	if (!*name)
		return parse_fail(parser, "--pmem: the file name is empty");
	config->pmems[config->pmem_count++] = name;
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The words of --gdb: unix:PATH or [ADDR:]PORT, and nowait. */
#include <arpa/inet.h>
#include <string.h>

#include "cli/options.h"
#include "cli/options_apply.h"
#include "cli/parse.h"

/* A name would have to be looked up: numbers only. */
static bool is_address(const char *text)
{
	struct in6_addr v6;
	struct in_addr v4;

	return inet_pton(AF_INET, text, &v4) == 1 || inet_pton(AF_INET6, text, &v6) == 1;
}

static int apply_tcp(struct parser *parser, char *value)
{
	struct vm_config *config = options_config(parser);
	char *colon = strrchr(value, ':');
	char *address = value;
	uint64_t port;

	config->gdb_address = "127.0.0.1";
	if (colon) {
		*colon = '\0';
		if (*address == '[' && colon[-1] == ']') {
			address++;
			colon[-1] = '\0';
		}
		config->gdb_address = address;
	}
	if (!is_address(config->gdb_address))
		return parse_fail(parser,
				  "--gdb: %s is not a numeric address; give unix:PATH, PORT or "
				  "ADDRESS:PORT",
				  config->gdb_address);
	if (!parse_number_within(colon ? colon + 1 : value, 1, UINT16_MAX, &port))
		return parse_fail(parser, "--gdb: %s is not a port from 1 to 65535, nor unix:PATH",
				  colon ? colon + 1 : value);
	config->gdb_port = (uint16_t)port;
	return 0;
}

int apply_gdb(struct parser *parser, char *value)
{
	struct vm_config *config = options_config(parser);
	char *where = parse_part(&value);

	config->gdb = true;
	while (value) {
		const char *word = parse_part(&value);

		if (strcmp(word, "nowait") != 0)
			return parse_fail(parser, "--gdb %s: unknown word \"%s\"; there is nowait",
					  where, word);
		config->gdb_nowait = true;
	}
	if (strncmp(where, "unix:", 5) != 0)
		return apply_tcp(parser, where);
	return parse_file(parser, &config->gdb_path, where + 5);
}

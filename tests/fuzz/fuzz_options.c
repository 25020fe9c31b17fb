/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any words whatever as the command line. The input is words ended by newlines. What is accepted must
 * keep every bound that vm/ relies on; what is refused must say why.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"

enum { MAX_WORDS = 64 };

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_disk(const struct vm_disk_config *disk)
{
	require(disk->path && *disk->path);
	require(!disk->serial || (*disk->serial && strlen(disk->serial) <= VM_SERIAL_MAX));
}

static void check_config(const struct vm_config *config)
{
	require(config->kernel && *config->kernel);
	require(!config->initrd || *config->initrd);
	require(!config->log || *config->log);
	require(strnlen(config->append, VM_CMDLINE_MAX) < VM_CMDLINE_MAX);
	require(config->memory >= VM_MEMORY_MIN && config->memory <= VM_MEMORY_MAX);
	require(config->memory % 4096 == 0);
	require(config->cpus >= 1 && config->cpus <= VM_MAX_CPUS);
	require(config->disk_count <= VM_MAX_DISKS);
	for (size_t i = 0; i < config->disk_count; i++)
		check_disk(&config->disks[i]);
	require(config->console <= VM_CONSOLE_NONE);
	require(config->sandbox <= VM_SANDBOX_OFF);
	require(config->discovery <= VM_DISCOVERY_CMDLINE);
	require(config->verbosity >= -1 && config->verbosity <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	char *argv[MAX_WORDS];
	struct options options;
	int argc = 0;

	require(text != NULL);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	for (char *rest = text; rest && argc < MAX_WORDS;)
		argv[argc++] = strsep(&rest, "\n");

	if (options_parse(argc, argv, &options) != 0)
		require(options.error[0] && strlen(options.error) < sizeof(options.error));
	else if (options.wish == OPTIONS_RUN)
		check_config(&options.config);
	free(text);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any words in any room as the kernel's command line: it fits with its zero, ends with what the user wants,
 * and nothing is cut. Input: flags, size of the room (2 bytes), then the words.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "vm/cmdline.h"

enum { ONLY = 1, INITRD = 2, DISK = 4, READONLY = 8, CONSOLE = 16 };

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_line(const struct vm_config *config, const char *line, size_t size)
{
	size_t len = strnlen(line, size), tail = strlen(config->append);

	require(len < size);
	require(tail <= len && strcmp(line + len - tail, config->append) == 0);
	require(len == 0 || line[0] != ' ' || config->append[0] == ' ');
	if (config->append_only)
		require(len == tail);
	else
		require(strstr(line, "panic=-1") != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vm_config config;
	struct arch_words words = { .serial_console = "console=ttyS0",
				    .always = "a=1 b",
				    .no_pci = "pci=off" };
	size_t room, len;
	char *line;
	int r;

	if (size < 3)
		return 0;
	memset(&config, 0, sizeof(config));
	config.append_only = data[0] & ONLY;
	config.initrd = data[0] & INITRD ? "initrd" : NULL;
	config.disk_count = data[0] & DISK ? 1 : 0;
	config.disks[0].readonly = (data[0] & READONLY) != 0;
	config.console = (enum vm_console)(data[0] / CONSOLE % (VM_CONSOLE_NONE + 1));
	room = (size_t)le16_load(data + 1) + 1;
	len = size - 3 < sizeof(config.append) - 1 ? size - 3 : sizeof(config.append) - 1;
	memcpy(config.append, data + 3, len);

	line = malloc(room); /* of its own size, for the sanitizer */
	require(line != NULL);
	r = vm_cmdline(&config, &words, line, room);
	require(r == 0 || r == -ENOSPC);
	if (r == 0)
		check_line(&config, line, room);
	else
		require(room < strlen(config.append) + 64);
	free(line);
	return 0;
}

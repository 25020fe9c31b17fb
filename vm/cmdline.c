/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's command line: what hvrun itself needs, then what the user wants. */
#include "vm/cmdline.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Adds @words after what is there, with a space between. */
static bool add(char *line, size_t size, const char *words)
{
	size_t used = strlen(line);
	size_t space = used ? 1 : 0;
	size_t len = strlen(words);

	if (len == 0)
		return true;
	if (len + space >= size - used)
		return false;
	if (space)
		line[used++] = ' ';
	memcpy(line + used, words, len + 1);
	return true;
}

static bool add_own(const struct vm_config *config, const struct arch_words *words, char *line,
		    size_t size)
{
	bool ok = true;

	if (config->console == VM_CONSOLE_VIRTIO)
		ok = add(line, size, "console=hvc0");
	else if (config->console == VM_CONSOLE_SERIAL)
		ok = add(line, size, words->serial_console);
	ok = ok && add(line, size, words->always);
	if (config->discovery != VM_DISCOVERY_PCI)
		ok = ok && add(line, size, words->no_pci);
	/* With a core, the kernel rests a second where it panicked: that is what the registers are to show. */
	ok = ok && add(line, size, config->core ? "panic=1" : "panic=-1");
	/* Nobody reads its console: the kernel need not write all it has to say, byte by byte. */
	if (config->exec && !config->log && config->out_fd < 0)
		ok = ok && add(line, size, "quiet");
	if (config->disk_count && !config->initrd)
		ok = ok &&
		     add(line, size,
			 config->disks[0].readonly && !config->disks[0].cow ? "root=/dev/vda ro"
									    : "root=/dev/vda rw");
	return ok;
}

int vm_cmdline(const struct vm_config *config, const struct arch_words *words, char *line,
	       size_t size)
{
	line[0] = '\0';
	if (!config->append_only && !add_own(config, words, line, size))
		return -ENOSPC;
	return add(line, size, config->append) ? 0 : -ENOSPC;
}

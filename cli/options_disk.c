/* SPDX-License-Identifier: BSD-2-Clause */
/* The words of --disk: FILE[,word][,key=value]... */
#include <errno.h>
#include <string.h>

#include "cli/options.h"
#include "cli/options_apply.h"
#include "cli/parse.h"

static int apply_disk_serial(struct parser *parser, struct vm_disk_config *disk, const char *serial)
{
	size_t len = strlen(serial);

	if (disk->serial)
		return parse_fail(parser, "--disk %s: serial is given twice", disk->path);
	if (len < 1 || len > VM_SERIAL_MAX)
		return parse_fail(parser, "--disk %s: the serial %s is not 1 to %d characters long",
				  disk->path, serial, VM_SERIAL_MAX);
	for (size_t i = 0; i < len; i++) {
		if (serial[i] <= ' ' || serial[i] > '~')
			return parse_fail(parser,
					  "--disk %s: the serial %s has a character that is not "
					  "printable ASCII",
					  disk->path, serial);
	}
	disk->serial = serial;
	return 0;
}

static int apply_disk_part(struct parser *parser, struct vm_disk_config *disk, const char *part)
{
	if (strcmp(part, "ro") == 0) {
		disk->readonly = true;
		return 0;
	}
	if (strcmp(part, "direct") == 0) {
		disk->direct = true;
		return 0;
	}

	const char *value = parse_key(part, "serial");

	if (value)
		return apply_disk_serial(parser, disk, value);
	value = parse_key(part, "format");
	if (value) {
		if (strcmp(value, "raw") == 0)
			return 0;
		return parse_fail(parser, "--disk %s: unknown format %s; it can be raw", disk->path,
				  value);
	}
	return parse_fail(
		parser,
		"--disk %s: unknown word \"%s\"; there are ro, format=raw, direct and serial=ID, and "
		"a comma in a file name is written twice",
		disk->path, part);
}

int apply_disk(struct parser *parser, char *value)
{
	struct vm_config *config = options_config(parser);
	struct vm_disk_config *disk = &config->disks[config->disk_count];
	char *list = value;
	int err;

	if (config->disk_count == VM_MAX_DISKS)
		return parse_fail(parser, "--disk: there can be at most %d", VM_MAX_DISKS);
	*disk = (struct vm_disk_config){ 0 };
	err = parse_file(parser, &disk->path, parse_part(&list));
	while (!err && list)
		err = apply_disk_part(parser, disk, parse_part(&list));
	if (!err)
		config->disk_count++;
	return err;
}

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

static int apply_verity(struct parser *parser, struct vm_disk_config *disk, const char *value)
{
	if (disk->verity)
		return parse_fail(parser, "--disk %s: verity is given twice", disk->path);
	if (!*value)
		return parse_fail(parser, "--disk %s: verity= wants the file of the hash tree",
				  disk->path);
	disk->verity = value;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int apply_root_hash(struct parser *parser, struct vm_disk_config *disk, const char *value)
{
	size_t len = strlen(value);
	bool hex = len == 64 || len == 128;

	if (disk->root_len)
		return parse_fail(parser, "--disk %s: root-hash is given twice", disk->path);
	for (size_t i = 0; hex && i < len; i += 2) {
		int high = hex_digit(value[i]);
		int low = hex_digit(value[i + 1]);

		hex = high >= 0 && low >= 0;
		disk->root[i / 2] = (uint8_t)(high * 16 + low);
	}
	if (!hex)
		return parse_fail(parser,
				  "--disk %s: a root hash is 64 or 128 hexadecimal digits, as "
				  "veritysetup format prints it",
				  disk->path);
	disk->root_len = len / 2;
	return 0;
}

/* A verified disk is read-only, and something says what is right. */
static int judge_disk(struct parser *parser, const struct vm_disk_config *disk)
{
	if (disk->root_len && !disk->verity)
		return parse_fail(parser, "--disk %s: root-hash needs verity=HASHFILE", disk->path);
	if (disk->verity && !disk->readonly)
		return parse_fail(parser,
				  "--disk %s: verity needs ro: what is verified cannot be "
				  "written",
				  disk->path);
	return 0;
}

static int apply_format(struct parser *parser, const struct vm_disk_config *disk, bool *qcow2,
			const char *value)
{
	*qcow2 = strcmp(value, "qcow2") == 0;
	if (*qcow2 || strcmp(value, "raw") == 0)
		return 0;
	return parse_fail(parser, "--disk %s: unknown format %s; it can be raw or qcow2",
			  disk->path, value);
}

/* What another program serves has no more than that one offers. */
static int judge_format(struct parser *parser, const struct vm_disk_config *disk)
{
	if (!disk->qcow2 && disk->backing)
		return parse_fail(parser, "--disk %s: backing=FILE needs format=qcow2", disk->path);
	if (disk->backing_qcow2 && !disk->backing)
		return parse_fail(parser, "--disk %s: backing-format needs backing=FILE",
				  disk->path);
	if (disk->qcow2 && disk->serial)
		return parse_fail(parser, "--disk %s: a disk of format qcow2 has no serial",
				  disk->path);
	if (disk->qcow2 && disk->cow)
		return parse_fail(
			parser,
			"--disk %s: cow is for disks of format raw; qemu-img create -b makes "
			"an overlay of a qcow2 image",
			disk->path);
	if (disk->qcow2 && (disk->bytes_per_second || disk->requests_per_second))
		return parse_fail(parser, "--disk %s: bw and iops are for disks of format raw",
				  disk->path);
	if (disk->qcow2 && disk->verity)
		return parse_fail(parser, "--disk %s: verity is for disks of format raw",
				  disk->path);
	return 0;
}

static int apply_disk_queues(struct parser *parser, struct vm_disk_config *disk, const char *value)
{
	uint64_t queues;

	if (!parse_number_within(value, 1, VM_DISK_MAX_QUEUES, &queues))
		return parse_fail(parser, "--disk %s: queues=%s is not a number from 1 to %d",
				  disk->path, value, VM_DISK_MAX_QUEUES);
	disk->queues = (unsigned)queues;
	return 0;
}

/* @key, bw or iops, with its @value: so many a second. */
static int apply_limit(struct parser *parser, const struct vm_disk_config *disk, const char *key,
		       const char *value, uint64_t *limit)
{
	if (*limit)
		return parse_fail(parser, "--disk %s: %s is given twice", disk->path, key);
	if (parse_size(value, limit) < 0 || *limit == 0)
		return parse_fail(parser,
				  "--disk %s: %s=%s is not a number of at least 1 (with K, M or G)",
				  disk->path, key, value);
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

	if (strcmp(part, "cow") == 0 || strcmp(part, "cow=memory") == 0) {
		disk->cow = disk->readonly = true;
		disk->cow_memory = part[3] != '\0';
		return 0;
	}

	const char *value = parse_key(part, "serial");

	if (value)
		return apply_disk_serial(parser, disk, value);
	value = parse_key(part, "queues");
	if (value)
		return apply_disk_queues(parser, disk, value);
	value = parse_key(part, "bw");
	if (value)
		return apply_limit(parser, disk, "bw", value, &disk->bytes_per_second);
	value = parse_key(part, "iops");
	if (value)
		return apply_limit(parser, disk, "iops", value, &disk->requests_per_second);
	value = parse_key(part, "verity");
	if (value)
		return apply_verity(parser, disk, value);
	value = parse_key(part, "root-hash");
	if (value)
		return apply_root_hash(parser, disk, value);
	value = parse_key(part, "backing");
	if (value) {
		if (!*value || disk->backing)
			return parse_fail(parser, "--disk %s: backing= wants one file", disk->path);
		disk->backing = value;
		return 0;
	}
	value = parse_key(part, "backing-format");
	if (value)
		return apply_format(parser, disk, &disk->backing_qcow2, value);
	value = parse_key(part, "format");
	if (value)
		return apply_format(parser, disk, &disk->qcow2, value);
	return parse_fail(
		parser,
		"--disk %s: unknown word \"%s\"; there are ro, cow, format=raw|qcow2, backing=FILE, "
		"backing-format=raw|qcow2, direct, serial=ID, queues=N, bw=SIZE, iops=N, verity=HASHFILE and root-hash=HEX, and "
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
		err = judge_disk(parser, disk);
	if (!err)
		err = judge_format(parser, disk);
	if (!err)
		config->disk_count++;
	return err;
}

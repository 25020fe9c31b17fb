/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --disk FILE,format=qcow2: a disk served by QEMU's storage daemon in a process of its own, instead of a second
 * implementation of a format that corrupted others' disks.
 *
 * What a header names is never followed: the daemon is told the backing file (or that there is none), and
 * an image whose header wants another file is refused here, behind the locked door, before the guest
 * runs (threats 22, 23).
 */
#include "vm/daemon/qcow2.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "base/io.h"
#include "vm/machine.h"

enum {
	HEADER = 80, /* bytes: up to the incompatible features of version 3 */
	AT_VERSION = 4,
	AT_BACKING = 8,
	AT_INCOMPATIBLE = 72,
	INCOMPATIBLE_DATA_FILE = 4, /* guest data lies in another file */
	JSON_MAX = 2 * PATH_MAX + 512,
};

static uint64_t be64(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)(be64(p) >> 32);
}

const char *qcow2_judge(const uint8_t *header, size_t len, bool backing)
{
	uint32_t version;

	if (len < HEADER || memcmp(header, "QFI\xfb", 4) != 0)
		return "this is no qcow2 image";
	version = be32(header + AT_VERSION);
	if (version != 2 && version != 3)
		return "this version of qcow2 is neither 2 nor 3";
	if (version == 3 && (be64(header + AT_INCOMPATIBLE) & INCOMPATIBLE_DATA_FILE))
		return "its data lies in another file, which its header names; that is not followed";
	if (be64(header + AT_BACKING) && !backing)
		return "its header names a backing file, which is not followed; name the file that "
		       "you trust with backing=FILE";
	if (!be64(header + AT_BACKING) && backing)
		return "it has no backing file";
	return NULL;
}

int vm_judge_qcow2(struct vm *vm, unsigned index)
{
	const struct vm_disk_config *config = &vm->config->disks[index];
	uint8_t header[HEADER];
	ssize_t n = pread_full(vm->disks[index].fd, header, sizeof(header), 0);
	const char *why = n < 0 ? strerror((int)-n)
				: qcow2_judge(header, (size_t)n, config->backing != NULL);

	if (!why)
		return 0;
	diag_error("disk %s: %s", config->path, why);
	return -EINVAL;
}

/* Words of JSON, built up in a buffer that is never overrun. */
struct json {
	char text[JSON_MAX];
	size_t used;
};

static void add(struct json *json, const char *text)
{
	size_t len = size_min(strlen(text), sizeof(json->text) - 1 - json->used);

	memcpy(json->text + json->used, text, len);
	json->used += len;
	json->text[json->used] = '\0';
}

static void add_string(struct json *json, const char *text)
{
	char escaped[8];

	add(json, "\"");
	for (; *text; text++) {
		bool plain = (unsigned char)*text >= ' ' && *text != '"' && *text != '\\';

		(void)snprintf(escaped, sizeof(escaped), plain ? "%c" : "\\u%04x",
			       (unsigned char)*text);
		add(json, escaped);
	}
	add(json, "\"");
}

/* The node @name of the file at @path. */
static void add_file(struct json *json, const char *name, const char *path, bool readonly,
		     bool direct)
{
	add(json, "{\"driver\":\"file\",\"node-name\":\"");
	add(json, name);
	add(json, "\",\"filename\":");
	add_string(json, path);
	add(json, readonly ? ",\"read-only\":true" : ",\"read-only\":false,\"discard\":\"unmap\"");
	add(json, direct ? ",\"cache\":{\"direct\":true}}" : "}");
}

static int start(struct vm_backend *backend, const char *program, const struct vm_disk_config *disk,
		 const char *const paths[2], int listener)
{
	static const struct daemon_jail jail = { .mounts = true };
	struct json file = { .used = 0 }, image = { .used = 0 }, base_file = { .used = 0 },
		    base = { .used = 0 };
	char export[160];
	const char *argv[12] = { program, "--blockdev" };
	size_t n = 2;

	if (disk->backing) {
		add_file(&base_file, "base-file", paths[1], true, disk->direct);
		argv[n++] = base_file.text;
		argv[n++] = "--blockdev";
		add(&base, disk->backing_qcow2 ? "{\"driver\":\"qcow2\",\"backing\":null"
					       : "{\"driver\":\"raw\"");
		add(&base, ",\"node-name\":\"base\",\"file\":\"base-file\",\"read-only\":true}");
		argv[n++] = base.text;
		argv[n++] = "--blockdev";
	}
	add_file(&file, "file", paths[0], disk->readonly, disk->direct);
	argv[n++] = file.text;
	argv[n++] = "--blockdev";
	add(&image, "{\"driver\":\"qcow2\",\"node-name\":\"disk\",\"file\":\"file\",\"backing\":");
	add(&image, disk->backing ? "\"base\"" : "null");
	add(&image, disk->readonly ? ",\"read-only\":true}"
				   : ",\"read-only\":false,\"discard\":\"unmap\"}");
	argv[n++] = image.text;
	argv[n++] = "--export";
	(void)snprintf(export, sizeof(export),
		       "type=vhost-user-blk,id=disk0,node-name=disk,addr.type=fd,addr.str=%d,"
		       "writable=%s,num-queues=%u",
		       DAEMON_SOCKET, disk->readonly ? "off" : "on", backend->queues);
	argv[n++] = export;
	argv[n] = NULL;
	return daemon_start(&backend->daemon,
			    &(struct daemon_start){ "qemu-storage-daemon", argv, listener, &jail });
}

static const char *find_daemon(const char *disk)
{
	static const char *const places[] = { "/usr/bin/qemu-storage-daemon",
					      "/usr/local/bin/qemu-storage-daemon",
					      "/usr/libexec/qemu-storage-daemon", NULL };
	const char *found = daemon_find(places);

	if (!found)
		diag_error("disk %s: format=qcow2 needs qemu-storage-daemon, which is not "
			   "installed; Debian has it in package qemu-system-common",
			   disk);
	return found;
}

static int start_at(struct vm_backend *backend, const char *program,
		    const struct vm_disk_config *disk, const char *const paths[2])
{
	int listener;
	int r = daemon_socket(&listener, &backend->fd);

	if (r < 0) {
		diag_error("disk %s: cannot make a socket: %s", disk->path, strerror(-r));
		return r;
	}
	r = start(backend, program, disk, paths, listener);
	close(listener);
	return r;
}

/* The file's name that the daemon can open in its own mounts; NULL: said. The caller frees it. */
static char *absolute(const char *path)
{
	char *real = realpath(path, NULL);

	if (!real)
		diag_error("disk %s: cannot open: %s", path, strerror(errno));
	return real;
}

static int start_for(struct vm *vm, unsigned index, const char *const paths[2])
{
	const struct vm_disk_config *disk = &vm->config->disks[index];
	const char *program = find_daemon(disk->path);
	struct vm_backend *backend;

	if (!program)
		return VM_STATUS_SYSTEM;
	backend = vm_add_backend(vm, VHOST_USER_BLK, "qemu-storage-daemon");
	backend->disk = true;
	backend->index = index;
	backend->queues = disk->queues ? disk->queues
				       : u32_min(vm->config->cpus, VM_DISK_MAX_QUEUES);
	return start_at(backend, program, disk, paths) < 0 ? VM_STATUS_SYSTEM : 0;
}

int vm_start_qcow2(struct vm *vm, unsigned index)
{
	const struct vm_disk_config *disk = &vm->config->disks[index];
	char *file = absolute(disk->path);
	char *backing = file && disk->backing ? absolute(disk->backing) : NULL;
	int status = VM_STATUS_NO_INPUT;

	if (file && (backing || !disk->backing))
		status = start_for(vm, index, (const char *const[]){ file, backing });
	free(file);
	free(backing);
	return status;
}

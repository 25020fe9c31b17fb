/* SPDX-License-Identifier: BSD-2-Clause */
/* `hvrun verify`: the boot stair up to the verification, then what would boot, in words. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/arch.h"
#include "base/diag.h"
#include "base/io.h"
#include "vm/cmdline.h"
#include "vm/signed/sign.h"
#include "vm/signed/signed.h"

enum { TEXT_MAX = 128 * 1024 };

/* Text that is cut at its end. */
struct words {
	char *text; /* TEXT_MAX bytes */
	size_t used;
};

static void say(struct words *w, const char *text)
{
	for (; *text && w->used < TEXT_MAX; text++)
		w->text[w->used++] = *text;
}

/* What comes from files: nothing in it may steer a terminal. */
static void say_safely(struct words *w, const char *text)
{
	for (; *text; text++) {
		char shown[8] = { *text };

		if ((unsigned char)*text < ' ' || *text == 0x7f)
			(void)snprintf(shown, sizeof(shown), *text == '\t' ? " " : "\\x%02x",
				       (unsigned)(unsigned char)*text);
		say(w, shown);
	}
}

static void say_image(struct words *w, const char *what, const struct vm_file *file)
{
	char size[48];

	say(w, what);
	say_safely(w, file->name);
	(void)snprintf(size, sizeof(size), ", %" PRIu64 " bytes\n", file->size);
	say(w, size);
}

static void say_disk(struct words *w, const struct vm_disk_config *disk, size_t index)
{
	static const char kinds[][40] = { ", untrusted, may be written", ", untrusted, read-only" };
	char hex[3];

	say(w, "disk vd");
	say(w, (char[]){ (char)('a' + index), 0 });
	say(w, ": ");
	say_safely(w, disk->path);
	if (!disk->verity) {
		say(w, kinds[disk->readonly]);
	} else {
		say(w, ", read-only, verity root hash ");
		for (size_t i = 0; i < disk->root_len; i++) {
			(void)snprintf(hex, sizeof(hex), "%02x", disk->root[i]);
			say(w, hex);
		}
	}
	say(w, "\n");
}

static void say_all(const struct vm *vm, struct words *w)
{
	const struct signed_boot *boot = vm->signed_boot;
	const struct vm_config *config = vm->config;
	char line[MANIFEST_CMDLINE_MAX];
	const char *cmdline = line;

	say(w, "signed by key ");
	say(w, minisign_id_text(boot->key.id).text);
	say(w, ": ");
	say_safely(w, boot->by.comment);
	say(w, "\n");
	say_image(w, "kernel: ", &vm->kernel);
	if (config->initrd)
		say_image(w, "initrd: ", &vm->initrd);
	if (config->manifest)
		cmdline = boot->list.cmdline;
	else if (vm_cmdline(config, &arch_words, line, sizeof(line)) < 0)
		cmdline = "";
	say(w, "command line: ");
	say_safely(w, cmdline);
	say(w, config->manifest ? "\n" : " (as given, not signed)\n");
	for (size_t i = 0; i < config->disk_count; i++)
		say_disk(w, &config->disks[i], i);
}

/* The trees of verified disks: right superblocks, and the root hash on top. */
static int check_disks(struct vm *vm)
{
	for (unsigned i = 0; i < vm->config->disk_count; i++) {
		struct disk *disk;
		int err;

		if (!vm->config->disks[i].verity)
			continue;
		err = vm_open_disk(vm, i, &disk);
		if (err < 0)
			return err == -EKEYREJECTED ? VM_STATUS_REFUSED : VM_STATUS_BAD_IMAGE;
		disk_close(disk);
	}
	return 0;
}

static int tell(const struct vm *vm)
{
	struct words w = { .text = malloc(TEXT_MAX) };
	int err = -ENOMEM;

	if (w.text) {
		say_all(vm, &w);
		err = write_full(STDOUT_FILENO, w.text, w.used);
	}
	free(w.text);
	if (!err)
		return 0;
	diag_error("standard output: cannot write: %s", strerror(-err));
	return VM_STATUS_SYSTEM;
}

int vm_check(const struct vm_config *config)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	int status;

	if (!vm) {
		diag_error("no memory");
		return VM_STATUS_SYSTEM;
	}
	vm_name_nothing(vm);
	vm->config = config;
	vm->only_verified = true;
	status = vm_open_inputs(vm);
	if (!status && sandbox_lock(&vm->sandbox, config) < 0)
		status = VM_STATUS_SYSTEM;
	if (!status)
		status = vm_verify(vm);
	if (!status)
		status = check_disks(vm);
	if (!status)
		status = tell(vm);
	vm_close_files(vm);
	signed_close(vm);
	free(vm);
	return status;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Opens what a verified boot needs: key, manifest, signatures, and the files that only a manifest names. */
#include "vm/signed/signed.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/diag.h"

static void name_nothing(struct signed_boot *boot)
{
	boot->key_file.fd = -1;
	boot->list_file.fd = -1;
	boot->list_signature.file.fd = -1;
	boot->kernel_signature.file.fd = -1;
	boot->initrd_signature.file.fd = -1;
}

int signed_open_signature(const char *what, const char *name, struct signed_file *signature)
{
	struct vm_file *file = &signature->file;
	struct stat st;

	if ((size_t)snprintf(signature->name, sizeof(signature->name), "%s.minisig", name) >=
	    sizeof(signature->name)) {
		diag_error("%s %s: the name is too long", what, name);
		return VM_STATUS_REFUSED;
	}
	file->name = signature->name;
	file->fd = open(file->name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (file->fd < 0 && vm_is_shortage(-errno)) {
		diag_error("signature %s: cannot open: %s", file->name, strerror(errno));
		return VM_STATUS_SYSTEM;
	}
	if (file->fd < 0) {
		diag_error("%s %s: not signed: %s: %s; with --verify-key only what is signed boots",
			   what, name, file->name, strerror(errno));
		return VM_STATUS_REFUSED;
	}
	if (fstat(file->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		diag_error("signature %s: no regular file", file->name);
		return VM_STATUS_REFUSED;
	}
	file->size = (uint64_t)st.st_size;
	return 0;
}

/* Inside the folder @dir, whatever symbolic links say. */
static int open_beneath(int dir, const char *what, const char *name, int flags,
			struct vm_file *file)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};

	file->name = name;
	file->fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
	if (file->fd >= 0)
		return 0;
	if (errno == EXDEV || errno == ELOOP) {
		diag_error("%s %s: it leads out of the manifest's folder", what, name);
		return VM_STATUS_REFUSED;
	}
	diag_error("%s %s, named by the manifest: cannot open: %s", what, name, strerror(errno));
	return vm_is_shortage(-errno) ? VM_STATUS_SYSTEM : VM_STATUS_NO_INPUT;
}

static int open_named_disks(struct vm *vm, int dir)
{
	struct signed_boot *boot = vm->signed_boot;
	struct vm_config *config = &boot->config;
	int status = 0;

	for (size_t i = 0; i < boot->names.disk_count && !status; i++) {
		const struct manifest_disk *disk = &boot->names.disks[i];
		bool ro = disk->kind != MANIFEST_UNTRUSTED_RW;

		config->disks[i] = (struct vm_disk_config){ .path = disk->name, .readonly = ro };
		config->disk_count = i + 1;
		if (vm->only_verified && disk->kind != MANIFEST_VERITY)
			continue;
		status = open_beneath(dir, "disk", disk->name, ro ? O_RDONLY : O_RDWR,
				      &vm->disks[i]);
		if (!status && disk->kind == MANIFEST_VERITY) {
			config->disks[i].verity = disk->hash_name;
			status = open_beneath(dir, "verity tree", disk->hash_name, O_RDONLY,
					      &vm->disk_trees[i]);
		}
	}
	boot->disks_named = true;
	return status;
}

/* The files that the command line leaves to the manifest. */
static int open_named(struct vm *vm, int dir)
{
	struct signed_boot *boot = vm->signed_boot;
	struct vm_config *config = &boot->config;
	int status = 0;

	if (!config->kernel) {
		config->kernel = boot->names.kernel.name;
		status = open_beneath(dir, "kernel", config->kernel, O_RDONLY, &vm->kernel);
	}
	if (!status && !config->initrd && *boot->names.initrd.name) {
		config->initrd = boot->names.initrd.name;
		status = open_beneath(dir, "initrd", config->initrd, O_RDONLY, &vm->initrd);
	}
	if (!status && !config->disk_count)
		status = open_named_disks(vm, dir);
	return status;
}

/* The folder that @name lies in. */
static int open_folder(const char *name)
{
	const char *slash = strrchr(name, '/');
	char folder[PATH_MAX];

	if (!slash)
		return open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if ((size_t)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - name + 1), name) >=
	    sizeof(folder)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int open_list(struct vm *vm)
{
	struct signed_boot *boot = vm->signed_boot;
	const char *name = vm->config->manifest;
	int status = vm_open_image("manifest", name, &boot->list_file);
	int dir;

	if (!status)
		status = signed_open_signature("manifest", name, &boot->list_signature);
	if (!status)
		status = signed_ask_names(vm);
	if (status)
		return status;
	dir = open_folder(name);
	if (dir < 0) {
		diag_error("manifest %s: cannot open its folder: %s", name, strerror(errno));
		return VM_STATUS_NO_INPUT;
	}
	status = open_named(vm, dir);
	(void)close(dir);
	return status;
}

static int open_signatures(struct vm *vm)
{
	struct signed_boot *boot = vm->signed_boot;
	const struct vm_config *config = vm->config;
	int status = signed_open_signature("kernel", config->kernel, &boot->kernel_signature);

	if (!status && config->initrd)
		status = signed_open_signature("initrd", config->initrd, &boot->initrd_signature);
	return status;
}

/* What cannot be verified is not even opened. */
static int judge_devices(const struct vm_config *config)
{
	for (unsigned i = 0; i < config->vhost_user_count; i++) {
		if (config->vhost_user[i].kind != VHOST_USER_BLK)
			continue;
		diag_error(
			"--vhost-user %s: a disk that nothing verifies; with --verify-key a disk "
			"is a --disk",
			config->vhost_user[i].socket);
		return VM_STATUS_REFUSED;
	}
	return 0;
}

int signed_open(struct vm *vm)
{
	struct signed_boot *boot;
	int status;

	if (!vm->config->verify_key)
		return 0;
	status = judge_devices(vm->config);
	if (status)
		return status;
	boot = calloc(1, sizeof(*boot));
	if (!boot) {
		diag_error("no memory to verify what boots");
		return VM_STATUS_SYSTEM;
	}
	name_nothing(boot);
	boot->config = *vm->config;
	vm->signed_boot = boot;
	vm->config = &boot->config;
	status = vm_open_image("public key", vm->config->verify_key, &boot->key_file);
	if (status)
		return status;
	return vm->config->manifest ? open_list(vm) : open_signatures(vm);
}

void signed_release(struct signed_image *image)
{
	if (image->data)
		(void)munmap(image->data, image->size);
	image->data = NULL;
}

static void close_file(const struct vm_file *file)
{
	if (file->fd >= 0)
		(void)close(file->fd);
}

void signed_close(struct vm *vm)
{
	struct signed_boot *boot = vm->signed_boot;

	if (!boot)
		return;
	close_file(&boot->key_file);
	close_file(&boot->list_file);
	close_file(&boot->list_signature.file);
	close_file(&boot->kernel_signature.file);
	close_file(&boot->initrd_signature.file);
	signed_release(&boot->kernel);
	signed_release(&boot->initrd);
	/* The config in it may be vm->config still: names of files are used until the very end. */
	free(boot);
	vm->signed_boot = NULL;
}

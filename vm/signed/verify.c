/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verifies what boots, behind the locked door and before anything of it is parsed: the bytes that are
 * hashed here are read once, into memory of our own, and are the bytes that are loaded.
 */
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "arch/arch.h"
#include "base/checked.h"
#include "base/diag.h"
#include "base/io.h"
#include "base/progress.h"
#include "vm/cmdline.h"
#include "vm/signed/reader.h"
#include "vm/signed/signed.h"
#include "vm/unpack.h"

static int cannot_read(const char *what, const char *name, int err)
{
	diag_error("%s %s: cannot read: %s", what, name, strerror(-err));
	return VM_STATUS_NO_INPUT;
}

/* A small file from its start: *@data (freed by the caller) and *@len. */
static int read_small(const char *what, const struct vm_file *file, size_t max, uint8_t **data,
		      size_t *len)
{
	ssize_t n;

	*data = malloc(max + 1);
	if (!*data)
		return cannot_read(what, file->name, -ENOMEM);
	n = pread_full(file->fd, *data, max + 1, 0);
	if (n >= 0 && (size_t)n <= max) {
		*len = (size_t)n;
		return 0;
	}
	free(*data);
	if (n < 0)
		return cannot_read(what, file->name, (int)n);
	diag_error("%s %s: more than the %zu bytes that one may have", what, file->name, max);
	return VM_STATUS_REFUSED;
}

int signed_read_key(struct signed_boot *boot)
{
	uint8_t *data;
	size_t len;
	int status;

	if (minisign_init() < 0)
		return VM_STATUS_SYSTEM;
	status = read_small("public key", &boot->key_file, MINISIGN_FILE_MAX, &data, &len);
	if (status)
		return status;
	if (minisign_parse_key(boot->key_file.name, data, len, &boot->key) < 0)
		status = VM_STATUS_BAD_IMAGE;
	free(data);
	return status;
}

static int read_signature(const struct signed_file *file, struct minisign_signature *signature)
{
	uint8_t *data;
	size_t len;
	int status = read_small("signature", &file->file, MINISIGN_FILE_MAX, &data, &len);

	if (status)
		return status;
	if (minisign_parse_signature(file->name, data, len, signature) < 0)
		status = VM_STATUS_REFUSED;
	free(data);
	return status;
}

/* Bytes of a manifest: the signature first, then what they say. */
static int judge_list(struct signed_boot *boot, const uint8_t *data, size_t len)
{
	const char *name = boot->list_file.name;
	uint8_t prehash[MINISIGN_PREHASH];
	char what[PATH_MAX + 16];

	(void)snprintf(what, sizeof(what), "manifest %s", name);
	(void)crypto_generichash(prehash, sizeof(prehash), data, len, NULL, 0);
	if (minisign_verify(&boot->key, &boot->by, boot->list_signature.name, what, data, len,
			    prehash) < 0)
		return VM_STATUS_REFUSED;
	return manifest_parse(name, data, len, &boot->list) < 0 ? VM_STATUS_BAD_IMAGE : 0;
}

int signed_read_list(struct signed_boot *boot)
{
	uint8_t *data;
	size_t len;
	int status = signed_read_key(boot);

	if (!status)
		status = read_signature(&boot->list_signature, &boot->by);
	if (!status)
		status = read_small("manifest", &boot->list_file, MANIFEST_MAX, &data, &len);
	if (status)
		return status;
	status = judge_list(boot, data, len);
	free(data);
	return status;
}

static int map_image(const char *what, const struct vm_file *file, uint64_t max,
		     struct signed_image *image)
{
	void *map;

	if (!file->size || file->size > max) {
		diag_error("%s %s: %" PRIu64 " bytes; 1 to %" PRIu64 " can be loaded", what,
			   file->name, file->size, max);
		return VM_STATUS_BAD_IMAGE;
	}
	map = mmap(NULL, file->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED) {
		diag_error("%s %s: no memory for its %" PRIu64 " bytes: %s", what, file->name,
			   file->size, strerror(errno));
		return VM_STATUS_SYSTEM;
	}
	(void)madvise(map, file->size, MADV_HUGEPAGE);
	*image = (struct signed_image){ .data = map, .size = file->size };
	return 0;
}

/* Hashes what @reader brings as it comes, each byte once. The bytes, or -errno. */
static ssize_t hash_all(struct reader *reader, const struct signed_image *image,
			crypto_generichash_state *state, struct progress *progress)
{
	size_t have = 0;
	ssize_t n = 0;

	while (have < image->size && (n = reader_wait(reader, have)) > (ssize_t)have) {
		(void)crypto_generichash_update(state, image->data + have, (size_t)n - have);
		have = (size_t)n;
		progress_step(progress, have);
	}
	return have < image->size && n < 0 ? n : (ssize_t)have;
}

int signed_read_image(const char *what, const struct vm_file *file, bool quiet, uint64_t max,
		      struct signed_image *image, uint8_t *hash, size_t hash_len)
{
	crypto_generichash_state state;
	struct progress progress;
	struct reader reader;
	char doing[32];
	int status = map_image(what, file, max, image);
	ssize_t n;

	if (status)
		return status;
	(void)snprintf(doing, sizeof(doing), "reading %s", what);
	progress_begin(&progress, !quiet, doing, file->name, image->size);
	(void)crypto_generichash_init(&state, NULL, 0, hash_len);
	reader_begin(&reader, file->fd, image->data, image->size);
	n = hash_all(&reader, image, &state, &progress);
	reader_end(&reader);
	progress_end(&progress);
	if (n < 0)
		return cannot_read(what, file->name, (int)n);
	if ((size_t)n < image->size) {
		diag_error("%s %s: it became shorter while it was read", what, file->name);
		return VM_STATUS_REFUSED;
	}
	(void)crypto_generichash_final(&state, hash, hash_len);
	return 0;
}

/* One file of the manifest. */
static int verify_file(const char *what, const struct vm_file *file, bool quiet,
		       const struct manifest_file *wanted, uint64_t max, struct signed_image *image)
{
	uint8_t hash[MANIFEST_HASH];
	int status;

	if (file->size != wanted->size) {
		diag_error("%s %s: it has %" PRIu64 " bytes, and the manifest's has %" PRIu64, what,
			   file->name, file->size, wanted->size);
		return VM_STATUS_REFUSED;
	}
	status = signed_read_image(what, file, quiet, max, image, hash, sizeof(hash));
	if (status)
		return status;
	if (memcmp(hash, wanted->hash, sizeof(hash)) == 0)
		return 0;
	diag_error("%s %s: it is not the file of the manifest: its BLAKE2b-256 differs", what,
		   file->name);
	return VM_STATUS_REFUSED;
}

/* Whether @word stands by itself in @line. */
static bool has_word(const char *line, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = line; len && (at = strstr(at, word)); at += len) {
		if ((at == line || at[-1] == ' ') && (at[len] == ' ' || !at[len]))
			return true;
	}
	return false;
}

/* What the user says of the command line, if anything, gives the manifest's line. */
static int verify_cmdline(const struct vm_config *config, const char *wanted)
{
	char line[MANIFEST_CMDLINE_MAX];

	if (config->discovery == VM_DISCOVERY_CMDLINE) {
		diag_error(
			"--virtio cmdline adds to the command line, and the manifest's is exact");
		return VM_STATUS_REFUSED;
	}
	if (config->discovery == VM_DISCOVERY_PCI && has_word(wanted, arch_words.no_pci)) {
		diag_error("--virtio pci: the manifest's command line has %s; it is to be signed "
			   "with --virtio pci too",
			   arch_words.no_pci);
		return VM_STATUS_REFUSED;
	}
	if (!*config->append && !config->append_only)
		return 0;
	if (vm_cmdline(config, &arch_words, line, sizeof(line)) == 0 && strcmp(line, wanted) == 0)
		return 0;
	diag_error("command line: it would be \"%s\", and the manifest's is \"%s\"", line, wanted);
	return VM_STATUS_REFUSED;
}

static int disk_differs(const struct vm_disk_config *disk, const char *why)
{
	diag_error("disk %s: %s", disk->path, why);
	return VM_STATUS_REFUSED;
}

/* The superblock is what the manifest says: with the root hash it fixes every byte of the disk. */
static int verify_superblock(const struct vm_file *tree, const struct manifest_disk *wanted,
			     uint8_t superblock[VERITY_SUPERBLOCK])
{
	uint8_t hash[MANIFEST_HASH];
	ssize_t n = pread_full(tree->fd, superblock, VERITY_SUPERBLOCK, 0);

	if (n < 0)
		return cannot_read("verity tree", tree->name, (int)n);
	(void)crypto_generichash(hash, sizeof(hash), superblock, (size_t)n, NULL, 0);
	if (n == VERITY_SUPERBLOCK && memcmp(hash, wanted->superblock, sizeof(hash)) == 0)
		return 0;
	diag_error("verity tree %s: its superblock is not the manifest's", tree->name);
	return VM_STATUS_REFUSED;
}

static int verify_disk(struct vm *vm, size_t i)
{
	struct signed_boot *boot = vm->signed_boot;
	const struct manifest_disk *wanted = &boot->list.disks[i];
	struct vm_disk_config *disk = &boot->config.disks[i];

	if (boot->disks_named &&
	    (strcmp(disk->path, wanted->name) != 0 ||
	     (wanted->kind == MANIFEST_VERITY && strcmp(disk->verity, wanted->hash_name) != 0)))
		return disk_differs(disk, "the manifest changed while it was read");
	if (wanted->kind == MANIFEST_UNTRUSTED_RW && !disk->verity)
		return 0;
	if (!disk->readonly)
		return disk_differs(disk, "the manifest has it read-only: ro is needed");
	if (wanted->kind != MANIFEST_VERITY && disk->verity)
		return disk_differs(disk, "the manifest has no verity tree for it");
	if (wanted->kind != MANIFEST_VERITY)
		return 0;
	if (!disk->verity)
		return disk_differs(disk, "the manifest wants it verified: ro,verity=HASHFILE is "
					  "needed");
	if (disk->root_len && (disk->root_len != wanted->root_len ||
			       memcmp(disk->root, wanted->root, wanted->root_len) != 0))
		return disk_differs(disk, "root-hash= is not the manifest's root hash");
	memcpy(disk->root, wanted->root, wanted->root_len);
	disk->root_len = wanted->root_len;
	return verify_superblock(&vm->disk_trees[i], wanted, boot->superblocks[i]);
}

static int verify_disks(struct vm *vm)
{
	const struct manifest *list = &vm->signed_boot->list;
	const struct vm_config *config = vm->config;
	int status = 0;

	if (config->disk_count > list->disk_count) {
		diag_error("disk %s: the manifest has no such disk: it has %zu",
			   config->disks[list->disk_count].path, list->disk_count);
		return VM_STATUS_REFUSED;
	}
	if (config->disk_count < list->disk_count) {
		diag_error("disk %s: the manifest has it, and the command line does not",
			   list->disks[config->disk_count].name);
		return VM_STATUS_REFUSED;
	}
	for (size_t i = 0; i < config->disk_count && !status; i++)
		status = verify_disk(vm, i);
	return status;
}

static int verify_listed(struct vm *vm)
{
	struct signed_boot *boot = vm->signed_boot;
	const struct manifest *list = &boot->list;
	bool quiet = vm->config->verbosity < 0;
	int status = signed_read_list(boot);

	if (!status && !*list->initrd.name && vm->config->initrd) {
		diag_error("initrd %s: the manifest has none", vm->config->initrd);
		status = VM_STATUS_REFUSED;
	}
	if (!status && *list->initrd.name && !vm->config->initrd) {
		diag_error("initrd %s: the manifest changed while it was read", list->initrd.name);
		status = VM_STATUS_REFUSED;
	}
	if (!status)
		status = verify_cmdline(vm->config, list->cmdline);
	if (!status)
		status = verify_disks(vm);
	if (!status)
		status = verify_file("kernel", &vm->kernel, quiet, &list->kernel, UNPACK_MAX,
				     &boot->kernel);
	if (!status && vm->config->initrd)
		status = verify_file("initrd", &vm->initrd, quiet, &list->initrd,
				     vm->config->memory, &boot->initrd);
	return status;
}

/* One file with its own signature. */
static int verify_alone(const struct signed_boot *boot, const char *what,
			const struct vm_file *file, bool quiet,
			const struct signed_file *signature_file, uint64_t max,
			struct minisign_signature *signature, struct signed_image *image)
{
	uint8_t prehash[MINISIGN_PREHASH];
	char subject[PATH_MAX + 16];
	int status = read_signature(signature_file, signature);

	if (!status)
		status = signed_read_image(what, file, quiet, max, image, prehash, sizeof(prehash));
	if (status)
		return status;
	(void)snprintf(subject, sizeof(subject), "%s %s", what, file->name);
	return minisign_verify(&boot->key, signature, signature_file->name, subject, image->data,
			       image->size, prehash) < 0
		       ? VM_STATUS_REFUSED
		       : 0;
}

/* Without a manifest: signatures beside the images, and disks that the command line gives a root for. */
static int verify_detached(struct vm *vm)
{
	struct signed_boot *boot = vm->signed_boot;
	struct minisign_signature other;
	bool quiet = vm->config->verbosity < 0;
	int status = signed_read_key(boot);

	for (size_t i = 0; i < vm->config->disk_count && !status; i++) {
		if (!vm->config->disks[i].verity)
			status = disk_differs(&vm->config->disks[i],
					      "not verified: with --verify-key a disk wants "
					      "ro,verity=HASHFILE,root-hash=HEX, or a manifest "
					      "that names it");
	}
	if (!status)
		status = verify_alone(boot, "kernel", &vm->kernel, quiet, &boot->kernel_signature,
				      UNPACK_MAX, &boot->by, &boot->kernel);
	if (!status && vm->config->initrd)
		status = verify_alone(boot, "initrd", &vm->initrd, quiet, &boot->initrd_signature,
				      vm->config->memory, &other, &boot->initrd);
	return status;
}

int vm_verify(struct vm *vm)
{
	if (!vm->signed_boot)
		return 0;
	return vm->config->manifest ? verify_listed(vm) : verify_detached(vm);
}

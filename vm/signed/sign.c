/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes manifests and signatures. Inputs, the key and outputs are opened and the key is unlocked first
 * (it is the user's own), then the door is locked, then what a stranger may have made is read.
 */
#include "vm/signed/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "arch/arch.h"
#include "base/diag.h"
#include "base/io.h"
#include "vm/cmdline.h"
#include "vm/signed/minisign_secret.h"
#include "vm/signed/signed.h"
#include "vm/unpack.h"

/* A file that is written. */
struct output {
	int fd; /* -1: none */
	char name[PATH_MAX + 16];
};

struct signer {
	const struct vm_sign_config *config;
	struct vm_config opened; /* the config with the disks that are looked at */
	struct vm vm;
	struct minisign_secret secret;
	struct output manifest;
	struct output signatures[2]; /* of the manifest; or of kernel and initrd */
	struct manifest list;
	char text[MANIFEST_MAX];
	char signature[MINISIGN_SIGNATURE_TEXT];
};

static int failed(const char *what, const char *name, int err)
{
	diag_error("%s %s: %s", what, name, strerror(-err));
	return VM_STATUS_SYSTEM;
}

/* Only disks that are verified are opened: of the others nothing is promised. */
static int open_inputs(struct signer *s)
{
	const struct vm_config *boot = s->config->boot;

	s->opened = *boot;
	s->opened.disk_count = 0;
	s->opened.verify_key = NULL;
	for (size_t i = 0; i < boot->disk_count; i++) {
		if (boot->disks[i].verity)
			s->opened.disks[s->opened.disk_count++] = boot->disks[i];
	}
	s->vm.config = &s->opened;
	return vm_open_inputs(&s->vm);
}

static int read_secret(struct signer *s)
{
	const char *name = s->config->secret_key;
	struct vm_file file = { .fd = -1 };
	uint8_t text[MINISIGN_FILE_MAX];
	const char *password;
	ssize_t n;
	int status;
	int err;

	if (!name)
		return 0;
	status = vm_open_image("secret key", name, &file);
	if (status)
		return status;
	n = pread_full(file.fd, text, sizeof(text), 0);
	(void)close(file.fd);
	if (n < 0)
		return failed("secret key", name, (int)n);
	err = minisign_parse_secret(name, text, (size_t)n, &s->secret);
	sodium_memzero(text, sizeof(text));
	if (err < 0)
		return VM_STATUS_BAD_IMAGE;
	if (!s->secret.encrypted)
		return 0;
	password = s->config->password(s->config->opaque, name);
	if (!password)
		return VM_STATUS_NO_INPUT;
	err = minisign_unlock(name, &s->secret, password);
	if (err == -EKEYREJECTED)
		return VM_STATUS_REFUSED;
	if (err == -ENOMEM)
		return VM_STATUS_SYSTEM;
	return err < 0 ? VM_STATUS_BAD_IMAGE : 0;
}

static bool is_input(const struct signer *s, const struct stat *st)
{
	const struct vm_file *files[2 + 2 * VM_MAX_DISKS] = { &s->vm.kernel, &s->vm.initrd };
	size_t count = 2;
	struct stat other;

	for (size_t i = 0; i < s->opened.disk_count; i++) {
		files[count++] = &s->vm.disks[i];
		files[count++] = &s->vm.disk_trees[i];
	}
	for (size_t i = 0; i < count; i++) {
		if (files[i]->fd >= 0 && fstat(files[i]->fd, &other) == 0 &&
		    other.st_dev == st->st_dev && other.st_ino == st->st_ino)
			return true;
	}
	return s->config->secret_key && stat(s->config->secret_key, &other) == 0 &&
	       other.st_dev == st->st_dev && other.st_ino == st->st_ino;
}

/* Empties the file, unless it is one of those that are read. */
static int open_output(const struct signer *s, const char *name, const char *suffix,
		       struct output *out)
{
	struct stat st;

	if ((size_t)snprintf(out->name, sizeof(out->name), "%s%s", name, suffix) >=
	    sizeof(out->name))
		return failed("file", name, -ENAMETOOLONG);
	out->fd = open(out->name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
	if (out->fd < 0 || fstat(out->fd, &st) < 0)
		return failed("writing", out->name, -errno);
	if (is_input(s, &st)) {
		diag_error("%s: it would be overwritten, and it is also read", out->name);
		return VM_STATUS_USAGE;
	}
	return ftruncate(out->fd, 0) < 0 ? failed("writing", out->name, -errno) : 0;
}

static int open_outputs(struct signer *s)
{
	const struct vm_sign_config *config = s->config;
	int status;

	if (config->manifest) {
		status = open_output(s, config->manifest, "", &s->manifest);
		if (!status && config->secret_key)
			status = open_output(s, config->manifest, ".minisig", &s->signatures[0]);
		return status;
	}
	status = open_output(s, config->boot->kernel, ".minisig", &s->signatures[0]);
	if (!status && config->boot->initrd)
		status = open_output(s, config->boot->initrd, ".minisig", &s->signatures[1]);
	return status;
}

static int write_output(const struct output *out, const char *text, size_t len)
{
	int err = write_full(out->fd, text, len);

	return err < 0 ? failed("writing", out->name, err) : 0;
}

static const char *last_part(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

/* Signs @size bytes, the content of the file @name, into @out. */
static int write_signature(struct signer *s, const char *name, const uint8_t *data, size_t size,
			   const uint8_t prehash[MINISIGN_PREHASH], const struct output *out)
{
	const struct vm_sign_config *config = s->config;
	char comment[256];
	size_t len;

	(void)snprintf(comment, sizeof(comment), "timestamp:%lld\tfile:%.200s%s",
		       (long long)time(NULL), last_part(name), config->legacy ? "" : "\thashed");
	len = minisign_sign(&s->secret, data, size, config->legacy ? NULL : prehash,
			    config->comment ? config->comment : comment, s->signature);
	return write_output(out, s->signature, len);
}

/* An image with a signature of its own. */
static int sign_image(struct signer *s, const char *what, const struct vm_file *file, uint64_t max,
		      const struct output *out)
{
	struct signed_image image = { .data = NULL };
	uint8_t prehash[MINISIGN_PREHASH];
	int status = signed_read_image(what, file, false, max, &image, prehash, sizeof(prehash));

	if (!status)
		status = write_signature(s, file->name, image.data, image.size, prehash, out);
	signed_release(&image);
	return status;
}

/* What is done with the names of files before the door is locked. */
struct folder {
	char path[PATH_MAX]; /* the manifest's, resolved, with a slash at its end */
};

/* The real folder of @name, with a slash. */
static bool find_folder(const char *name, char path[PATH_MAX])
{
	char part[PATH_MAX];
	size_t len = (size_t)(last_part(name) - name);
	size_t used;

	if (len >= sizeof(part))
		return false;
	memcpy(part, len ? name : ".", len ? len : 1);
	part[len ? len : 1] = '\0';
	if (!realpath(part, path))
		return false;
	used = strlen(path);
	if (used + 2 > PATH_MAX)
		return false;
	if (used > 1)
		memcpy(path + used, "/", 2);
	return true;
}

/*
 * How the manifest calls the file @name: by its way from the manifest's folder, or, if it does not lie
 * in there, by its last part alone; then whoever boots says where it is.
 */
static int name_file(const char *what, const struct folder *folder, const char *name,
		     char out[MANIFEST_NAME_MAX + 1])
{
	size_t skip = strlen(folder->path);
	char path[PATH_MAX];
	const char *within = "";

	if (find_folder(name, path) && strncmp(path, folder->path, skip) == 0)
		within = path + skip;
	if ((size_t)snprintf(out, MANIFEST_NAME_MAX + 1, "%s%s", within, last_part(name)) <=
		    MANIFEST_NAME_MAX &&
	    manifest_name_ok(out))
		return 0;
	diag_error("%s %s: a manifest cannot have this name", what, name);
	return VM_STATUS_USAGE;
}

static int name_disk(const struct vm_disk_config *config, const struct folder *folder,
		     struct manifest_disk *disk)
{
	int status = name_file("disk", folder, config->path, disk->name);

	if (!config->verity) {
		disk->kind = config->readonly ? MANIFEST_UNTRUSTED_RO : MANIFEST_UNTRUSTED_RW;
		return status;
	}
	disk->kind = MANIFEST_VERITY;
	memcpy(disk->root, config->root, config->root_len);
	disk->root_len = config->root_len;
	return status ? status : name_file("verity tree", folder, config->verity, disk->hash_name);
}

/* What of the manifest is known without reading a file. */
static int begin_list(struct signer *s)
{
	const struct vm_config *boot = s->config->boot;
	struct manifest *list = &s->list;
	struct folder folder;
	int status;

	if (!s->config->manifest)
		return 0;
	if (vm_cmdline(boot, &arch_words, list->cmdline, sizeof(list->cmdline)) < 0 ||
	    !find_folder(s->config->manifest, folder.path)) {
		diag_error("manifest %s: its folder or the command line is too long or not there",
			   s->config->manifest);
		return VM_STATUS_USAGE;
	}
	for (const char *c = list->cmdline; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f) {
			diag_error("command line: a manifest cannot hold its control character "
				   "\\x%02x",
				   (unsigned)(unsigned char)*c);
			return VM_STATUS_USAGE;
		}
	}
	status = name_file("kernel", &folder, boot->kernel, list->kernel.name);
	if (!status && boot->initrd)
		status = name_file("initrd", &folder, boot->initrd, list->initrd.name);
	for (size_t i = 0; i < boot->disk_count && !status; i++)
		status = name_disk(&boot->disks[i], &folder, &list->disks[i]);
	list->disk_count = boot->disk_count;
	return status;
}

static int hash_file(const char *what, const struct vm_file *file, uint64_t max,
		     struct manifest_file *out)
{
	struct signed_image image = { .data = NULL };
	int status =
		signed_read_image(what, file, false, max, &image, out->hash, sizeof(out->hash));

	out->size = image.size;
	signed_release(&image);
	return status;
}

/* The superblock's hash; that the tree has the root hash is looked at too. */
static int hash_tree(struct signer *s, unsigned index, struct manifest_disk *out)
{
	const struct vm_file *tree = &s->vm.disk_trees[index];
	uint8_t superblock[VERITY_SUPERBLOCK];
	struct disk *disk;
	ssize_t n = pread_full(tree->fd, superblock, sizeof(superblock), 0);
	int err;

	if (n < 0)
		return failed("verity tree", tree->name, (int)n);
	(void)crypto_generichash(out->superblock, sizeof(out->superblock), superblock, (size_t)n,
				 NULL, 0);
	err = vm_open_disk(&s->vm, index, &disk);
	if (err < 0)
		return err == -EKEYREJECTED ? VM_STATUS_REFUSED : VM_STATUS_BAD_IMAGE;
	disk_close(disk);
	return 0;
}

static int finish_list(struct signer *s)
{
	struct manifest *list = &s->list;
	unsigned opened = 0;
	int status = hash_file("kernel", &s->vm.kernel, UNPACK_MAX, &list->kernel);
	int len;

	if (!status && *list->initrd.name)
		status = hash_file("initrd", &s->vm.initrd, VM_MEMORY_MAX, &list->initrd);
	for (size_t i = 0; i < list->disk_count && !status; i++) {
		if (list->disks[i].kind == MANIFEST_VERITY)
			status = hash_tree(s, opened++, &list->disks[i]);
	}
	if (status)
		return status;
	len = manifest_write(list, s->text, sizeof(s->text));
	return len < 0 ? failed("manifest", s->manifest.name, len)
		       : write_output(&s->manifest, s->text, (size_t)len);
}

static int sign_list(struct signer *s)
{
	const uint8_t *text = (const uint8_t *)s->text;
	uint8_t prehash[MINISIGN_PREHASH];
	int status = finish_list(s);
	size_t len;

	if (status || !s->config->secret_key)
		return status;
	len = strlen(s->text);
	(void)crypto_generichash(prehash, sizeof(prehash), text, len, NULL, 0);
	return write_signature(s, s->manifest.name, text, len, prehash, &s->signatures[0]);
}

static int sign_images(struct signer *s)
{
	int status = sign_image(s, "kernel", &s->vm.kernel, UNPACK_MAX, &s->signatures[0]);

	if (!status && s->config->boot->initrd)
		status = sign_image(s, "initrd", &s->vm.initrd, VM_MEMORY_MAX, &s->signatures[1]);
	return status;
}

static int go(struct signer *s)
{
	int status = minisign_init() < 0 ? VM_STATUS_SYSTEM : open_inputs(s);

	if (!status)
		status = begin_list(s);
	if (!status)
		status = read_secret(s);
	if (!status)
		status = open_outputs(s);
	if (!status && sandbox_lock(&s->vm.sandbox, s->config->boot) < 0)
		status = VM_STATUS_SYSTEM;
	if (status)
		return status;
	return s->config->manifest ? sign_list(s) : sign_images(s);
}

static int close_output(const struct output *out)
{
	if (out->fd >= 0 && close(out->fd) < 0)
		return failed("writing", out->name, -errno);
	return 0;
}

int vm_sign(const struct vm_sign_config *config)
{
	struct signer *s = calloc(1, sizeof(*s));
	int status;

	if (!s)
		return failed("no memory for", "the manifest", -ENOMEM);
	s->config = config;
	vm_name_nothing(&s->vm);
	s->manifest.fd = s->signatures[0].fd = s->signatures[1].fd = -1;
	status = go(s);
	minisign_forget(&s->secret);
	vm_close_files(&s->vm);
	if (close_output(&s->manifest) && !status)
		status = VM_STATUS_SYSTEM;
	for (size_t i = 0; i < 2; i++) {
		if (close_output(&s->signatures[i]) && !status)
			status = VM_STATUS_SYSTEM;
	}
	free(s);
	return status;
}

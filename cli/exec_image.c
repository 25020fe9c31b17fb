/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes the initramfs of hvrun exec in memory. */
#include "cli/exec_image.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "vm/daemon/backends.h"
#include "vm/exec/kmod.h"

#define ROOT_TAG "hvrun.root"

/* guests/init, built for this architecture (cli/exec_init.S). */
extern const char exec_init[], exec_init_end[];

static int refused(const char *what, int err)
{
	diag_error("exec: %s: %s", what, strerror(-err));
	return VM_STATUS_SYSTEM;
}

/*
 * Where the modules of the kernel in @file lie: its name says which release it is (vmlinuz-RELEASE), and
 * that is all that is looked at before the door is locked. False: there are none.
 */
static bool find_modules(const char *file, char *dir, size_t size)
{
	char real[PATH_MAX];
	const char *base, *release;

	if (!realpath(file, real))
		return false;
	base = strrchr(real, '/') + 1;
	release = strchr(base, '-');
	return release && snprintf(dir, size, "/lib/modules/%s", release + 1) < (int)size &&
	       access(dir, R_OK | X_OK) == 0;
}

/* Adds one module to the archive, and its name to what init loads. */
static int take_module(void *opaque, const char *path, const uint8_t *data, size_t size)
{
	struct exec_image *image = opaque;
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	const char *end = strstr(base, ".ko"); /* what follows tells how it was packed */
	char name[NAME_MAX + 16];
	int r;

	(void)snprintf(name, sizeof(name), "/modules/%.*s.ko",
		       (int)(end ? (size_t)(end - base) : strlen(base)), base);
	r = initramfs_file(&image->fs, name + 1, 0644, data, size);
	if (r < 0)
		return refused("cannot write the initramfs", r), r;
	exec_spec_add(&image->spec, 'm', name);
	return 0;
}

/* The modules that the machine's devices and the root need, as far as this kernel has them. */
static int add_modules(struct exec_image *image, const struct vm_config *config,
		       struct kmod_index *index)
{
	static const char *const windows[] = { "virtio_mmio" };
	static const char *const pci[] = { "virtio_pci" };
	static const char *const always[] = { "virtio_console" };
	static const char *const shares[] = { "virtiofs", "overlay" };
	static const char *const disks[] = { "virtio_blk", "crc32c_generic", "ext4" };
	static const char *const nets[] = { "virtio_net" };
	int r = kmod_each(index, config->discovery == VM_DISCOVERY_PCI ? pci : windows, 1,
			  take_module, image);

	if (!r)
		r = kmod_each(index, always, ARRAY_SIZE(always), take_module, image);
	if (!r && config->share_count)
		r = kmod_each(index, shares, ARRAY_SIZE(shares), take_module, image);
	if (!r && config->disk_count)
		r = kmod_each(index, disks, ARRAY_SIZE(disks), take_module, image);
	if (!r && config->net_count)
		r = kmod_each(index, nets, ARRAY_SIZE(nets), take_module, image);
	return r ? VM_STATUS_BAD_IMAGE : 0;
}

/* The user's shares, as words for init. */
static int tell_shares(struct exec_image *image, const struct vm_config *config)
{
	for (unsigned i = 0; i < config->share_count; i++) {
		const struct vm_share_config *own = &config->shares[i];
		char real[PATH_MAX];

		if (!realpath(own->path, real)) {
			diag_error("share %s: cannot open: %s", own->path, strerror(errno));
			return VM_STATUS_NO_INPUT;
		}
		if (strcmp(own->tag, ROOT_TAG) == 0) {
			diag_error("--share %s: the tag " ROOT_TAG " is that of exec's own root",
				   own->path);
			return VM_STATUS_USAGE;
		}
		exec_spec_add(&image->spec, 't', own->tag);
		exec_spec_add(&image->spec, own->readonly ? 's' : 'S', real);
	}
	return 0;
}

/* The command's root as a virtio-fs device. */
static int add_root_share(struct exec_image *image, struct vm_config *config,
			  const struct exec_root *root)
{
	struct vm_share_config *share = &config->shares[config->share_count];

	if (config->share_count == VM_MAX_SHARES) {
		diag_error("--share: there can be at most %d beside exec's root",
			   VM_MAX_SHARES - 1);
		return VM_STATUS_USAGE;
	}
	*share = (struct vm_share_config){ .path = root->path, .readonly = !root->rw };
	memcpy(share->tag, ROOT_TAG, sizeof(ROOT_TAG));
	config->share_count++;
	exec_spec_add(&image->spec, 'r', ROOT_TAG);
	if (!root->rw)
		exec_spec_add(&image->spec, 'o', "");
	return 0;
}

/* The command's root as a disk of its own, the last one, which is thrown away: that needs no overlay. */
static int add_root_disk(struct exec_image *image, struct vm_config *config,
			 const struct exec_root *root, const char *why)
{
	char disk[] = "/dev/vda";
	int status;

	if (root->rw) {
		diag_error("--root %s,rw: %s, so the root is a copy, and what is written to it "
			   "cannot be kept",
			   root->path, why);
		return VM_STATUS_SYSTEM;
	}
	if (config->disk_count == VM_MAX_DISKS) {
		diag_error("--disk: there can be at most %d beside a copy of exec's root",
			   VM_MAX_DISKS - 1);
		return VM_STATUS_USAGE;
	}
	status = dir_image_make(root->path, config->verbosity < 0, &image->copy);
	if (status)
		return status;
	if (config->verbosity >= 0)
		diag_note("exec: the root is a copy of %s (%llu MiB): %s", root->path,
			  (unsigned long long)((image->copy.copied + (1 << 20) - 1) >> 20), why);
	disk[sizeof(disk) - 2] = (char)('a' + config->disk_count);
	config->disks[config->disk_count++] = (struct vm_disk_config){ .path = image->copy.path };
	exec_spec_add(&image->spec, 'b', disk);
	return 0;
}

/* Why the root cannot be shown to the guest itself; NULL: it can. @index: NULL if nobody knows the modules. */
static const char *why_copied(const struct exec_root *root, const struct kmod_index *index)
{
	if (root->copy)
		return "as you wish";
	if (index && !kmod_has(index, "virtiofs") && kmod_knows_builtin(index))
		return "this kernel has no virtio-fs";
	return vm_find_virtiofsd() ? NULL : "virtiofsd is not installed here";
}

static int add_root(struct exec_image *image, struct vm_config *config,
		    const struct exec_root *root, const struct kmod_index *index)
{
	const char *why = why_copied(root, index);
	int status = tell_shares(image, config);

	if (status)
		return status;
	return why ? add_root_disk(image, config, root, why) : add_root_share(image, config, root);
}

static size_t init_size(void)
{
	/* cppcheck-suppress comparePointers ; both ends of one object */
	return (size_t)(exec_init_end - exec_init);
}

static int write_archive(struct exec_image *image, const struct vm_config *config,
			 struct kmod_index *index)
{
	int status, r = initramfs_begin(&image->fs);

	if (!r)
		r = initramfs_dir(&image->fs, "modules");
	if (!r)
		r = initramfs_file(&image->fs, "init", 0755, exec_init, init_size());
	if (r < 0)
		return refused("cannot write the initramfs", r);
	status = index ? add_modules(image, config, index) : 0;
	if (status)
		return status;
	if (image->spec.failed) {
		diag_error("exec: the command, its environment and modules are more than %d bytes",
			   EXEC_SPEC_MAX);
		return VM_STATUS_USAGE;
	}
	r = initramfs_file(&image->fs, "exec.spec", 0600, image->spec.text, image->spec.len);
	if (!r)
		r = initramfs_end(&image->fs);
	return r < 0 ? refused("cannot write the initramfs", r) : 0;
}

int exec_image_make(struct exec_image *image, struct vm_config *config,
		    const struct exec_root *root, const char *modules)
{
	struct kmod_index *index = NULL;
	char dir[PATH_MAX];
	int status;

	if (!modules && find_modules(config->kernel, dir, sizeof(dir)))
		modules = dir;
	if (!modules && config->verbosity > 0)
		diag_note("exec: no modules for this kernel in /lib/modules; its drivers must be "
			  "built in, or --modules DIR names their folder");
	if (modules && kmod_open(modules, config, &index) < 0)
		return VM_STATUS_NO_INPUT;
	status = add_root(image, config, root, index);
	if (!status)
		status = write_archive(image, config, index);
	kmod_free(index);
	return status;
}

void exec_image_free(struct exec_image *image)
{
	if (image->fs.fd >= 0)
		close(image->fs.fd);
	if (image->copy.fd >= 0)
		close(image->copy.fd);
	exec_spec_free(&image->spec);
}

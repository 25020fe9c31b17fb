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
#include "vm/kmod.h"

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
static int add_modules(struct exec_image *image, const struct vm_config *config, const char *dir)
{
	static const char *const always[] = { "virtio_mmio", "virtio_console", "virtiofs",
					      "overlay" };
	static const char *const disks[] = { "virtio_blk", "ext4" };
	static const char *const nets[] = { "virtio_net" };
	struct kmod_index *index;
	int r = kmod_open(dir, config, &index);

	if (r < 0)
		return VM_STATUS_NO_INPUT;
	if (!kmod_has(index, "virtiofs"))
		diag_warn("exec: the modules in %s have no virtiofs; the guest can mount its root "
			  "only if it is built into the kernel",
			  dir);
	r = kmod_each(index, always, ARRAY_SIZE(always), take_module, image);
	if (!r && config->disk_count)
		r = kmod_each(index, disks, ARRAY_SIZE(disks), take_module, image);
	if (!r && config->net_count)
		r = kmod_each(index, nets, ARRAY_SIZE(nets), take_module, image);
	kmod_free(index);
	return r ? VM_STATUS_BAD_IMAGE : 0;
}

/* The command's root and the user's shares, as virtio-fs devices and as words for init. */
static int add_shares(struct exec_image *image, struct vm_config *config, const char *root, bool rw)
{
	struct vm_share_config *share = &config->shares[config->share_count];

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
	if (config->share_count == VM_MAX_SHARES) {
		diag_error("--share: there can be at most %d beside exec's root",
			   VM_MAX_SHARES - 1);
		return VM_STATUS_USAGE;
	}
	*share = (struct vm_share_config){ .path = root, .readonly = !rw };
	memcpy(share->tag, ROOT_TAG, sizeof(ROOT_TAG));
	config->share_count++;
	exec_spec_add(&image->spec, 'r', ROOT_TAG);
	if (!rw)
		exec_spec_add(&image->spec, 'o', "");
	return 0;
}

static int write_archive(struct exec_image *image, const struct vm_config *config,
			 const char *modules)
{
	int status, r = initramfs_begin(&image->fs);

	if (!r)
		r = initramfs_dir(&image->fs, "modules");
	if (!r)
		r = initramfs_file(&image->fs, "init", 0755, exec_init,
				   (size_t)(exec_init_end - exec_init));
	if (r < 0)
		return refused("cannot write the initramfs", r);
	status = modules ? add_modules(image, config, modules) : 0;
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

int exec_image_make(struct exec_image *image, struct vm_config *config, const char *root, bool rw,
		    const char *modules)
{
	char dir[PATH_MAX];
	int status = add_shares(image, config, root, rw);

	if (status)
		return status;
	if (!modules && find_modules(config->kernel, dir, sizeof(dir)))
		modules = dir;
	if (!modules && config->verbosity > 0)
		diag_note("exec: no modules for this kernel in /lib/modules; its drivers must be "
			  "built in, or --modules DIR names their folder");
	return write_archive(image, config, modules);
}

void exec_image_free(struct exec_image *image)
{
	if (image->fs.fd >= 0)
		close(image->fs.fd);
	exec_spec_free(&image->spec);
}

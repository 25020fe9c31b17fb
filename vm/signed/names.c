/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a manifest names must be opened before the door is locked, and a stranger's bytes are parsed only
 * behind it. So a child process goes behind a door of its own first, verifies and reads the
 * manifest there, and leaves what it found in memory that both see.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/diag.h"
#include "vm/sandbox/sandbox.h"
#include "vm/signed/signed.h"

/* In the child: an exit status. */
static int read_locked(const struct vm *vm, struct manifest *out)
{
	struct signed_boot *boot = vm->signed_boot;
	int status = sandbox_lock_child(vm->config);

	if (status)
		return status;
	status = signed_read_list(boot);
	*out = boot->list;
	return status;
}

static int refused(const char *what)
{
	diag_error("manifest: the host refuses %s: %s", what, strerror(errno));
	return VM_STATUS_SYSTEM;
}

static int wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return refused("to wait for the process that reads it");
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	diag_error("manifest: the process that reads it was ended by signal %d", WTERMSIG(status));
	return VM_STATUS_DEFECT;
}

static bool ended(const char *text, size_t size)
{
	return memchr(text, 0, size) != NULL;
}

static bool name_holds(const char name[MANIFEST_NAME_MAX + 1])
{
	return ended(name, MANIFEST_NAME_MAX + 1) && manifest_name_ok(name);
}

/* The child may have been taken over by what it read: names are names, or nothing. */
static bool names_hold(const struct manifest *names)
{
	if (!name_holds(names->kernel.name) || names->disk_count > VM_MAX_DISKS ||
	    (*names->initrd.name && !name_holds(names->initrd.name)))
		return false;
	for (size_t i = 0; i < names->disk_count; i++) {
		const struct manifest_disk *disk = &names->disks[i];

		if (!name_holds(disk->name) || disk->kind > MANIFEST_UNTRUSTED_RW ||
		    (disk->kind == MANIFEST_VERITY && !name_holds(disk->hash_name)))
			return false;
	}
	return true;
}

int signed_ask_names(struct vm *vm)
{
	struct manifest *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child;
	int status;

	if (shared == MAP_FAILED)
		return refused("memory for it");
	child = fork();
	if (child == 0)
		_exit(read_locked(vm, shared)); /* check-layers: allowed: the child's end */
	status = child < 0 ? refused("a process that reads it") : wait_for(child);
	vm->signed_boot->names = *shared; /* nobody else writes to it any more */
	(void)munmap(shared, sizeof(*shared));
	if (!status && !names_hold(&vm->signed_boot->names)) {
		diag_error("manifest: the process that reads it answered nonsense");
		return VM_STATUS_DEFECT;
	}
	return status;
}

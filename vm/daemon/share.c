/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --share: a directory served by the virtiofsd that the distribution ships, in its own sandbox.
 *
 * Two programs have that name: the C one of QEMU before 8.0 (Debian 12: /usr/lib/qemu/virtiofsd) and
 * its successor in Rust (/usr/libexec/virtiofsd). The words used here are understood by both. Both
 * pivot into the shared directory, in mount, pid and network namespaces and behind a seccomp list,
 * so that no symbolic link leads out of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "vm/machine.h"

const char *vm_find_virtiofsd(void)
{
	static const char *const places[] = {
		"/usr/libexec/virtiofsd",
		"/usr/lib/qemu/virtiofsd",
		"/usr/lib/virtiofsd",
		"/usr/local/libexec/virtiofsd",
		"/usr/libexec/qemu-kvm/virtiofsd",
		NULL,
	};
	const char *named = getenv("HVRUN_VIRTIOFSD");

	if (!named)
		return daemon_find(places);
	return *named == '/' && access(named, X_OK) == 0 ? named : NULL;
}

/* "source=" and @dir, with what parts words for the C program put behind a backslash. -ENAMETOOLONG. */
static int source_word(const char *dir, char *word, size_t size)
{
	size_t used = strlen("source=");

	memcpy(word, "source=", used);
	for (; *dir; dir++) {
		bool special = *dir == ',' || *dir == '\\';

		if (used + 3 > size)
			return -ENAMETOOLONG;
		if (special)
			word[used++] = '\\';
		word[used++] = *dir;
	}
	word[used] = '\0';
	return 0;
}

/*
 * A folder that is there on every system and holds nothing that virtiofsd itself needs: what it serves
 * must not be its own root, from which it could not pivot away. In its mount namespace only.
 */
static const char *place_for_root(void)
{
	static const char *const places[] = { "/mnt", "/media", "/srv", "/tmp" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct stat st;

		if (stat(places[i], &st) == 0 && S_ISDIR(st.st_mode))
			return places[i];
	}
	return NULL;
}

/* Whether @word stands in the file @program. */
static bool has_word(const char *program, const char *word)
{
	int fd = open(program, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *text = MAP_FAILED;
	bool found = false;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0)
		text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text != MAP_FAILED) {
		found = memmem(text, (size_t)st.st_size, word, strlen(word));
		munmap(text, (size_t)st.st_size);
	}
	if (fd >= 0)
		close(fd);
	return found;
}

static int start(struct daemon *daemon, const char *program, const char *dir, bool readonly,
		 bool same_ids, int listener)
{
	const char *root_at = strcmp(dir, "/") == 0 ? place_for_root() : NULL;
	const struct daemon_jail jail = {
		.mounts = true,
		.same_ids = same_ids,
		.root_at = root_at,
		.readonly = !readonly ? NULL
			    : root_at ? root_at
				      : dir,
	};
	char source[PATH_MAX + 64];
	const char *const argv[] = {
		program,
		"--fd=3",
		"-o",
		source,
		"-o",
		"sandbox=namespace",
		"-o",
		"xattr",
		"-o",
		"cache=auto",
		"--rlimit-nofile=0",
		/*
		 * The host's mounts below the directory stay plain directories. Announced, as the program in
		 * Rust does unasked, they are automounts to the guest, and its overlayfs refuses to look
		 * into those (EREMOTE). The C program does not announce them and knows no word for it.
		 */
		has_word(program, "no-announce-submounts") ? "--no-announce-submounts" : NULL,
		NULL,
	};
	int r = source_word(root_at ? root_at : dir, source, sizeof(source));

	if (r < 0) {
		diag_error("share %s: its name is too long", dir);
		return r;
	}
	return daemon_start(daemon, &(struct daemon_start){ "virtiofsd", argv, listener, &jail });
}

static int named_directory(const char *path, char **real)
{
	struct stat st;

	*real = realpath(path, NULL);
	if (!*real || stat(*real, &st) < 0) {
		diag_error("share %s: cannot open: %s", path, strerror(errno));
		free(*real);
		return VM_STATUS_NO_INPUT;
	}
	if (S_ISDIR(st.st_mode))
		return 0;
	diag_error("share %s: this is no directory", path);
	free(*real);
	return VM_STATUS_BAD_IMAGE;
}

int vm_start_share(struct vm *vm, const struct vm_share_config *share)
{
	const char *program;
	struct vm_backend *backend;
	char *dir;
	int listener;
	int status = named_directory(share->path, &dir);
	int r;

	if (status)
		return status;
	program = vm_find_virtiofsd();
	if (!program) {
		const char *named = getenv("HVRUN_VIRTIOFSD");

		if (named)
			diag_error("HVRUN_VIRTIOFSD=%s: this is not the absolute name of a program",
				   named);
		else
			diag_error("share %s: virtiofsd is not installed; Debian has it in package "
				   "virtiofsd (Debian 12: qemu-system-common)",
				   share->path);
		free(dir);
		return VM_STATUS_SYSTEM;
	}
	backend = vm_add_backend(vm, VHOST_USER_FS, "virtiofsd");
	backend->tag = share->tag;
	r = daemon_socket(&listener, &backend->fd);
	if (r < 0) {
		diag_error("share %s: cannot make a socket: %s", share->path, strerror(-r));
	} else {
		r = start(&backend->daemon, program, dir, share->readonly, vm->config->exec,
			  listener);
		close(listener);
	}
	free(dir);
	return r < 0 ? VM_STATUS_SYSTEM : 0;
}

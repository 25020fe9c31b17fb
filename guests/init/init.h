/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /init of the guest that `hvrun exec` boots: a static Linux program without a C library, so that the
 * initramfs stays small. Everything it is to do stands in /exec.spec, which hvrun wrote (cli/exec_spec.c).
 */
#ifndef GUESTS_INIT_INIT_H
#define GUESTS_INIT_INIT_H

#include <stdbool.h>
#include <stddef.h>

enum {
	SPEC_MAX = 1 << 20, /* bytes of /exec.spec */
	WORDS_MAX = 8192,   /* arguments, and variables of the environment */
	SHARES_MAX = 16,
	GROUPS_MAX = 64,
	MODULES_MAX = 128,
};

/* One directory of the host: a virtio-fs tag, and where it goes. */
struct share {
	const char *tag;
	const char *at;
	bool readonly;
};

struct spec {
	char *argv[WORDS_MAX + 1];
	char *env[WORDS_MAX + 1];
	unsigned argc, envc;
	const char *cwd;
	const char *hostname;
	unsigned uid, gid;
	unsigned groups[GROUPS_MAX];
	unsigned group_count;
	const char *modules[MODULES_MAX];
	unsigned module_count;
	struct share shares[SHARES_MAX];
	unsigned share_count;
	const char *share_tag; /* of the share whose path comes next */
	const char *root_tag;  /* virtio-fs, or NULL */
	const char *root_disk; /* block device with a copy of the root, or NULL */
	bool root_readonly;    /* with an overlay that is thrown away */
};

/* sys.c: the system call, its result or -errno, and small words on strings. */
long sys(long a, long b, long c, long d, long e, long number);
size_t length(const char *s);
bool same(const char *a, const char *b);
unsigned number(const char *s);
/* Joins up to four parts into @to (@size bytes), cut at its end. */
char *join(char *to, size_t size, const char *a, const char *b, const char *c, const char *d);
long write_all(int fd, const char *data, size_t len);
int open_read(const char *path);
/* The whole of a small file into @to, zero-ended; its length, or -errno. */
long read_file(const char *path, char *to, size_t size);
void sleep_ms(long ms);

/* init.c: ends the guest with a line for the user: the command could not be run. Does not return. */
void fail(const char *what, const char *whom, long err);

/* spec.c: reads /exec.spec into @spec. */
void read_spec(struct spec *spec);

/* root.c: puts the root of the command together, and makes it the root. */
void make_root(const struct spec *spec);

/* ports.c: opens the port @name of the virtio console, waiting for the driver. A descriptor, or -1. */
int open_port(const char *name, int flags);

/* relay.c: runs the command with its three streams; its wait status. */
int run_command(struct spec *spec, int in_port, int out_port, int err_port);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What a thread of hvrun that was taken over may try to get out of its sandbox. */
#ifndef TESTS_LIB_ESCAPES_H
#define TESTS_LIB_ESCAPES_H

#include <stddef.h>
#include <sys/types.h>

/* What the thread has at hand: as in hvrun, but that no machine is behind the numbers. Set by the test. */
struct escape_world {
	int vcpu_fd, other_vcpu_fd, vm_fd, event_fd, file_fd;
	pid_t parent;
	char page[4096];
};

extern struct escape_world escape_world;

struct escape {
	const char *name;
	/* Below 0 is a refusal by error; all else has got through. */
	long (*try)(void);
};

extern const struct escape escapes[];
extern const size_t escape_count;

#endif

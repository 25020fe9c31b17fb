/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Turns the sandbox's table into a program that the kernel runs before each system call (seccomp(2),
 * Documentation/userspace-api/seccomp_filter.rst; classic BPF, linux/filter.h).
 */
#ifndef VM_SANDBOX_BPF_H
#define VM_SANDBOX_BPF_H

#include <linux/filter.h>
#include <stdint.h>

#include "vm/sandbox/table.h"

enum {
	SANDBOX_PROGRAM_MAX = 1024, /* instructions; the kernel takes 4096 */
	SANDBOX_REACH =
		250, /* a conditional jump passes over 255; less what one jump may add before it */
};

struct sandbox_program {
	unsigned short len;
	struct sock_filter code[SANDBOX_PROGRAM_MAX];
};

/*
 * The list of @who in *@program; @otherwise (SECCOMP_RET_...) is what happens to any other call. 0, or
 * -E2BIG if the list is too long. Allocates nothing. Any thread.
 */
int sandbox_compile(const struct sandbox_who *who, uint32_t otherwise,
		    struct sandbox_program *program);

/* The same with conditional jumps that pass over at most @reach instructions, 1 to SANDBOX_REACH: for tests. */
int sandbox_compile_near(const struct sandbox_who *who, uint32_t otherwise, unsigned reach,
			 struct sandbox_program *program);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a function in a child process and tells how it ended and what it said on standard error,
 * for tests of code that prints or must abort.
 */
#ifndef TESTS_LIB_CAPTURE_H
#define TESTS_LIB_CAPTURE_H

#include <stddef.h>

struct captured {
	int status;	 /* as of waitpid() */
	size_t len;	 /* bytes in text */
	char text[8192]; /* standard error, NUL-terminated; what is longer is cut */
};

/* Fails the running test when the child cannot be made. fn returning ends the child with 0. */
void capture_child(struct captured *out, void (*fn)(void *arg), void *arg);

#endif /* TESTS_LIB_CAPTURE_H */

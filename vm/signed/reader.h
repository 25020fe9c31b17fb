/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a file once, from its start, into memory of ours, on a thread of its own, while the caller works on
 * what is there already: reading and hashing a kernel take as long as the longer of the two.
 *
 * The thread lives from reader_begin to reader_end, while the machine is built; it does nothing but pread
 * and has no list of its own (docs/security.md). Where no thread can be had, the caller's reads.
 */
#ifndef VM_SIGNED_READER_H
#define VM_SIGNED_READER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/lock.h"

struct reader {
	int fd; /* constant from here on while the thread runs */
	uint8_t *data;
	size_t size;
	bool has_thread;
	pthread_t thread;

	struct lock lock RANKED(leaf);
	struct cond moved;
	size_t done GUARDED_BY(&lock);	 /* bytes that are there and change no more */
	bool ended GUARDED_BY(&lock);	 /* nothing more comes */
	int error GUARDED_BY(&lock);	 /* -errno of reading, or 0 */
	bool unwanted GUARDED_BY(&lock); /* the caller has given up */
};

/* Begins to read @size bytes of @fd into @data, which stays the caller's and untouched until reader_end. */
void reader_begin(struct reader *reader, int fd, uint8_t *data, size_t size);

/*
 * Waits until more than @have bytes are there: how many are (@have: the file ended there), or the -errno of
 * reading.
 */
ssize_t reader_wait(struct reader *reader, size_t have);

/* Ends it, early if need be. */
void reader_end(struct reader *reader);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A second CPU of a hostile guest: a thread that keeps changing rings, descriptors, tables and headers of a
 * device on the bench while the device looks at them (row 14 of the threats).
 */
#ifndef TESTS_LIB_FLIPPER_H
#define TESTS_LIB_FLIPPER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "tests/lib/dev_rig.h"

enum { FLIPPER_AREAS = 16 };

struct flipper {
	struct {
		volatile uint8_t *at;
		uint32_t len;
	} areas[FLIPPER_AREAS];
	unsigned count;
	atomic_bool stop;
	atomic_ullong stores;
	pthread_t thread;
};

/* Adds @len bytes of the rig's memory at @at; then the rings of the first @queues. Before the start. */
void flipper_area(struct flipper *f, struct dev_rig *rig, uint64_t at, uint32_t len);
void flipper_rings(struct flipper *f, struct dev_rig *rig, unsigned queues);

/* Some stores by the calling thread; *@seed is of the dice. */
void flipper_flip(struct flipper *f, uint32_t *seed);

/* The thread begins, and ends: the stores that it made. */
void flipper_start(struct flipper *f);
unsigned long long flipper_stop(struct flipper *f);

#endif /* TESTS_LIB_FLIPPER_H */

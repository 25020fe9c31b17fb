/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vhost-user back-end in a thread of the test: keeps what it is told, answers as a kind one does, and
 * plays one trick when it is asked to.
 */
#ifndef TESTS_LIB_FAKE_BACKEND_H
#define TESTS_LIB_FAKE_BACKEND_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "virtio/vhost_user_msg.h"

enum fake_trick {
	FAKE_KIND,
	FAKE_OTHER_REQUEST, /* the answer names another request */
	FAKE_NO_REPLY_FLAG,
	FAKE_BAD_VERSION,
	FAKE_SHORT,    /* the answer announces one byte too few */
	FAKE_LONG,     /* the answer announces 4 GiB */
	FAKE_HALF,     /* the connection closes in the middle of the answer */
	FAKE_CLOSE,    /* it closes instead of an answer */
	FAKE_EXTRA_FD, /* the answer comes with a descriptor that nobody asked for */
	FAKE_MANY_FDS, /* with 20 of them */
	FAKE_REFUSE,   /* an acknowledgement says no; a number is 2^64 - 1 */
	FAKE_ZEROES,   /* the payload of the answer is all zeroes */
	FAKE_DRIP,     /* the answer comes byte by byte: slow, but right */
	FAKE_TRICKS,
	FAKE_LATE, /* not for who waits: the answer comes when fake->late says so */
};

enum { FAKE_QUEUES = 8 };

struct fake_backend {
	/* What it is, set before fake_start. */
	uint64_t features, protocol, queue_num;
	uint8_t config[VHOST_USER_CONFIG_MAX];
	enum fake_trick trick;
	uint32_t trick_at; /* the request that it plays it on */
	atomic_bool late;
	atomic_bool waits; /* it has begun to wait for that */

	/* What it was told. Read it after a request that it has answered, or after fake_stop. */
	uint64_t agreed, agreed_protocol;
	uint32_t regions;
	uint8_t region[VHOST_USER_REGIONS_MAX][32];
	int memory; /* -1: none yet */
	struct {
		uint32_t num, base;
		uint64_t desc, used, avail;
		int kick, call; /* -1: none */
		atomic_uint enabled, stopped;
	} ring[FAKE_QUEUES];
	uint8_t set_config[16];
	atomic_uint requests; /* in all */
	uint64_t inflight_size;
	unsigned inflights;

	int fd;
	pthread_t thread;
};

/* A kind back-end with @features, without protocol features but those given. */
void fake_init(struct fake_backend *fake, uint64_t features, uint64_t protocol);

/* Starts its thread; the front end's socket is returned. Fails the running test if it cannot. */
int fake_start(struct fake_backend *fake);

/* Closes its end, waits for its thread and closes what it was given. */
void fake_stop(struct fake_backend *fake);

#endif

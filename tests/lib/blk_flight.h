/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-blk on the bench over a disk whose timing and failures the test decides, with many
 * requests in flight.
 */
#ifndef TESTS_LIB_BLK_FLIGHT_H
#define TESTS_LIB_BLK_FLIGHT_H

#include <stdatomic.h>
#include <stdint.h>

#include "tests/lib/blk_words.h"
#include "tests/lib/dev_rig.h"

enum {
	SECTORS = 1024,
	IN_FLIGHT = 64, /* what the device takes at most */
	/* One request of many: its header, status and 512 bytes. */
	SLOT = 0x800,
	STATUS = 0x20,
	PAYLOAD = 0x400,
	/* A page of the guest with a header, for the odd ones. */
	ODD = RIG_DATA + 0x200000,
};

struct blk_flight {
	struct dev_rig rig;
	struct stub_disk *stub;
	atomic_bool closed;
};

/* A disk of SECTORS sectors, each full of its number, and no device yet. */
void blk_flight_disk(struct blk_flight *b);

/* The device, with @threads threads. */
void blk_flight_device(struct blk_flight *b, unsigned threads);

/* Both. */
void blk_flight_open(struct blk_flight *b, unsigned threads);

/* Frees it; the disk is closed, and was asked for no range that it does not have. */
void blk_flight_close(struct blk_flight *b);

/* Where request @i of many lies. */
uint64_t blk_flight_slot(unsigned i);

/* And what it was answered. */
uint8_t blk_flight_status(struct blk_flight *b, unsigned i);

/* Offers request @i of one sector, in descriptors 3i to 3i + 2. */
void blk_flight_offer(struct blk_flight *b, unsigned i, uint32_t type, uint64_t sector);

/* Takes @count used entries, each of them one of the requests 0 .. count-1, and each once. */
void blk_flight_take_all(struct blk_flight *b, unsigned count, uint8_t status);

#endif

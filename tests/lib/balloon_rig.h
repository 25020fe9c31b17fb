/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-balloon on the bench, with a guest whose pages can be told apart and counted. */
#ifndef TESTS_LIB_BALLOON_RIG_H
#define TESTS_LIB_BALLOON_RIG_H

#include <stdint.h>

#include "tests/lib/dev_rig.h"
#include "virtio/devices.h"

#define STATS	     (UINT64_C(1) << 1)
#define OOM	     (UINT64_C(1) << 2)
#define POISON	     (UINT64_C(1) << 4)
#define REPORTING    (UINT64_C(1) << 5)
#define ALL_FEATURES (STATS | OOM | POISON | REPORTING)

enum {
	PAGE = 4096,
	LIST = RIG_DATA,	    /* where lists of pages are written */
	PAGES = RIG_DATA + 0x10000, /* the guest's pages from here on are handed over */
	INFLATE = 0,
	DEFLATE = 1,
	STAT_QUEUE = 2,
	REPORT_QUEUE = 4,
};

/* A started device, and a guest whose memory from LIST on is full of 0x5a. */
void balloon_rig_open(struct dev_rig *rig, uint64_t features, unsigned queues);

/* Lays page numbers at LIST. */
void balloon_rig_list(struct dev_rig *rig, const uint32_t *pfns, unsigned count);

/* Inflates by these pages. */
void balloon_rig_hand_over(struct dev_rig *rig, const uint32_t *pfns, unsigned count);

/* Pages from @at on, without a gap, that hold @byte everywhere. */
unsigned balloon_rig_pages(struct dev_rig *rig, uint64_t at, uint8_t byte);

/* Pages of RAM that the host has. */
unsigned balloon_rig_resident(struct dev_rig *rig);

/* What the device says of itself. */
struct virtio_balloon_info balloon_rig_look(struct dev_rig *rig);

/* A word of config space. */
uint32_t balloon_rig_config(struct dev_rig *rig, uint64_t offset);
void balloon_rig_set_config(struct dev_rig *rig, uint64_t offset, uint32_t value);

#endif

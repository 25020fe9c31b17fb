/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The numbers of virtio-blk as the standard gives them (virtio 1.3, 5.2), for the drivers that tests play: not
 * those of virtio/, which these tests judge.
 */
#ifndef TESTS_LIB_BLK_WORDS_H
#define TESTS_LIB_BLK_WORDS_H

#include <stdint.h>

enum {
	T_IN = 0,
	T_OUT = 1,
	T_FLUSH = 4,
	T_GET_ID = 8,
	T_DISCARD = 11,
	T_ZEROES = 13,
	S_OK = 0,
	S_IOERR = 1,
	S_UNSUPP = 2,
	S_NONE = 0xee, /* no status: what lies there before */
};

#define F_FLUSH	  (UINT64_C(1) << 9)
#define F_MQ	  (UINT64_C(1) << 12)
#define F_DISCARD (UINT64_C(1) << 13)
#define F_ZEROES  (UINT64_C(1) << 14)

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk driven in every legal way: direct and indirect chains, odd framing, many in flight, with
 * and without event index; and what must be answered by an error. Words: disk=N (from 0), ro (a
 * read-only disk is expected), units=N (its block size is expected). The disk needs 64 sectors; afterwards sectors 8 to 11 hold TEXT over
 * and over, sectors 16 to 31 eight-byte words of their own number, sectors 12 to 14 zeros if the
 * device has write-zeroes.
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/virtio.h"

#define TEXT "hvrun-guest-data"

#define BLK_RO	    (1ULL << 5)
#define BLK_SIZE    (1ULL << 6)
#define BLK_FLUSH   (1ULL << 9)
#define BLK_DISCARD (1ULL << 13)
#define BLK_ZEROES  (1ULL << 14)

enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, ZEROES = 13 };
enum { OK = 0, IOERR = 1, UNSUPP = 2, UNTOUCHED = 0x55 };
enum { SECTOR = 512, FLIGHT = 16, SIZE = 64, CONFIG_BLK_SIZE = 20 };

struct header {
	u32 type, reserved;
	u64 sector;
};

struct range {
	u64 sector;
	u32 count, flags;
};

static struct vdevice dev;
static struct vqueue queue;
static u64 capacity;
static bool indirect;
static struct header headers[FLIGHT];
static volatile u8 statuses[FLIGHT];
static u8 data[8 * SECTOR] __attribute__((aligned(16)));
static u8 back[8 * SECTOR + 8] __attribute__((aligned(16)));
static u8 flight[FLIGHT][SECTOR] __attribute__((aligned(16)));

/* Submit what BUFS describes, wait, check that used.len is what was written; the status byte. */
static u8 submit(const struct vbuf *bufs, u32 count, volatile u8 *status, u32 ok_len)
{
	struct vused_elem elem;

	*status = UNTOUCHED;
	virtio_put(&queue, 5, bufs, count, indirect);
	virtio_kick(&dev, &queue);
	if (!virtio_take(&queue, &elem))
		fail(10, "no answer to request type %u; device status %x", headers[0].type,
		     virtio_status(&dev));
	if (elem.id != 5)
		fail(11, "used element of chain %u, should be 5", elem.id);
	if (*status == OK && elem.len != ok_len)
		fail(12, "type %u: device says it wrote %u bytes, should be %u", headers[0].type,
		     elem.len, ok_len);
	return *status;
}

/* One request with one data piece; the status byte of it. */
static u8 request(u32 type, u64 sector, void *bytes, u32 size)
{
	bool reads = type == IN || type == GET_ID;
	struct vbuf bufs[3] = {
		{ (uptr)&headers[0], sizeof(headers[0]), false },
		{ (uptr)bytes, size, reads },
		{ (uptr)&statuses[0], 1, true },
	};

	headers[0] = (struct header){ type, 0, sector };
	if (!size)
		bufs[1] = bufs[2];
	return submit(bufs, size ? 3 : 2, &statuses[0], reads ? size + 1 : 1);
}

static void expect(u8 status, u8 wanted, const char *what)
{
	if (status != wanted)
		fail(13, "%s: status %u, should be %u", what, status, wanted);
}

static bool same(const void *a, const void *b, uptr size)
{
	const u64 *x = a, *y = b;

	for (uptr i = 0; i < size / 8; i++)
		if (x[i] != y[i])
			return false;
	return true;
}

/* Read back in three pieces, the header in two, the status byte at the end of the last piece. */
static void read_oddly(u64 sector)
{
	struct vbuf bufs[5] = {
		{ (uptr)&headers[0], 10, false },
		{ (uptr)&headers[0] + 10, 6, false },
		{ (uptr)back, 100, true },
		{ (uptr)back + 100, 1000, true },
		{ (uptr)back + 1100, 4 * SECTOR - 1100 + 1, true },
	};

	headers[0] = (struct header){ IN, 0, sector };
	memset(back, 0, sizeof(back));
	expect(submit(bufs, 5, &back[4 * SECTOR], 4 * SECTOR + 1), OK, "oddly framed read");
	if (!same(back, data, 4 * SECTOR))
		fail(14, "the oddly framed read gave other bytes");
}

/* FLIGHT one-sector requests at once, one notification. */
static void many(u32 type)
{
	struct vused_elem elem;
	u32 seen = 0;

	for (u32 i = 0; i < FLIGHT; i++) {
		struct vbuf bufs[3] = {
			{ (uptr)&headers[i], sizeof(headers[i]), false },
			{ (uptr)flight[i], SECTOR, type == IN },
			{ (uptr)&statuses[i], 1, true },
		};

		headers[i] = (struct header){ type, 0, 16 + i };
		statuses[i] = UNTOUCHED;
		virtio_put(&queue, 3 * i, bufs, 3, indirect);
	}
	virtio_kick(&dev, &queue);
	for (u32 i = 0; i < FLIGHT; i++) {
		if (!virtio_take(&queue, &elem))
			fail(15, "%u of %u requests in flight came back", i, FLIGHT);
		if (elem.id % 3 || elem.id / 3 >= FLIGHT || seen & 1U << elem.id / 3)
			fail(16, "used element %u, which is not in flight", elem.id);
		seen |= 1U << elem.id / 3;
		expect(statuses[elem.id / 3], OK, "request in flight");
	}
}

static void write_and_read(void)
{
	plat_copy(data, TEXT, 16);
	plat_copy(data + 16, data, 4 * SECTOR - 16); /* overlaps: repeats the text */
	expect(request(OUT, 8, data, 4 * SECTOR), OK, "write");
	memset(back, 0xee, sizeof(back));
	expect(request(IN, 8, back, 4 * SECTOR), OK, "read");
	if (!same(back, data, 4 * SECTOR))
		fail(17, "other bytes came back");
	if (back[4 * SECTOR] != 0xee)
		fail(18, "the device wrote behind the buffer");
	read_oddly(8);
	for (u32 i = 0; i < FLIGHT; i++) {
		u64 word = 16 + i;

		plat_copy(flight[i], &word, 8);
		plat_copy(flight[i] + 8, flight[i], SECTOR - 8);
	}
	many(OUT);
	memset(flight, 0, sizeof(flight));
	many(IN);
	for (u32 i = 0; i < FLIGHT; i++)
		if (*(u64 *)(flight[i] + SECTOR - 8) != 16 + i)
			fail(19, "sector %u came back as %U", 16 + i, *(u64 *)flight[i]);
}

/* Zeros over sectors 12 and 13 by write-zeroes, 14 by a write; discard of 14. */
static void zeroes_and_discard(void)
{
	struct range range = { 12, 2, 0 };

	memset(back, 0, SECTOR);
	expect(request(OUT, 12, data, 3 * SECTOR), OK, "write before write-zeroes");
	expect(request(OUT, 14, back, SECTOR), OK, "write of zeros");
	if (dev.features & BLK_ZEROES) {
		expect(request(ZEROES, 0, &range, sizeof(range)), OK, "write-zeroes");
		expect(request(IN, 12, back, 2 * SECTOR), OK, "read after write-zeroes");
		if (*(u64 *)back || !same(back, back + 8, 2 * SECTOR - 8))
			fail(20, "write-zeroes left bytes");
		range.sector = capacity - 1;
		expect(request(ZEROES, 0, &range, sizeof(range)), IOERR,
		       "write-zeroes past the end");
	} else {
		expect(request(ZEROES, 0, &range, sizeof(range)), UNSUPP,
		       "write-zeroes, not offered");
	}
	range = (struct range){ 14, 1, 0 };
	if (dev.features & BLK_DISCARD) {
		expect(request(DISCARD, 0, &range, sizeof(range)), OK, "discard");
		range.sector = ~0ULL;
		expect(request(DISCARD, 0, &range, sizeof(range)), IOERR, "discard past the end");
		range = (struct range){ 14, 1, 2 };
		expect(request(DISCARD, 0, &range, sizeof(range)), UNSUPP, "discard, unknown flag");
	} else {
		expect(request(DISCARD, 0, &range, sizeof(range)), UNSUPP, "discard, not offered");
	}
}

/* What must be refused with a status byte, the device going on. */
static void errors(void)
{
	expect(request(IN, capacity, back, SECTOR), IOERR, "read at the end");
	expect(request(IN, capacity - 1, back, 2 * SECTOR), IOERR, "read over the end");
	expect(request(IN, ~0ULL, back, SECTOR), IOERR, "read at the last sector of 2^64");
	expect(request(IN, 1ULL << 55, back, SECTOR), IOERR, "read where the offset wraps");
	expect(request(IN, 0, back, SECTOR - 1), IOERR, "read of 511 bytes");
	expect(request(99, 0, back, SECTOR), UNSUPP, "request of type 99");
	expect(request(IN, capacity - 1, back, SECTOR), OK, "read of the last sector");
}

/* A reset while requests are in flight: what was not done before it is never done after. */
static void reset_in_flight(void)
{
	static u8 copy[FLIGHT][SECTOR];

	for (u32 round = 0; round < 5; round++) {
		u64 until;

		CHECK(virtio_begin(&dev, VF_INDIRECT), 2);
		CHECK(virtio_queue(&dev, &queue, 0, SIZE), 3);
		virtio_go(&dev);
		memset(flight, 0xee, sizeof(flight));
		for (u32 i = 0; i < FLIGHT; i++) {
			struct vbuf bufs[3] = {
				{ (uptr)&headers[i], sizeof(headers[i]), false },
				{ (uptr)flight[i], SECTOR, true },
				{ (uptr)&statuses[i], 1, true },
			};

			headers[i] = (struct header){ IN, 0, i };
			virtio_put(&queue, 3 * i, bufs, 3, false);
		}
		mmio_write32(dev.base + VM_NOTIFY, 0);
		for (u32 i = 0; i < round * 20; i++)
			plat_relax();
		virtio_reset(&dev);
		CHECK(virtio_status(&dev) == 0, 7);
		plat_copy(copy, flight, sizeof(copy));
		until = plat_cycles() + 3000000;
		while (plat_cycles() < until)
			plat_relax();
		if (!same(copy, flight, sizeof(copy)))
			fail(21, "the device wrote after its reset");
	}
	print("virtio-blk: reset in flight\n");
}

static void all(u64 features)
{
	char id[21] = "";

	CHECK(virtio_begin(&dev, features), 2);
	CHECK(virtio_queue(&dev, &queue, 0, SIZE), 3);
	virtio_go(&dev);
	indirect = dev.features & VF_INDIRECT;
	if (dev.features & BLK_RO) {
		expect(request(OUT, 8, data, SECTOR), IOERR, "write to a read-only disk");
		expect(request(IN, 8, back, SECTOR), OK, "read of a read-only disk");
	} else {
		write_and_read();
		zeroes_and_discard();
	}
	if (dev.features & BLK_FLUSH)
		expect(request(FLUSH, 0, NULL, 0), OK, "flush");
	expect(request(GET_ID, 0, id, 20), OK, "get-id");
	errors();
	print("virtio-blk: id %s, %U sectors%s%s%s\n", id, capacity,
	      dev.features & BLK_RO ? ", read-only" : "", indirect ? ", indirect" : "",
	      dev.features & VF_EVENT_IDX ? ", event index" : "");
	CHECK(virtio_status(&dev) == (VS_ACKNOWLEDGE | VS_DRIVER | VS_FEATURES_OK | VS_DRIVER_OK),
	      4);
}

u32 guest_main(void)
{
	u64 blk = BLK_RO | BLK_SIZE | BLK_FLUSH | BLK_DISCARD | BLK_ZEROES;
	u32 unit;

	if (!virtio_find(&dev, VIRTIO_BLK, (u32)cmdline_number("disk", 0)))
		fail(1, "no such disk");
	capacity = mmio_read32(dev.base + VM_CONFIG) | (u64)mmio_read32(dev.base + VM_CONFIG + 4)
							       << 32;
	CHECK(capacity >= 64, 5);
	if (cmdline_has("ro") != !!(virtio_offered(&dev) & BLK_RO))
		fail(6, "the disk is%s read-only", cmdline_has("ro") ? " not" : "");
	unit = mmio_read32(dev.base + VM_CONFIG + CONFIG_BLK_SIZE);
	if (unit != cmdline_number("units", unit))
		fail(7, "the disk has units of %u bytes", unit);
	all(blk);
	all(blk | VF_INDIRECT | VF_EVENT_IDX);
	reset_in_flight();
	return 0;
}

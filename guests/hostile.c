/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An evil driver. Each attack is made on the random device and, when there is one, on the first
 * disk; after it the device must have done what the attack's row allows (asked for a reset, answered
 * the request, or nothing), memory that it had no business with is untouched, and after a reset it
 * serves a good request. Word: only=N (one row).
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/virtio.h"

/* What may follow an attack. */
enum { RESET = 1, ANSWER = 2, NOTHING = 4, ANY = 7 };

enum { SIZE = 8, CANARY = 0x5ca1ab1e, MOMENT = 60000000, HOLE = 0xd0000000 };

static struct vdevice dev;
static bool disk;
static struct vqueue queue;
static struct {
	u32 type, reserved;
	u64 sector;
} header;
static volatile u8 status;
/* The device may write the buffer, and nothing on either side of it. */
static struct {
	u32 before[64];
	u64 buffer[64];
	u32 behind[64];
} area;

/* Descriptor of the queue, by number. */
static void desc(u32 i, u64 addr, u32 len, u32 flags, u32 next)
{
	queue.desc[i] = (struct vdesc){ addr, len, (u16)flags, (u16)next };
}

/* A good chain from head 0 on, but for the piece that carries data: that is at ADDR, LEN long. */
static void data_at(u64 addr, u32 len)
{
	if (disk) {
		desc(0, (uptr)&header, 16, VD_NEXT, 1);
		desc(1, addr, len, VD_NEXT | VD_WRITE, 2);
		desc(2, (uptr)&status, 1, VD_WRITE, 0);
	} else {
		desc(0, addr, len, VD_WRITE, 0);
	}
	virtio_avail(&queue, 0);
}

/* An indirect table at ADDR of LEN bytes as the whole chain; flags beside INDIRECT. */
static void indirect_at(u64 addr, u32 len, u32 flags)
{
	desc(0, addr, len, VD_INDIRECT | flags, 1);
	virtio_avail(&queue, 0);
}

static void bad_head(void)
{
	virtio_avail(&queue, SIZE);
}

static void huge_head(void)
{
	virtio_avail(&queue, 0xffff);
}

static void bad_next(void)
{
	desc(0, (uptr)area.buffer, 16, VD_NEXT, SIZE);
	virtio_avail(&queue, 0);
}

static void self_loop(void)
{
	desc(0, (uptr)area.buffer, 16, VD_NEXT | VD_WRITE, 0);
	virtio_avail(&queue, 0);
}

static void long_loop(void)
{
	for (u32 i = 0; i < SIZE; i++)
		desc(i, (uptr)area.buffer, 0, VD_NEXT, (i + 1) % SIZE);
	virtio_avail(&queue, 3);
}

static void index_jumps(void)
{
	data_at((uptr)area.buffer, 512);
	*(volatile u16 *)&queue.avail.idx = 0x8000;
}

static void no_length(void)
{
	data_at((uptr)area.buffer, 0);
}

static void all_length(void)
{
	data_at((uptr)area.buffer, 0xffffffff);
}

static void half_length(void)
{
	data_at((uptr)area.buffer, 0x80000000);
}

static void into_hole(void)
{
	data_at(HOLE, 512);
}

static void into_self(void)
{
	data_at(dev.base, 512);
}

static void into_apic(void)
{
	data_at(0xfee00000, 512);
}

static void wraps(void)
{
	data_at(~0ULL - 255, 512);
}

static void at_top(void)
{
	data_at(~0ULL, 1);
}

/* The last 256 bytes of the last region below the hole, and 256 of the hole. */
static void over_the_end(void)
{
	u64 start, size, end = 0;

	for (u32 i = 0; plat_ram_region(i, &start, &size); i++)
		if (start + size <= HOLE)
			end = start + size;
	data_at(end - 256, 512);
}

static void readable_only(void)
{
	desc(0, (uptr)area.buffer, 512, 0, 0);
	virtio_avail(&queue, 0);
}

static void read_after_write(void)
{
	desc(0, (uptr)area.buffer, 16, VD_WRITE | VD_NEXT, 1);
	desc(1, (uptr)area.buffer + 16, 16, 0, 0);
	virtio_avail(&queue, 0);
}

static void indirect_odd(void)
{
	indirect_at((uptr)queue.table, 17, 0);
}

static void indirect_empty(void)
{
	indirect_at((uptr)queue.table, 0, 0);
}

static void indirect_hole(void)
{
	indirect_at(HOLE, 32, 0);
}

static void indirect_huge(void)
{
	for (u32 i = 0; i < VQ_MAX; i++)
		queue.table[i] = (struct vdesc){ (uptr)area.buffer, 1, VD_NEXT, (u16)(i + 1) };
	indirect_at((uptr)queue.table, 0xfffffff0, 0);
}

static void indirect_loop(void)
{
	queue.table[0] = (struct vdesc){ (uptr)area.buffer, 16, VD_NEXT, 1 };
	queue.table[1] = (struct vdesc){ (uptr)area.buffer, 16, VD_NEXT, 0 };
	indirect_at((uptr)queue.table, 32, 0);
}

static void indirect_next_out(void)
{
	queue.table[0] = (struct vdesc){ (uptr)area.buffer, 16, VD_NEXT, 2 };
	indirect_at((uptr)queue.table, 32, 0);
}

static void indirect_nested(void)
{
	queue.table[0] = (struct vdesc){ (uptr)queue.table, 32, VD_INDIRECT, 0 };
	indirect_at((uptr)queue.table, 16, 0);
}

static void indirect_and_next(void)
{
	queue.table[0] = (struct vdesc){ (uptr)area.buffer, 16, VD_WRITE, 0 };
	desc(1, (uptr)area.buffer, 16, VD_WRITE, 0);
	indirect_at((uptr)queue.table, 16, VD_NEXT);
}

/* Registers of a live queue are rewritten, then a good request comes. */
static void rewrite(u32 reg, u32 value)
{
	mmio_write32(dev.base + VM_QUEUE_SEL, 0);
	mmio_write32(dev.base + reg, value);
	data_at((uptr)area.buffer, 512);
}

static void rewrite_size(void)
{
	rewrite(VM_QUEUE_SIZE, 0x8000);
}

static void rewrite_size_zero(void)
{
	rewrite(VM_QUEUE_SIZE, 0);
}

static void rewrite_desc(void)
{
	rewrite(VM_DESC, HOLE);
}

static void rewrite_used(void)
{
	rewrite(VM_USED, 0x1000);
}

static void ready_again(void)
{
	rewrite(VM_QUEUE_READY, 1);
}

static void not_ready(void)
{
	rewrite(VM_QUEUE_READY, 0);
}

static void other_queues(void)
{
	static const u32 numbers[] = { 1, 2, 64, 0x7fff, 0x8000, 0xffff, 0x10000, 0x80000000, ~0U };

	for (u32 i = 0; i < ARRAY_SIZE(numbers); i++) {
		mmio_write32(dev.base + VM_QUEUE_SEL, numbers[i]);
		if (mmio_read32(dev.base + VM_QUEUE_MAX) && numbers[i] > 64)
			fail(20, "queue %x exists", numbers[i]);
		mmio_write32(dev.base + VM_QUEUE_SIZE, 4);
		mmio_write32(dev.base + VM_DESC, HOLE);
		if (numbers[i] > 64)
			mmio_write32(dev.base + VM_QUEUE_READY, 1);
		mmio_write32(dev.base + VM_NOTIFY, numbers[i]);
	}
}

static void status_goes_back(void)
{
	mmio_write32(dev.base + VM_STATUS, VS_ACKNOWLEDGE);
	data_at((uptr)area.buffer, 512);
}

static void read_only_registers(void)
{
	static const u16 registers[] = { VM_MAGIC,    VM_VERSION,   VM_DEVICE,	  VM_VENDOR,
					 VM_FEATURES, VM_QUEUE_MAX, VM_INTERRUPT, VM_GENERATION,
					 0x018,	      0x0c0 };

	for (u32 i = 0; i < ARRAY_SIZE(registers); i++)
		mmio_write32(dev.base + registers[i], ~0U);
	mmio_write32(dev.base + VM_INTERRUPT_ACK, ~0U);
	for (u32 at = 0; at < 64; at += 4)
		mmio_write32(dev.base + VM_CONFIG + at, ~0U);
	data_at((uptr)area.buffer, 512);
}

static void many_doorbells(void)
{
	for (u32 i = 0; i < 200; i++)
		mmio_write32(dev.base + VM_NOTIFY, 0);
	data_at((uptr)area.buffer, 512);
}

static const struct attack {
	const char *name;
	void (*make)(void);
	u32 accept;	 /* by the random device */
	u32 disk_accept; /* by a disk */
} attacks[] = {
	{ "head beyond the table", bad_head, RESET, RESET },
	{ "head 0xffff", huge_head, RESET, RESET },
	{ "next beyond the table", bad_next, RESET, RESET },
	{ "a loop of one", self_loop, RESET, RESET },
	{ "a loop of all", long_loop, RESET, RESET },
	{ "index jumps", index_jumps, RESET, RESET },
	{ "length 0", no_length, RESET | ANSWER, RESET | ANSWER },
	{ "length 2^32-1", all_length, RESET | ANSWER, RESET | ANSWER },
	{ "length 2^31", half_length, RESET | ANSWER, RESET | ANSWER },
	{ "address in a hole", into_hole, RESET, RESET | ANSWER },
	{ "address in the device", into_self, RESET, RESET | ANSWER },
	{ "address in the APIC", into_apic, RESET, RESET | ANSWER },
	{ "address wraps", wraps, RESET, RESET | ANSWER },
	{ "address 2^64-1", at_top, RESET, RESET | ANSWER },
	{ "over the end of RAM", over_the_end, RESET | ANSWER, RESET | ANSWER },
	{ "nothing writable", readable_only, RESET | ANSWER, RESET | ANSWER },
	{ "readable after writable", read_after_write, RESET | ANSWER, RESET | ANSWER },
	{ "indirect, 17 bytes", indirect_odd, RESET, RESET },
	{ "indirect, 0 bytes", indirect_empty, RESET, RESET },
	{ "indirect in a hole", indirect_hole, RESET, RESET },
	{ "indirect, 2^32-16 bytes", indirect_huge, RESET, RESET },
	{ "indirect loop", indirect_loop, RESET, RESET },
	{ "indirect next beyond", indirect_next_out, RESET, RESET },
	{ "indirect in itself", indirect_nested, RESET, RESET },
	{ "indirect and next", indirect_and_next, RESET, RESET },
	{ "size rewritten", rewrite_size, RESET | ANSWER, RESET | ANSWER },
	{ "size rewritten as 0", rewrite_size_zero, RESET | ANSWER, RESET | ANSWER },
	{ "table moved", rewrite_desc, RESET | ANSWER, RESET | ANSWER },
	{ "used ring moved", rewrite_used, RESET | ANSWER, RESET | ANSWER },
	{ "made ready twice", ready_again, RESET | ANSWER, RESET | ANSWER },
	{ "made unready", not_ready, ANY, ANY },
	{ "queues that are not there", other_queues, ANY, ANY },
	{ "status goes back", status_goes_back, ANY, ANY },
	{ "read-only registers", read_only_registers, RESET | ANSWER, RESET | ANSWER },
	{ "doorbells without work", many_doorbells, ANSWER, ANSWER },
};

static void start(u64 features)
{
	CHECK(virtio_begin(&dev, features), 10);
	CHECK(virtio_queue(&dev, &queue, 0, SIZE), 11);
	virtio_go(&dev);
	header.type = 0;
	header.sector = 0;
	status = 0x55;
}

/* The device serves a good request after a reset. */
static void serves(const char *after)
{
	struct vused_elem elem;

	start(0);
	area.buffer[0] = area.buffer[1] = 0;
	data_at((uptr)area.buffer, 512);
	virtio_kick(&dev, &queue);
	if (!virtio_take(&queue, &elem))
		fail(12, "dead after: %s (device status %x)", after, virtio_status(&dev));
	if (elem.id || (disk ? status != 0 || elem.len != 513 : !elem.len || elem.len > 512))
		fail(13, "wrong answer after: %s", after);
}

static void canaries(const char *after)
{
	for (u32 i = 0; i < ARRAY_SIZE(area.before); i++)
		if (area.before[i] != CANARY || area.behind[i] != CANARY)
			fail(14, "memory was written by: %s", after);
}

/* What follows: RESET, ANSWER or NOTHING. */
static u32 outcome(bool patient)
{
	u64 give_up = plat_cycles() + (patient ? PATIENCE : MOMENT);

	while (plat_cycles() < give_up) {
		if (virtio_status(&dev) & VS_NEEDS_RESET)
			return RESET;
		if (virtio_pending(&queue))
			return ANSWER;
	}
	return NOTHING;
}

static void attack(const struct attack *a)
{
	u32 accept = disk ? a->disk_accept : a->accept, got;

	start(VF_INDIRECT);
	a->make();
	mmio_write32(dev.base + VM_NOTIFY, 0);
	got = outcome(!(accept & NOTHING));
	if (!(accept & got))
		fail(15, "%s: %s", a->name,
		     got == RESET    ? "the device wants a reset"
		     : got == ANSWER ? "the device answered"
				     : "nothing happened");
	if (got == RESET && !(mmio_read32(dev.base + VM_INTERRUPT) & 2))
		fail(16, "%s: a reset is wanted, without a configuration interrupt", a->name);
	serves(a->name);
	canaries(a->name);
}

/* Queue geometries that must not become a live queue, or do no harm when they do. */
static void geometry(void)
{
	static const u32 sizes[] = { 0, 3, 5, 0x101, 0x8000, 0x10000, 0x10001, ~0U };
	static const u64 places[] = { 0,     1,		 HOLE,	     0xfee00000, 0xfffffff0,
				      ~0ULL, ~0ULL - 15, 1ULL << 52, 1ULL << 63 };

	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
		CHECK(virtio_begin(&dev, 0), 10);
		CHECK(virtio_queue(&dev, &queue, 0, SIZE), 11);
		mmio_write32(dev.base + VM_STATUS, 0);
		CHECK(virtio_begin(&dev, 0), 10);
		mmio_write32(dev.base + VM_QUEUE_SEL, 0);
		mmio_write32(dev.base + VM_QUEUE_SIZE, sizes[i]);
		mmio_write32(dev.base + VM_QUEUE_READY, 1);
		virtio_go(&dev);
		mmio_write32(dev.base + VM_NOTIFY, 0);
		serves("odd queue size");
	}
	for (u32 reg = VM_DESC; reg <= VM_USED; reg += 0x10) {
		for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
			CHECK(virtio_begin(&dev, 0), 10);
			CHECK(virtio_queue(&dev, &queue, 0, SIZE), 11);
			mmio_write32(dev.base + VM_QUEUE_READY, 0);
			mmio_write32(dev.base + reg, (u32)places[i]);
			mmio_write32(dev.base + reg + 4, (u32)(places[i] >> 32));
			mmio_write32(dev.base + VM_QUEUE_READY, 1);
			virtio_go(&dev);
			queue.avail.idx = 0;
			queue.last_used = 0;
			data_at((uptr)area.buffer, 512);
			mmio_write32(dev.base + VM_NOTIFY, 0);
			serves("odd queue address");
		}
	}
	canaries("odd queues");
}

/* Orders of status bits that no driver writes. */
static void states(void)
{
	static const u8 orders[][3] = {
		{ 4, 0, 0 },   { 8, 0, 0 },    { 15, 0, 0 },   { 1, 15, 0 },   { 3, 7, 15 },
		{ 255, 0, 0 }, { 128, 15, 0 }, { 1, 3, 0x43 }, { 64, 15, 64 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(orders); i++) {
		mmio_write32(dev.base + VM_STATUS, 0);
		for (u32 k = 0; k < 3 && orders[i][k]; k++) {
			mmio_write32(dev.base + VM_STATUS, orders[i][k]);
			mmio_write32(dev.base + VM_NOTIFY, 0);
		}
		serves("odd order of status bits");
	}
	/* A feature that is not offered must not be granted. */
	mmio_write32(dev.base + VM_STATUS, 0);
	mmio_write32(dev.base + VM_STATUS, VS_ACKNOWLEDGE);
	mmio_write32(dev.base + VM_STATUS, VS_ACKNOWLEDGE | VS_DRIVER);
	mmio_write32(dev.base + VM_DRIVER_SEL, 1);
	mmio_write32(dev.base + VM_DRIVER, ~0U);
	mmio_write32(dev.base + VM_STATUS, VS_ACKNOWLEDGE | VS_DRIVER | VS_FEATURES_OK);
	if (virtio_status(&dev) & VS_FEATURES_OK)
		fail(17, "the device grants features that it did not offer");
	/* Nor may VERSION_1 be left out. */
	mmio_write32(dev.base + VM_STATUS, 0);
	mmio_write32(dev.base + VM_STATUS, VS_ACKNOWLEDGE);
	mmio_write32(dev.base + VM_STATUS, VS_ACKNOWLEDGE | VS_DRIVER);
	mmio_write32(dev.base + VM_STATUS, VS_ACKNOWLEDGE | VS_DRIVER | VS_FEATURES_OK);
	if (virtio_status(&dev) & VS_FEATURES_OK)
		fail(18, "the device goes on without VERSION_1");
	serves("odd features");
}

static void assault(const char *name)
{
	u32 only = (u32)cmdline_number("only", ~0U);

	serves("nothing");
	for (u32 i = 0; i < ARRAY_SIZE(attacks); i++)
		if (only == ~0U || only == i)
			attack(&attacks[i]);
	print("hostile: %s stands %u attacks\n", name, (u32)ARRAY_SIZE(attacks));
	geometry();
	print("hostile: %s stands odd queues\n", name);
	states();
	print("hostile: %s stands odd states\n", name);
}

u32 guest_main(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(area.before); i++)
		area.before[i] = area.behind[i] = CANARY;
	if (!virtio_find(&dev, VIRTIO_RNG, 0))
		fail(1, "no virtio-rng");
	assault("virtio-rng");
	disk = true;
	if (virtio_find(&dev, VIRTIO_BLK, 0))
		assault("virtio-blk");
	print("hostile: done\n");
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-rng as a PCI function (--virtio pci): found by its capabilities, interrupts by MSI-X, doorbells that
 * follow its BAR, memory decoding and bus mastering off and on.
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/virtio.h"
#include "x86/io.h"
#include "x86/x86.h"

enum {
	PORT_ADDRESS = 0xcf8,
	PORT_DATA = 0xcfc,
	ID_RNG = 0x10441af4,
	COMMAND = 0x04,
	BAR = 0x10,
	CAPABILITIES = 0x34,
	COMMAND_MEMORY = 2,
	COMMAND_MASTER = 4,
	/* Common configuration (virtio 1.3, 4.1.4.3). */
	C_FEATURES_SEL = 0x08,
	C_FEATURES = 0x0c,
	C_CONFIG_VECTOR = 0x10,
	C_STATUS = 0x14,
	C_QUEUE_SEL = 0x16,
	C_QUEUE_SIZE = 0x18,
	C_QUEUE_VECTOR = 0x1a,
	C_QUEUE_ENABLE = 0x1c,
	C_DESC = 0x20,
	C_AVAIL = 0x28,
	C_USED = 0x30,
	QUEUE = 8,
	ROUNDS = 10,
};

static struct vqueue queue;
static u64 words[2];
static volatile u32 count;
static u32 device;			      /* its place in configuration addresses */
static u32 common, notify, table, multiplier; /* offsets in the BAR */
static u32 msix;			      /* of the capability */
static uptr bar;

static u32 config_read(u32 at)
{
	out32(PORT_ADDRESS, 0x80000000 | device | (at & 0xfc));
	return in32(PORT_DATA);
}

static void config_write(u32 at, u32 value)
{
	out32(PORT_ADDRESS, 0x80000000 | device | (at & 0xfc));
	out32(PORT_DATA, value);
}

static void set8(u32 at, u8 value)
{
	*(volatile u8 *)(bar + common + at) = value;
}

static void set16(u32 at, u16 value)
{
	*(volatile u16 *)(bar + common + at) = value;
}

static u32 status(void)
{
	return *(volatile u8 *)(bar + common + C_STATUS);
}

static void find(void)
{
	for (u32 slot = 0; slot < 32; slot++) {
		device = slot << 11;
		if (config_read(0) == ID_RNG)
			break;
	}
	if (config_read(0) != ID_RNG)
		fail(1, "no virtio-rng on the bus");
	CHECK(config_read(COMMAND) >> 20 & 1, 2); /* it has capabilities */
	for (u32 at = config_read(CAPABILITIES) & 0xff; at; at = config_read(at) >> 8 & 0xff) {
		u32 head = config_read(at), offset = config_read(at + 8);

		if ((head & 0xff) == 0x11) {
			msix = at;
			table = config_read(at + 4) & ~7U;
		} else if ((head & 0xff) == 9 && head >> 24 == 1) {
			common = offset;
		} else if ((head & 0xff) == 9 && head >> 24 == 2) {
			notify = offset;
			multiplier = config_read(at + 16);
		}
	}
	CHECK(msix && notify && table && multiplier, 3);
	bar = config_read(BAR) & ~0xfU;
	print("pci: virtio-rng at %x\n", (u32)bar);
}

static void handler(void)
{
	count++;
}

static void set_address(u32 reg, const void *address)
{
	mmio_write32(bar + common + reg, (u32)(uptr)address);
	mmio_write32(bar + common + reg + 4, 0);
}

static void begin(u32 vector)
{
	config_write(COMMAND, COMMAND_MEMORY | COMMAND_MASTER);
	set8(C_STATUS, 0);
	CHECK(status() == 0, 4);
	set8(C_STATUS, VS_ACKNOWLEDGE);
	set8(C_STATUS, VS_ACKNOWLEDGE | VS_DRIVER);
	mmio_write32(bar + common + C_FEATURES_SEL, 1);
	mmio_write32(bar + common + C_FEATURES, (u32)(VF_VERSION_1 >> 32));
	set8(C_STATUS, VS_ACKNOWLEDGE | VS_DRIVER | VS_FEATURES_OK);
	CHECK(status() == (VS_ACKNOWLEDGE | VS_DRIVER | VS_FEATURES_OK), 5);
	config_write(msix, 0x80000000); /* MSI-X on */
	for (u32 i = 0; i < 2; i++) {
		mmio_write32(bar + table + 16 * i, (u32)x86_acpi_lapic());
		mmio_write32(bar + table + 16 * i + 4, 0);
		mmio_write32(bar + table + 16 * i + 8, vector);
		mmio_write32(bar + table + 16 * i + 12, 0);
	}
	queue.avail.idx = 0;
	queue.used.idx = 0;
	queue.last_used = 0;
	queue.size = QUEUE;
	set16(C_QUEUE_SEL, 0);
	set16(C_QUEUE_SIZE, QUEUE);
	set16(C_QUEUE_VECTOR, 1);
	CHECK(*(volatile u16 *)(bar + common + C_QUEUE_VECTOR) == 1, 6);
	set_address(C_DESC, queue.desc);
	set_address(C_AVAIL, &queue.avail);
	set_address(C_USED, &queue.used);
	set16(C_QUEUE_ENABLE, 1);
	set8(C_STATUS, VS_ACKNOWLEDGE | VS_DRIVER | VS_FEATURES_OK | VS_DRIVER_OK);
	CHECK(status() == (VS_ACKNOWLEDGE | VS_DRIVER | VS_FEATURES_OK | VS_DRIVER_OK), 7);
}

static void ask(void)
{
	struct vbuf buf = { (uptr)words, sizeof(words), true };

	words[0] = 0;
	virtio_put(&queue, 0, &buf, 1, false);
	plat_mb();
	*(volatile u16 *)(bar + notify) = 0;
}

static void rounds(const char *where)
{
	struct vused_elem elem;

	for (u32 i = 0; i < ROUNDS; i++) {
		u32 before = count;

		ask();
		while (count == before)
			plat_wait_irq();
		if (!virtio_pending(&queue))
			fail(8, "an interrupt without a used buffer");
		virtio_take(&queue, &elem);
		if (elem.len != sizeof(words) || !words[0])
			fail(9, "%u bytes, the first word is %X", elem.len, words[0]);
	}
	print("pci: %u interrupts, %s\n", count, where);
}

/* To an address in the window where nobody lies, by the way of a guest that asks for the size. */
static void move(u32 to)
{
	config_write(COMMAND, COMMAND_MASTER);
	config_write(BAR, 0xffffffff);
	CHECK((config_read(BAR) & ~0xfU) == ~0x3fffU, 10);
	config_write(BAR, to);
	if (mmio_read32(bar + common) != 0xffffffff)
		fail(11, "a BAR that is not decoded answers");
	config_write(COMMAND, COMMAND_MEMORY | COMMAND_MASTER);
	bar = to;
}

u32 guest_main(void)
{
	u32 vector = x86_vector(handler), home;

	find();
	home = (u32)bar;
	begin(vector);
	rounds("where it was");
	move(home + 0x100000);
	rounds("moved");
	if (mmio_read32(home + common) != 0xffffffff)
		fail(12, "the old place answers");
	*(volatile u16 *)((uptr)home + notify) = 0; /* rings nothing */
	move(home);
	rounds("back");
	config_write(COMMAND, COMMAND_MEMORY);
	if (!(status() & VS_NEEDS_RESET))
		fail(13, "bus mastering off, and the status is %x", status());
	ask();
	if (virtio_pending(&queue))
		fail(14, "a device without bus mastering wrote to memory");
	begin(vector);
	rounds("after a reset");
	return 0;
}

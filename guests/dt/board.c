/* SPDX-License-Identifier: BSD-2-Clause */
/* What guests find on a board that a device tree describes: console, exit, memory, windows of devices. */
#include "dt/board.h"
#include "lib/fdt.h"
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"

enum {
	VIRTIO_WINDOWS = 32,
	VIRTIO_SIZE = 0x1000,
};

static const char *command_line = "";
static uptr serial, exit_register;
static u32 serial_irq;

/* The first address in "reg" of the node named PREFIX, number N; 0 if there is none. */
static u64 board_address(const char *prefix, u32 n)
{
	const u8 *node = fdt_node(prefix, n), *reg;
	u32 len;

	if (!node)
		return 0;
	reg = fdt_prop(node, "reg", &len);
	CHECK(reg && len == 16, STATUS_BAD_HOST);
	return fdt_u64(reg);
}

void board_init(const u8 *tree)
{
	const u8 *line;
	u32 len;

	fdt_init(tree);
	exit_register = (uptr)board_address("exit@", 0);
	serial = (uptr)board_address("serial@", 0);
	if (serial)
		serial_irq = board_irq("serial@", 0);
	CHECK(fdt_node("chosen", 0), STATUS_BAD_HOST);
	line = fdt_prop(fdt_node("chosen", 0), "bootargs", &len);
	if (line)
		command_line = (const char *)line;
	for (u32 i = 0; fdt_node("virtio_mmio@", i); i++) {
		CHECK(board_address("virtio_mmio@", i) == plat_virtio_window(i), STATUS_BAD_HOST);
		CHECK(board_irq("virtio_mmio@", i) == plat_virtio_irq(i), STATUS_BAD_HOST);
	}
}

void plat_putc(char c)
{
	if (!serial)
		return;
	while (!(*(volatile u8 *)(serial + 5) & 0x20))
		plat_relax();
	*(volatile u8 *)serial = (u8)c;
}

int plat_getc(void)
{
	if (!serial || !(*(volatile u8 *)(serial + 5) & 1))
		return -1;
	return *(volatile u8 *)serial;
}

u32 plat_console_irq(void)
{
	return serial_irq;
}

void plat_console_irq_enable(void)
{
	*(volatile u8 *)(serial + 2) = 0x01; /* FIFO on, trigger at 1 */
	*(volatile u8 *)(serial + 4) = 0x0b; /* DTR, RTS, OUT2 */
	*(volatile u8 *)(serial + 1) = 0x01; /* received data */
}

_Noreturn void plat_exit(u32 status)
{
	mmio_write32(exit_register, status);
	plat_hang();
}

void plat_pvpanic(u8 events)
{
	volatile u8 *device = (volatile u8 *)(uptr)board_address("pvpanic@", 0);

	CHECK(device && *device == 3, STATUS_BAD_HOST);
	*device = events;
}

const char *plat_cmdline(void)
{
	return command_line;
}

bool plat_ram_region(u32 i, u64 *start, u64 *size)
{
	const u8 *node = fdt_node("memory@", i), *reg;
	u32 len;

	if (!node)
		return false;
	reg = fdt_prop(node, "reg", &len);
	CHECK(reg && len == 16, STATUS_BAD_HOST);
	*start = fdt_u64(reg);
	*size = fdt_u64(reg + 8);
	return true;
}

/* The first 128 GiB are mapped. */
void *plat_map(u64 gpa)
{
	CHECK(gpa < 128ULL << 30, STATUS_BAD_GUEST);
	return (void *)(uptr)gpa;
}

u32 plat_virtio_windows(void)
{
	return VIRTIO_WINDOWS;
}

uptr plat_virtio_window(u32 i)
{
	return board.virtio_base + i * (uptr)VIRTIO_SIZE;
}

u32 plat_virtio_irq(u32 i)
{
	return board.virtio_irq + i;
}

void plat_fill(void *to, u8 byte, uptr size)
{
	u8 *at = to;

	for (; size; size--)
		*at++ = byte;
}

/* Forward, by words where both are aligned: an overlap repeats what lies before it, as x86's does. */
void plat_copy(void *to, const void *from, uptr size)
{
	u8 *t = to;
	const u8 *f = from;

	if (!(((uptr)t | (uptr)f) & 7)) {
		for (; size >= 8; size -= 8, t += 8, f += 8) {
			*(u64 *)t = *(const u64 *)f;
			barrier();
		}
	}
	for (; size; size--) {
		*t++ = *f++;
		barrier();
	}
}

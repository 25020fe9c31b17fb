/* SPDX-License-Identifier: BSD-2-Clause */
/* Port I/O: ports where nothing is, sizes that a device does not expect, string instructions. */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "x86/io.h"
#include "x86/x86.h"

u32 guest_main(void)
{
	static const char line[] = "ports: a line by one instruction\n";
	static const u16 nothing[] = { 0x0f8, 0x2f8, 0x3e8, 0x5fe, 0x700, 0xcf8, 0xfffc };
	u8 bytes[16];

	for (u32 i = 0; i < ARRAY_SIZE(nothing); i++)
		if (in8(nothing[i]) != 0xff || in16(nothing[i]) != 0xffff ||
		    in32(nothing[i]) != 0xffffffff)
			fail(1, "port %x, where nothing is, does not read as ones", nothing[i]);
	out8(0x80, 1);
	out32(0xfffc, ~0U);
	/* Two and four bytes at and across the serial port's edges. */
	for (u16 port = PORT_COM1 - 3; port < PORT_COM1 + 9; port++) {
		(void)in16(port);
		(void)in32(port);
	}
	out8_string(PORT_COM1, line, sizeof(line) - 1);
	memset(bytes, 0, sizeof(bytes));
	in8_string(PORT_COM1 + 5, bytes, sizeof(bytes));
	for (u32 i = 0; i < sizeof(bytes); i++)
		if (!(bytes[i] & 0x20))
			fail(2, "line status %x of a read by string instruction", bytes[i]);
	print("ports: all is well\n");
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets of the GDB remote protocol ("GDB User Manual", Appendix E, "Overview"): "$body#checksum".
 * Incoming bytes are an enemy's: bounded, and judged one by one.
 */
#ifndef VM_GDB_PACKET_H
#define VM_GDB_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	GDB_PACKET_MAX = 0x4000, /* bytes of a body, as qSupported tells gdb */
	GDB_FRAME_MAX = GDB_PACKET_MAX + 4,
};

enum gdb_event {
	GDB_NOTHING,   /* more bytes are needed */
	GDB_PACKET,    /* body and len hold a packet */
	GDB_BAD,       /* a packet whose checksum is wrong, or that is too long */
	GDB_INTERRUPT, /* Ctrl-C: byte 3 between packets */
	GDB_ACK,
	GDB_NAK,
};

/* The packet under way. All zero is the beginning. */
struct gdb_in {
	enum { GDB_OUTSIDE, GDB_BODY, GDB_SUM1, GDB_SUM2 } state;
	bool escaped; /* the byte before was '}' */
	bool too_long;
	uint8_t sum;
	uint8_t want;
	size_t len;
	char body[GDB_PACKET_MAX + 1]; /* escapes undone, a zero behind it */
};

/* Takes one byte. After GDB_PACKET the body stays until the next call. */
enum gdb_event gdb_in_byte(struct gdb_in *in, uint8_t byte);

/* A reply's body. What does not fit is dropped, and @full says so. All zero is empty. */
struct gdb_out {
	size_t len;
	bool full;
	char body[GDB_PACKET_MAX];
};

void gdb_out_text(struct gdb_out *out, const char *text);
__attribute__((format(printf, 2, 3))) void gdb_out_format(struct gdb_out *out, const char *fmt,
							  ...);
/* Two hexadecimal digits a byte. */
void gdb_out_hex(struct gdb_out *out, const void *bytes, size_t len);
/* Binary, escaped. Returns how many bytes of @len fit. */
size_t gdb_out_binary(struct gdb_out *out, const void *bytes, size_t len);

/* The packet on the wire: at most GDB_FRAME_MAX bytes at @frame. Returns their number. */
size_t gdb_out_frame(const struct gdb_out *out, char *frame);

/*
 * A reader of a body: what is left of it. Each takes what it reads off the front, or answers false
 * and leaves the rest as it likes.
 */
struct gdb_text {
	const char *at;
	const char *end;
};

bool gdb_text_char(struct gdb_text *text, char c);
/* @prefix is at the front; it is taken off. */
bool gdb_text_prefix(struct gdb_text *text, const char *prefix);
/* Hexadecimal, at least one digit, no more than 64 bits. */
bool gdb_text_number(struct gdb_text *text, uint64_t *value);
/* Exactly @len bytes of two digits each. */
bool gdb_text_bytes(struct gdb_text *text, uint8_t *bytes, size_t len);
bool gdb_text_end(const struct gdb_text *text);

#endif

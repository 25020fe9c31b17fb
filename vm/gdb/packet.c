/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets of the GDB remote protocol, taken apart and put together. */
#include "vm/gdb/packet.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	ESCAPE = '}',
	ESCAPE_XOR = 0x20,
	CTRL_C = 3,
};

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static enum gdb_event between_packets(struct gdb_in *in, uint8_t byte)
{
	switch (byte) {
	case '$':
		in->state = GDB_BODY;
		in->escaped = false;
		in->too_long = false;
		in->sum = 0;
		in->len = 0;
		return GDB_NOTHING;
	case '+':
		return GDB_ACK;
	case '-':
		return GDB_NAK;
	case CTRL_C:
		return GDB_INTERRUPT;
	default:
		return GDB_NOTHING; /* noise on the line */
	}
}

static enum gdb_event in_body(struct gdb_in *in, uint8_t byte)
{
	if (byte == '#') {
		in->state = GDB_SUM1;
		return GDB_NOTHING;
	}
	if (byte == '$')
		return between_packets(in, byte); /* the packet before was cut off */
	in->sum = (uint8_t)(in->sum + byte);
	if (byte == ESCAPE && !in->escaped) {
		in->escaped = true;
		return GDB_NOTHING;
	}
	if (in->len == GDB_PACKET_MAX) {
		in->too_long = true;
		return GDB_NOTHING;
	}
	in->body[in->len++] = (char)(in->escaped ? byte ^ ESCAPE_XOR : byte);
	in->escaped = false;
	return GDB_NOTHING;
}

static enum gdb_event at_end(struct gdb_in *in, int digit)
{
	bool good = digit >= 0 && in->want + digit == in->sum && !in->too_long;

	in->state = GDB_OUTSIDE;
	in->body[in->len] = '\0';
	return good ? GDB_PACKET : GDB_BAD;
}

enum gdb_event gdb_in_byte(struct gdb_in *in, uint8_t byte)
{
	int digit = hex_value((char)byte);

	switch (in->state) {
	case GDB_OUTSIDE:
		return between_packets(in, byte);
	case GDB_BODY:
		return in_body(in, byte);
	case GDB_SUM1:
		if (digit < 0)
			return at_end(in, -1);
		in->want = (uint8_t)(digit << 4);
		in->state = GDB_SUM2;
		return GDB_NOTHING;
	case GDB_SUM2:
		break;
	}
	return at_end(in, digit);
}

static void add(struct gdb_out *out, const void *bytes, size_t len)
{
	if (len > sizeof(out->body) - out->len) {
		out->full = true;
		return;
	}
	memcpy(out->body + out->len, bytes, len);
	out->len += len;
}

void gdb_out_text(struct gdb_out *out, const char *text)
{
	add(out, text, strlen(text));
}

void gdb_out_format(struct gdb_out *out, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	gdb_out_text(out, text);
}

void gdb_out_hex(struct gdb_out *out, const void *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *b = bytes;

	for (size_t i = 0; i < len && !out->full; i++) {
		const char two[] = { digits[b[i] >> 4], digits[b[i] & 15] };

		add(out, two, 2);
	}
}

size_t gdb_out_binary(struct gdb_out *out, const void *bytes, size_t len)
{
	const char *b = bytes;

	for (size_t i = 0; i < len; i++) {
		bool special = b[i] == '#' || b[i] == '$' || b[i] == '}' || b[i] == '*';
		const char two[] = { ESCAPE, (char)(b[i] ^ ESCAPE_XOR) };

		if (sizeof(out->body) - out->len < 2)
			return i;
		add(out, special ? two : &b[i], special ? 2 : 1);
	}
	return len;
}

size_t gdb_out_frame(const struct gdb_out *out, char *frame)
{
	uint8_t sum = 0;
	char end[4];

	for (size_t i = 0; i < out->len; i++)
		sum = (uint8_t)(sum + (uint8_t)out->body[i]);
	frame[0] = '$';
	memcpy(frame + 1, out->body, out->len);
	snprintf(end, sizeof(end), "#%02x", sum);
	memcpy(frame + 1 + out->len, end, 3);
	return out->len + 4;
}

bool gdb_text_char(struct gdb_text *text, char c)
{
	if (text->at == text->end || *text->at != c)
		return false;
	text->at++;
	return true;
}

bool gdb_text_prefix(struct gdb_text *text, const char *prefix)
{
	size_t len = strlen(prefix);

	if ((size_t)(text->end - text->at) < len || memcmp(text->at, prefix, len) != 0)
		return false;
	text->at += len;
	return true;
}

bool gdb_text_number(struct gdb_text *text, uint64_t *value)
{
	unsigned digits = 0;
	uint64_t v = 0;

	for (; text->at < text->end && hex_value(*text->at) >= 0; text->at++, digits++) {
		if (v >> 60)
			return false;
		v = v << 4 | (unsigned)hex_value(*text->at);
	}
	*value = v;
	return digits > 0;
}

bool gdb_text_bytes(struct gdb_text *text, uint8_t *bytes, size_t len)
{
	if ((size_t)(text->end - text->at) / 2 < len)
		return false;
	for (size_t i = 0; i < len; i++, text->at += 2) {
		int high = hex_value(text->at[0]);
		int low = hex_value(text->at[1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

bool gdb_text_end(const struct gdb_text *text)
{
	return text->at == text->end;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The AML writer: opcodes and encodings (ACPI 6.3, chapters 6.4 and 20.2). */
#include "arch/x86/aml.h"

#include <string.h>

#include "base/checked.h"
#include "base/le.h"

enum {
	OP_ZERO = 0x00,
	OP_ONE = 0x01,
	OP_NAME = 0x08,
	OP_BYTE = 0x0a,
	OP_WORD = 0x0b,
	OP_DWORD = 0x0c,
	OP_STRING = 0x0d,
	OP_QWORD = 0x0e,
	OP_SCOPE = 0x10,
	OP_BUFFER = 0x11,
	OP_PACKAGE = 0x12,
	OP_EXT = 0x5b,
	OP_EXT_DEVICE = 0x82,

	RES_IO = 0x47,
	RES_END = 0x79,
	RES_MEMORY32 = 0x86,
	RES_DWORD_SPACE = 0x87,
	RES_WORD_SPACE = 0x88,
	RES_INTERRUPT = 0x89,
	SPACE_MEMORY = 0,
	SPACE_BUS = 2,
	SPACE_FIXED = 0x0c,   /* both ends; produced, decoded positively */
	SPACE_READ_WRITE = 1, /* memory, not cached */
	INTERRUPT_CONSUMER = 1,
	INTERRUPT_EDGE = 2, /* with bits 2 and 3 clear: active high, exclusive */

	PKG_LENGTH_MAX = (1 << 28) - 1,
};

void aml_init(struct aml *a, void *buf, size_t size)
{
	*a = (struct aml){ .buf = (uint8_t *)buf, .size = size };
}

/* Room for @len bytes at the end, or NULL. */
static uint8_t *extend(struct aml *a, size_t len)
{
	uint8_t *p;

	if (a->failed || !range_fits(a->len, len, a->size)) {
		a->failed = true;
		return NULL;
	}
	p = a->buf + a->len;
	a->len += len;
	return p;
}

void aml_bytes(struct aml *a, const void *data, size_t len)
{
	uint8_t *p = extend(a, len);

	if (p && len)
		memcpy(p, data, len);
}

void aml_u8(struct aml *a, uint8_t v)
{
	aml_bytes(a, &v, 1);
}

void aml_u16(struct aml *a, uint16_t v)
{
	uint8_t b[2];

	le16_store(b, v);
	aml_bytes(a, b, sizeof(b));
}

void aml_u32(struct aml *a, uint32_t v)
{
	uint8_t b[4];

	le32_store(b, v);
	aml_bytes(a, b, sizeof(b));
}

void aml_u64(struct aml *a, uint64_t v)
{
	uint8_t b[8];

	le64_store(b, v);
	aml_bytes(a, b, sizeof(b));
}

void aml_zeros(struct aml *a, size_t len)
{
	uint8_t *p = extend(a, len);

	if (p && len)
		memset(p, 0, len);
}

void aml_integer(struct aml *a, uint64_t v)
{
	if (v <= 1) {
		aml_u8(a, v ? OP_ONE : OP_ZERO);
	} else if (v <= UINT8_MAX) {
		aml_u8(a, OP_BYTE);
		aml_u8(a, (uint8_t)v);
	} else if (v <= UINT16_MAX) {
		aml_u8(a, OP_WORD);
		aml_u16(a, (uint16_t)v);
	} else if (v <= UINT32_MAX) {
		aml_u8(a, OP_DWORD);
		aml_u32(a, (uint32_t)v);
	} else {
		aml_u8(a, OP_QWORD);
		aml_u64(a, v);
	}
}

void aml_string(struct aml *a, const char *s)
{
	aml_u8(a, OP_STRING);
	aml_bytes(a, s, strlen(s) + 1);
}

static unsigned hex_digit(char c)
{
	return c >= 'A' ? (unsigned)(c - 'A' + 10) : (unsigned)(c - '0');
}

void aml_eisaid(struct aml *a, const char *id)
{
	uint32_t v = 0;

	if (strlen(id) != 7) {
		a->failed = true;
		return;
	}
	for (unsigned i = 0; i < 3; i++)
		v = v << 5 | ((uint32_t)(id[i] - 'A' + 1) & 0x1f);
	for (unsigned i = 3; i < 7; i++)
		v = v << 4 | (hex_digit(id[i]) & 0xf);
	aml_u8(a, OP_DWORD);
	aml_u32(a, __builtin_bswap32(v)); /* the first letter comes first in memory */
}

static void name_string(struct aml *a, const char *name)
{
	size_t len = strlen(name);

	if (len != 4 && !(len == 5 && name[0] == '\\'))
		a->failed = true;
	aml_bytes(a, name, len);
}

void aml_name(struct aml *a, const char *name)
{
	aml_u8(a, OP_NAME);
	name_string(a, name);
}

/* From here to aml_end() is counted by a package length. */
static void open_length(struct aml *a)
{
	if (a->depth == ARRAY_SIZE(a->open)) {
		a->failed = true;
		return;
	}
	a->open[a->depth++] = a->len;
}

void aml_scope(struct aml *a, const char *name)
{
	aml_u8(a, OP_SCOPE);
	open_length(a);
	name_string(a, name);
}

void aml_device(struct aml *a, const char *name)
{
	aml_u8(a, OP_EXT);
	aml_u8(a, OP_EXT_DEVICE);
	open_length(a);
	name_string(a, name);
}

void aml_package(struct aml *a, uint8_t count)
{
	aml_u8(a, OP_PACKAGE);
	open_length(a);
	aml_u8(a, count);
}

void aml_resources(struct aml *a)
{
	aml_u8(a, OP_BUFFER);
	open_length(a);
	/* The buffer's own size is not known yet; what is inside begins here. */
	open_length(a);
}

/* Moves what was written since @at up and puts @len bytes of @data there. */
static void insert(struct aml *a, size_t at, const uint8_t *data, size_t len)
{
	size_t tail = a->len - at;

	if (!extend(a, len))
		return;
	memmove(a->buf + at + len, a->buf + at, tail);
	memcpy(a->buf + at, data, len);
}

/* A package length counts itself: 1 byte up to 63, else 2 to 4 (20.2.4). */
void aml_end(struct aml *a)
{
	uint8_t bytes[4];
	unsigned more = 0;
	size_t at, len;

	if (!a->depth)
		a->failed = true;
	if (a->failed)
		return;
	at = a->open[--a->depth];
	len = a->len - at;
	if (len > PKG_LENGTH_MAX - sizeof(bytes)) {
		a->failed = true;
		return;
	}
	if (len + 1 > 63)
		more = len + 2 < 1 << 12 ? 1 : len + 3 < 1 << 20 ? 2 : 3;
	len += more + 1;
	bytes[0] = more ? (uint8_t)(more << 6 | (len & 0xf)) : (uint8_t)len;
	for (unsigned i = 1; i <= more; i++)
		bytes[i] = (uint8_t)(len >> (8 * i - 4));
	insert(a, at, bytes, more + 1);
}

void aml_resources_end(struct aml *a)
{
	uint8_t bytes[9];
	struct aml size;
	size_t at;

	aml_u8(a, RES_END);
	aml_u8(a, 0); /* checksum: 0 means that there is none */
	if (!a->depth)
		a->failed = true;
	if (a->failed)
		return;
	at = a->open[--a->depth];
	aml_init(&size, bytes, sizeof(bytes));
	aml_integer(&size, a->len - at);
	insert(a, at, bytes, size.len);
	aml_end(a);
}

void aml_memory32(struct aml *a, uint32_t base, uint32_t size)
{
	aml_u8(a, RES_MEMORY32);
	aml_u16(a, 9);
	aml_u8(a, 1); /* read-write */
	aml_u32(a, base);
	aml_u32(a, size);
}

void aml_bus_numbers(struct aml *a, uint16_t first, uint16_t count)
{
	aml_u8(a, RES_WORD_SPACE);
	aml_u16(a, 13);
	aml_u8(a, SPACE_BUS);
	aml_u8(a, SPACE_FIXED);
	aml_u8(a, 0);
	aml_u16(a, 0); /* granularity */
	aml_u16(a, first);
	aml_u16(a, (uint16_t)(first + count - 1));
	aml_u16(a, 0); /* translation */
	aml_u16(a, count);
}

void aml_memory_window(struct aml *a, uint32_t base, uint32_t size)
{
	aml_u8(a, RES_DWORD_SPACE);
	aml_u16(a, 23);
	aml_u8(a, SPACE_MEMORY);
	aml_u8(a, SPACE_FIXED);
	aml_u8(a, SPACE_READ_WRITE);
	aml_u32(a, 0);
	aml_u32(a, base);
	aml_u32(a, base + (size - 1));
	aml_u32(a, 0);
	aml_u32(a, size);
}

void aml_io(struct aml *a, uint16_t base, uint8_t count)
{
	aml_u8(a, RES_IO);
	aml_u8(a, 1); /* 16 bits decoded */
	aml_u16(a, base);
	aml_u16(a, base);
	aml_u8(a, 0); /* alignment: it cannot move */
	aml_u8(a, count);
}

void aml_interrupt(struct aml *a, uint32_t gsi)
{
	aml_u8(a, RES_INTERRUPT);
	aml_u16(a, 6);
	aml_u8(a, INTERRUPT_CONSUMER | INTERRUPT_EDGE);
	aml_u8(a, 1);
	aml_u32(a, gsi);
}

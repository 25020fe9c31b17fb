/* SPDX-License-Identifier: BSD-2-Clause */
/* The device tree that the host made, read in place (Devicetree Specification 0.4, chapter 5). */
#include "lib/fdt.h"
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"

enum { BEGIN_NODE = 1, END_NODE = 2, PROP = 3, NOP = 4, MAGIC = 0xd00dfeed };
enum { STATUS_BAD_HOST = 121 };

static const u8 *structs, *strings;

u32 fdt_u32(const u8 *at)
{
	return (u32)at[0] << 24 | (u32)at[1] << 16 | (u32)at[2] << 8 | at[3];
}

u64 fdt_u64(const u8 *at)
{
	return (u64)fdt_u32(at) << 32 | fdt_u32(at + 4);
}

void fdt_init(const u8 *tree)
{
	CHECK(fdt_u32(tree) == MAGIC, STATUS_BAD_HOST);
	structs = tree + fdt_u32(tree + 8);
	strings = tree + fdt_u32(tree + 12);
}

static u32 text_len(const u8 *text)
{
	u32 len = 0;

	while (text[len])
		len++;
	return len;
}

static bool begins_with(const u8 *text, const char *prefix)
{
	while (*prefix)
		if (*text++ != (u8)*prefix++)
			return false;
	return true;
}

static bool same(const u8 *text, const char *other)
{
	return begins_with(text, other) && !text[text_len((const u8 *)other)];
}

/* The token behind the one at AT. */
static const u8 *next(const u8 *at)
{
	switch (fdt_u32(at)) {
	case BEGIN_NODE:
		return at + 4 + ((text_len(at + 4) + 4) & ~3U);
	case PROP:
		return at + 12 + ((fdt_u32(at + 4) + 3) & ~3U);
	default:
		return at + 4;
	}
}

const u8 *fdt_node(const char *prefix, u32 n)
{
	for (const u8 *at = structs;; at = next(at)) {
		u32 token = fdt_u32(at);

		if (token < BEGIN_NODE || token > NOP)
			return NULL;
		if (token == BEGIN_NODE && begins_with(at + 4, prefix) && !n--)
			return at;
	}
}

const u8 *fdt_prop(const u8 *node, const char *name, u32 *len)
{
	for (const u8 *at = next(node); fdt_u32(at) == PROP || fdt_u32(at) == NOP; at = next(at)) {
		if (fdt_u32(at) == NOP || !same(strings + fdt_u32(at + 8), name))
			continue;
		*len = fdt_u32(at + 4);
		return at + 12;
	}
	return NULL;
}

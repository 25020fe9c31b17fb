/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of MSI-X vectors: who may send, what waits, and the guest's accesses to both. */
#include "hw/msix.h"

#include <string.h>

#include "base/checked.h"
#include "base/le.h"

enum {
	ENTRY_ADDRESS = 0,
	ENTRY_ADDRESS_HIGH = 4,
	ENTRY_DATA = 8,
	ENTRY_CONTROL = 12,
	CONTROL_MASKED = 1,
};

void msix_init(struct msix *msix, unsigned vectors, struct msi_port *port)
{
	*msix = (struct msix){ .port = port, .vectors = vectors };
	for (unsigned i = 0; i < vectors; i++)
		msix->table[i].masked = true;
}

static bool may_send(const struct msix *msix, unsigned vector)
{
	return msix->enabled && !msix->masked && msix->master && !msix->table[vector].masked;
}

static void send(struct msix *msix, unsigned vector)
{
	const struct msix_vector *v = &msix->table[vector];

	msix->pending &= ~(UINT32_C(1) << vector);
	msix->port->send(msix->port, v->address, v->data);
}

static void send_what_waits(struct msix *msix)
{
	for (unsigned i = 0; i < msix->vectors && msix->pending; i++) {
		if (msix->pending >> i & 1 && may_send(msix, i))
			send(msix, i);
	}
}

void msix_control(struct msix *msix, uint16_t control, bool master)
{
	msix->enabled = control & MSIX_CONTROL_ENABLE;
	msix->masked = control & MSIX_CONTROL_MASK;
	msix->master = master;
	if (!msix->enabled)
		msix_forget(msix);
	send_what_waits(msix);
}

void msix_raise(struct msix *msix, unsigned vector)
{
	if (vector >= msix->vectors || !msix->enabled)
		return;
	if (may_send(msix, vector))
		send(msix, vector);
	else
		msix->pending |= UINT32_C(1) << vector;
}

void msix_forget(struct msix *msix)
{
	msix->pending = 0;
}

/* An access that the specification allows, wholly before @end. */
static bool is_allowed(uint64_t offset, size_t len, uint64_t end)
{
	return (len == 4 || len == 8) && offset % len == 0 && range_fits(offset, len, end);
}

static uint32_t read_word(const struct msix *msix, uint64_t offset)
{
	const struct msix_vector *v = &msix->table[offset / MSIX_ENTRY];

	switch (offset % MSIX_ENTRY) {
	case ENTRY_ADDRESS:
		return (uint32_t)v->address;
	case ENTRY_ADDRESS_HIGH:
		return (uint32_t)(v->address >> 32);
	case ENTRY_DATA:
		return v->data;
	default:
		return v->masked ? CONTROL_MASKED : 0;
	}
}

static void write_word(struct msix *msix, uint64_t offset, uint32_t value)
{
	struct msix_vector *v = &msix->table[offset / MSIX_ENTRY];

	switch (offset % MSIX_ENTRY) {
	case ENTRY_ADDRESS: /* a word's: the two lowest bits are always 0 */
		v->address = (v->address & ~(uint64_t)UINT32_MAX) | (value & ~UINT32_C(3));
		break;
	case ENTRY_ADDRESS_HIGH:
		v->address = (uint32_t)v->address | (uint64_t)value << 32;
		break;
	case ENTRY_DATA:
		v->data = value;
		break;
	default:
		v->masked = value & CONTROL_MASKED;
		break;
	}
}

void msix_read_table(const struct msix *msix, uint64_t offset, void *data, size_t len)
{
	uint8_t *to = data;

	memset(data, 0xff, len);
	if (!is_allowed(offset, len, (uint64_t)msix->vectors * MSIX_ENTRY))
		return;
	for (size_t at = 0; at < len; at += 4)
		le32_store(to + at, read_word(msix, offset + at));
}

void msix_write_table(struct msix *msix, uint64_t offset, const void *data, size_t len)
{
	const uint8_t *from = data;

	if (!is_allowed(offset, len, (uint64_t)msix->vectors * MSIX_ENTRY))
		return;
	for (size_t at = 0; at < len; at += 4)
		write_word(msix, offset + at, le32_load(from + at));
	send_what_waits(msix);
}

/* Bits come in words of 64 (6.8.2.10). */
void msix_read_pending(const struct msix *msix, uint64_t offset, void *data, size_t len)
{
	uint8_t all[8];

	memset(data, 0xff, len);
	if (!is_allowed(offset, len, sizeof(all)))
		return;
	le64_store(all, msix->pending);
	memcpy(data, all + offset, len);
}

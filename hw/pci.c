/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The root bus: configuration space by ports, BARs that move in the host bridge's window.
 *
 * The bus's window is one, whatever lies in it: an access looks for the function whose BAR is there now.
 * That is a handful of comparisons, and doorbells do not come this way.
 */
#include "hw/pci.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/le.h"

enum {
	WORDS = PCI_CONFIG_SIZE / 4,

	STATUS_CAPABILITIES = 1 << 4, /* of the status register, the upper half at PCI_COMMAND */
	COMMAND_WRITABLE = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER,

	/* The address port (3.2.2.3.2): enable, bus, device, function, register. */
	ADDRESS_BUS_SHIFT = 16,
	ADDRESS_DEVICE_SHIFT = 11,
	ADDRESS_FUNCTION_SHIFT = 8,
	ADDRESS_REGISTER = 0xfc,
	ADDRESS_RESERVED = 0x7f000000,
};
#define ADDRESS_ENABLE UINT32_C(0x80000000)

struct pci_bus {
	struct loop *loop;
	uint64_t window, size;
	uint64_t next_bar; /* offset in the window */
	unsigned count;
	struct pci_function *functions[PCI_MAX_DEVICES]; /* by device number */
	struct pci_function bridge;
	_Atomic uint32_t address; /* what was last written to the address port */
};

/* Configuration space. */

uint32_t pci_get(const struct pci_function *f, unsigned at)
{
	return atomic_load_explicit(&f->config[at / 4 % WORDS], memory_order_acquire);
}

void pci_set(struct pci_function *f, unsigned at, uint32_t value)
{
	atomic_store_explicit(&f->config[at / 4 % WORDS], value, memory_order_release);
}

void pci_set_writable(struct pci_function *f, unsigned at, uint32_t bits)
{
	f->writable[at / 4 % WORDS] = bits;
}

void pci_watch(struct pci_function *f, unsigned at)
{
	f->watched |= UINT64_C(1) << (at / 4 % WORDS);
}

static bool is_watched(const struct pci_function *f, unsigned at)
{
	return f->watched >> (at / 4 % WORDS) & 1;
}

void pci_function_init(struct pci_function *f, const struct pci_id *id, uint64_t bar_size,
		       const struct pci_ops *ops, void *opaque)
{
	memset(f, 0, sizeof(*f));
	f->ops = ops;
	f->opaque = opaque;
	f->bar_size = bar_size;
	f->caps_end = PCI_FIRST_CAPABILITY;
	f->served = PCI_NOWHERE;
	atomic_store(&f->decoded, PCI_NOWHERE);
	pci_set(f, PCI_ID, id->vendor | (uint32_t)id->device << 16);
	pci_set(f, PCI_CLASS, id->class_revision);
	pci_set(f, PCI_SUBSYSTEM, id->subsystem_vendor | (uint32_t)id->subsystem << 16);
	pci_set_writable(f, PCI_COMMAND, COMMAND_WRITABLE);
	/* All ones written to a BAR read back as its size (6.2.5.1). */
	if (bar_size)
		pci_set_writable(f, PCI_BAR0, (uint32_t) ~(bar_size - 1));
}

unsigned pci_add_capability(struct pci_function *f, uint8_t id, size_t len)
{
	unsigned at = f->caps_end;

	if (!at || len < 2 || !range_fits(at, len, PCI_CONFIG_SIZE))
		return 0;
	f->caps_end = (at + (unsigned)len + 3) & ~3U;
	if (f->caps_end >= PCI_CONFIG_SIZE)
		f->caps_end = 0;
	pci_set(f, at, (pci_get(f, at) & ~UINT32_C(0xffff)) | id);
	if (f->last_cap)
		pci_set(f, f->last_cap, pci_get(f, f->last_cap) | at << 8);
	else
		pci_set(f, PCI_CAPABILITIES, at);
	f->last_cap = at;
	pci_set(f, PCI_COMMAND, pci_get(f, PCI_COMMAND) | STATUS_CAPABILITIES << 16);
	return at;
}

/* Where the BAR is decoded by what command register and BAR say. */
static uint64_t decoded_at(const struct pci_bus *pci, const struct pci_function *f)
{
	uint64_t base = pci_get(f, PCI_BAR0) & ~UINT32_C(0xf);

	if (!f->bar_size || !(pci_get(f, PCI_COMMAND) & PCI_COMMAND_MEMORY) || base < pci->window ||
	    !range_fits(base - pci->window, f->bar_size, pci->size))
		return PCI_NOWHERE;
	return base;
}

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b ? b - a < a_size : a - b < b_size;
}

static void serve_at(struct pci_function *f, uint64_t base)
{
	if (f->served == base)
		return;
	f->served = base;
	if (f->ops->moved)
		f->ops->moved(f->opaque, base);
}

/* @f is to lie at @base: whoever only left something there takes it away. */
static void make_room(struct pci_bus *pci, const struct pci_function *f, uint64_t base)
{
	for (unsigned i = 0; i < pci->count; i++) {
		struct pci_function *other = pci->functions[i];

		if (other != f && other->served != PCI_NOWHERE &&
		    other->served != atomic_load(&other->decoded) &&
		    overlap(other->served, other->bar_size, base, f->bar_size))
			serve_at(other, PCI_NOWHERE);
	}
}

/* The command register or the BAR was written. */
static void place(struct pci_bus *pci, struct pci_function *f)
{
	uint64_t base = decoded_at(pci, f);
	uint16_t command = (uint16_t)pci_get(f, PCI_COMMAND);

	atomic_store(&f->decoded, base);
	if (base != PCI_NOWHERE) {
		make_room(pci, f, base);
		serve_at(f, base);
	}
	if (f->told == command)
		return;
	f->told = command;
	if (f->ops && f->ops->command)
		f->ops->command(f->opaque, command);
}

/* One access to configuration space on its way to the loop's thread. */
struct config_access {
	struct pci_bus *pci;
	struct pci_function *f;
	unsigned at; /* of the word */
	uint32_t mask, value;
};

static void do_write(void *opaque)
{
	const struct config_access *a = opaque;
	struct pci_function *f = a->f;
	uint32_t mask = a->mask & f->writable[a->at / 4];

	pci_set(f, a->at, (pci_get(f, a->at) & ~mask) | (a->value & mask));
	if (a->at == PCI_COMMAND || a->at == PCI_BAR0)
		place(a->pci, f);
	if (is_watched(f, a->at) && f->ops->config_written)
		f->ops->config_written(f->opaque, a->at);
}

static void do_read(void *opaque)
{
	const struct config_access *a = opaque;

	if (a->f->ops->config_read)
		a->f->ops->config_read(a->f->opaque, a->at);
}

/* Ports. An access is 1, 2 or 4 bytes and lies in one port's four bytes (hw/bus.h). */

/* What the address port points at: a function with *@at, or NULL. */
static struct pci_function *addressed(const struct pci_bus *pci, unsigned *at)
{
	uint32_t address = atomic_load(&pci->address);
	unsigned device = address >> ADDRESS_DEVICE_SHIFT & (PCI_MAX_DEVICES - 1);

	/* Behind the reserved bits some processors have more configuration space: there is none here. */
	if (!(address & ADDRESS_ENABLE) || address & ADDRESS_RESERVED ||
	    address >> ADDRESS_BUS_SHIFT & 0xff || address >> ADDRESS_FUNCTION_SHIFT & 7 ||
	    device >= pci->count)
		return NULL;
	*at = address & ADDRESS_REGISTER;
	return pci->functions[device];
}

static void read_address(void *opaque, uint64_t offset, void *data, size_t len)
{
	const struct pci_bus *pci = opaque;

	memset(data, 0xff, len);
	if (offset == 0 && len == 4)
		le32_store(data, atomic_load(&pci->address));
}

static void write_address(void *opaque, uint64_t offset, const void *data, size_t len)
{
	struct pci_bus *pci = opaque;

	if (offset == 0 && len == 4)
		atomic_store(&pci->address, le32_load(data) & ~UINT32_C(3));
}

static void read_data(void *opaque, uint64_t offset, void *data, size_t len)
{
	struct pci_bus *pci = opaque;
	uint8_t word[4];
	unsigned at;
	struct pci_function *f = addressed(pci, &at);
	struct config_access access = { .pci = pci, .f = f };

	memset(data, 0xff, len);
	if (!f || !range_fits(offset, len, sizeof(word)))
		return;
	access.at = at;
	if (is_watched(f, at))
		loop_call(pci->loop, do_read, &access);
	le32_store(word, pci_get(f, at));
	memcpy(data, word + offset, len);
}

static void write_data(void *opaque, uint64_t offset, const void *data, size_t len)
{
	struct pci_bus *pci = opaque;
	uint8_t mask[4] = { 0 }, value[4] = { 0 };
	unsigned at;
	struct pci_function *f = addressed(pci, &at);
	struct config_access access = { .pci = pci, .f = f };

	if (!f || !range_fits(offset, len, sizeof(value)))
		return;
	memset(mask + offset, 0xff, len);
	memcpy(value + offset, data, len);
	access.at = at;
	access.mask = le32_load(mask);
	access.value = le32_load(value);
	loop_call(pci->loop, do_write, &access);
}

/* The window of BARs. */

/* The function that decodes the whole access at @addr, with the offset in its BAR; else NULL. */
static struct pci_function *decoding(const struct pci_bus *pci, uint64_t addr, size_t len,
				     uint64_t *offset)
{
	for (unsigned i = 0; i < pci->count; i++) {
		struct pci_function *f = pci->functions[i];
		uint64_t base = atomic_load_explicit(&f->decoded, memory_order_acquire);

		if (base <= addr && range_fits(addr - base, len, f->bar_size)) {
			*offset = addr - base;
			return f;
		}
	}
	return NULL;
}

static void read_window(void *opaque, uint64_t offset, void *data, size_t len)
{
	const struct pci_bus *pci = opaque;
	uint64_t at;
	struct pci_function *f = decoding(pci, pci->window + offset, len, &at);

	if (f)
		f->ops->read(f->opaque, at, data, len);
	else
		memset(data, 0xff, len);
}

static void write_window(void *opaque, uint64_t offset, const void *data, size_t len)
{
	const struct pci_bus *pci = opaque;
	uint64_t at;
	struct pci_function *f = decoding(pci, pci->window + offset, len, &at);

	if (f)
		f->ops->write(f->opaque, at, data, len);
}

/* Life. */

int pci_attach(struct pci_bus *pci, struct pci_function *f)
{
	uint64_t at = pci->next_bar;

	if (pci->count == PCI_MAX_DEVICES)
		return -ENOSPC;
	if (f->bar_size) {
		if (!u64_align_up(at, f->bar_size, &at) || !range_fits(at, f->bar_size, pci->size))
			return -ENOSPC;
		pci->next_bar = at + f->bar_size;
		pci_set(f, PCI_BAR0, (uint32_t)(pci->window + at));
		pci_set(f, PCI_COMMAND, pci_get(f, PCI_COMMAND) | PCI_COMMAND_MEMORY);
	}
	pci->functions[pci->count++] = f;
	place(pci, f);
	return 0;
}

int pci_bus_create(struct bus *bus, struct loop *loop, uint64_t window, uint64_t size,
		   struct pci_bus **out)
{
	static const struct bus_ops address_ops = { read_address, write_address };
	static const struct bus_ops data_ops = { read_data, write_data };
	static const struct bus_ops window_ops = { read_window, write_window };
	/* A host bridge that asks for nothing: Red Hat's generic one, 06:00. */
	static const struct pci_id bridge = { .vendor = 0x1b36,
					      .device = 0x0008,
					      .class_revision = 0x06000000 };
	struct pci_bus *pci = calloc(1, sizeof(*pci));
	int r;

	if (!pci)
		return -ENOMEM;
	pci->loop = loop;
	pci->window = window;
	pci->size = size;
	pci_function_init(&pci->bridge, &bridge, 0, NULL, NULL);
	pci_set_writable(&pci->bridge, PCI_COMMAND, 0);
	r = pci_attach(pci, &pci->bridge);
	if (!r)
		r = bus_add(bus, BUS_PIO, PCI_PORT_ADDRESS, 4, "PCI address", &address_ops, pci);
	if (!r)
		r = bus_add(bus, BUS_PIO, PCI_PORT_DATA, 4, "PCI data", &data_ops, pci);
	if (!r)
		r = bus_add(bus, BUS_MMIO, window, size, "PCI window", &window_ops, pci);
	if (r) {
		free(pci);
		return r;
	}
	*out = pci;
	return 0;
}

void pci_bus_destroy(struct pci_bus *pci)
{
	free(pci);
}

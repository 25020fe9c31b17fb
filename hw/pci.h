/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI as far as a board of ours has it (PCI Local Bus Specification 3.0): one root bus, a host bridge
 * and up to 31 functions (function 0 of their devices), each with configuration space, a list of
 * capabilities and one memory BAR of 32 bits. No bridges, no I/O BARs, no interrupt pins: a function
 * that interrupts has MSI-X (hw/msix.h).
 *
 * Configuration space is reached by the ports 0xcf8 and 0xcfc (3.2.2.3.2). Whoever builds the machine is
 * its firmware: BARs have addresses and memory decoding is on when the guest starts, bus mastering is off.
 *
 * Threads: reads of configuration space are answered on the vCPU's thread, but for words that a function
 * asked to see; writes run on the loop's thread, and so do all of a function's calls but those for its BAR,
 * which come on the vCPU's.
 */
#ifndef HW_PCI_H
#define HW_PCI_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/bus.h"
#include "hw/loop.h"

enum {
	PCI_CONFIG_SIZE = 256, /* bytes */
	PCI_MAX_DEVICES = 32,  /* the host bridge is the first */

	PCI_PORT_ADDRESS = 0xcf8, /* four ports each */
	PCI_PORT_DATA = 0xcfc,

	/* Offsets in configuration space (6.1). */
	PCI_ID = 0x00,	    /* vendor, device */
	PCI_COMMAND = 0x04, /* command, status */
	PCI_CLASS = 0x08,   /* revision in the lowest byte */
	PCI_BAR0 = 0x10,
	PCI_SUBSYSTEM = 0x2c,
	PCI_CAPABILITIES = 0x34,
	PCI_FIRST_CAPABILITY = 0x40,

	/* Bits of the command register (6.2.2). */
	PCI_COMMAND_MEMORY = 1 << 1,
	PCI_COMMAND_MASTER = 1 << 2,

	PCI_CAP_VENDOR = 0x09,
	PCI_CAP_MSIX = 0x11,
};

/* Where a BAR lies that is not decoded. */
#define PCI_NOWHERE UINT64_MAX

struct pci_bus;
struct pci_function;

struct pci_id {
	uint16_t vendor, device;
	uint16_t subsystem_vendor, subsystem;
	uint32_t class_revision; /* as at PCI_CLASS */
};

/* What a function does. Those below BAR accesses may be NULL. */
struct pci_ops {
	/*
	 * The guest's accesses to the BAR: @offset + @len lies in it, @len is 1 to 8. On the vCPU's
	 * thread, perhaps on several.
	 */
	void (*read)(void *opaque, uint64_t offset, void *data, size_t len);
	void (*write)(void *opaque, uint64_t offset, const void *data, size_t len);
	/*
	 * The BAR lies at @base now, also for those who get its accesses without this bus (doorbells);
	 * PCI_NOWHERE: somebody else may lie where it was. Not called while decoding is off for a moment
	 * and nobody else comes there, as when a guest asks for a BAR's size. Loop's thread.
	 */
	void (*moved)(void *opaque, uint64_t base);
	/* The command register has another value. Loop's thread. */
	void (*command)(void *opaque, uint16_t command);
	/*
	 * For words that pci_watch() named: @at (a multiple of 4) was written, or is about to be read, so
	 * that the function may set it. Loop's thread.
	 */
	void (*config_written)(void *opaque, unsigned at);
	void (*config_read)(void *opaque, unsigned at);
};

/* A function; the memory is its device's. Fields are hw/pci.c's. */
struct pci_function {
	const struct pci_ops *ops;
	void *opaque;
	uint64_t bar_size; /* 0: no BAR */
	unsigned caps_end; /* where the next capability goes, 0: behind the last that there may be */
	unsigned last_cap;
	uint64_t watched; /* a bit for each word */
	uint64_t served;  /* where @ops->moved said last that the BAR lies */
	uint16_t told;	  /* what @ops->command said last */
	uint32_t writable[PCI_CONFIG_SIZE / 4];
	/* Written on the loop's thread, read on any. */
	_Atomic uint32_t config[PCI_CONFIG_SIZE / 4];
	_Atomic uint64_t decoded; /* the BAR's address, or PCI_NOWHERE */
};

/*
 * A bus with a host bridge, in *@out, owned by the caller (pci_bus_destroy, after @bus). BARs live in
 * the @size bytes at @window, below 4 GiB, which are a window of @bus. 0, or -errno of bus_add or -ENOMEM.
 */
int pci_bus_create(struct bus *bus, struct loop *loop, uint64_t window, uint64_t size,
		   struct pci_bus **out);
void pci_bus_destroy(struct pci_bus *pci);

/* Prepares @f with a memory BAR of @bar_size bytes (a power of two from 16, or 0: none). */
void pci_function_init(struct pci_function *f, const struct pci_id *id, uint64_t bar_size,
		       const struct pci_ops *ops, void *opaque);

/*
 * Appends a capability of @len bytes (at least 2, id and link included): its offset, or 0 where there is no
 * room. Before pci_attach. Its bytes are set by pci_set.
 */
unsigned pci_add_capability(struct pci_function *f, uint8_t id, size_t len);

/* The word at @at, a multiple of 4. Get: any thread; set and the others: before pci_attach, or the loop's. */
uint32_t pci_get(const struct pci_function *f, unsigned at);
void pci_set(struct pci_function *f, unsigned at, uint32_t value);
void pci_set_writable(struct pci_function *f, unsigned at, uint32_t bits);
void pci_watch(struct pci_function *f, unsigned at);

/*
 * Puts @f into the next slot, its BAR at the next place. @f must outlive the last access. No vCPU runs yet.
 * 0, or -ENOSPC without a slot or a place.
 */
int pci_attach(struct pci_bus *pci, struct pci_function *f);

#endif

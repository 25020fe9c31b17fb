/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes AML, the byte code of the DSDT (ACPI 6.3, chapter 20), and table bytes in general, into a
 * buffer with a bound. Running into the bound, or too deep a nesting, is remembered in `failed`, to
 * be looked at once at the end; nothing is written outside of the buffer. One thread.
 */
#ifndef ARCH_X86_AML_H
#define ARCH_X86_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aml {
	uint8_t *buf;
	size_t size; /* bytes at buf */
	size_t len;  /* bytes written */
	bool failed; /* something did not fit: what was written is of no use */
	unsigned depth;
	size_t open[8]; /* where the contents of each open package-length begin */
};

/* An empty writer on @size bytes at @buf, which stay the caller's. */
void aml_init(struct aml *a, void *buf, size_t size);

/* Raw bytes and little-endian numbers. */
void aml_bytes(struct aml *a, const void *data, size_t len);
void aml_u8(struct aml *a, uint8_t v);
void aml_u16(struct aml *a, uint16_t v);
void aml_u32(struct aml *a, uint32_t v);
void aml_u64(struct aml *a, uint64_t v);
void aml_zeros(struct aml *a, size_t len);

/* An integer in its shortest form (20.2.3). */
void aml_integer(struct aml *a, uint64_t v);

/* A string of printable ASCII. */
void aml_string(struct aml *a, const char *s);

/* A device id like "PNP0501" in its 32-bit form (ACPI 19.3.4, EISAID). */
void aml_eisaid(struct aml *a, const char *id);

/* Name(@name, ...), @name of 4 characters, or 5 beginning with '\'; its value follows. */
void aml_name(struct aml *a, const char *name);

/*
 * Scope(@name), Device(@name), Package of @count elements, a resource template (Buffer); what comes
 * until aml_end() is inside. aml_end() puts the length before it, in the shortest form.
 */
void aml_scope(struct aml *a, const char *name);
void aml_device(struct aml *a, const char *name);
void aml_package(struct aml *a, uint8_t count);
void aml_resources(struct aml *a);
void aml_end(struct aml *a);

/* Ends a resource template: end tag, then the size of the buffer, then as aml_end(). */
void aml_resources_end(struct aml *a);

/* Resource descriptors (6.4), to be used inside of aml_resources(). */
void aml_memory32(struct aml *a, uint32_t base, uint32_t size); /* Memory32Fixed, read-write */
void aml_io(struct aml *a, uint16_t base, uint8_t count);	/* IO, 16-bit decode */
/* What a bridge hands on: @count bus numbers from @first; memory at addresses that do not change on it. */
void aml_bus_numbers(struct aml *a, uint16_t first, uint16_t count);
void aml_memory_window(struct aml *a, uint32_t base, uint32_t size);
void aml_interrupt(struct aml *a, uint32_t gsi); /* consumer, edge, active high, exclusive */

#endif

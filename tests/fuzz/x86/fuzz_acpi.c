/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any machine to be described by ACPI: the tables are refused as a whole, or right in their sums and
 * sizes and inside of their area. Input: processors (2 bytes), flags (1), windows (16 each).
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/acpi.h"
#include "arch/x86/layout.h"
#include "base/checked.h"
#include "base/le.h"

enum { AREA = X86_RESET_PAGE - X86_ACPI, MAX_WINDOWS = X86_ACPI_MAX_VIRTIO + 1 };

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_sum(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + p[i]);
	require(!sum);
}

static const uint8_t *check_table(const uint8_t *area, uint64_t address, const char *signature)
{
	const uint8_t *t;

	require(address >= X86_ACPI && range_fits(address - X86_ACPI, 36, AREA));
	t = area + (address - X86_ACPI);
	require(!memcmp(t, signature, 4) && le32_load(t + 4) >= 36);
	require(range_fits(address - X86_ACPI, le32_load(t + 4), AREA));
	check_sum(t, le32_load(t + 4));
	return t;
}

static void check_tables(const struct guest_mem *mem, gpa_t rsdp)
{
	static uint8_t area[AREA];
	const uint8_t *xsdt, *fadt;

	require(rsdp.v == X86_ACPI);
	require(!mem_read(mem, rsdp, area, sizeof(area)));
	check_sum(area, 20);
	check_sum(area, 36);
	xsdt = check_table(area, le64_load(area + 24), "XSDT");
	fadt = check_table(area, le64_load(xsdt + 36), "FACP");
	(void)check_table(area, le64_load(xsdt + 44), "APIC");
	(void)check_table(area, le64_load(fadt + 140), "DSDT");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct x86_acpi_virtio windows[MAX_WINDOWS];
	struct x86_acpi_config config = { .virtio = windows };
	struct guest_mem *mem;
	gpa_t rsdp = gpa(0);
	bool right;
	int r;

	if (size < 3)
		return 0;
	config.cpus = le16_load(data);
	config.serial = data[2] & 1;
	right = config.cpus >= 1 && config.cpus <= X86_ACPI_MAX_CPUS;
	for (size_t at = 3; size - at >= 16 && config.virtio_count < MAX_WINDOWS; at += 16) {
		struct x86_acpi_virtio *w = &windows[config.virtio_count++];

		*w = (struct x86_acpi_virtio){ .base = le64_load(data + at),
					       .size = le32_load(data + at + 8),
					       .gsi = le32_load(data + at + 12) };
		right = right && range_fits(w->base, w->size, UINT64_C(1) << 32);
	}
	right = right && config.virtio_count <= X86_ACPI_MAX_VIRTIO;

	require(!mem_create(&mem));
	require(!mem_add(mem, gpa(0), 1 << 20, MEM_RAM));
	r = x86_write_acpi(mem, &config, &rsdp);
	require(r == (right ? 0 : -EINVAL));
	if (!r)
		check_tables(mem, rsdp);
	mem_destroy(mem);
	return 0;
}

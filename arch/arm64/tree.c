/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arm64 board as a device tree: processors, GIC, timer, PSCI, clock, and what arch/dt/board.c
 * writes for every board (Linux, Documentation/devicetree/bindings).
 */
#include <errno.h>
#include <stdlib.h>

#include "arch/arm64/layout.h"
#include "arch/arm64/machine.h"
#include "arch/dt/board.h"
#include "arch/dt/tree.h"
#include "hw/pl031.h"
#include "hw/pvpanic.h"

enum {
	PHANDLE_GIC = 1,
	PHANDLE_CLOCK = 2,

	/* interrupt-controller/arm,gic.yaml: the three cells of an interrupt */
	GIC_SPI = 0,
	GIC_PPI = 1,
	EDGE_RISING = 1,
	LEVEL_HIGH = 4,
	LEVEL_LOW = 8,

	PERIPHERAL_CLOCK = 24000000, /* Hz: PL031 asks for one; its value means nothing here */
};

#define MPIDR_AFFINITY UINT64_C(0xff00ffffff)

static void write_interrupt(struct dt *dt, unsigned gsi, bool edge)
{
	const uint32_t cells[] = { GIC_SPI, gsi, edge ? EDGE_RISING : LEVEL_HIGH };

	dt_cells(dt, "interrupts", cells, 3);
}

static void add_cpus(struct dt *dt, const struct arch *arch)
{
	dt_node(dt, "cpus");
	dt_u32(dt, "#address-cells", 2);
	dt_u32(dt, "#size-cells", 0);
	for (unsigned i = 0; i < arch->config.cpus; i++) {
		uint64_t affinity = arch->mpidr[i] & MPIDR_AFFINITY;

		dt_node(dt, "cpu@%llx", (unsigned long long)affinity);
		dt_string(dt, "device_type", "cpu");
		dt_string(dt, "compatible", "arm,armv8");
		dt_string(dt, "enable-method", "psci");
		dt_u64(dt, "reg", affinity);
		dt_node_end(dt);
	}
	dt_node_end(dt);
}

static void add_psci(struct dt *dt)
{
	static const char *const compatible[] = { "arm,psci-1.0", "arm,psci-0.2", NULL };

	dt_node(dt, "psci");
	dt_strings(dt, "compatible", compatible);
	dt_string(dt, "method", "hvc");
	dt_node_end(dt);
}

static void add_gic(struct dt *dt, const struct arch *arch)
{
	bool v3 = arch->gic == ARM64_GIC_V3;
	const uint64_t v3_reg[] = { ARM64_GIC_DIST, ARM64_GIC_DIST_SIZE, ARM64_GIC_REDIST,
				    ARM64_GIC_REDIST_SIZE * arch->config.cpus };
	const uint64_t v2_reg[] = { ARM64_GIC_DIST, 0x1000, ARM64_GIC_CPU, ARM64_GIC_CPU_SIZE };

	dt_node(dt, "interrupt-controller@%llx", (unsigned long long)ARM64_GIC_DIST);
	dt_string(dt, "compatible", v3 ? "arm,gic-v3" : "arm,cortex-a15-gic");
	dt_regs(dt, v3 ? v3_reg : v2_reg, 2);
	dt_flag(dt, "interrupt-controller");
	dt_u32(dt, "#interrupt-cells", 3);
	dt_u32(dt, "#address-cells", 0);
	dt_u32(dt, "phandle", PHANDLE_GIC);
	dt_node_end(dt);
}

/* A GICv2 wants to be told which processors have a private interrupt: all, as a mask. */
static uint32_t private_flags(const struct arch *arch, uint32_t flags)
{
	if (arch->gic == ARM64_GIC_V2)
		flags |= ((UINT32_C(1) << arch->config.cpus) - 1) << 8;
	return flags;
}

static void add_timer(struct dt *dt, const struct arch *arch)
{
	uint32_t flags = private_flags(arch, LEVEL_LOW);
	const uint32_t cells[] = {
		GIC_PPI, ARM64_PPI_TIMER_SECURE,     flags, /**/
		GIC_PPI, ARM64_PPI_TIMER_PHYSICAL,   flags, /**/
		GIC_PPI, ARM64_PPI_TIMER_VIRTUAL,    flags, /**/
		GIC_PPI, ARM64_PPI_TIMER_HYPERVISOR, flags,
	};

	dt_node(dt, "timer");
	dt_string(dt, "compatible", "arm,armv8-timer");
	dt_cells(dt, "interrupts", cells, sizeof(cells) / sizeof(cells[0]));
	dt_flag(dt, "always-on");
	dt_node_end(dt);
}

/*
 * arm,pl031.yaml. Linux's bus for such peripherals insists on a clock, and would read the eight
 * identification registers if the tree did not say what they hold.
 */
static void add_clock(struct dt *dt)
{
	static const char *const compatible[] = { "arm,pl031", "arm,primecell", NULL };

	dt_node(dt, "apb-pclk");
	dt_string(dt, "compatible", "fixed-clock");
	dt_u32(dt, "#clock-cells", 0);
	dt_u32(dt, "clock-frequency", PERIPHERAL_CLOCK);
	dt_u32(dt, "phandle", PHANDLE_CLOCK);
	dt_node_end(dt);

	dt_node(dt, "rtc@%llx", (unsigned long long)ARM64_CLOCK);
	dt_strings(dt, "compatible", compatible);
	dt_u32(dt, "arm,primecell-periphid", PL031_PERIPHID);
	dt_reg(dt, ARM64_CLOCK, PL031_SIZE);
	write_interrupt(dt, ARM64_CLOCK_GSI, false);
	dt_u32(dt, "clocks", PHANDLE_CLOCK);
	dt_string(dt, "clock-names", "apb_pclk");
	dt_node_end(dt);
}

/* arm/pmu.yaml */
static void add_pmu(struct dt *dt, const struct arch *arch)
{
	const uint32_t cells[] = { GIC_PPI, ARM64_PPI_PMU, private_flags(arch, LEVEL_HIGH) };

	dt_node(dt, "pmu");
	dt_string(dt, "compatible", "arm,armv8-pmuv3");
	dt_cells(dt, "interrupts", cells, sizeof(cells) / sizeof(cells[0]));
	dt_node_end(dt);
}

static void add_arm_nodes(struct dt *dt, const struct arch *arch)
{
	add_cpus(dt, arch);
	add_psci(dt);
	add_gic(dt, arch);
	add_timer(dt, arch);
	if (arch->config.pmu)
		add_pmu(dt, arch);
	add_clock(dt);
}

static int build(const struct arch *arch, const struct arch_images *images, void *blob, size_t size)
{
	const struct dt_window serial = { ARM64_SERIAL, ARM64_SERIAL_SIZE, ARM64_SERIAL_GSI };
	const struct dt_window exit_device = { .base = ARM64_EXIT, .size = 4 };
	const struct dt_window pvpanic = { .base = ARM64_PVPANIC, .size = PVPANIC_SIZE };
	struct dt_window virtio[ARM64_VIRTIO_WINDOWS];
	struct dt_board board = {
		.compatible = "hvrun,arm64",
		.mem = arch->config.mem,
		.cmdline = images->cmdline,
		.initrd = arch->boot.initrd,
		.initrd_size = images->initrd_size,
		.irq_parent = PHANDLE_GIC,
		.serial = arch->serial ? &serial : NULL,
		.exit = &exit_device,
		.pvpanic = &pvpanic,
		.virtio = virtio,
		.virtio_count = images->virtio_count,
		.interrupt = write_interrupt,
	};
	struct dt dt;

	if (images->virtio_count > ARM64_VIRTIO_WINDOWS)
		return -ENOSPC;
	for (unsigned i = 0; i < images->virtio_count; i++)
		virtio[i] = (struct dt_window){ arm64_virtio_window(i), ARM64_VIRTIO_SIZE,
						ARM64_VIRTIO_GSI + i };
	dt_begin(&dt, blob, size);
	dt_board(&dt, &board);
	add_arm_nodes(&dt, arch);
	return dt_finish(&dt);
}

int arm64_write_tree(struct arch *arch, const struct arch_images *images)
{
	return dt_write(arch, arch->config.mem, &arch->boot, images, build);
}

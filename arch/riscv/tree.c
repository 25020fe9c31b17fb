/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The riscv64 board as a device tree: harts, interrupt controller, and what arch/dt/board.c writes
 * for every board (Linux, Documentation/devicetree/bindings).
 */
#include <errno.h>
#include <stdlib.h>

#include "arch/dt/board.h"
#include "arch/dt/tree.h"
#include "arch/riscv/isa.h"
#include "arch/riscv/layout.h"
#include "arch/riscv/machine.h"
#include "hw/goldfish_rtc.h"
#include "hw/plic.h"
#include "hw/pvpanic.h"

enum {
	PHANDLE_INTC = 1, /* PLIC or APLIC */
	PHANDLE_IMSIC = 2,
	PHANDLE_HART = 16, /* the controller in hart 0; the others follow */

	/* interrupt-controller/riscv,aplic.yaml: the second cell of an interrupt */
	EDGE_RISING = 1,
	LEVEL_HIGH = 4,

};

static void add_hart(struct dt *dt, unsigned hart, const struct riscv_isa *isa)
{
	char text[RISCV_ISA_TEXT_MAX];
	char letters[26][2];
	const char *list[RISCV_ISA_LIST_MAX];

	riscv_isa_text(isa, text);
	riscv_isa_list(isa, letters, list);
	dt_node(dt, "cpu@%x", hart);
	dt_string(dt, "device_type", "cpu");
	dt_string(dt, "compatible", "riscv");
	dt_u32(dt, "reg", hart);
	dt_string(dt, "status", "okay");
	dt_string(dt, "mmu-type", riscv_isa_mmu(isa));
	dt_string(dt, "riscv,isa", text);
	dt_string(dt, "riscv,isa-base", "rv64i");
	dt_strings(dt, "riscv,isa-extensions", list);
	if (isa->extensions >> RISCV_ISA_ZICBOM & 1 && isa->cbom_size)
		dt_u32(dt, "riscv,cbom-block-size", (uint32_t)isa->cbom_size);
	if (isa->extensions >> RISCV_ISA_ZICBOZ & 1 && isa->cboz_size)
		dt_u32(dt, "riscv,cboz-block-size", (uint32_t)isa->cboz_size);
	dt_node(dt, "interrupt-controller");
	dt_string(dt, "compatible", "riscv,cpu-intc");
	dt_flag(dt, "interrupt-controller");
	dt_u32(dt, "#interrupt-cells", 1);
	dt_u32(dt, "#address-cells", 0);
	dt_u32(dt, "phandle", PHANDLE_HART + hart);
	dt_node_end(dt);
	dt_node_end(dt);
}

static void add_cpus(struct dt *dt, const struct arch *arch)
{
	dt_node(dt, "cpus");
	dt_u32(dt, "#address-cells", 1);
	dt_u32(dt, "#size-cells", 0);
	dt_u32(dt, "timebase-frequency", (uint32_t)arch->frequency);
	for (unsigned i = 0; i < arch->config.cpus; i++)
		add_hart(dt, i, &arch->isa);
	dt_node_end(dt);
}

/* The pins, or the messages, of a controller end in the external interrupt of each hart. */
static int add_harts_interrupts(struct dt *dt, unsigned cpus)
{
	uint32_t *cells = calloc(cpus, 2 * sizeof(*cells));

	if (!cells)
		return -ENOMEM;
	for (size_t i = 0; i < cpus; i++) {
		cells[2 * i] = PHANDLE_HART + (uint32_t)i;
		cells[2 * i + 1] = RISCV_IRQ_EXTERNAL;
	}
	dt_cells(dt, "interrupts-extended", cells, (size_t)cpus * 2);
	free(cells);
	return 0;
}

/* interrupt-controller/sifive,plic-1.0.0.yaml */
static int add_plic(struct dt *dt, const struct arch *arch)
{
	static const char *const compatible[] = { "sifive,plic-1.0.0", "riscv,plic0", NULL };
	int r;

	dt_node(dt, "interrupt-controller@%llx", (unsigned long long)RISCV_PLIC);
	dt_strings(dt, "compatible", compatible);
	dt_reg(dt, RISCV_PLIC, PLIC_SIZE);
	dt_flag(dt, "interrupt-controller");
	dt_u32(dt, "#interrupt-cells", 1);
	dt_u32(dt, "#address-cells", 0);
	dt_u32(dt, "riscv,ndev", RISCV_SOURCES);
	r = add_harts_interrupts(dt, arch->config.cpus);
	dt_u32(dt, "phandle", PHANDLE_INTC);
	dt_node_end(dt);
	return r;
}

/* interrupt-controller/riscv,imsics.yaml and riscv,aplic.yaml */
static int add_aia(struct dt *dt, const struct arch *arch)
{
	int r;

	dt_node(dt, "interrupt-controller@%llx", (unsigned long long)RISCV_IMSIC);
	dt_string(dt, "compatible", "riscv,imsics");
	dt_reg(dt, RISCV_IMSIC, RISCV_IMSIC_SIZE * arch->config.cpus);
	dt_flag(dt, "interrupt-controller");
	dt_u32(dt, "#interrupt-cells", 0);
	dt_u32(dt, "#address-cells", 0);
	dt_flag(dt, "msi-controller");
	dt_u32(dt, "#msi-cells", 0);
	dt_u32(dt, "riscv,num-ids", arch->aia_ids);
	r = add_harts_interrupts(dt, arch->config.cpus);
	dt_u32(dt, "phandle", PHANDLE_IMSIC);
	dt_node_end(dt);

	dt_node(dt, "interrupt-controller@%llx", (unsigned long long)RISCV_APLIC);
	dt_string(dt, "compatible", "riscv,aplic");
	dt_reg(dt, RISCV_APLIC, RISCV_APLIC_SIZE);
	dt_flag(dt, "interrupt-controller");
	dt_u32(dt, "#interrupt-cells", 2);
	dt_u32(dt, "#address-cells", 0);
	dt_u32(dt, "riscv,num-sources", RISCV_SOURCES);
	dt_u32(dt, "msi-parent", PHANDLE_IMSIC);
	dt_u32(dt, "phandle", PHANDLE_INTC);
	dt_node_end(dt);
	return r;
}

/* A PLIC is not told of edges: its gateway knows what it is wired to. */
static void plic_interrupt(struct dt *dt, unsigned gsi, bool edge)
{
	const uint32_t cells[] = { PHANDLE_INTC, gsi };

	(void)edge;
	dt_cells(dt, "interrupts-extended", cells, 2);
}

static void aplic_interrupt(struct dt *dt, unsigned gsi, bool edge)
{
	const uint32_t cells[] = { PHANDLE_INTC, gsi, edge ? EDGE_RISING : LEVEL_HIGH };

	dt_cells(dt, "interrupts-extended", cells, 3);
}

/* rtc/google,goldfish-rtc.yaml */
static void add_clock(struct dt *dt, const struct dt_board *board)
{
	dt_node(dt, "rtc@%llx", (unsigned long long)RISCV_CLOCK);
	dt_string(dt, "compatible", "google,goldfish-rtc");
	dt_reg(dt, RISCV_CLOCK, GOLDFISH_RTC_SIZE);
	board->interrupt(dt, RISCV_CLOCK_GSI, false);
	dt_node_end(dt);
}

static int build(const struct arch *arch, const struct arch_images *images, void *blob, size_t size)
{
	const struct dt_window serial = { RISCV_SERIAL, RISCV_SERIAL_SIZE, RISCV_SERIAL_GSI };
	const struct dt_window exit_device = { .base = RISCV_EXIT, .size = 4 };
	const struct dt_window pvpanic = { .base = RISCV_PVPANIC, .size = PVPANIC_SIZE };
	struct dt_window virtio[RISCV_VIRTIO_WINDOWS];
	struct dt_board board = {
		.compatible = "hvrun,riscv64",
		.mem = arch->config.mem,
		.cmdline = images->cmdline,
		.initrd = arch->boot.initrd,
		.initrd_size = images->initrd_size,
		.irq_parent = 0, /* the harts' own controllers would inherit it from the root */
		.serial = arch->serial ? &serial : NULL,
		.exit = &exit_device,
		.pvpanic = &pvpanic,
		.virtio = virtio,
		.virtio_count = images->virtio_count,
		.interrupt = arch->plic ? plic_interrupt : aplic_interrupt,
	};
	struct dt dt;
	int r;

	if (images->virtio_count > RISCV_VIRTIO_WINDOWS)
		return -ENOSPC;
	for (unsigned i = 0; i < images->virtio_count; i++)
		virtio[i] = (struct dt_window){ riscv_virtio_window(i), RISCV_VIRTIO_SIZE,
						RISCV_VIRTIO_GSI + i };
	dt_begin(&dt, blob, size);
	dt_board(&dt, &board);
	add_clock(&dt, &board);
	add_cpus(&dt, arch);
	r = arch->plic ? add_plic(&dt, arch) : add_aia(&dt, arch);
	return r ? r : dt_finish(&dt);
}

int riscv_write_tree(struct arch *arch, const struct arch_images *images)
{
	return dt_write(arch, arch->config.mem, &arch->boot, images, build);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* gdb's "monitor" commands: what gdb has no packet for. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arch/arch.h"
#include "base/checked.h"
#include "vm/core/core.h"
#include "vm/gdb/stub.h"

__attribute__((format(printf, 2, 3))) static void say(struct vm_gdb *gdb, const char *fmt, ...)
{
	char line[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	gdb_server_say(&gdb->server, line);
}

/* All registers of @cpu, three a line. */
static void say_regs(struct vm_gdb *gdb, unsigned cpu)
{
	const struct arch_reg *reg;
	char line[256] = "";
	size_t used = 0;

	say(gdb, "vcpu %u\n", cpu);
	for (unsigned i = 0; (reg = arch_reg(i)); i++) {
		uint8_t value[ARCH_REG_BYTES];
		char digits[2 * ARCH_REG_BYTES + 1] = "?";
		size_t bytes = reg->bits / 8U;

		if (!arch_reg_get(&gdb->vm->vcpus[cpu], i, value)) {
			for (size_t n = 0; n < bytes; n++)
				snprintf(digits + 2 * n, 3, "%02x", value[bytes - 1 - n]);
		}
		used += (size_t)snprintf(line + used, sizeof(line) - used, " %-14s %-34s",
					 reg->name, digits);
		if (i % 3 == 2 || !arch_reg(i + 1)) {
			say(gdb, "%s\n", line);
			used = 0;
		}
	}
}

static void info_regs(struct vm_gdb *gdb)
{
	for (unsigned i = 0; i < gdb->target.cpus; i++)
		say_regs(gdb, i);
}

static void info_devices(struct vm_gdb *gdb)
{
	const struct vm *vm = gdb->vm;

	for (unsigned i = 0; i < vm->device_count; i++) {
		const struct virtio_dev *dev = vm->devices[i].dev;
		struct arch_slot slot;

		if (arch_virtio_slot(i, &slot) < 0)
			continue;
		say(gdb, "%-10s virtio-%s at %#" PRIx64 ", interrupt %u, status %#x\n", dev->name,
		    dev->type->name, slot.base, slot.gsi, dev->status);
	}
	say(gdb, "serial port: %s\n", arch_serial(vm->arch) ? "there" : "none");
}

static void dtb(struct vm_gdb *gdb)
{
	uint64_t size;
	gpa_t at;

	if (!arch_tree_place(gdb->vm->arch, &at, &size))
		say(gdb, "this machine is described by ACPI tables, not by a device tree\n");
	else
		say(gdb,
		    "the device tree was put at guest physical %#" PRIx64 ", %" PRIu64
		    " bytes; --dump-dtb FILE keeps a copy\n",
		    at.v, size);
}

static void reset(struct vm_gdb *gdb)
{
	say(gdb, "the machine resets\n");
	vm_end(gdb->vm, VM_END_RESET, 0);
}

static void save_core(struct vm_gdb *gdb)
{
	char words[200];

	vm_core_save_named(gdb->vm, words, sizeof(words));
	say(gdb, "%s\n", words);
}

static void help(struct vm_gdb *gdb);

static const struct {
	const char *words;
	void (*run)(struct vm_gdb *gdb);
	const char *what;
} commands[] = {
	{ "help", help, "this list" },
	{ "info regs", info_regs, "all registers of all vCPUs" },
	{ "info devices", info_devices, "the machine's devices and where they are" },
	{ "dtb", dtb, "where the device tree lies" },
	{ "reset", reset, "resets the machine, which ends the run" },
	{ "save core", save_core, "writes a core to the file that --core named" },
};

static void help(struct vm_gdb *gdb)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		say(gdb, "monitor %-13s %s\n", commands[i].words, commands[i].what);
}

void gdb_monitor(void *opaque, const char *words)
{
	struct vm_gdb *gdb = opaque;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(words, commands[i].words) == 0) {
			commands[i].run(gdb);
			return;
		}
	}
	say(gdb, "there is no such command; \"monitor help\" lists them\n");
}

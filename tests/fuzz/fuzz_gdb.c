/* SPDX-License-Identifier: BSD-2-Clause */
/* A hostile gdb: any bytes on the debugger's socket, with breakpoints in a small guest's memory. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vm/gdb/points.h"
#include "vm/gdb/server.h"

enum {
	RAM = 0x4000,
	CPUS = 3,
};

struct world {
	struct guest_mem *mem;
	struct gdb_points points;
	struct gdb_server server;
	uint8_t regs[CPUS][ARCH_REG_BYTES];
	uint64_t sent;
	unsigned running;
};

static void check(bool good)
{
	if (!good)
		abort();
}

static void send_bytes(void *opaque, const void *bytes, size_t len)
{
	struct world *w = opaque;
	const char *b = bytes;

	check(len <= GDB_FRAME_MAX);
	if (len > 1)
		check(b[0] == '$' && b[len - 3] == '#');
	w->sent += len;
}

static int reg_get(void *opaque, unsigned cpu, unsigned reg, uint8_t value[ARCH_REG_BYTES])
{
	struct world *w = opaque;

	check(cpu < CPUS && arch_reg(reg));
	memcpy(value, w->regs[cpu], ARCH_REG_BYTES);
	return reg % 7 == 6 ? -EIO : 0;
}

static int reg_set(void *opaque, unsigned cpu, unsigned reg, const uint8_t value[ARCH_REG_BYTES])
{
	struct world *w = opaque;

	check(cpu < CPUS && arch_reg(reg));
	memcpy(w->regs[cpu], value, ARCH_REG_BYTES);
	return 0;
}

static int mem_read_at(void *opaque, unsigned cpu, uint64_t address, void *to, size_t len)
{
	struct world *w = opaque;

	check(cpu < CPUS && len <= GDB_PACKET_MAX);
	return gdb_trap_read(&w->points, w->mem, gpa(address), to, len) ? -EFAULT : (int)len;
}

static int mem_write_at(void *opaque, unsigned cpu, uint64_t address, const void *from, size_t len)
{
	struct world *w = opaque;

	check(cpu < CPUS && len <= GDB_PACKET_MAX);
	return gdb_trap_write(&w->points, w->mem, gpa(address), from, len);
}

static int point(void *opaque, unsigned cpu, bool set, enum gdb_point_type type, uint64_t address,
		 uint64_t kind)
{
	static const struct arch_debug_can can = { .debug = true, .breaks = 4, .watches = 4 };
	struct world *w = opaque;
	const struct arch_place place = { gpa(address), 4096 - address % 4096 };

	check(cpu < CPUS && type < GDB_POINT_TYPES);
	if (type != GDB_POINT_SOFTWARE)
		return set ? gdb_point_set(&w->points, &can, type, address, kind)
			   : gdb_point_clear(&w->points, type, address, kind);
	if (!set)
		return gdb_trap_clear(&w->points, w->mem, address);
	return gdb_trap_set(&w->points, w->mem, address, &place,
			    kind <= ARCH_TRAP_BYTES ? (unsigned)kind : 0, false);
}

static void resume(void *opaque, const enum gdb_action *actions)
{
	struct world *w = opaque;
	bool moves = false;

	for (unsigned i = 0; i < CPUS; i++) {
		check(actions[i] <= GDB_STEP);
		moves = moves || actions[i] != GDB_STAY;
	}
	check(moves);
	/* Every third time the stop is there at once; else after an interrupt. */
	if (++w->running % 3 == 0)
		gdb_server_stopped(&w->server, &(struct gdb_stop){ .cpu = w->running % CPUS,
								   .reason = GDB_REASON_WATCH,
								   .watch = GDB_POINT_WRITE });
}

static void interrupt(void *opaque)
{
	struct world *w = opaque;

	gdb_server_stopped(&w->server, &(struct gdb_stop){ .cpu = 1 });
}

static void nothing(void *opaque)
{
	(void)opaque;
}

static void monitor(void *opaque, const char *words)
{
	struct world *w = opaque;

	check(strlen(words) < 256);
	gdb_server_say(&w->server, words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w;
	static char *xml;
	const struct gdb_target target = {
		.cpus = CPUS,
		.xml = xml ? xml : (xml = gdb_target_xml()),
		.opaque = &w,
		.send = send_bytes,
		.reg_get = reg_get,
		.reg_set = reg_set,
		.mem_read = mem_read_at,
		.mem_write = mem_write_at,
		.point = point,
		.resume = resume,
		.interrupt = interrupt,
		.detach = nothing,
		.kill = nothing,
		.monitor = monitor,
	};

	memset(&w, 0, sizeof(w));
	check(xml && !mem_create(&w.mem) && !mem_add(w.mem, gpa(0), RAM, MEM_RAM));
	gdb_server_begin(&w.server, &target);
	gdb_server_input(&w.server, data, size);
	/* One packet is answered by no more than some; breakpoints leave nothing behind. */
	check(w.sent <= (size + 1) * (uint64_t)GDB_FRAME_MAX);
	gdb_trap_clear_all(&w.points, w.mem, false);
	check(w.points.trap_count == 0);
	mem_destroy(w.mem);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the guest stops and goes on for gdb. A vCPU that hits something holds itself at the gate and
 * pokes the loop, which brings all others to rest and then judges what happened: gdb's doing is told
 * to gdb; a breakpoint instruction of the guest's own is given to the guest, which goes on.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "vm/gdb/stub.h"

bool vm_gdb_exit(void *opaque, struct vcpu *vcpu)
{
	struct vm *vm = opaque;
	struct vm_gdb *gdb = vm->gdb;
	struct gdb_cpu *cpu = &gdb->cpus[vcpu->index];
	const uint64_t one = 1;

	if (!cpu->debug.on || !arch_debug_exit(vcpu, &cpu->debug, &cpu->stop))
		return false;
	cpu->stopped = true;
	cpu->judged = false;
	vcpu_gate_hold_self(vcpu);
	while (write(gdb->stop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	return true;
}

void gdb_run_pause(struct vm_gdb *gdb)
{
	if (gdb->paused)
		return;
	vm_pause(gdb->vm);
	gdb->paused = true;
	for (unsigned i = 0; i < gdb->target.cpus; i++)
		arch_debug_settle(&gdb->vm->vcpus[i], &gdb->cpus[i].debug);
}

static int read_code(void *opaque, uint64_t address, void *to, size_t len)
{
	struct vm_gdb *gdb = opaque;
	int r = gdb_memory_read(gdb, gdb->server.cpu_g, address, to, len);

	return r == (int)len ? 0 : -EFAULT;
}

/* Where KVM cannot step: a breakpoint where the instruction leads. */
static void step_by_trap(struct vm_gdb *gdb, unsigned cpu)
{
	struct vcpu *vcpu = &gdb->vm->vcpus[cpu];
	unsigned told = gdb->server.cpu_g;
	struct arch_place place;
	uint64_t target;
	uint8_t low;

	gdb->server.cpu_g = cpu;
	if (!arch_step_target(vcpu, read_code, gdb, &target) &&
	    !arch_translate(vcpu, target, &place) && !read_code(gdb, target, &low, 1)) {
		/* As long as what it replaces, so that nothing behind it changes. */
		unsigned kind = (low & 3) == 3 ? 4 : 2;

		(void)gdb_trap_set(&gdb->points, gdb->vm->mem, target, &place, kind, true);
	}
	gdb->server.cpu_g = told;
}

/* The way @cpu is to run goes to KVM. */
static void set_debug(struct vm_gdb *gdb, unsigned cpu, bool on)
{
	struct gdb_cpu *c = &gdb->cpus[cpu];
	struct arch_debug *debug = &c->debug;

	debug->on = on;
	debug->step = on && c->action == GDB_STEP && gdb->can.step;
	debug->block_irqs = gdb->can.block_irqs;
	debug->count = on ? gdb->points.point_count : 0;
	memcpy(debug->points, gdb->points.points, sizeof(debug->points));
	(void)arch_debug_set(&gdb->vm->vcpus[cpu], debug);
	debug->inject = false;
}

/* All vCPUs go on as their actions say. */
static void go_on(struct vm_gdb *gdb)
{
	for (unsigned i = 0; i < gdb->target.cpus; i++) {
		struct gdb_cpu *cpu = &gdb->cpus[i];

		if (cpu->action == GDB_STEP && !gdb->can.step)
			step_by_trap(gdb, i);
		cpu->stopped = cpu->stopped && cpu->action == GDB_STAY;
		set_debug(gdb, i, true);
		vcpu_gate_hold(&gdb->vm->gate, &gdb->vm->vcpus[i], cpu->action == GDB_STAY);
	}
	gdb->paused = false;
	vm_resume(gdb->vm);
}

/* Whether @cpu's stop is one that gdb wants to know of; fills @told then. */
static bool tells(struct vm_gdb *gdb, unsigned cpu, struct gdb_stop *told)
{
	const struct arch_stop *stop = &gdb->cpus[cpu].stop;
	const struct gdb_trap *trap = NULL;
	struct arch_place place;

	*told = (struct gdb_stop){ .cpu = cpu, .reason = GDB_REASON_STEP };
	switch (stop->kind) {
	case ARCH_STOP_TRAP:
		if (!arch_translate(&gdb->vm->vcpus[cpu], stop->pc, &place))
			trap = gdb_trap_at(&gdb->points, place.at);
		/*
		 * Hit by another name than it was set by (before there was paging), it is no breakpoint
		 * to gdb, which would go on without a word if it were told of one.
		 */
		if (trap && !trap->step && trap->address == stop->pc)
			told->reason = GDB_REASON_TRAP;
		return trap != NULL;
	case ARCH_STOP_EXEC:
		told->reason = GDB_REASON_HARDWARE;
		return true;
	case ARCH_STOP_WATCH:
		told->reason = GDB_REASON_WATCH;
		told->watch = gdb_point_watched(&gdb->points, stop->address, &told->address);
		return true;
	case ARCH_STOP_STEP:
		return gdb->cpus[cpu].action == GDB_STEP;
	case ARCH_STOP_NONE:
		break;
	}
	return false;
}

/*
 * Tells gdb of the first stop worth it. Others stay where they are: a breakpoint that is still there
 * is hit again, a watched access or a step is told when the guest is to go on (@only_lasting).
 */
static bool tell_stop(struct vm_gdb *gdb, bool only_lasting)
{
	struct gdb_stop told;

	for (unsigned i = 0; i < gdb->target.cpus; i++) {
		struct gdb_cpu *cpu = &gdb->cpus[i];
		bool lasting = cpu->stop.kind == ARCH_STOP_WATCH ||
			       cpu->stop.kind == ARCH_STOP_STEP;

		/* What gdb lets stay it expects nothing of: that is told when it is to go on. */
		if (!cpu->stopped || cpu->action == GDB_STAY || (only_lasting && !lasting) ||
		    !tells(gdb, i, &told))
			continue;
		cpu->stopped = false;
		gdb_trap_clear_all(&gdb->points, gdb->vm->mem, true);
		gdb_server_stopped(&gdb->server, &told);
		return true;
	}
	return false;
}

/*
 * The guest's own breakpoint instructions (a kernel's probes, a debugger inside) are its own matter. Whose
 * one is, is judged once, when all came to rest: a stop that was not told waits, and meanwhile gdb may take
 * its breakpoint away, to let another vCPU step over it.
 */
static void give_back_traps(struct vm_gdb *gdb)
{
	struct gdb_stop told;

	for (unsigned i = 0; i < gdb->target.cpus; i++) {
		struct gdb_cpu *cpu = &gdb->cpus[i];

		if (!cpu->stopped || cpu->judged)
			continue;
		cpu->judged = true;
		if (cpu->stop.kind != ARCH_STOP_TRAP || tells(gdb, i, &told))
			continue;
		cpu->stopped = false;
		(void)arch_inject_trap(&gdb->vm->vcpus[i], &cpu->debug);
	}
}

void gdb_run_on_stop(void *opaque)
{
	struct vm_gdb *gdb = opaque;

	if (gdb->paused)
		return; /* it was told with the others, or waits for the next resume */
	if (gdb->server.over)
		return; /* gdb left before the loop heard of it, and gdb_run_release let the vCPU go */
	gdb_run_pause(gdb);
	give_back_traps(gdb);
	if (!tell_stop(gdb, false))
		go_on(gdb);
}

static void resume(void *opaque, const enum gdb_action *actions)
{
	struct vm_gdb *gdb = opaque;

	for (unsigned i = 0; i < gdb->target.cpus; i++)
		gdb->cpus[i].action = actions[i];
	if (!tell_stop(gdb, true))
		go_on(gdb);
}

static void interrupt(void *opaque)
{
	struct vm_gdb *gdb = opaque;
	struct gdb_stop told = { .cpu = gdb->server.stop.cpu };

	gdb_run_pause(gdb);
	give_back_traps(gdb);
	/* A stop that came at the same time is the better story. */
	if (tell_stop(gdb, false))
		return;
	gdb_trap_clear_all(&gdb->points, gdb->vm->mem, true);
	gdb_server_stopped(&gdb->server, &told);
}

void gdb_run_release(struct vm_gdb *gdb)
{
	gdb_run_pause(gdb);
	give_back_traps(gdb);
	gdb_trap_clear_all(&gdb->points, gdb->vm->mem, false);
	gdb->points.point_count = 0;
	for (unsigned i = 0; i < gdb->target.cpus; i++) {
		gdb->cpus[i].action = GDB_CONTINUE;
		gdb->cpus[i].stopped = false;
		set_debug(gdb, i, false);
		vcpu_gate_hold(&gdb->vm->gate, &gdb->vm->vcpus[i], false);
	}
	gdb->paused = false;
	vm_resume(gdb->vm);
}

static void detach(void *opaque)
{
	gdb_run_release(opaque);
}

static void kill_machine(void *opaque)
{
	struct vm_gdb *gdb = opaque;

	vm_end(gdb->vm, VM_END_DEBUGGER, 0);
}

static int reg_get(void *opaque, unsigned cpu, unsigned reg, uint8_t value[ARCH_REG_BYTES])
{
	struct vm_gdb *gdb = opaque;

	return arch_reg_get(&gdb->vm->vcpus[cpu], reg, value);
}

static int reg_set(void *opaque, unsigned cpu, unsigned reg, const uint8_t value[ARCH_REG_BYTES])
{
	struct vm_gdb *gdb = opaque;

	return arch_reg_set(&gdb->vm->vcpus[cpu], reg, value);
}

static int point(void *opaque, unsigned cpu, bool set, enum gdb_point_type type, uint64_t address,
		 uint64_t kind)
{
	struct vm_gdb *gdb = opaque;
	struct arch_place place;

	if (type != GDB_POINT_SOFTWARE && set)
		return gdb_point_set(&gdb->points, &gdb->can, type, address, kind);
	if (type != GDB_POINT_SOFTWARE)
		return gdb_point_clear(&gdb->points, type, address, kind);
	if (!set)
		return gdb_trap_clear(&gdb->points, gdb->vm->mem, address);
	if (arch_translate(&gdb->vm->vcpus[cpu], address, &place) < 0)
		return -EFAULT;
	return gdb_trap_set(&gdb->points, gdb->vm->mem, address, &place,
			    kind <= ARCH_TRAP_BYTES ? (unsigned)kind : 0, false);
}

void gdb_run_init(struct vm_gdb *gdb)
{
	gdb->target.cpus = gdb->vm->config->cpus;
	gdb->target.xml = gdb->xml;
	gdb->target.opaque = gdb;
	gdb->target.reg_get = reg_get;
	gdb->target.reg_set = reg_set;
	gdb->target.mem_read = gdb_memory_read;
	gdb->target.mem_write = gdb_memory_write;
	gdb->target.point = point;
	gdb->target.resume = resume;
	gdb->target.interrupt = interrupt;
	gdb->target.detach = detach;
	gdb->target.kill = kill_machine;
	gdb->target.monitor = gdb_monitor;
}

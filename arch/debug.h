/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each architecture provides for the debugger and for cores: a vCPU's registers in gdb's order,
 * the guest's own page tables, breakpoints and single steps.
 *
 * All on the loop's thread while the vCPU is at rest (vm_pause), except where said. Nothing is said on
 * standard error: a debugger that asks gets the answer. 0 or -errno.
 */
#ifndef ARCH_DEBUG_H
#define ARCH_DEBUG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/kvm.h"
#include "cpu/vcpu.h"
#include "mm/memory.h"

enum {
	ARCH_REG_BYTES = 16,	/* the widest register */
	ARCH_REGS_BYTES = 2048, /* all of them, one after the other */
	ARCH_POINTS_MAX = 16,	/* points of the processor on one vCPU */
	ARCH_TRAP_BYTES = 4,	/* the longest breakpoint instruction */
};

/* --- registers --- */

/* A register as gdb's target description has it ("GDB User Manual", Target Description Format). */
struct arch_reg {
	const char *name;
	const char *type;
	uint16_t bits; /* a multiple of 8, at most ARCH_REG_BYTES bytes */
	uint16_t from; /* the architecture's own: where it lies */
	uint32_t at;   /* the architecture's own: and at which place there */
};

struct arch_feature {
	const char *name;  /* "org.gnu.gdb.i386.core"; NULL ends the list */
	const char *types; /* XML that defines the types its registers have; NULL: predefined ones */
	const struct arch_reg *regs;
	unsigned count;
};

/* <architecture> of the target description. */
extern const char arch_gdb_name[];
extern const struct arch_feature arch_features[];

/* The numbers, counted through all features, of the registers that each stop is reported with. */
extern const unsigned arch_reg_pc;
extern const unsigned arch_reg_sp;
extern const unsigned arch_reg_fp;

/* Register @number in gdb's order, or NULL past the last. */
const struct arch_reg *arch_reg(unsigned number);

/* Its value, little-endian, bits / 8 bytes. -EIO where this KVM does not tell it. */
int arch_reg_get(const struct vcpu *vcpu, unsigned number, uint8_t value[ARCH_REG_BYTES]);
/* -EIO where KVM refuses the value, or the register cannot be written. */
int arch_reg_set(const struct vcpu *vcpu, unsigned number, const uint8_t value[ARCH_REG_BYTES]);

/*
 * The e_machine of a core, and elf_prstatus' pr_reg of @vcpu as Linux has it there: up to
 * ARCH_REGS_BYTES bytes at @regs. Returns their number, or -EIO.
 */
extern const uint16_t arch_elf_machine;
extern const size_t arch_core_sp; /* where in pr_reg the stack pointer lies, in bytes */
int arch_core_regs(const struct vcpu *vcpu, uint8_t *regs);

/* --- the guest's page tables --- */

/* Where a virtual address leads, and how many bytes from there on lie in the same page. */
struct arch_place {
	gpa_t at;
	uint64_t left;
};

/*
 * Walks the page tables that @vcpu uses now, of its kernel and of the process on it; permissions
 * are not judged. Bounded by the levels that the architecture has, whatever the tables hold. Where
 * paging is off the address is physical. -EFAULT where nothing is mapped or the tables are broken.
 */
int arch_translate(const struct vcpu *vcpu, uint64_t address, struct arch_place *place);

enum { ARCH_HINTS_MAX = 4 };

/*
 * Addresses that a Linux kernel's registers hold in its text and in its map of all memory, as far as
 * this vCPU gives them away; for others they are just numbers. Returns how many.
 */
unsigned arch_kernel_hints(const struct vcpu *vcpu, uint64_t hints[ARCH_HINTS_MAX]);

/* --- breakpoints --- */

/* What the host's KVM offers. */
struct arch_debug_can {
	bool debug;	  /* KVM_SET_GUEST_DEBUG at all */
	bool step;	  /* else the debugger's stub steps by breakpoints (arch_step_target) */
	unsigned breaks;  /* breakpoints of the processor */
	unsigned watches; /* watchpoints of the processor; on x86 the two share their number */
	bool shared;
	bool block_irqs; /* a step can keep interrupts away (x86) */
};

/* Any time after the machine's VM was created. */
void arch_debug_can(const struct kvm *kvm, struct arch_debug_can *can);

enum arch_point_kind {
	ARCH_POINT_EXEC,
	ARCH_POINT_WRITE,
	ARCH_POINT_READ,
	ARCH_POINT_ACCESS,
};

/* A breakpoint or watchpoint of the processor, by virtual address. */
struct arch_point {
	enum arch_point_kind kind;
	uint64_t address;
	uint64_t len; /* bytes watched; of ARCH_POINT_EXEC unused */
};

/* Whether the processor can watch @point: 0, -EINVAL (alignment or length), -ENOTSUP. */
int arch_point_check(const struct arch_point *point);

/* How a vCPU is to run next. */
struct arch_debug {
	bool on;	 /* false: as if there were no debugger */
	bool step;	 /* one instruction */
	bool block_irqs; /* while stepping; only where the host can */
	bool inject;	 /* the stop before was the guest's own trap: it gets it now */
	struct arch_point points[ARCH_POINTS_MAX];
	unsigned count;
	bool masked;	/* the architecture's own: interrupts were masked for a step */
	uint64_t saved; /* and what they were before */
};

int arch_debug_set(struct vcpu *vcpu, struct arch_debug *debug);

/* Why a vCPU stopped. */
enum arch_stop_kind {
	ARCH_STOP_NONE,	 /* not a debugger's doing */
	ARCH_STOP_TRAP,	 /* a breakpoint instruction at @pc, the debugger's or the guest's own */
	ARCH_STOP_EXEC,	 /* a breakpoint of the processor at @pc */
	ARCH_STOP_WATCH, /* a watchpoint: @address was touched */
	ARCH_STOP_STEP,
};

struct arch_stop {
	enum arch_stop_kind kind;
	uint64_t pc;
	uint64_t address;
};

/*
 * The vCPU's thread: whether the exit that it has just had is a stop of the debugger's kind; also
 * where KVM says it another way. @debug is what arch_debug_set was last given.
 */
bool arch_debug_exit(struct vcpu *vcpu, const struct arch_debug *debug, struct arch_stop *stop);

/* The breakpoint instruction of gdb's @kind (its length): bytes in @trap, or -EINVAL. */
int arch_trap(unsigned kind, uint8_t trap[ARCH_TRAP_BYTES]);

/*
 * The guest gets the trap of its own breakpoint instruction at pc, as the processor would have
 * given it: at once, or with the next arch_debug_set (@debug->inject is set then).
 */
int arch_inject_trap(struct vcpu *vcpu, struct arch_debug *debug);

/*
 * All vCPUs rest: takes back what arch_debug_set did to @vcpu's registers to make a clean step, whether
 * the step came to its end or not. Before registers are shown.
 */
void arch_debug_settle(struct vcpu *vcpu, struct arch_debug *debug);

/*
 * Where the instruction at pc leads, for a processor whose KVM cannot step; @read gives the guest's
 * memory without breakpoints in it. 0 with *@target, -EFAULT, or -ENOSYS where KVM can step.
 */
int arch_step_target(const struct vcpu *vcpu,
		     int (*read)(void *opaque, uint64_t address, void *to, size_t len),
		     void *opaque, uint64_t *target);

#endif

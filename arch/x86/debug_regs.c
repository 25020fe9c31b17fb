/* SPDX-License-Identifier: BSD-2-Clause */
/* x86-64's registers in gdb's order, taken out of KVM's structs by a table. */
#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#include "arch/debug.h"
#include "arch/x86/walk.h"
#include "base/checked.h"
#include "base/le.h"

/* Where a register lies: `at` is the offset in the struct, or an MSR's number. */
enum {
	FROM_REGS,
	FROM_SREGS,
	FROM_SELECTOR, /* 16 bits of a segment in the sregs */
	FROM_FPU,
	FROM_FPU16, /* 16 bits there, 32 for gdb */
	FROM_TAGS,  /* the x87 tag word: KVM keeps FXSAVE's short form */
	FROM_MSR,
};

enum { MSR_KERNEL_GS_BASE = 0xc0000102U };

#define REG(name, field)                                                       \
	{                                                                      \
		name, "int64", 64, FROM_REGS, offsetof(struct kvm_regs, field) \
	}
#define SREG(name, field)                                                         \
	{                                                                         \
		name, "uint64", 64, FROM_SREGS, offsetof(struct kvm_sregs, field) \
	}
#define BASE(name, field)                                                           \
	{                                                                           \
		name, "data_ptr", 64, FROM_SREGS, offsetof(struct kvm_sregs, field) \
	}
#define SEL(name, field)                                                                           \
	{                                                                                          \
		name, "int32", 32, FROM_SELECTOR,                                                  \
			offsetof(struct kvm_sregs, field) + offsetof(struct kvm_segment, selector) \
	}
#define ST(n)                                                                       \
	{                                                                           \
		"st" #n, "i387_ext", 80, FROM_FPU, offsetof(struct kvm_fpu, fpr[n]) \
	}
#define FCTL(name, field)                                                    \
	{                                                                    \
		name, "int", 32, FROM_FPU16, offsetof(struct kvm_fpu, field) \
	}
#define XMM(n)                                                                      \
	{                                                                           \
		"xmm" #n, "vec128", 128, FROM_FPU, offsetof(struct kvm_fpu, xmm[n]) \
	}

/* The order is gdb's own for a processor of this kind: rip is 16, what follows 24 is floating. */
static const struct arch_reg core[] = {
	REG("rax", rax),
	REG("rbx", rbx),
	REG("rcx", rcx),
	REG("rdx", rdx),
	REG("rsi", rsi),
	REG("rdi", rdi),
	{ "rbp", "data_ptr", 64, FROM_REGS, offsetof(struct kvm_regs, rbp) },
	{ "rsp", "data_ptr", 64, FROM_REGS, offsetof(struct kvm_regs, rsp) },
	REG("r8", r8),
	REG("r9", r9),
	REG("r10", r10),
	REG("r11", r11),
	REG("r12", r12),
	REG("r13", r13),
	REG("r14", r14),
	REG("r15", r15),
	{ "rip", "code_ptr", 64, FROM_REGS, offsetof(struct kvm_regs, rip) },
	{ "eflags", "x86_eflags", 32, FROM_REGS, offsetof(struct kvm_regs, rflags) },
	SEL("cs", cs),
	SEL("ss", ss),
	SEL("ds", ds),
	SEL("es", es),
	SEL("fs", fs),
	SEL("gs", gs),
	ST(0),
	ST(1),
	ST(2),
	ST(3),
	ST(4),
	ST(5),
	ST(6),
	ST(7),
	FCTL("fctrl", fcw),
	FCTL("fstat", fsw),
	{ "ftag", "int", 32, FROM_TAGS, offsetof(struct kvm_fpu, ftwx) },
	{ "fiseg", "int", 32, FROM_FPU16, offsetof(struct kvm_fpu, last_ip) + 4 },
	{ "fioff", "int", 32, FROM_FPU, offsetof(struct kvm_fpu, last_ip) },
	{ "foseg", "int", 32, FROM_FPU16, offsetof(struct kvm_fpu, last_dp) + 4 },
	{ "fooff", "int", 32, FROM_FPU, offsetof(struct kvm_fpu, last_dp) },
	FCTL("fop", last_opcode),
};

static const struct arch_reg sse[] = {
	XMM(0),
	XMM(1),
	XMM(2),
	XMM(3),
	XMM(4),
	XMM(5),
	XMM(6),
	XMM(7),
	XMM(8),
	XMM(9),
	XMM(10),
	XMM(11),
	XMM(12),
	XMM(13),
	XMM(14),
	XMM(15),
	{ "mxcsr", "int", 32, FROM_FPU, offsetof(struct kvm_fpu, mxcsr) },
};

static const struct arch_reg segments[] = {
	{ "fs_base", "int64", 64, FROM_SREGS, offsetof(struct kvm_sregs, fs.base) },
	{ "gs_base", "int64", 64, FROM_SREGS, offsetof(struct kvm_sregs, gs.base) },
};

static const struct arch_reg system_regs[] = {
	{ "k_gs_base", "data_ptr", 64, FROM_MSR, MSR_KERNEL_GS_BASE },
	SREG("cr0", cr0),
	SREG("cr2", cr2),
	SREG("cr3", cr3),
	SREG("cr4", cr4),
	SREG("cr8", cr8),
	SREG("efer", efer),
	BASE("gdtr_base", gdt.base),
	BASE("idtr_base", idt.base),
	BASE("tr_base", tr.base),
};

const char arch_gdb_name[] = "i386:x86-64";

const struct arch_feature arch_features[] = {
	{ "org.gnu.gdb.i386.core",
	  "<flags id=\"x86_eflags\" size=\"4\"><field name=\"CF\" start=\"0\" end=\"0\"/>"
	  "<field name=\"\" start=\"1\" end=\"1\"/><field name=\"PF\" start=\"2\" end=\"2\"/>"
	  "<field name=\"AF\" start=\"4\" end=\"4\"/><field name=\"ZF\" start=\"6\" end=\"6\"/>"
	  "<field name=\"SF\" start=\"7\" end=\"7\"/><field name=\"TF\" start=\"8\" end=\"8\"/>"
	  "<field name=\"IF\" start=\"9\" end=\"9\"/><field name=\"DF\" start=\"10\" end=\"10\"/>"
	  "<field name=\"OF\" start=\"11\" end=\"11\"/><field name=\"NT\" start=\"14\" end=\"14\"/>"
	  "<field name=\"RF\" start=\"16\" end=\"16\"/><field name=\"VM\" start=\"17\" end=\"17\"/>"
	  "<field name=\"AC\" start=\"18\" end=\"18\"/><field name=\"ID\" start=\"21\" end=\"21\"/>"
	  "</flags>",
	  core, ARRAY_SIZE(core) },
	{ "org.gnu.gdb.i386.sse",
	  "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
	  "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
	  "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
	  "<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
	  "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
	  "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
	  "<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
	  "<field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/>"
	  "<field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
	  "<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/>"
	  "</union>",
	  sse, ARRAY_SIZE(sse) },
	{ "org.gnu.gdb.i386.segments", NULL, segments, ARRAY_SIZE(segments) },
	{ "org.hvrun.x86.system", NULL, system_regs, ARRAY_SIZE(system_regs) },
	{ 0 },
};

const unsigned arch_reg_pc = 16;
const unsigned arch_reg_sp = 7;
const unsigned arch_reg_fp = 6;

/* One of KVM's structs, read and written back whole. */
struct state {
	union {
		struct kvm_regs regs;
		struct kvm_sregs sregs;
		struct kvm_fpu fpu;
		uint8_t bytes[sizeof(struct kvm_fpu) + sizeof(struct kvm_sregs)];
	};
};

static int read_state(const struct vcpu *vcpu, unsigned from, struct state *state)
{
	unsigned long request = KVM_GET_FPU;

	memset(state, 0, sizeof(*state));
	if (from == FROM_REGS)
		request = KVM_GET_REGS;
	else if (from == FROM_SREGS || from == FROM_SELECTOR)
		request = KVM_GET_SREGS;
	return ioctl(vcpu->fd, request, state->bytes) < 0 ? -EIO : 0;
}

static int write_state(const struct vcpu *vcpu, unsigned from, struct state *state)
{
	unsigned long request = KVM_SET_FPU;

	if (from == FROM_REGS)
		request = KVM_SET_REGS;
	else if (from == FROM_SREGS || from == FROM_SELECTOR)
		request = KVM_SET_SREGS;
	return ioctl(vcpu->fd, request, state->bytes) < 0 ? -EIO : 0;
}

static int access_msr(const struct vcpu *vcpu, unsigned long request, uint32_t index,
		      uint64_t *value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = { .head = { .nmsrs = 1 }, .entry = { .index = index, .data = *value } };

	if (ioctl(vcpu->fd, request, &msrs) != 1)
		return -EIO;
	*value = msrs.entry.data;
	return 0;
}

/* Bytes of KVM's that the register is made of. */
static size_t source_size(const struct arch_reg *reg)
{
	if (reg->from == FROM_SELECTOR || reg->from == FROM_FPU16)
		return 2;
	return reg->from == FROM_TAGS ? 1 : reg->bits / 8U;
}

/* Two bits a register for gdb, 3 is empty; one for KVM, 0 is empty. */
static uint16_t tags_from_short(uint8_t tags)
{
	uint16_t full = 0;

	for (unsigned i = 0; i < 8; i++)
		full |= (uint16_t)((tags >> i & 1 ? 0 : 3) << 2 * i);
	return full;
}

static uint8_t tags_to_short(uint16_t full)
{
	uint8_t tags = 0;

	for (unsigned i = 0; i < 8; i++)
		tags |= (uint8_t)(((full >> 2 * i & 3) != 3) << i);
	return tags;
}

int arch_reg_get(const struct vcpu *vcpu, unsigned number, uint8_t value[ARCH_REG_BYTES])
{
	const struct arch_reg *reg = arch_reg(number);
	struct state state;
	uint64_t msr = 0;
	int r = -EIO;

	memset(value, 0, ARCH_REG_BYTES);
	if (!reg)
		return -EIO;
	if (reg->from == FROM_MSR) {
		r = access_msr(vcpu, KVM_GET_MSRS, reg->at, &msr);
		le64_store(value, msr);
		return r;
	}
	r = read_state(vcpu, reg->from, &state);
	memcpy(value, state.bytes + reg->at, source_size(reg));
	if (reg->from == FROM_TAGS)
		le16_store(value, tags_from_short(value[0]));
	return r;
}

int arch_reg_set(const struct vcpu *vcpu, unsigned number, const uint8_t value[ARCH_REG_BYTES])
{
	const struct arch_reg *reg = arch_reg(number);
	struct state state;
	uint64_t msr = le64_load(value);

	if (!reg)
		return -EIO;
	if (reg->from == FROM_MSR)
		return access_msr(vcpu, KVM_SET_MSRS, reg->at, &msr);

	int r = read_state(vcpu, reg->from, &state);

	if (r < 0)
		return r;
	memcpy(state.bytes + reg->at, value, source_size(reg));
	if (reg->from == FROM_TAGS)
		state.bytes[reg->at] = tags_to_short(le16_load(value));
	return write_state(vcpu, reg->from, &state);
}

const uint16_t arch_elf_machine = EM_X86_64;

/* struct user_regs_struct of Linux (arch/x86/include/asm/user_64.h): 27 words. */
const size_t arch_core_sp = 19 * sizeof(uint64_t);

int arch_core_regs(const struct vcpu *vcpu, uint8_t *regs)
{
	struct kvm_regs r;
	struct kvm_sregs s;

	if (ioctl(vcpu->fd, KVM_GET_REGS, &r) < 0 || ioctl(vcpu->fd, KVM_GET_SREGS, &s) < 0)
		return -EIO;

	const uint64_t words[] = {
		r.r15,	       r.r14,
		r.r13,	       r.r12,
		r.rbp,	       r.rbx,
		r.r11,	       r.r10,
		r.r9,	       r.r8,
		r.rax,	       r.rcx,
		r.rdx,	       r.rsi,
		r.rdi,	       UINT64_MAX /* orig_rax: not in a system call */,
		r.rip,	       s.cs.selector,
		r.rflags,      r.rsp,
		s.ss.selector, s.fs.base,
		s.gs.base,     s.ds.selector,
		s.es.selector, s.fs.selector,
		s.gs.selector,
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		le64_store(regs + 8 * i, words[i]);
	return sizeof(words);
}

int arch_translate(const struct vcpu *vcpu, uint64_t address, struct arch_place *place)
{
	struct kvm_sregs s;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &s) < 0)
		return -EFAULT;
	return x86_walk(vcpu->env->mem, &(struct x86_paging){ s.cr0, s.cr3, s.cr4, s.efer },
			address, place);
}

/* The handler that entry 0 of the interrupt table names: kernel text, where the table itself is not. */
static uint64_t first_handler(const struct vcpu *vcpu, const struct kvm_sregs *s)
{
	uint8_t gate[16];
	struct arch_place place;

	if (arch_translate(vcpu, s->idt.base, &place) < 0 ||
	    mem_read(vcpu->env->mem, place.at, gate, sizeof(gate)) < 0)
		return 0;
	return le16_load(gate) | (uint64_t)le16_load(gate + 6) << 16 |
	       (uint64_t)le32_load(gate + 8) << 32;
}

/* Linux keeps each processor's own data, which GS points to, in its map of all memory. */
unsigned arch_kernel_hints(const struct vcpu *vcpu, uint64_t hints[ARCH_HINTS_MAX])
{
	struct kvm_sregs s;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &s) < 0)
		return 0;
	hints[0] = first_handler(vcpu, &s);
	hints[1] = s.gs.base;
	return 2;
}

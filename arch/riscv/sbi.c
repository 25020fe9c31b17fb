/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is left to hvrun of the firmware interface (RISC-V Supervisor Binary Interface Specification
 * 2.0; KVM does the rest): the debug console, which only writes, and its predecessor.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "arch/riscv/machine.h"
#include "arch/riscv/regs.h"
#include "base/checked.h"

enum {
	EXT_PUTCHAR = 1, /* chapter "Legacy Extensions" */
	EXT_GETCHAR = 2,
	EXT_DBCN = 0x4442434e, /* chapter "Debug Console Extension" */
	DBCN_WRITE = 0,
	DBCN_READ = 1,
	DBCN_WRITE_BYTE = 2,

	SUCCESS = 0,
	ERR_FAILED = -1,
	ERR_NOT_SUPPORTED = -2,
	ERR_INVALID_PARAM = -3,

	CHUNK = 1024, /* bytes of one write: more than a line */
};

/* Text on its way from a vCPU's thread to the loop's, where output is written. */
struct text {
	struct arch *arch;
	uint8_t bytes[CHUNK];
	size_t len;
};

/* What the guest sent by the serial port before comes out before. */
static void hand_out(void *opaque)
{
	const struct text *text = opaque;
	const struct arch_config *config = &text->arch->config;

	if (text->arch->serial)
		serial_flush(text->arch->serial);
	config->serial_out(config->serial_opaque, text->bytes, text->len);
}

static void print(struct arch *arch, struct text *text)
{
	text->arch = arch;
	if (arch->config.serial_out)
		loop_call(arch->config.loop, hand_out, text);
}

static void print_byte(struct arch *arch, uint64_t byte)
{
	struct text text = { .bytes = { (uint8_t)byte }, .len = 1 };

	print(arch, &text);
}

/* At most a chunk: the number that was written tells the guest to call again with the rest. */
static long write_console(struct arch *arch, uint64_t len, uint64_t addr, uint64_t addr_high,
			  unsigned long *written)
{
	struct text text = { .len = (size_t)u64_min(len, CHUNK) };

	*written = 0;
	if (addr_high || mem_read(arch->config.mem, gpa(addr), text.bytes, text.len) < 0)
		return ERR_INVALID_PARAM;
	if (text.len)
		print(arch, &text);
	*written = text.len;
	return SUCCESS;
}

static long debug_console(struct arch *arch, uint64_t function, const unsigned long *args,
			  unsigned long *value)
{
	*value = 0;
	switch (function) {
	case DBCN_WRITE:
		return write_console(arch, args[0], args[1], args[2], value);
	case DBCN_WRITE_BYTE:
		print_byte(arch, args[0]);
		return SUCCESS;
	case DBCN_READ: /* nothing has come: input goes to the serial port */
		return SUCCESS;
	default:
		return ERR_NOT_SUPPORTED;
	}
}

int riscv_sbi(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	const unsigned long *args = run->riscv_sbi.args;
	unsigned long *ret = run->riscv_sbi.ret;

	switch (run->riscv_sbi.extension_id) {
	case EXT_PUTCHAR:
		print_byte(vcpu->env->arch, args[0]);
		ret[0] = SUCCESS;
		break;
	case EXT_GETCHAR:
		ret[0] = (unsigned long)ERR_FAILED;
		break;
	case EXT_DBCN:
		ret[0] = (unsigned long)debug_console(vcpu->env->arch, run->riscv_sbi.function_id,
						      args, &ret[1]);
		break;
	default:
		ret[0] = (unsigned long)ERR_NOT_SUPPORTED;
		ret[1] = 0;
		break;
	}
	return VCPU_AGAIN;
}

void riscv_sbi_offer_console(const struct vcpu *vcpu)
{
	/* A KVM that does not know the extension refuses; guests then have the serial port alone. */
	(void)riscv_set_reg(vcpu, riscv_reg(RISCV_KIND_SBI_EXT, RISCV_SBI_EXT_DBCN), 1);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* What a hart can do, as KVM reports it, and the words a device tree has for that. */
#ifndef ARCH_RISCV_ISA_H
#define ARCH_RISCV_ISA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* KVM's numbers of extensions with names longer than a letter (uapi/asm/kvm.h); isa.c has all names. */
enum {
	RISCV_ISA_ZICBOM = 11,
	RISCV_ISA_ZICBOZ = 12,
	RISCV_ISA_SSAIA = 14,
	RISCV_ISA_ZICNTR = 19,
	RISCV_ISA_ZICSR = 20,
	RISCV_ISA_ZIFENCEI = 21,
	RISCV_ISA_NAMED = 62, /* how many numbers are known here */
};

enum {
	RISCV_ISA_LIST_MAX = 26 + RISCV_ISA_NAMED + 1, /* entries, with the NULL */
	RISCV_ISA_TEXT_MAX = 1024,		       /* bytes, with the NUL */
};

struct riscv_isa {
	uint32_t letters;    /* bit 0: A, bit 1: B, ... as in misa */
	uint64_t extensions; /* bit n: KVM's number n */
	uint64_t cbom_size;  /* bytes of a cache block, for Zicbom and Zicboz */
	uint64_t cboz_size;
	uint64_t satp_mode; /* the deepest: 8 is Sv39, 9 Sv48, 10 Sv57; 0: not told */
};

/* The name of KVM's extension @number, or NULL for those with one letter and those not known. */
const char *riscv_isa_name(unsigned number);

/* "riscv,isa": "rv64imafdc_zicsr_..." */
void riscv_isa_text(const struct riscv_isa *isa, char text[RISCV_ISA_TEXT_MAX]);

/*
 * "riscv,isa-extensions": one entry each, ended by NULL. The words live in @letters (one letter
 * each) and in constants.
 */
void riscv_isa_list(const struct riscv_isa *isa, char letters[26][2],
		    const char *list[RISCV_ISA_LIST_MAX]);

/* "mmu-type" of the tree's cpu nodes. */
const char *riscv_isa_mmu(const struct riscv_isa *isa);

#endif

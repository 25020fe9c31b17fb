/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The names of extensions, in KVM's order of them, and a device tree's words made of those (Linux,
 * Documentation/devicetree/bindings/riscv/extensions.yaml).
 */
#include "arch/riscv/isa.h"

#include <stdio.h>

static const char *const names[RISCV_ISA_NAMED] = {
	[7] = "svpbmt",	    [8] = "sstc",      [9] = "svinval",	  [10] = "zihintpause",
	[11] = "zicbom",    [12] = "zicboz",   [13] = "zbb",	  [14] = "ssaia",
	[16] = "svnapot",   [17] = "zba",      [18] = "zbs",	  [19] = "zicntr",
	[20] = "zicsr",	    [21] = "zifencei", [22] = "zihpm",	  [23] = "smstateen",
	[24] = "zicond",    [25] = "zbc",      [26] = "zbkb",	  [27] = "zbkc",
	[28] = "zbkx",	    [29] = "zknd",     [30] = "zkne",	  [31] = "zknh",
	[32] = "zkr",	    [33] = "zksed",    [34] = "zksh",	  [35] = "zkt",
	[36] = "zvbb",	    [37] = "zvbc",     [38] = "zvkb",	  [39] = "zvkg",
	[40] = "zvkned",    [41] = "zvknha",   [42] = "zvknhb",	  [43] = "zvksed",
	[44] = "zvksh",	    [45] = "zvkt",     [46] = "zfh",	  [47] = "zfhmin",
	[48] = "zihintntl", [49] = "zvfh",     [50] = "zvfhmin",  [51] = "zfa",
	[52] = "ztso",	    [53] = "zacas",    [54] = "sscofpmf", [55] = "zimop",
	[56] = "zca",	    [57] = "zcb",      [58] = "zcd",	  [59] = "zcf",
	[60] = "zcmop",	    [61] = "zawrs",
};

/* The canonical order of letters (Unprivileged ISA, "ISA Extension Naming Conventions"). */
static const char letter_order[] = "imafdqcbv";

static bool has_letter(const struct riscv_isa *isa, char letter)
{
	return isa->letters >> (letter - 'a') & 1;
}

static bool has_extension(const struct riscv_isa *isa, unsigned number)
{
	return names[number] && isa->extensions >> number & 1;
}

const char *riscv_isa_name(unsigned number)
{
	return number < RISCV_ISA_NAMED ? names[number] : NULL;
}

void riscv_isa_text(const struct riscv_isa *isa, char text[RISCV_ISA_TEXT_MAX])
{
	size_t used = (size_t)snprintf(text, RISCV_ISA_TEXT_MAX, "rv64");

	for (const char *letter = letter_order; *letter; letter++) {
		if (has_letter(isa, *letter))
			text[used++] = *letter;
	}
	text[used] = '\0';
	for (unsigned i = 0; i < RISCV_ISA_NAMED; i++) {
		if (has_extension(isa, i))
			used += (size_t)snprintf(text + used, RISCV_ISA_TEXT_MAX - used, "_%s",
						 names[i]);
	}
}

void riscv_isa_list(const struct riscv_isa *isa, char letters[26][2],
		    const char *list[RISCV_ISA_LIST_MAX])
{
	size_t count = 0;

	for (const char *letter = letter_order; *letter; letter++) {
		if (!has_letter(isa, *letter))
			continue;
		letters[count][0] = *letter;
		letters[count][1] = '\0';
		list[count] = letters[count];
		count++;
	}
	for (unsigned i = 0; i < RISCV_ISA_NAMED; i++) {
		if (has_extension(isa, i))
			list[count++] = names[i];
	}
	list[count] = NULL;
}

const char *riscv_isa_mmu(const struct riscv_isa *isa)
{
	switch (isa->satp_mode) {
	case 9:
		return "riscv,sv48";
	case 10:
		return "riscv,sv57";
	default: /* what every 64-bit hart that runs Linux has */
		return "riscv,sv39";
	}
}

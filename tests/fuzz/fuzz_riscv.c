/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What KVM says of a riscv hart, made into a device tree's words: all fits, and the two forms say the same. And where
 * any instruction leads: a place for gdb's breakpoint. Input: letters (4 bytes), extensions, mode (8 each), then an
 * instruction (4), what the hart knows (pc, sepc, stvec: 8 each), and registers as far as there are bytes.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "arch/riscv/isa.h"
#include "arch/riscv/step.h"
#include "base/le.h"

enum { ISA = 20, STEP = ISA + 28 };

static void require(bool holds)
{
	if (!holds)
		abort();
}

static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	if (len == 1)
		return memchr(text + 4, word[0], strcspn(text + 4, "_")) != NULL;
	for (const char *at = text; (at = strchr(at, '_')) != NULL;) {
		at++;
		if (!strncmp(at, word, len) && (at[len] == '_' || !at[len]))
			return true;
	}
	return false;
}

static void check_isa(const struct riscv_isa *isa)
{
	char text[RISCV_ISA_TEXT_MAX];
	const char *list[RISCV_ISA_LIST_MAX];
	char letters[26][2];
	size_t count = 0, len;

	riscv_isa_text(isa, text);
	riscv_isa_list(isa, letters, list);
	require(!strncmp(text, "rv64", 4));
	len = 4;
	for (; list[count]; count++) {
		size_t word = strlen(list[count]);

		require(count < RISCV_ISA_LIST_MAX - 1 && has_word(text, list[count]));
		len += word + (word > 1);
	}
	require(len == strlen(text));
	require(!strncmp(riscv_isa_mmu(isa), "riscv,sv", 8));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct riscv_isa isa = { 0 };
	struct riscv_step step = { 0 };

	if (size < ISA)
		return 0;
	isa.letters = le32_load(data);
	isa.extensions = le64_load(data + 4);
	isa.satp_mode = le64_load(data + 12);
	check_isa(&isa);
	if (size < STEP)
		return 0;
	step.pc = le64_load(data + ISA + 4);
	step.sepc = le64_load(data + ISA + 12);
	step.stvec = le64_load(data + ISA + 20);
	step.user = data[0] & 1;
	for (size_t i = 1; i < 32 && STEP + 8 * i <= size; i++)
		step.x[i] = le64_load(data + STEP + 8 * (i - 1));
	(void)riscv_next_pc(&step, le32_load(data + ISA));
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the firmware interface answers: extensions, states of harts, and the debug console, good calls
 * and bad ones (RISC-V SBI specification 2.0). Words: off, cold, warm: end by that kind of reset.
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "riscv/riscv.h"

enum {
	EXT_BASE = 0x10,
	PROBE = 3,
	EXT_HSM = 0x48534d,
	HART_START = 0,
	HART_STATUS = 2,
	STARTED = 0,
	STOPPED = 1,
	EXT_RESET = 0x53525354,
	EXT_CONSOLE = 0x4442434e,
	CONSOLE_WRITE = 0,
	CONSOLE_READ = 1,
	CONSOLE_WRITE_BYTE = 2,
	INVALID_PARAM = -3,
	ALREADY_AVAILABLE = -6,
	NO_SUCH = -2,
};

struct answer {
	long error;
	u64 value;
};

static struct answer call(u64 extension, u64 function, u64 a, u64 b, u64 c)
{
	register u64 a0 __asm__("a0") = a;
	register u64 a1 __asm__("a1") = b;
	register u64 a2 __asm__("a2") = c;
	register u64 a6 __asm__("a6") = function;
	register u64 a7 __asm__("a7") = extension;

	__asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
	return (struct answer){ (long)a0, a1 };
}

static bool has(u64 extension)
{
	struct answer answer = call(EXT_BASE, PROBE, extension, 0, 0);

	CHECK(!answer.error, 1);
	return answer.value != 0;
}

static void write_all(const char *text)
{
	u64 left = 0;

	while (text[left])
		left++;
	while (left) {
		struct answer answer = call(EXT_CONSOLE, CONSOLE_WRITE, left, (u64)text, 0);

		CHECK(!answer.error && answer.value && answer.value <= left, 2);
		text += answer.value;
		left -= answer.value;
	}
}

static void console(void)
{
	static const u64 bad[] = { 0, 0x10000000, 0x7ffffff8, 1ULL << 40, ~0ULL, ~0ULL - 3 };
	static char big[5000];
	struct answer answer;

	write_all("sbi: by the debug console\n");
	for (u32 i = 0; i < sizeof(big); i++)
		big[i] = i % 100 == 99 ? '\n' : '.';
	big[sizeof(big) - 1] = 0;
	write_all(big);
	for (const char *c = "\nsbi: byte by byte\n"; *c; c++)
		CHECK(!call(EXT_CONSOLE, CONSOLE_WRITE_BYTE, (u64)*c, 0, 0).error, 3);
	for (u32 i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK(call(EXT_CONSOLE, CONSOLE_WRITE, 16, bad[i], 0).error == INVALID_PARAM, 4);
	CHECK(call(EXT_CONSOLE, CONSOLE_WRITE, 16, (u64)big, 1).error == INVALID_PARAM, 5);
	answer = call(EXT_CONSOLE, CONSOLE_WRITE, 0, (u64)big, 0);
	CHECK(!answer.error && !answer.value, 6);
	answer = call(EXT_CONSOLE, CONSOLE_READ, 16, (u64)big, 0);
	CHECK(!answer.error && !answer.value, 7);
	CHECK(call(EXT_CONSOLE, 99, 0, 0, 0).error == NO_SUCH, 8);
}

static void other(u32 cpu)
{
	(void)cpu;
	plat_hang();
}

static void harts(void)
{
	CHECK(call(EXT_HSM, HART_STATUS, 0, 0, 0).value == STARTED, 9);
	CHECK(call(EXT_HSM, HART_START, plat_cpu_count(), 0, 0).error == INVALID_PARAM, 11);
	CHECK(call(EXT_HSM, HART_START, 0, (u64)&other, 0).error == ALREADY_AVAILABLE, 12);
	for (u32 cpu = 1; cpu < plat_cpu_count(); cpu++) {
		CHECK(call(EXT_HSM, HART_STATUS, cpu, 0, 0).value == STOPPED, 13);
		CHECK(!plat_cpu_start(cpu, other), 14);
		CHECK(call(EXT_HSM, HART_STATUS, cpu, 0, 0).value == STARTED, 15);
	}
	print("sbi: %u harts\n", plat_cpu_count());
}

u32 guest_main(void)
{
	CHECK(has(EXT_BASE) && has(EXT_HSM) && has(EXT_RESET), 16);
	CHECK(!has(0x0123456), 17);
	harts();
	if (has(EXT_CONSOLE))
		console();
	else
		print("sbi: no debug console\n");
	if (cmdline_has("off"))
		call(EXT_RESET, 0, 0, 0, 0);
	if (cmdline_has("cold"))
		call(EXT_RESET, 0, 1, 0, 0);
	if (cmdline_has("warm"))
		call(EXT_RESET, 0, 2, 0, 0);
	print("sbi: done\n");
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The first instruction of init, and the system call. */
	.text
	.globl _start
_start:
	.option push
	.option norelax
	la	gp, __global_pointer$
	.option pop
	andi	sp, sp, -16
	call	init_main
1:	j	1b

/* long sys(long a, long b, long c, long d, long e, long number) */
	.globl sys
sys:
	mv	a7, a5
	ecall
	ret

	.section .note.GNU-stack, "", %progbits

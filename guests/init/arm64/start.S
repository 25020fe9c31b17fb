/* SPDX-License-Identifier: BSD-2-Clause */
/* The first instruction of init, and the system call. */
	.text
	.globl _start
_start:
	mov	x29, #0
	mov	x30, #0
	bl	init_main
1:	b	1b

/* long sys(long a, long b, long c, long d, long e, long number) */
	.globl sys
sys:
	mov	x8, x5
	svc	#0
	ret

	.section .note.GNU-stack, "", %progbits

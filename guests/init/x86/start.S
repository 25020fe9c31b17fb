/* SPDX-License-Identifier: BSD-2-Clause */
/* The first instruction of init, and the system call. */
	.text
	.globl _start
_start:
	xor	%ebp, %ebp
	and	$-16, %rsp
	call	init_main
1:	jmp	1b

/* long sys(long a, long b, long c, long d, long e, long number) */
	.globl sys
sys:
	mov	%r9, %rax
	mov	%rcx, %r10
	syscall
	ret

	.section .note.GNU-stack, "", @progbits

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shortest guest that can be seen from outside: its third instruction sends a byte to the
 * serial port; then it sleeps for good. x86-64, entered in 64-bit mode as an ELF kernel is.
 */
	.section .text.start, "ax"
	.globl _start
_start:
	mov	$0x3f8, %edx
	mov	$'!', %al
	out	%al, %dx
1:	hlt
	jmp	1b
	.section .note.GNU-stack, "", @progbits

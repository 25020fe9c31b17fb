/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest whose first instructions are seen from outside the soonest: they end the run, with status
 * 33, by the exit device's port (hw/exit_device.h). x86-64, entered in 64-bit mode as an ELF kernel is.
 */
	.section .text.start, "ax"
	.globl _start
_start:
	mov	$0x500, %edx
	mov	$33, %eax
	out	%eax, %dx
1:	hlt
	jmp	1b
	.section .note.GNU-stack, "", @progbits

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest with a PVH note: entered in 32-bit protected mode without paging, EBX = hvm_start_info.
 * It stays there, prints, checks the structure, and ends with 0; 1: wrong magic, 2: no memory map.
 */
	.section .note.Xen, "a", @note
	.p2align 2
	.long	4, 4, 18		/* name, description, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	_start

	.section .text.start, "ax"
	.code32
	.globl	_start
_start:
	mov	$stack_top, %esp
	mov	$hello, %esi
	call	print
	mov	$1, %ebp
	cmpl	$0x336ec578, (%ebx)
	jne	finish
	mov	$2, %ebp
	cmpl	$1, 4(%ebx)		/* version 1 on: has a memory map */
	jb	finish
	cmpl	$0, 48(%ebx)		/* memmap_entries */
	je	finish
	mov	24(%ebx), %esi		/* cmdline_paddr */
	test	%esi, %esi
	jz	1f
	push	%esi
	mov	$line, %esi
	call	print
	pop	%esi
	call	print
	mov	$newline, %esi
	call	print
1:	xor	%ebp, %ebp
finish:
	mov	%ebp, %eax
	mov	$0x500, %edx
	out	%eax, %dx
2:	hlt
	jmp	2b

/* The text at ESI on COM1. */
print:
	cld
	mov	$0x3f8, %edx
1:	lodsb
	test	%al, %al
	jz	2f
	outb	%al, %dx
	jmp	1b
2:	ret

	.section .rodata, "a"
hello:
	.asciz	"pvh: 32-bit entry\n"
line:
	.asciz	"pvh: command line: "
newline:
	.asciz	"\n"

	.section .bss
	.skip	256
stack_top:

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * First instructions of a 64-bit guest: RSI holds boot_params, no stack, the loader's GDT. Then the
 * exception and interrupt entries, and the trampoline of the other processors.
 */
	.section .text.start, "ax"
	.code64
	.globl _start
_start:
	lea	boot_stack_top(%rip), %rsp
	lgdt	gdt_pointer(%rip)
	mov	$0x18, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	%rsi, %rdi
	call	plat_start
1:	jmp	1b

	.globl exception_entries, interrupt_entries
/* 32 exception entries of 16 bytes; those without an error code push 0. */
	.p2align 4
exception_entries:
	.set	vector, 0
	.rept	32
	.p2align 4
	.if	(vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21)
	.else
	pushq	$0
	.endif
	pushq	$vector
	jmp	exception_common
	.set	vector, vector + 1
	.endr

/* 32 interrupt entries of 16 bytes, vectors 32 to 63. */
	.p2align 4
interrupt_entries:
	.set	vector, 0
	.rept	32
	.p2align 4
	pushq	$0
	pushq	$vector
	jmp	interrupt_common
	.set	vector, vector + 1
	.endr

	.macro	save_registers
	push	%rax
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%rbx
	push	%rbp
	cld
	.endm

	.macro	restore_registers
	pop	%rbp
	pop	%rbx
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rax
	add	$16, %rsp
	iretq
	.endm

exception_common:
	save_registers
	lea	88(%rsp), %rdi		/* vector, error code, rip, cs, flags, rsp, ss */
	call	exception
	restore_registers

interrupt_common:
	save_registers
	mov	88(%rsp), %edi
	call	interrupt
	restore_registers

	.globl probe_read_1, probe_read_2, probe_read_4, probe_read_8, probe_reads_end
/* Loads that may fault: RAX = value, RDX = 0; exception() goes on at probe_faulted. */
probe_read_1:
	xor	%edx, %edx
	movzbl	(%rdi), %eax
	ret
probe_read_2:
	xor	%edx, %edx
	movzwl	(%rdi), %eax
	ret
probe_read_4:
	xor	%edx, %edx
	mov	(%rdi), %eax
	ret
probe_read_8:
	xor	%edx, %edx
	mov	(%rdi), %rax
	ret
probe_reads_end:
	.globl probe_faulted
probe_faulted:
	mov	$1, %edx
	ret

/* The trampoline, copied to TRAMPOLINE below 1 MiB. Real mode straight to long mode. */
	.set	TRAMPOLINE, 0x8000
	.globl trampoline, trampoline_end, trampoline_cr3, trampoline_stack, trampoline_cpu
	.code16
	.p2align 4
trampoline:
	cli
	xor	%ax, %ax
	mov	%ax, %ds
	lgdtl	TRAMPOLINE + (tramp_gdt_pointer - trampoline)
	mov	%cr4, %eax
	or	$0x20, %eax		/* PAE */
	mov	%eax, %cr4
	mov	TRAMPOLINE + (trampoline_cr3 - trampoline), %eax
	mov	%eax, %cr3
	mov	$0xc0000080, %ecx	/* EFER */
	rdmsr
	or	$0x100, %eax		/* LME */
	wrmsr
	mov	%cr0, %eax
	or	$0x80000001, %eax	/* PG, PE */
	mov	%eax, %cr0
	ljmpl	$0x10, $(TRAMPOLINE + (tramp64 - trampoline))
	.code64
tramp64:
	mov	$0x18, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	TRAMPOLINE + (trampoline_stack - trampoline), %rsp
	mov	TRAMPOLINE + (trampoline_cpu - trampoline), %edi
	mov	$plat_cpu_main, %rax
	call	*%rax
1:	hlt
	jmp	1b
	.p2align 3
trampoline_cr3:
	.quad	0
trampoline_stack:
	.quad	0
trampoline_cpu:
	.quad	0
tramp_gdt_pointer:
	.word	4 * 8 - 1
	.long	gdt
trampoline_end:

	.section .data
	.p2align 3
	.globl	gdt
gdt:
	.quad	0, 0
	.quad	0x00af9b000000ffff	/* 0x10 64-bit code */
	.quad	0x00cf93000000ffff	/* 0x18 data */
gdt_pointer:
	.word	4 * 8 - 1
	.quad	gdt

	.section .bss
	.p2align 4
	.skip	16384
boot_stack_top:

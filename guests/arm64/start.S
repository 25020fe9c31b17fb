/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * First instructions, at EL1 with the MMU off: x0 holds the device tree. Then the vector table, the
 * loads that may fault, and the entry of the other processors.
 */
	.section .text.start, "ax"
	.globl	_start
_start:
	adrp	x1, boot_stack_top
	add	sp, x1, :lo12:boot_stack_top
	mov	x19, x0
	bl	mmu_on
	mov	x0, x19
	bl	plat_start
1:	b	1b

/* PSCI starts a processor here with x0 = its stack's top, where its number lies. */
	.globl	secondary_start
secondary_start:
	mov	sp, x0
	ldr	x19, [x0, #-16]
	sub	sp, sp, #16
	bl	mmu_on
	mov	x0, x19
	bl	plat_cpu_main
1:	b	1b

/*
 * Identity map by blocks of 1 GiB (4 KiB granule, 39 bits): the first two as normal memory without
 * caches, so that accesses of any size and place reach the devices there; RAM with caches.
 */
	.set	MAPPED, 128
mmu_on:
	adrp	x0, map
	mov	x1, #0
	mov	x2, #0x401		/* block, access flag; attribute 0 */
	mov	x3, #0x705		/* inner shareable; attribute 1 */
1:	cmp	x1, #2
	csel	x4, x2, x3, lo
	orr	x4, x4, x1, lsl #30
	str	x4, [x0, x1, lsl #3]
	add	x1, x1, #1
	cmp	x1, #MAPPED
	b.lo	1b
	dsb	sy
	mov	x1, #0xff44		/* attribute 0: not cached; 1: write-back */
	msr	mair_el1, x1
	mrs	x2, id_aa64mmfr0_el1	/* bits of physical addresses, at most 48 */
	and	x2, x2, #7
	mov	x3, #5
	cmp	x2, x3
	csel	x2, x2, x3, lo
	mov	x1, #0x3519		/* T0SZ 25, write-back, inner shareable */
	movk	x1, #0x80, lsl #16	/* no walks by TTBR1 */
	orr	x1, x1, x2, lsl #32
	msr	tcr_el1, x1
	msr	ttbr0_el1, x0
	adrp	x1, vectors
	add	x1, x1, :lo12:vectors
	msr	vbar_el1, x1
	isb
	tlbi	vmalle1
	dsb	sy
	isb
	mrs	x1, sctlr_el1
	mov	x2, #0x1005		/* instruction cache, data cache, MMU */
	orr	x1, x1, x2
	bic	x1, x1, #2		/* no alignment checks */
	msr	sctlr_el1, x1
	isb
	ret

	.macro	entry kind
	.p2align 7
	sub	sp, sp, #256
	stp	x0, x1, [sp]
	mov	x0, #\kind
	b	common
	.endm

	.p2align 11
vectors:
	.set	number, 0
	.rept	16
	entry	number
	.set	number, number + 1
	.endr

common:
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x19, [sp, #144]
	stp	x20, x21, [sp, #160]
	stp	x22, x23, [sp, #176]
	stp	x24, x25, [sp, #192]
	stp	x26, x27, [sp, #208]
	stp	x28, x29, [sp, #224]
	stp	x30, x0, [sp, #240]
	cmp	x0, #5			/* an interrupt at our level, by our stack */
	b.eq	1f
	mov	x0, sp
	bl	exception
	b	2f
1:	bl	interrupt
2:	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldp	x8, x9, [sp, #64]
	ldp	x10, x11, [sp, #80]
	ldp	x12, x13, [sp, #96]
	ldp	x14, x15, [sp, #112]
	ldp	x16, x17, [sp, #128]
	ldp	x18, x19, [sp, #144]
	ldp	x20, x21, [sp, #160]
	ldp	x22, x23, [sp, #176]
	ldp	x24, x25, [sp, #192]
	ldp	x26, x27, [sp, #208]
	ldp	x28, x29, [sp, #224]
	ldr	x30, [sp, #240]
	ldp	x0, x1, [sp]
	add	sp, sp, #256
	eret

	.text
/* Loads that may fault: x0 = value, x1 = 0; exception() goes on at probe_faulted. */
	.globl	probe_read_1, probe_read_2, probe_read_4, probe_read_8, probe_reads_end
probe_read_1:
	mov	x1, #0
	ldrb	w0, [x0]
	ret
probe_read_2:
	mov	x1, #0
	ldrh	w0, [x0]
	ret
probe_read_4:
	mov	x1, #0
	ldr	w0, [x0]
	ret
probe_read_8:
	mov	x1, #0
	ldr	x0, [x0]
	ret
probe_reads_end:
	.globl	probe_faulted
probe_faulted:
	mov	x1, #1
	ret

	.section .bss
	.p2align 12
map:
	.skip	4096
	.skip	16384
boot_stack_top:
	.skip	16

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * First instructions, in supervisor mode without paging: a0 holds the hart's number, a1 the device
 * tree. Then the trap's entry, the loads that may fault, and the entry of the other harts.
 */
	.section .text.start, "ax"
	.globl	_start
_start:
	la	sp, boot_stack_top
	la	t0, boot_hart
	sd	a0, (t0)
	mv	s0, a1
	/* Identity map by pages of 1 GiB (Sv39): valid, all rights, accessed and dirty. */
	la	t0, map
	li	t1, 0xcf
	li	t2, 1 << 28
	li	t3, 128			/* GiB */
1:	sd	t1, (t0)
	add	t1, t1, t2
	addi	t0, t0, 8
	addi	t3, t3, -1
	bnez	t3, 1b
	call	mmu_on
	mv	a0, s0
	call	plat_start
1:	j	1b

/* SBI starts a hart here with a0 = its number, a1 = its stack's top. */
	.globl	secondary_start
secondary_start:
	mv	sp, a1
	mv	s0, a0
	call	mmu_on
	mv	a0, s0
	call	plat_cpu_main
1:	j	1b

mmu_on:
	la	t0, map
	srli	t0, t0, 12
	li	t1, 8 << 60
	or	t0, t0, t1
	csrw	satp, t0
	sfence.vma
	la	t0, trap_entry
	csrw	stvec, t0
	csrw	sie, zero
	ret

	.p2align 2
trap_entry:
	addi	sp, sp, -128
	sd	ra, 0(sp)
	sd	t0, 8(sp)
	sd	t1, 16(sp)
	sd	t2, 24(sp)
	sd	t3, 32(sp)
	sd	t4, 40(sp)
	sd	t5, 48(sp)
	sd	t6, 56(sp)
	sd	a0, 64(sp)
	sd	a1, 72(sp)
	sd	a2, 80(sp)
	sd	a3, 88(sp)
	sd	a4, 96(sp)
	sd	a5, 104(sp)
	sd	a6, 112(sp)
	sd	a7, 120(sp)
	csrr	a0, scause
	csrr	a1, sepc
	csrr	a2, stval
	call	trap
	csrw	sepc, a0
	ld	ra, 0(sp)
	ld	t0, 8(sp)
	ld	t1, 16(sp)
	ld	t2, 24(sp)
	ld	t3, 32(sp)
	ld	t4, 40(sp)
	ld	t5, 48(sp)
	ld	t6, 56(sp)
	ld	a0, 64(sp)
	ld	a1, 72(sp)
	ld	a2, 80(sp)
	ld	a3, 88(sp)
	ld	a4, 96(sp)
	ld	a5, 104(sp)
	ld	a6, 112(sp)
	ld	a7, 120(sp)
	addi	sp, sp, 128
	sret

	.text
/* Loads that may fault: a0 = value, a1 = 0; trap() goes on at probe_faulted. */
	.globl	probe_read_1, probe_read_2, probe_read_4, probe_read_8, probe_reads_end
probe_read_1:
	li	a1, 0
	lbu	a0, (a0)
	ret
probe_read_2:
	li	a1, 0
	lhu	a0, (a0)
	ret
probe_read_4:
	li	a1, 0
	lwu	a0, (a0)
	ret
probe_read_8:
	li	a1, 0
	ld	a0, (a0)
	ret
probe_reads_end:
	.globl	probe_faulted
probe_faulted:
	li	a1, 1
	ret

	.section .bss
	.p2align 12
map:
	.skip	4096
	.skip	16384
boot_stack_top:
	.globl	boot_hart
boot_hart:
	.skip	16

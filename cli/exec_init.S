/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's /init for hvrun exec (guests/init/), as bytes of our own. */
	.section .rodata
	.globl exec_init, exec_init_end
	.balign 16
exec_init:
	.incbin "init.elf"
exec_init_end:
	.byte 0

	.section .note.GNU-stack, "", %progbits

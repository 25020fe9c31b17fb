/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine's memory and registers as an ELF core (gABI, chapter 5; the notes as Linux writes them).
 * The memory is the guest's: data that is copied, but for one note that is searched in it and judged.
 */
#ifndef VM_CORE_ELF_H
#define VM_CORE_ELF_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/memory.h"

enum {
	CORE_MAX_CPUS = 64,
	CORE_STACK_PAGES = 4, /* of each vCPU: 16 KiB, as large as Linux has them */
	CORE_MAX_RANGES = 8,
	CORE_MAX_MAPS = CORE_MAX_RANGES + CORE_MAX_CPUS * CORE_STACK_PAGES,
	CORE_REGS_MAX = 512,	    /* bytes of pr_reg */
	CORE_VMCOREINFO_MAX = 4096, /* bytes of the guest's note */
};

/* Where the guest's kernel sees a range of its physical memory. */
struct core_map {
	uint64_t address; /* virtual */
	gpa_t at;
	uint64_t size; /* bytes */
};

/* What goes into a core besides the memory; filled while the vCPUs rest. */
struct progress;
struct core_state {
	uint16_t machine; /* EM_... */
	unsigned cpus;
	unsigned regs_size; /* bytes of each vCPU's registers */
	uint8_t regs[CORE_MAX_CPUS][CORE_REGS_MAX];
	unsigned map_count;
	struct core_map maps[CORE_MAX_MAPS];
};

/*
 * Writes the core to the regular file @fd, from its beginning; pages of zeroes become holes. Ends
 * early with -ECANCELED when *@cancel becomes true. *@written: bytes of memory that were written. 0,
 * -ESPIPE or -ENODEV (no regular file), or the -errno of writing; what the file holds then is no core
 * and takes no room. @progress, begun by the caller, is shown how many bytes of memory are done; NULL: none.
 * Any thread.
 */
int core_write(const struct guest_mem *mem, const struct core_state *state, int fd,
	       const atomic_bool *cancel, uint64_t *written, struct progress *progress);

/*
 * Whether @page, the first @len bytes of a page of guest memory, begins with the note that a Linux
 * kernel keeps for who reads its cores, as it should look: bytes of text at @text, or 0.
 */
size_t core_find_vmcoreinfo(const uint8_t *page, size_t len, const char **text);

#endif

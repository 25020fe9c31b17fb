/* SPDX-License-Identifier: BSD-2-Clause */
/* The initrd on its way into the guest: from the file straight to RAM, or from bytes read before. */
#include <errno.h>
#include <string.h>

#include "arch/arch.h"
#include "base/diag.h"

int arch_put_initrd(struct guest_mem *mem, gpa_t at, const struct arch_images *images)
{
	int r;

	if (images->initrd)
		return mem_write(mem, at, images->initrd, images->initrd_size);
	r = mem_read_file(mem, at, images->initrd_fd, 0, images->initrd_size);
	if (r < 0)
		diag_error("initrd %s: cannot read: %s", images->initrd_name,
			   r == -ENODATA ? "the file became shorter" : strerror(-r));
	return r;
}

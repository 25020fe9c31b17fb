/* SPDX-License-Identifier: BSD-2-Clause */
/* When each step of the run was reached. */
#include <inttypes.h>
#include <time.h>

#include "base/diag.h"
#include "vm/machine.h"

uint64_t vm_since_launch(const struct vm *vm)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec -
	       vm->config->launched_ns;
}

void vm_mark(struct vm *vm, enum vm_moment moment, const char *what)
{
	uint64_t never = 0;
	bool said = what && vm->config->verbosity > 0;

	if (!said && atomic_load_explicit(&vm->moments[moment], memory_order_relaxed))
		return;

	uint64_t ns = vm_since_launch(vm);

	(void)atomic_compare_exchange_strong(&vm->moments[moment], &never, ns);
	if (said)
		diag_note("%s at %" PRIu64 " us", what, ns / 1000);
}

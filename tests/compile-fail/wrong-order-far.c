/* SPDX-License-Identifier: BSD-2-Clause */
/* needs: guarded fields */
/* expect: lock 'first' must be acquired before 'last' */
#include "base/lock.h"

/* From one end of the order to the other, the inner one taken by a function called. */
struct vm {
	struct lock first RANKED(vm);
};

struct log {
	struct lock last RANKED(leaf);
};

void take_first(struct vm *vm) ACQUIRE(&vm->first);
void wrong_order_far(struct vm *vm, struct log *log);

void wrong_order_far(struct vm *vm, struct log *log)
{
	lock_take(&log->last);
	take_first(vm);
	lock_drop(&vm->first);
	lock_drop(&log->last);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* expect: calling function 'lock_wait_at' requires holding lock 'l' */
#include "base/lock.h"

void wait_without_lock(struct lock *l, struct cond *c);
void wait_without_lock(struct lock *l, struct cond *c)
{
	lock_wait(l, c);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* expect: acquiring lock 'l' that is already held */
#include "base/lock.h"

void double_lock(struct lock *l);
void double_lock(struct lock *l)
{
	lock_take(l);
	lock_take(l);
	lock_drop(l);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* expect: releasing lock 'l' that was not held */
#include "base/lock.h"

void unlock_without_lock(struct lock *l);
void unlock_without_lock(struct lock *l)
{
	lock_drop(l);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* expect: lock 'l' is not held on every path through here */
#include "base/lock.h"

int forgotten_unlock(struct lock *l, int early);
int forgotten_unlock(struct lock *l, int early)
{
	lock_take(l);
	if (early)
		return -1;
	lock_drop(l);
	return 0;
}

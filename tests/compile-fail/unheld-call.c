/* SPDX-License-Identifier: BSD-2-Clause */
/* expect: calling function 'count_locked' requires holding lock 'l' */
#include "base/lock.h"

void count_locked(struct lock *l) REQUIRES(l);
void unheld_call(struct lock *l);

void unheld_call(struct lock *l)
{
	count_locked(l);
}

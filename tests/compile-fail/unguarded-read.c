/* SPDX-License-Identifier: BSD-2-Clause */
/* needs: guarded fields */
/* expect: reading variable 'hits' requires holding lock */
#include "base/lock.h"

struct counter {
	struct lock lock;
	int hits GUARDED_BY(&lock);
};

int unguarded_read(const struct counter *c);
int unguarded_read(const struct counter *c)
{
	return c->hits;
}

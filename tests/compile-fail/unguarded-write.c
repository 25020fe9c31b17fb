/* SPDX-License-Identifier: BSD-2-Clause */
/* needs: guarded fields */
/* expect: writing variable 'hits' requires holding lock */
#include "base/lock.h"

struct counter {
	struct lock lock;
	int hits GUARDED_BY(&lock);
};

struct list {
	struct lock lock;
};

/* Another structure's lock does not help. */
void unguarded_write(struct list *l, struct counter *c);
void unguarded_write(struct list *l, struct counter *c)
{
	lock_take(&l->lock);
	c->hits++;
	lock_drop(&l->lock);
}

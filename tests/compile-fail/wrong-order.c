/* SPDX-License-Identifier: BSD-2-Clause */
/* needs: guarded fields */
/* expect: lock 'lock' must be acquired before 'queue_lock' */
#include "base/lock.h"

struct device {
	struct lock lock RANKED(device);
};

struct queue {
	struct lock queue_lock RANKED(queue);
};

void wrong_order(struct device *d, struct queue *q);
void wrong_order(struct device *d, struct queue *q)
{
	lock_take(&q->queue_lock);
	lock_take(&d->lock);
	lock_drop(&d->lock);
	lock_drop(&q->queue_lock);
}

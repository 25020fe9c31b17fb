/* SPDX-License-Identifier: BSD-2-Clause */
/* compilers: gcc clang */
/* expect-success: what the others do wrong, done right */
#include "base/checked.h"
#include "base/lock.h"

struct counter {
	struct lock lock;
	struct cond changed;
	uint64_t hits GUARDED_BY(&lock);
};

static void count_locked(struct counter *c) REQUIRES(&c->lock);

static void count_locked(struct counter *c)
{
	uint64_t more;

	if (u64_add(c->hits, 1, &more))
		c->hits = more;
}

void right_use(struct counter *c);
void right_use(struct counter *c)
{
	lock_take(&c->lock);
	while (c->hits < 3)
		lock_wait(&c->lock, &c->changed);
	count_locked(c);
	lock_drop(&c->lock);
}

struct outer {
	struct lock lock RANKED(vm);
};

struct inner {
	struct lock lock RANKED(irq);
};

struct innermost {
	struct lock lock RANKED(leaf);
};

void right_order(struct outer *a, struct inner *b, struct innermost *c);
void right_order(struct outer *a, struct inner *b, struct innermost *c)
{
	lock_take(&a->lock);
	lock_take(&b->lock);
	lock_take(&c->lock);
	lock_drop(&c->lock);
	lock_drop(&b->lock);
	lock_drop(&a->lock);
}

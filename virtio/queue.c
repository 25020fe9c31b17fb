/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes descriptor chains out of a split virtqueue and puts them back, trusting nothing that the
 * driver wrote: each field is copied once out of guest memory, and only the copy is judged and used.
 */
#include "virtio/queue.h"

#include <errno.h>
#include <string.h>

#include "base/checked.h"
#include "base/le.h"

/* Layout of the three areas (2.7.5, 2.7.6, 2.7.8), in bytes. */
enum {
	DESC_SIZE = 16,
	AVAIL_FLAGS = 0,
	AVAIL_IDX = 2,
	AVAIL_RING = 4, /* num entries of 2 bytes, then used_event */
	USED_FLAGS = 0,
	USED_IDX = 2,
	USED_RING = 4, /* num entries of 8 bytes, then avail_event */
	USED_ENTRY = 8,
};

/* Flags of a descriptor; other bits are ignored. */
enum {
	DESC_F_NEXT = 1,
	DESC_F_WRITE = 2,
	DESC_F_INDIRECT = 4,
};

enum {
	AVAIL_F_NO_INTERRUPT = 1,
	USED_F_NO_NOTIFY = 1,
};

/* A chain is at most this long in bytes, both parts together (2.7.5.1). */
#define CHAIN_MAX_BYTES (UINT64_C(1) << 32)

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

/* Where the walk along a chain is. */
struct walk {
	gpa_t table;	  /* the table that `next` counts in */
	uint32_t entries; /* of that table */
	uint32_t left;	  /* descriptors that may still come before it must be a loop */
	uint32_t seen;	  /* descriptors looked at so far */
	bool indirect;	  /* in an indirect table */
	bool writable;	  /* past the first device-writable descriptor */
};

/*
 * Orders our store of one index before our load of the other side's (2.7.7, 2.7.10). Not
 * atomic_thread_fence, which gcc refuses to build with the thread sanitizer.
 */
static void full_barrier(void)
{
	__sync_synchronize();
}

static int broken(struct virtqueue *vq, const char *why)
{
	vq->broken = true;
	vq->can_unpop = false;
	vq->why = why;
	return -EPROTO;
}

static bool usable(const struct virtqueue *vq)
{
	return vq->ready && !vq->broken;
}

static bool is_taken(const struct virtqueue *vq, uint16_t head)
{
	return vq->taken[head / 64] >> (head % 64) & 1;
}

static void set_taken(struct virtqueue *vq, uint16_t head, bool taken)
{
	uint64_t bit = UINT64_C(1) << (head % 64);

	if (taken) {
		vq->taken[head / 64] |= bit;
		vq->in_flight++;
	} else {
		vq->taken[head / 64] &= ~bit;
		vq->in_flight--;
	}
}

void vq_init(struct virtqueue *vq, struct guest_mem *mem, uint16_t num_max)
{
	*vq = (struct virtqueue){ .mem = mem, .num_max = num_max };
}

void vq_reset(struct virtqueue *vq)
{
	struct vq_counters counters = vq->counters;

	vq_init(vq, vq->mem, vq->num_max);
	vq->counters = counters;
}

static bool all_ram(const struct virtqueue *vq, gpa_t start, uint64_t len)
{
	struct iovec iov[MEM_MAX_REGIONS];

	return mem_segments(vq->mem, start, len, MEM_WRITE, iov, MEM_MAX_REGIONS) > 0;
}

/* What is wrong with the geometry that the driver chose; NULL if nothing is. */
static const char *judge_geometry(const struct virtqueue *vq)
{
	if (vq->num == 0)
		return "queue size 0";
	if (vq->num > vq->num_max || vq->num > VQ_MAX_SIZE)
		return "queue size larger than offered";
	if (!u64_is_pow2(vq->num))
		return "queue size is not a power of two";
	if (vq->desc.v % 16)
		return "descriptor table not aligned to 16 bytes";
	if (vq->avail.v % 2)
		return "available ring not aligned to 2 bytes";
	if (vq->used.v % 4)
		return "used ring not aligned to 4 bytes";
	if (!all_ram(vq, vq->desc, (uint64_t)DESC_SIZE * vq->num))
		return "descriptor table outside RAM";
	if (!all_ram(vq, vq->avail, AVAIL_RING + 2 * ((uint64_t)vq->num + 1)))
		return "available ring outside RAM";
	if (!all_ram(vq, vq->used, USED_RING + (uint64_t)USED_ENTRY * vq->num + 2))
		return "used ring outside RAM";
	return NULL;
}

int vq_enable(struct virtqueue *vq, bool event_idx, bool indirect)
{
	vq->why = judge_geometry(vq);
	if (vq->why)
		return -EINVAL;
	vq->event_idx = event_idx;
	vq->indirect = indirect;
	vq->signalled_valid = true;
	vq->ready = true;
	return 0;
}

int vq_resume(struct virtqueue *vq, uint16_t base)
{
	uint16_t used;

	if (mem_load16(vq->mem, gpa_add(vq->used, USED_IDX), &used))
		return -EFAULT;
	vq->next_avail = vq->avail_idx = base;
	vq->next_used = vq->signalled = used;
	vq->signalled_valid = false;
	return 0;
}

void vq_pause(struct virtqueue *vq, bool paused)
{
	vq->paused = paused;
}

/* The ring words. The areas were judged whole in vq_enable, so a failure is the queue's end. */

static bool load_ring16(struct virtqueue *vq, gpa_t at, uint16_t *value)
{
	if (mem_load16(vq->mem, at, value) == 0)
		return true;
	broken(vq, "a ring is no longer in RAM");
	return false;
}

static bool store_ring16(struct virtqueue *vq, gpa_t at, uint16_t value)
{
	if (mem_store16(vq->mem, at, value) == 0)
		return true;
	broken(vq, "a ring is no longer in RAM");
	return false;
}

static gpa_t used_event(const struct virtqueue *vq)
{
	return gpa_add(vq->avail, AVAIL_RING + 2 * (uint64_t)vq->num);
}

static gpa_t avail_event(const struct virtqueue *vq)
{
	return gpa_add(vq->used, USED_RING + (uint64_t)USED_ENTRY * vq->num);
}

/*
 * Reads the driver's index when all that it announced before has been taken. 1 if a chain waits,
 * 0 if none, -EPROTO. Each chain in flight or waiting has a head of its own, so that both together
 * are never more than the queue has entries.
 */
static int poll_avail(struct virtqueue *vq)
{
	uint16_t idx;

	if (vq->avail_idx != vq->next_avail)
		return 1;
	if (!load_ring16(vq, gpa_add(vq->avail, AVAIL_IDX), &idx))
		return -EPROTO;
	if ((uint16_t)(idx - vq->next_avail) > vq->num - vq->in_flight)
		return broken(vq, "available index announces more chains than the queue can hold");
	vq->avail_idx = idx;
	return idx != vq->next_avail;
}

static int read_desc(const struct virtqueue *vq, const struct walk *walk, uint16_t index,
		     struct desc *desc)
{
	uint8_t raw[DESC_SIZE];

	if (mem_read(vq->mem, gpa_add(walk->table, (uint64_t)index * DESC_SIZE), raw, sizeof(raw)))
		return -EFAULT;
	desc->addr = le64_load(raw);
	desc->len = le32_load(raw + 8);
	desc->flags = le16_load(raw + 12);
	desc->next = le16_load(raw + 14);
	return 0;
}

/* Steps into the indirect table that @desc names (2.7.5.3). */
static const char *enter_indirect(const struct virtqueue *vq, struct walk *walk,
				  const struct desc *desc)
{
	struct iovec iov[MEM_MAX_REGIONS];

	if (!vq->indirect)
		return "indirect descriptor without the feature negotiated";
	if (walk->indirect)
		return "indirect descriptor inside an indirect table";
	if (desc->flags & DESC_F_NEXT)
		return "indirect descriptor with a next one";
	if (desc->len == 0 || desc->len % DESC_SIZE)
		return "indirect table's length is not a multiple of 16, or 0";
	if (desc->len / DESC_SIZE > VQ_MAX_SIZE)
		return "indirect table has more than 1024 entries";
	if (mem_segments(vq->mem, gpa(desc->addr), desc->len, MEM_READ, iov, MEM_MAX_REGIONS) <= 0)
		return "indirect table outside RAM";
	*walk = (struct walk){
		.table = gpa(desc->addr),
		.entries = desc->len / DESC_SIZE,
		.left = u32_min(desc->len / DESC_SIZE, VQ_MAX_SIZE - walk->seen),
		.seen = walk->seen,
		.indirect = true,
		.writable = walk->writable,
	};
	return NULL;
}

/* Adds the buffer of @desc, already copied, to the chain. */
static const char *add_buffer(const struct virtqueue *vq, struct walk *walk, struct vq_chain *chain,
			      const struct desc *desc)
{
	bool write = desc->flags & DESC_F_WRITE;
	unsigned used = (unsigned)chain->out_segs + chain->in_segs;
	int n;

	if (!write && walk->writable)
		return "device-readable buffer after a device-writable one";
	walk->writable = write;
	if (desc->len == 0)
		return NULL;
	if (chain->out_len + chain->in_len + desc->len > CHAIN_MAX_BYTES)
		return "chain longer than 2^32 bytes";
	n = mem_segments(vq->mem, gpa(desc->addr), desc->len, write ? MEM_WRITE : MEM_READ,
			 chain->iov + used, VQ_MAX_SEGS - used);
	if (n == -E2BIG)
		return "chain of more than 256 segments";
	if (n <= 0)
		return "buffer outside RAM";
	if (write) {
		chain->in_segs = (uint16_t)(chain->in_segs + n);
		chain->in_len += desc->len;
	} else {
		chain->out_segs = (uint16_t)(chain->out_segs + n);
		chain->out_len += desc->len;
	}
	return NULL;
}

/* Walks the chain from chain->head; what is wrong with it, or NULL. */
static const char *walk_chain(const struct virtqueue *vq, struct vq_chain *chain)
{
	struct walk walk = { .table = vq->desc, .entries = vq->num, .left = vq->num };
	uint16_t index = chain->head;
	const char *why;
	struct desc desc;

	for (;;) {
		if (index >= walk.entries)
			return "descriptor index outside its table";
		if (walk.left == 0)
			return "descriptor chain longer than its table (a loop)";
		walk.left--;
		walk.seen++;
		if (read_desc(vq, &walk, index, &desc))
			return "descriptor outside RAM";
		if (desc.flags & DESC_F_INDIRECT) {
			why = enter_indirect(vq, &walk, &desc);
			if (why)
				return why;
			index = 0;
			continue;
		}
		why = add_buffer(vq, &walk, chain, &desc);
		if (why)
			return why;
		if (!(desc.flags & DESC_F_NEXT))
			return NULL;
		index = desc.next;
	}
}

int vq_pop(struct virtqueue *vq, struct vq_chain *chain)
{
	const char *why;
	uint64_t slot;
	uint16_t head;
	int r;

	vq->can_unpop = false;
	if (!usable(vq) || vq->paused)
		return 0;
	r = poll_avail(vq);
	if (r <= 0)
		return r;
	slot = vq->next_avail % vq->num;
	if (!load_ring16(vq, gpa_add(vq->avail, AVAIL_RING + 2 * slot), &head))
		return -EPROTO;
	if (head >= vq->num)
		return broken(vq, "available ring names a descriptor outside the table");
	if (is_taken(vq, head))
		return broken(vq, "chain offered again while it is in flight");

	chain->head = head;
	chain->out_segs = 0;
	chain->in_segs = 0;
	chain->out_len = 0;
	chain->in_len = 0;
	why = walk_chain(vq, chain);
	if (why)
		return broken(vq, why);

	vq->next_avail++;
	set_taken(vq, head, true);
	vq->last_head = head;
	vq->can_unpop = true;
	vq->counters.chains++;
	vq->counters.bytes_out += chain->out_len;
	vq->last_out = chain->out_len;
	return 1;
}

void vq_unpop(struct virtqueue *vq)
{
	if (!usable(vq) || !vq->can_unpop)
		return;
	vq->can_unpop = false;
	vq->next_avail--;
	set_taken(vq, vq->last_head, false);
	vq->counters.chains--;
	vq->counters.bytes_out -= vq->last_out;
}

/* Writes the next entry of the used ring; it is not to be seen before the index says so. */
static bool fill_used(struct virtqueue *vq, const struct vq_used *used)
{
	uint64_t slot = vq->next_used % vq->num;
	uint8_t entry[USED_ENTRY];

	le32_store(entry, used->head);
	le32_store(entry + 4, used->written);
	if (mem_write(vq->mem, gpa_add(vq->used, USED_RING + USED_ENTRY * slot), entry,
		      sizeof(entry))) {
		broken(vq, "a ring is no longer in RAM");
		return false;
	}
	set_taken(vq, used->head, false);
	vq->counters.bytes_in += used->written;
	vq->next_used++;
	if (vq->next_used == vq->signalled)
		vq->signalled_valid = false;
	return true;
}

void vq_push_all(struct virtqueue *vq, const struct vq_used *used, unsigned count)
{
	uint16_t before = vq->next_used;

	vq->can_unpop = false;
	if (!usable(vq))
		return;
	for (unsigned i = 0; i < count; i++) {
		if (used[i].head >= vq->num || !is_taken(vq, used[i].head))
			continue;
		if (!fill_used(vq, &used[i]))
			return;
	}
	if (vq->next_used != before)
		store_ring16(vq, gpa_add(vq->used, USED_IDX), vq->next_used);
}

void vq_push(struct virtqueue *vq, uint16_t head, uint32_t written)
{
	const struct vq_used used = { head, written };

	vq_push_all(vq, &used, 1);
}

/* Whether an index that went from @old to @now passed @event (2.7.7.2); all three wrap. */
static bool passed(uint16_t event, uint16_t now, uint16_t old)
{
	return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

bool vq_should_signal(struct virtqueue *vq)
{
	uint16_t old = vq->signalled;
	bool valid = vq->signalled_valid;
	uint16_t word;

	if (!usable(vq) || (valid && old == vq->next_used))
		return false;
	vq->signalled = vq->next_used;
	vq->signalled_valid = true;

	/* The used index is stored; only then may the driver's wish be read, or both sleep. */
	full_barrier();
	if (!vq->event_idx)
		return load_ring16(vq, gpa_add(vq->avail, AVAIL_FLAGS), &word) &&
		       !(word & AVAIL_F_NO_INTERRUPT);
	if (!load_ring16(vq, used_event(vq), &word))
		return false;
	return !valid || passed(word, vq->next_used, old);
}

void vq_disable_kick(struct virtqueue *vq)
{
	/* With the event index nothing need be done: the event stays behind (2.7.10). */
	if (usable(vq) && !vq->event_idx)
		store_ring16(vq, gpa_add(vq->used, USED_FLAGS), USED_F_NO_NOTIFY);
}

bool vq_enable_kick(struct virtqueue *vq)
{
	uint16_t idx;

	if (!usable(vq) || vq->paused)
		return false;
	if (vq->event_idx) {
		if (!store_ring16(vq, avail_event(vq), vq->next_avail))
			return false;
	} else if (!store_ring16(vq, gpa_add(vq->used, USED_FLAGS), 0)) {
		return false;
	}
	/* The driver looks at our wish after it moved its index: look at that after the wish. */
	full_barrier();
	return load_ring16(vq, gpa_add(vq->avail, AVAIL_IDX), &idx) && idx != vq->next_avail;
}

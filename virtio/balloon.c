/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory balloon (virtio 1.3, section 5.5): the guest hands pages over and asks for them again, tells
 * of its memory, and reports pages that are free; what it hands over or reports goes back to the host.
 *
 * No page is kept book of: one that the guest takes back, or touches although it gave it away, is a page
 * of zeroes and counts as the guest's again, so it can never have more than its RAM. A list of pages
 * may be as long as guest memory and a report may name all of it: both are served in pieces, with
 * turns of the loop between them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/checked.h"
#include "base/diag.h"
#include "base/le.h"
#include "virtio/devices.h"
#include "virtio/take.h"

/* Features (5.5.3). FREE_PAGE_HINT is for migration, which there is none of. */
#define BALLOON_F_STATS_VQ	 (UINT64_C(1) << 1)
#define BALLOON_F_DEFLATE_ON_OOM (UINT64_C(1) << 2)
#define BALLOON_F_PAGE_POISON	 (UINT64_C(1) << 4)
#define BALLOON_F_PAGE_REPORTING (UINT64_C(1) << 5)

/* Config space (5.5.4): what the device wants, what the driver did. */
enum {
	CONFIG_NUM_PAGES = 0, /* le32 */
	CONFIG_ACTUAL = 4,    /* le32, the driver's */
	CONFIG_CMD_ID = 8,    /* le32, of FREE_PAGE_HINT */
	CONFIG_POISON = 12,   /* le32, the driver's */
	CONFIG_SIZE = 16,
};

enum {
	QUEUE_SIZE = 128,
	QUEUES = 5,
	PAGE_BITS = 12, /* of a page frame number, whatever pages the host has */
	STAT_SIZE = 10, /* le16 tag, le64 value, packed (5.5.6.3) */
	STATS_MAX = 64, /* entries looked at in one buffer */
	PIECE_PFNS = 256,
	BATCH_PFNS = 1024, /* then other sources of the loop get a turn */
	BATCH_CHAINS = 64,
	PIECE_BYTES = 64 << 20,	 /* of reported memory in one call of the host */
	BATCH_BYTES = 256 << 20, /* of it in one turn */
	SEGMENTS = 4,		 /* of RAM that one run of pages can lie in */
};

enum role {
	ROLE_INFLATE,
	ROLE_DEFLATE,
	ROLE_STATS,
	ROLE_REPORT,
	ROLE_NONE,
};

/* Consecutive pages. */
struct run {
	uint64_t first;
	uint64_t count;
};

/* A report under way. */
struct report {
	struct vq_chain chain;
	bool serving;
	unsigned segment;
	size_t done; /* bytes of that segment */
};

struct balloon {
	struct virtio_dev *dev;
	uint8_t config[CONFIG_SIZE];
	bool said; /* that the host takes nothing back */

	/* The chain under way in each queue that is served in pieces, and how far. */
	struct vq_chain inflate;
	bool inflating;
	uint64_t inflate_done;	  /* bytes of it */
	struct report reports[2]; /* of queue 4, and of the other number that it may have (role_of) */

	/* The driver's buffer of statistics stays with us until new ones are wanted (5.5.6.3). */
	struct vq_chain scratch;
	bool holds_stats;
	uint16_t stats_head;
	uint64_t stats_ns; /* when they came, CLOCK_MONOTONIC; 0: never */

	struct virtio_balloon_info info;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/*
 * What queue @index is for. The standard numbers reporting 4 whatever else there is; Linux counts only
 * the queues whose features were negotiated. Both find it here.
 */
static enum role role_of(const struct virtio_dev *dev, unsigned index)
{
	bool stats = (dev->driver_features & BALLOON_F_STATS_VQ) != 0;
	bool report = (dev->driver_features & BALLOON_F_PAGE_REPORTING) != 0;

	if (index < 2)
		return index == 0 ? ROLE_INFLATE : ROLE_DEFLATE;
	if (index == 2 && stats)
		return ROLE_STATS;
	if (report && (index == 4 || index == (stats ? 3U : 2U)))
		return ROLE_REPORT;
	return ROLE_NONE;
}

/* Pages to the host. */

static void give_segment(struct balloon *b, const struct iovec *segment, uint64_t *sum)
{
	uint64_t given;
	int r = mem_discard(b->dev->mem, segment, &given);

	if (r < 0 && !b->said) {
		diag_warn("balloon: the host does not take memory back: %s", strerror(-r));
		b->said = true;
	}
	*sum += given;
}

/* False if a page of @run is not RAM. */
static bool give_run(struct balloon *b, const struct run *run)
{
	struct iovec segments[SEGMENTS];
	int n = mem_segments(b->dev->mem, gpa(run->first << PAGE_BITS), run->count << PAGE_BITS,
			     MEM_WRITE, segments, SEGMENTS);

	for (int i = 0; i < n; i++)
		give_segment(b, &segments[i], &b->info.inflated);
	return n >= 0;
}

/* Whether @pfn is the next page of @run at either end, which it then has. */
static bool joins(struct run *run, uint64_t pfn)
{
	if (run->count && pfn == run->first + run->count) {
		run->count++;
		return true;
	}
	if (run->count && pfn + 1 == run->first) {
		run->first = pfn;
		run->count++;
		return true;
	}
	return false;
}

/* The pages of a piece of a list, in as few calls as they have runs. */
static bool give_pages(struct balloon *b, const uint8_t *list, size_t count)
{
	struct run run = { 0, 0 };
	bool fine = true;

	for (size_t i = 0; fine && i < count; i++) {
		uint64_t pfn = le32_load(list + i * 4);

		if (joins(&run, pfn))
			continue;
		fine = !run.count || give_run(b, &run);
		run = (struct run){ pfn, 1 };
	}
	return fine && (!run.count || give_run(b, &run));
}

/* Pages looked at in the next piece of the list under way: 0 at its end. */
static size_t inflate_piece(struct balloon *b)
{
	uint8_t list[PIECE_PFNS * 4];
	size_t count = vq_chain_read(&b->inflate, b->inflate_done, list, sizeof(list)) / 4;

	b->inflate_done += count * 4;
	if (!give_pages(b, list, count)) {
		virtio_dev_broken(b->dev, "a page that is not RAM is put into the balloon");
		return 0;
	}
	return count;
}

static void serve_inflate(struct balloon *b)
{
	struct virtio_dev *dev = b->dev;
	unsigned chains = 0;
	size_t pages = 0;

	while (b->inflating || virtio_take(dev, 0, &b->inflate)) {
		size_t n;

		if (!b->inflating)
			b->inflate_done = 0;
		b->inflating = true;
		n = inflate_piece(b);
		pages += n;
		if (n == 0) {
			b->inflating = false;
			vq_push(&dev->queues[0], b->inflate.head, 0);
			chains++;
		}
		if (pages >= BATCH_PFNS || chains == BATCH_CHAINS) {
			virtio_kick(dev, 0);
			break;
		}
	}
	virtio_signal(dev, 0);
}

/* The guest takes pages back: they are there as soon as it touches them. */
static void serve_deflate(struct balloon *b)
{
	unsigned chains = 0;

	while (virtio_take(b->dev, 1, &b->scratch)) {
		vq_push(&b->dev->queues[1], b->scratch.head, 0);
		if (++chains == BATCH_CHAINS) {
			virtio_kick(b->dev, 1);
			break;
		}
	}
	virtio_signal(b->dev, 1);
}

/* Free pages. */

/*
 * A page that is given back becomes zeroes, and the driver may rely on what it said is in free pages
 * (5.5.6.8.2): such pages stay as they are.
 */
static bool may_zero(const struct balloon *b)
{
	return !(b->dev->driver_features & BALLOON_F_PAGE_POISON) ||
	       le32_load(b->config + CONFIG_POISON) == 0;
}

/* Bytes of the next piece of the report under way: 0 at its end. */
static size_t report_piece(struct balloon *b, struct report *report)
{
	const struct vq_chain *chain = &report->chain;
	struct iovec piece;

	if (report->segment == chain->in_segs || !may_zero(b))
		return 0;
	piece = chain->iov[chain->out_segs + report->segment];
	piece.iov_base = (uint8_t *)piece.iov_base + report->done;
	piece.iov_len -= report->done;
	if (piece.iov_len > PIECE_BYTES) {
		uint64_t cut = (uint64_t)(uintptr_t)piece.iov_base + PIECE_BYTES;

		piece.iov_len = PIECE_BYTES - (size_t)(cut % mem_page(b->dev->mem));
		report->done += piece.iov_len;
	} else {
		report->segment++;
		report->done = 0;
	}
	give_segment(b, &piece, &b->info.reported);
	return piece.iov_len;
}

static void serve_report(struct balloon *b, unsigned index)
{
	struct report *report = &b->reports[index != 4];
	struct virtio_dev *dev = b->dev;
	unsigned chains = 0;
	size_t bytes = 0;

	while (report->serving || virtio_take(dev, index, &report->chain)) {
		size_t n;

		if (!report->serving) {
			report->segment = 0;
			report->done = 0;
		}
		report->serving = true;
		n = report_piece(b, report);
		bytes += n;
		if (n == 0) {
			report->serving = false;
			vq_push(&dev->queues[index], report->chain.head, 0);
			chains++;
		}
		if (bytes >= BATCH_BYTES || chains == BATCH_CHAINS) {
			virtio_kick(dev, index);
			break;
		}
	}
	virtio_signal(dev, index);
}

/* Statistics. */

static void read_stats(struct balloon *b)
{
	uint8_t entry[STAT_SIZE];

	b->info.stats_known = 0;
	for (unsigned i = 0; i < STATS_MAX; i++) {
		uint16_t tag;

		if (vq_chain_read(&b->scratch, (uint64_t)i * STAT_SIZE, entry, STAT_SIZE) <
		    STAT_SIZE)
			break;
		tag = le16_load(entry);
		if (tag >= VIRTIO_BALLOON_STATS)
			continue; /* of a newer driver */
		b->info.stats[tag] = le64_load(entry + 2);
		b->info.stats_known |= UINT32_C(1) << tag;
	}
	b->stats_ns = now_ns();
}

static void return_stats(struct balloon *b)
{
	if (!b->holds_stats)
		return;
	b->holds_stats = false;
	vq_push(&b->dev->queues[2], b->stats_head, 0);
}

static void serve_stats(struct balloon *b)
{
	unsigned chains = 0;

	while (virtio_take(b->dev, 2, &b->scratch)) {
		return_stats(b); /* one at a time is what a driver has */
		read_stats(b);
		b->holds_stats = true;
		b->stats_head = b->scratch.head;
		if (++chains == BATCH_CHAINS) {
			virtio_kick(b->dev, 2);
			break;
		}
	}
	virtio_signal(b->dev, 2);
}

void virtio_balloon_look(struct virtio_dev *dev, struct virtio_balloon_info *info)
{
	struct balloon *b = dev->priv;

	*info = b->info;
	info->target = (uint64_t)le32_load(b->config + CONFIG_NUM_PAGES) << PAGE_BITS;
	info->actual = u64_min((uint64_t)le32_load(b->config + CONFIG_ACTUAL) << PAGE_BITS,
			       mem_ram_size(dev->mem));
	info->driver = (virtio_status(dev) & VIRTIO_S_DRIVER_OK) != 0;
	info->stats_age_ns = b->stats_ns ? now_ns() - b->stats_ns : 0;
	if (!b->holds_stats)
		return;
	return_stats(b);
	virtio_signal(dev, 2);
}

int virtio_balloon_set(struct virtio_dev *dev, uint64_t bytes)
{
	struct balloon *b = dev->priv;

	if (bytes > mem_ram_size(dev->mem))
		return -ERANGE;
	le32_store(b->config + CONFIG_NUM_PAGES, (uint32_t)u64_min(bytes >> PAGE_BITS, UINT32_MAX));
	virtio_config_changed(dev);
	return 0;
}

/* The device. */

static void balloon_kick(struct virtio_dev *dev, unsigned index)
{
	struct balloon *b = dev->priv;

	switch (role_of(dev, index)) {
	case ROLE_INFLATE:
		serve_inflate(b);
		break;
	case ROLE_DEFLATE:
		serve_deflate(b);
		break;
	case ROLE_STATS:
		serve_stats(b);
		break;
	case ROLE_REPORT:
		serve_report(b, index);
		break;
	case ROLE_NONE:
		break;
	}
}

static void balloon_config_read(struct virtio_dev *dev, size_t offset, void *data, size_t len)
{
	const struct balloon *b = dev->priv;

	memcpy(data, b->config + offset, len);
}

static void balloon_config_write(struct virtio_dev *dev, size_t offset, const void *data,
				 size_t len)
{
	struct balloon *b = dev->priv;

	for (size_t i = 0; i < len; i++) {
		size_t field = (offset + i) & ~(size_t)3;

		if (field == CONFIG_ACTUAL || field == CONFIG_POISON)
			b->config[offset + i] = ((const uint8_t *)data)[i];
	}
}

/* What a driver said is forgotten with it; what it is wanted to do stays. */
static void balloon_reset(struct virtio_dev *dev)
{
	struct balloon *b = dev->priv;

	b->inflating = false;
	b->reports[0].serving = b->reports[1].serving = false;
	b->holds_stats = false;
	b->stats_ns = 0;
	b->info.stats_known = 0;
	le32_store(b->config + CONFIG_ACTUAL, 0);
	le32_store(b->config + CONFIG_POISON, 0);
}

static void balloon_destroy(struct virtio_dev *dev)
{
	free(dev->priv);
}

static const struct virtio_type balloon_type = {
	.name = "balloon",
	.id = 5,
	.config_read = balloon_config_read,
	.config_write = balloon_config_write,
	.queue_kick = balloon_kick,
	.reset = balloon_reset,
	.destroy = balloon_destroy,
};

int virtio_balloon_create(struct guest_mem *mem, struct loop *loop, struct virtio_dev **out)
{
	const uint64_t features = BALLOON_F_STATS_VQ | BALLOON_F_DEFLATE_ON_OOM |
				  BALLOON_F_PAGE_POISON | BALLOON_F_PAGE_REPORTING;
	struct virtio_dev *dev = calloc(1, sizeof(*dev));
	struct balloon *b = calloc(1, sizeof(*b));
	int err = -ENOMEM;

	if (dev && b)
		err = virtio_dev_init(dev, &balloon_type, "balloon", mem, loop, QUEUES, QUEUE_SIZE,
				      features, CONFIG_SIZE);
	if (err < 0) {
		free(b);
		free(dev);
		return err;
	}
	b->dev = dev;
	dev->priv = b;
	*out = dev;
	return 0;
}

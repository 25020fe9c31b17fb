/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verified disks: every block that is read is checked against a dm-verity tree before a byte of it
 * reaches the guest.
 *
 * Blocks are read into a buffer of our own, hashed there and copied from there: the guest can change
 * its own memory while we look, and the file's owner the file, so neither is hashed in place. Hash
 * blocks that were found to be right are kept in a cache of fixed size.
 */
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/checked.h"
#include "base/diag.h"
#include "base/lock.h"
#include "virtio/disk.h"
#include "virtio/verity.h"

enum {
	CHUNK = 128 * 1024,    /* bytes of data read and checked at a time */
	AT_ONCE = 16 * 1024,   /* the longest read without waiting: the loop hashes it */
	CACHE_BYTES = 1 << 20, /* of hash blocks found right */
	BUFFERS = 4,	       /* reads at work at once; more wait */
	WAYS = 4,	       /* places in the cache that a hash block can lie in */
	SLOTS_MAX = CACHE_BYTES / VERITY_BLOCK_MIN,
};

/* What one read works with; given back for the next. */
struct buffer {
	struct buffer *next;
	_Alignas(4096) uint8_t data[CHUNK + VERITY_BLOCK_MAX];
	uint8_t hash[VERITY_BLOCK_MAX];
};

struct memory {
	struct buffer buffers[BUFFERS];
	uint8_t cache[CACHE_BYTES]; /* hash_block bytes for each slot; of who holds the lock */
};

struct slot {
	uint64_t block; /* of the tree's file; 0, where the superblock is: empty */
	uint64_t used;	/* the cache's clock when it last was */
};

struct verity_disk {
	struct disk disk;
	struct disk *data;
	struct disk *hashes;
	struct verity_tree tree;
	uint8_t root[VERITY_DIGEST_MAX];
	size_t sets; /* of WAYS slots each, a power of two */

	struct memory *memory; /* NULL: not yet; pages never used are never touched */

	struct lock lock RANKED(disk);
	struct cond given_back; /* a buffer was */
	struct buffer *spare GUARDED_BY(&lock);
	uint64_t clock GUARDED_BY(&lock);
	struct slot slots[SLOTS_MAX] GUARDED_BY(&lock);
};

static struct verity_disk *verity_of(struct disk *disk)
{
	return (struct verity_disk *)disk;
}

/* Waits for one, unless @flags say not to; then NULL if all are in use. */
static struct buffer *get_buffer(struct verity_disk *v, unsigned flags)
{
	struct buffer *buf;

	lock_take(&v->lock);
	while (!v->spare && !(flags & DISK_NOWAIT))
		lock_wait(&v->lock, &v->given_back);
	buf = v->spare;
	if (buf)
		v->spare = buf->next;
	lock_drop(&v->lock);
	return buf;
}

static void put_buffer(struct verity_disk *v, struct buffer *buf)
{
	lock_take(&v->lock);
	buf->next = v->spare;
	v->spare = buf;
	cond_signal(&v->given_back);
	lock_drop(&v->lock);
}

static size_t first_slot(const struct verity_disk *v, uint64_t block)
{
	return (size_t)(block & (v->sets - 1)) * WAYS;
}

/* The digest with number @index of hash block @block, if that is in the cache. */
static bool cached(struct verity_disk *v, uint64_t block, size_t index, uint8_t *digest)
{
	size_t slot = first_slot(v, block);
	size_t end = slot + WAYS;

	lock_take(&v->lock);
	while (slot < end && v->slots[slot].block != block)
		slot++;
	if (slot < end) {
		v->slots[slot].used = ++v->clock;
		memcpy(digest,
		       v->memory->cache + slot * v->tree.hash_block + index * v->tree.digest_len,
		       v->tree.digest_len);
	}
	lock_drop(&v->lock);
	return slot < end;
}

/* Keeps a hash block that was found right, in place of the one in its set that is used least. */
static void keep(struct verity_disk *v, uint64_t block, const uint8_t *bytes)
{
	size_t slot = first_slot(v, block);
	size_t end = slot + WAYS;
	size_t oldest = slot;

	lock_take(&v->lock);
	for (; slot < end; slot++) {
		if (v->slots[slot].used < v->slots[oldest].used)
			oldest = slot;
	}
	v->slots[oldest] = (struct slot){ .block = block, .used = ++v->clock };
	memcpy(v->memory->cache + oldest * v->tree.hash_block, bytes, v->tree.hash_block);
	lock_drop(&v->lock);
}

static int read_one(struct disk *disk, void *to, size_t len, uint64_t off, unsigned flags)
{
	struct iovec one = { .iov_base = to, .iov_len = len };

	return disk->ops->read(disk, &one, 1, off, flags);
}

/* Whether the @len bytes at @data have @digest. */
static bool fits(const struct verity_disk *v, const uint8_t *data, size_t len,
		 const uint8_t *digest)
{
	uint8_t found[VERITY_DIGEST_MAX];

	verity_digest(&v->tree, data, len, found);
	return memcmp(found, digest, v->tree.digest_len) == 0;
}

/* The hash block @block into buf->hash, if it is what @digest says; then it is also kept. */
static int read_hash_block(struct verity_disk *v, struct buffer *buf, uint64_t block,
			   const uint8_t *digest, unsigned flags)
{
	uint32_t size = v->tree.hash_block;
	int err = read_one(v->hashes, buf->hash, size, block * size, flags);

	if (err < 0)
		return err;
	if (!fits(v, buf->hash, size, digest))
		return -EUCLEAN;
	keep(v, block, buf->hash);
	return 0;
}

/*
 * What the digest of data block @block must be: from the lowest hash block on its path that is cached,
 * or else from the root, down.
 */
static int digest_of(struct verity_disk *v, struct buffer *buf, uint64_t block, unsigned flags,
		     uint8_t *digest)
{
	const struct verity_tree *t = &v->tree;
	size_t mask = ((size_t)1 << t->fan_bits) - 1;
	unsigned level = 0;

	for (; level < t->levels; level++) {
		uint64_t item = block >> (t->fan_bits * level);

		if (cached(v, t->level[level] + (item >> t->fan_bits), item & mask, digest))
			break;
	}
	if (level == t->levels)
		memcpy(digest, v->root, t->digest_len);
	while (level-- > 0) {
		uint64_t item = block >> (t->fan_bits * level);
		int err = read_hash_block(v, buf, t->level[level] + (item >> t->fan_bits), digest,
					  flags);

		if (err < 0)
			return err;
		memcpy(digest, buf->hash + (item & mask) * t->digest_len, t->digest_len);
	}
	return 0;
}

/* Reads the @count data blocks from @first on into buf->data, and checks each. */
static int read_blocks(struct verity_disk *v, struct buffer *buf, uint64_t first, size_t count,
		       unsigned flags)
{
	uint32_t size = v->tree.data_block;
	uint8_t digest[VERITY_DIGEST_MAX];
	int err = read_one(v->data, buf->data, count * size, first * size, flags);

	for (size_t i = 0; i < count && err == 0; i++) {
		err = digest_of(v, buf, first + i, flags, digest);
		if (err == 0 && !fits(v, buf->data + i * size, size, digest))
			err = -EBADMSG;
	}
	return err;
}

static void copy_out(const struct iovec *iov, const uint8_t *from, size_t len)
{
	for (; len > 0; iov++) {
		size_t step = size_min(len, iov->iov_len);

		if (step > 0)
			memcpy(iov->iov_base, from, step);
		from += step;
		len -= step;
	}
}

/* With DISK_NOWAIT there is one round, and the segments are touched when nothing can go wrong. */
static int read_checked(struct verity_disk *v, struct buffer *buf, struct iovec *iov, unsigned n,
			uint64_t off, unsigned flags)
{
	uint32_t size = v->tree.data_block;
	uint64_t left = disk_iov_len(iov, n);
	int err = 0;

	while (left > 0 && err == 0) {
		size_t skip = (size_t)(off & (size - 1));
		size_t step = (size_t)u64_min(left, CHUNK);
		size_t count = (skip + step + size - 1) / size;

		err = read_blocks(v, buf, off / size, count, flags);
		if (err < 0)
			break;
		copy_out(iov, buf->data + skip, step);
		n = disk_iov_skip(&iov, n, step);
		off += step;
		left -= step;
	}
	return err;
}

static int verity_read(struct disk *disk, struct iovec *iov, unsigned n, uint64_t off,
		       unsigned flags)
{
	struct verity_disk *v = verity_of(disk);
	struct buffer *buf;
	int err;

	if ((flags & DISK_NOWAIT) && disk_iov_len(iov, n) > AT_ONCE)
		return -EAGAIN;
	buf = get_buffer(v, flags);
	if (!buf)
		return -EAGAIN;
	err = read_checked(v, buf, iov, n, off, flags);
	put_buffer(v, buf);
	return err;
}

static void verity_close(struct disk *disk)
{
	struct verity_disk *v = verity_of(disk);

	disk_close(v->data);
	disk_close(v->hashes);
	if (v->memory)
		(void)munmap(v->memory, sizeof(*v->memory));
	cond_destroy(&v->given_back);
	lock_destroy(&v->lock);
	free(v);
}

/* Read-only: no other function is ever called. */
static const struct disk_ops verity_ops = {
	.read = verity_read,
	.close = verity_close,
};

static int no_memory(const char *name)
{
	diag_error("disk %s: no memory", name);
	return -ENOMEM;
}

static int read_failed(const char *name, int err)
{
	diag_error("disk %s: reading its verity tree failed: %s", name, strerror(-err));
	return err;
}

static int read_superblock(struct verity_disk *v, const uint8_t *given)
{
	uint8_t superblock[VERITY_SUPERBLOCK];
	int err = 0;

	if (given)
		memcpy(superblock, given, sizeof(superblock));
	else
		err = read_one(v->hashes, superblock, sizeof(superblock), 0, 0);
	if (err < 0)
		return read_failed(v->disk.name, err);
	return verity_parse(v->disk.name, superblock, &v->tree);
}

/* The files are as long as the superblock says. */
static int judge_sizes(struct verity_disk *v)
{
	v->disk.size = v->tree.data_blocks * v->tree.data_block;
	v->disk.block_size = v->tree.data_block;
	v->disk.unit = 512;
	if (v->disk.size > v->data->size) {
		diag_error("disk %s: its verity tree is for %" PRIu64 " bytes, and the file has "
			   "%" PRIu64,
			   v->disk.name, v->disk.size, v->data->size);
		return -EINVAL;
	}
	if (v->tree.file_size > v->hashes->size) {
		diag_error("disk %s: the verity tree %s is cut short: %" PRIu64
			   " bytes are needed, and it has %" PRIu64,
			   v->disk.name, v->hashes->name, v->tree.file_size, v->hashes->size);
		return -EINVAL;
	}
	return 0;
}

/* All that will ever be needed: threads of disks get no memory behind the door. */
static int get_memory(struct verity_disk *v)
{
	void *map = mmap(NULL, sizeof(*v->memory), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		return no_memory(v->disk.name);
	v->memory = map;
	v->sets = CACHE_BYTES / v->tree.hash_block / WAYS;
	for (size_t i = 0; i < BUFFERS; i++)
		put_buffer(v, &v->memory->buffers[i]);
	return 0;
}

/* The block at the top, or the only data block, has the root hash: else nothing could be read. */
static int judge_root(struct verity_disk *v)
{
	const struct verity_tree *t = &v->tree;
	struct buffer *buf = get_buffer(v, 0);
	int err;

	if (t->levels)
		err = read_hash_block(v, buf, t->level[t->levels - 1], v->root, 0);
	else
		err = read_blocks(v, buf, 0, 1, 0);
	put_buffer(v, buf);
	if (err == -EUCLEAN || err == -EBADMSG) {
		diag_error("disk %s: the root hash is not that of the verity tree %s", v->disk.name,
			   v->hashes->name);
		return -EKEYREJECTED;
	}
	return err < 0 ? read_failed(v->disk.name, err) : 0;
}

static int set_up(struct verity_disk *v, const struct disk_verity *config)
{
	int err = read_superblock(v, config->superblock);

	if (err < 0)
		return err;
	if (config->root_len != v->tree.digest_len) {
		diag_error("disk %s: the root hash has %zu digits, and this verity tree's hash "
			   "%zu",
			   v->disk.name, 2 * config->root_len, 2 * v->tree.digest_len);
		return -EINVAL;
	}
	memcpy(v->root, config->root, config->root_len);
	err = judge_sizes(v);
	if (err == 0)
		err = get_memory(v);
	return err ? err : judge_root(v);
}

int disk_open_verity(const struct disk_verity *config, struct disk **out)
{
	struct verity_disk *v = calloc(1, sizeof(*v));
	int err;

	if (!v) {
		err = no_memory(config->data->name);
		disk_close(config->data);
		disk_close(config->hashes);
		return err;
	}
	v->disk.ops = &verity_ops;
	v->disk.name = config->data->name;
	v->disk.readonly = true;
	v->disk.fd = -1;
	v->data = config->data;
	v->hashes = config->hashes;
	lock_init(&v->lock, LOCK_RANK_DISK, "verified blocks");
	cond_init(&v->given_back);
	err = sodium_init() < 0 ? -EIO : set_up(v, config);
	if (err < 0) {
		verity_close(&v->disk);
		return err;
	}
	*out = &v->disk;
	return 0;
}

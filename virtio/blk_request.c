/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Judges one virtio-blk request and carries it out (virtio 1.3, section 5.2.6).
 *
 * The framing follows no descriptor boundaries (2.7.4): the readable bytes of a chain are a header
 * of 16 bytes and then data, the writable ones are data and then one status byte, wherever the
 * driver cut them. The header and the ranges of a discard are copied once and only the copies are
 * judged.
 */
#include "virtio/blk_request.h"

#include <errno.h>

#include "base/checked.h"
#include "base/le.h"

enum {
	RANGE_UNMAP = 1,
	STEP_BYTES = 16 << 20, /* of a transfer between two looks at whether it is still wanted */
};

/* The last writable byte of a chain; there is one. */
static uint8_t *last_byte(const struct vq_chain *chain)
{
	const struct iovec *v = &chain->iov[chain->out_segs + chain->in_segs - 1];

	while (v->iov_len == 0)
		v--;
	return (uint8_t *)v->iov_base + v->iov_len - 1;
}

static enum blk_verdict answer(struct blk_request *req, uint8_t status)
{
	req->status = status;
	return BLK_ANSWERED;
}

/* Sectors to bytes of the disk; false if that is not inside it. */
static bool to_bytes(const struct blk_rules *rules, uint64_t sector, uint64_t len, uint64_t *offset)
{
	return u64_mul(sector, BLK_SECTOR, offset) && range_fits(*offset, len, rules->disk->size);
}

static enum blk_verdict parse_transfer(const struct vq_chain *chain, struct blk_request *req,
				       uint64_t sector, uint64_t data_out, uint64_t data_in)
{
	bool write = req->type == BLK_T_OUT;
	uint64_t wrong = write ? data_in : data_out;

	req->len = write ? data_out : data_in;
	if (wrong > 0 || req->len % BLK_SECTOR != 0 ||
	    !to_bytes(req->rules, sector, req->len, &req->offset))
		return answer(req, BLK_S_IOERR);
	if (write && req->rules->disk->readonly)
		return answer(req, BLK_S_IOERR);
	if (req->len == 0)
		return answer(req, BLK_S_OK);
	if (write)
		req->segs = disk_iov_slice(chain->iov, chain->out_segs, BLK_HEADER_SIZE, req->len,
					   req->iov);
	else
		req->segs = disk_iov_slice(chain->iov + chain->out_segs, chain->in_segs, 0,
					   req->len, req->iov);
	return BLK_RUN;
}

/* One range of a discard or write zeroes from its copied bytes: a status. */
static uint8_t parse_range(const struct blk_request *req, const uint8_t *raw,
			   struct blk_range *range)
{
	uint64_t sector = le64_load(raw);
	uint32_t sectors = le32_load(raw + 8);
	uint32_t flags = le32_load(raw + 12);
	bool zeroes = req->type == BLK_T_WRITE_ZEROES;

	if (flags & ~(zeroes ? (uint32_t)RANGE_UNMAP : 0))
		return BLK_S_UNSUPP;
	if (sectors > (zeroes ? BLK_ZEROES_SECTORS : BLK_DISCARD_SECTORS))
		return BLK_S_IOERR;
	range->len = (uint64_t)sectors * BLK_SECTOR;
	range->unmap = (flags & RANGE_UNMAP) != 0;
	return to_bytes(req->rules, sector, range->len, &range->offset) ? BLK_S_OK : BLK_S_IOERR;
}

static enum blk_verdict parse_ranges(const struct vq_chain *chain, struct blk_request *req,
				     uint64_t data_out)
{
	bool zeroes = req->type == BLK_T_WRITE_ZEROES;
	uint8_t raw[BLK_DISCARD_RANGES * BLK_RANGE_SIZE];

	if (!(zeroes ? req->rules->write_zeroes : req->rules->discard))
		return answer(req, BLK_S_UNSUPP);
	if (req->rules->disk->readonly)
		return answer(req, BLK_S_IOERR);
	if (data_out == 0 || data_out % BLK_RANGE_SIZE != 0 ||
	    data_out / BLK_RANGE_SIZE > (zeroes ? BLK_ZEROES_RANGES : BLK_DISCARD_RANGES))
		return answer(req, BLK_S_IOERR);
	if (vq_chain_read(chain, BLK_HEADER_SIZE, raw, (size_t)data_out) != data_out)
		return answer(req, BLK_S_IOERR);
	req->segs = (unsigned)(data_out / BLK_RANGE_SIZE);
	for (unsigned i = 0; i < req->segs; i++) {
		uint8_t status = parse_range(req, raw + (size_t)i * BLK_RANGE_SIZE, &req->range[i]);

		if (status != BLK_S_OK)
			return answer(req, status);
	}
	return BLK_RUN;
}

/* Up to 20 bytes of identity; a longer buffer keeps its rest. */
static enum blk_verdict give_id(const struct vq_chain *chain, struct blk_request *req,
				uint64_t data_in)
{
	size_t len = (size_t)u64_min(data_in, BLK_ID_SIZE);

	(void)vq_chain_write(chain, 0, req->rules->id, len);
	req->used_ok = (uint32_t)(len == data_in ? len + 1 : len);
	return answer(req, BLK_S_OK);
}

enum blk_verdict blk_request_parse(const struct blk_rules *rules, const struct vq_chain *chain,
				   struct blk_request *req)
{
	uint8_t header[BLK_HEADER_SIZE];
	uint64_t data_out, data_in;

	if (chain->in_len == 0)
		return BLK_BROKEN;
	data_in = chain->in_len - 1;
	req->rules = rules;
	req->head = chain->head;
	req->status_byte = last_byte(chain);
	req->error = 0;
	req->len = 0;
	/*
	 * The used length counts from the first writable byte on (2.7.8.2): no gap before the
	 * status.
	 */
	req->used_ok = (uint32_t)u64_min(chain->in_len, UINT32_MAX);
	req->used_bad = data_in == 0 ? 1 : 0;
	if (vq_chain_read(chain, 0, header, sizeof(header)) != sizeof(header))
		return answer(req, BLK_S_IOERR);
	data_out = chain->out_len - BLK_HEADER_SIZE;
	req->type = le32_load(header);
	switch (req->type) {
	case BLK_T_IN:
	case BLK_T_OUT:
		return parse_transfer(chain, req, le64_load(header + 8), data_out, data_in);
	case BLK_T_FLUSH:
		req->used_ok = req->used_bad;
		return BLK_RUN;
	case BLK_T_GET_ID:
		return give_id(chain, req, data_in);
	case BLK_T_DISCARD:
	case BLK_T_WRITE_ZEROES:
		req->used_ok = req->used_bad;
		return parse_ranges(chain, req, data_out);
	default:
		return answer(req, BLK_S_UNSUPP);
	}
}

/* The disk's answer as the guest's. */
static void finish(struct blk_request *req, int error)
{
	req->error = error;
	if (error == 0)
		req->status = BLK_S_OK;
	else
		req->status = error == -EOPNOTSUPP ? BLK_S_UNSUPP : BLK_S_IOERR;
}

static int transfer(const struct blk_request *req, struct iovec *iov, unsigned segs,
		    uint64_t offset, unsigned flags)
{
	struct disk *disk = req->rules->disk;

	if (req->type == BLK_T_IN)
		return disk->ops->read(disk, iov, segs, offset, flags);
	if (req->rules->write_through)
		flags |= DISK_DURABLE;
	return disk->ops->write(disk, iov, segs, offset, flags);
}

/* A long one in steps: a driver may ask for 4 GiB at once, and who resets it does not wait for all of them. */
static int transfer_all(struct blk_request *req)
{
	int err = 0;

	if (req->len <= STEP_BYTES)
		return transfer(req, req->iov, req->segs, req->offset, 0);
	for (uint64_t at = 0; at < req->len && err == 0; at += STEP_BYTES) {
		struct iovec part[VQ_MAX_SEGS];
		unsigned segs = disk_iov_slice(req->iov, req->segs, at,
					       u64_min(req->len - at, STEP_BYTES), part);

		err = atomic_load(req->rules->stop)
			      ? -ECANCELED
			      : transfer(req, part, segs, req->offset + at, 0);
	}
	return err;
}

/* Whether a flush has something to wait for. */
static bool must_flush(const struct disk *disk)
{
	return !disk->readonly && disk->ops->flush;
}

static int run_ranges(struct blk_request *req)
{
	struct disk *disk = req->rules->disk;
	int err = 0;

	for (unsigned i = 0; i < req->segs && err == 0; i++) {
		const struct blk_range *r = &req->range[i];

		if (req->type == BLK_T_DISCARD)
			err = disk->ops->discard(disk, r->offset, r->len);
		else
			err = disk->ops->write_zeroes(disk, r->offset, r->len, r->unmap);
	}
	if (err == 0 && req->rules->write_through && must_flush(disk))
		err = disk->ops->flush(disk);
	return err;
}

bool blk_request_try(struct blk_request *req)
{
	int err;

	if (req->type == BLK_T_FLUSH && !must_flush(req->rules->disk)) {
		finish(req, 0);
		return true;
	}
	if (req->type != BLK_T_IN && req->type != BLK_T_OUT)
		return false;
	err = transfer(req, req->iov, req->segs, req->offset, DISK_NOWAIT);
	if (err == -EAGAIN)
		return false;
	finish(req, err);
	return true;
}

void blk_request_run(struct blk_request *req)
{
	struct disk *disk = req->rules->disk;

	if (req->type == BLK_T_IN || req->type == BLK_T_OUT)
		finish(req, transfer_all(req));
	else if (req->type == BLK_T_FLUSH)
		finish(req, must_flush(disk) ? disk->ops->flush(disk) : 0);
	else
		finish(req, run_ranges(req));
}

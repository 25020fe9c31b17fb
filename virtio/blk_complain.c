/* SPDX-License-Identifier: BSD-2-Clause */
/* Tells the user that a disk failed, now and then. */
#include "virtio/blk_complain.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/diag.h"

enum { COMPLAIN_SECONDS = 10 /* between two lines on failed requests */ };

static const char *type_name(uint32_t type)
{
	switch (type) {
	case BLK_T_IN:
		return "reading";
	case BLK_T_OUT:
		return "writing";
	case BLK_T_FLUSH:
		return "flushing";
	case BLK_T_DISCARD:
		return "discarding";
	default:
		return "writing zeroes";
	}
}

static const char *error_words(int error)
{
	switch (error) {
	case -ENODATA:
		return "the file ends there; it was cut while in use";
	case -EBADMSG:
		return "the data was changed: it does not have its verity hash";
	case -EUCLEAN:
		return "the verity tree was changed there";
	default:
		return strerror(-error);
	}
}

void blk_complain(struct blk_complaints *complaints, const struct blk_request *req)
{
	const char *name = req->rules->disk->name;
	struct timespec now;

	complaints->unsaid++;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	if (complaints->told != 0 && now.tv_sec - complaints->told < COMPLAIN_SECONDS)
		return;
	if (complaints->told != 0 && complaints->unsaid > 1)
		diag_warn("disk %s: %" PRIu64 " more requests failed since", name,
			  complaints->unsaid - 1);
	complaints->told = now.tv_sec > 0 ? now.tv_sec : 1;
	complaints->unsaid = 0;
	if (req->type == BLK_T_IN || req->type == BLK_T_OUT)
		diag_warn("disk %s: %s %" PRIu64 " bytes at %" PRIu64 " failed: %s; the guest sees "
			  "an I/O error",
			  name, type_name(req->type), req->len, req->offset,
			  error_words(req->error));
	else
		diag_warn("disk %s: %s failed: %s; the guest sees an I/O error", name,
			  type_name(req->type), error_words(req->error));
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks that are read through a dm-verity tree, changed: every block of data and tree, roots
 * and superblocks that are others or lie, files cut short.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/checked.h"
#include "base/le.h"
#include "tests/lib/verity_rig.h"
#include "virtio/disk.h"

/* Each block changed by one bit, somewhere else in each: itself unreadable, all others as they were. */
static void changed_data(void **state)
{
	static const struct verity_shape shape = { "sha256", 1024, 512, 300, 32 };
	uint8_t got[1024];
	struct verity_rig b;

	(void)state;
	verity_rig_make(&b, &shape);
	assert_int_equal(verity_rig_open(&b), 0);
	for (uint64_t i = 0; i < shape.data_blocks; i++) {
		size_t at = (size_t)(i * 1024 + i * 37 % 1024);

		b.data->data[at] ^= (uint8_t)(1 << i % 8);
		memset(got, 0x3c, sizeof(got));
		assert_int_equal(verity_rig_read(&b, got, 512, i * 1024, 0), -EBADMSG);
		assert_int_equal(verity_rig_read(&b, got, 512, i * 1024 + 512, 0), -EBADMSG);
		for (size_t k = 0; k < sizeof(got); k++)
			assert_int_equal(got[k], 0x3c); /* not one byte reached the guest */
		if (i > 0)
			assert_int_equal(verity_rig_read(&b, got, 1024, i * 1024 - 512, 0),
					 -EBADMSG);
		for (size_t k = 0; k < sizeof(got); k++)
			assert_int_equal(got[k], 0x3c);
		if (i > 0)
			verity_rig_reads_well(&b, (i - 1) * 1024, 1024);
		if (i % 100 == 99)
			verity_rig_reads_well(&b, 0, (size_t)i * 1024);
		if (i + 1 < shape.data_blocks)
			verity_rig_reads_well(&b, (i + 1) * 1024, 1024);
		b.data->data[at] ^= (uint8_t)(1 << i % 8);
		verity_rig_reads_well(&b, i * 1024, 1024);
	}
	verity_rig_drop(&b);
}

/* Two blocks that were right change places. */
static void moved_blocks(void **state)
{
	uint8_t got[4096];
	struct verity_rig b;

	(void)state;
	verity_rig_make(&b, &verity_usual);
	memcpy(b.data->data, b.plain + 4096, 4096);
	memcpy(b.data->data + 4096, b.plain, 4096);
	assert_int_equal(verity_rig_open(&b), 0);
	assert_int_equal(verity_rig_read(&b, got, 4096, 0, 0), -EBADMSG);
	assert_int_equal(verity_rig_read(&b, got, 4096, 4096, 0), -EBADMSG);
	verity_rig_reads_well(&b, 8192, 4096);
	verity_rig_drop(&b);
}

/* Changed after it was read once: each read is checked. */
static void changed_later(void **state)
{
	uint8_t got[512];
	struct verity_rig b;

	(void)state;
	verity_rig_make(&b, &verity_usual);
	assert_int_equal(verity_rig_open(&b), 0);
	verity_rig_reads_well(&b, 0, b.size);
	b.data->data[5 * 4096 + 9] ^= 1;
	assert_int_equal(verity_rig_read(&b, got, 512, 5 * 4096, 0), -EBADMSG);
	/* What of the tree is kept was right when it was read, and stays so. */
	memset(b.tree->data, 0, b.made.size);
	verity_rig_reads_well(&b, 4 * 4096, 4096);
	verity_rig_drop(&b);
}

/* Each block of the tree changed: what hangs below it is unreadable, the rest is as it was. */
static void changed_tree(void **state)
{
	static const struct verity_shape shape = { "sha256", 512, 512, 300, 0 };
	/* 16 digests a block: 300 data blocks, levels of 19, 2 and 1 blocks, from the top down. */
	static const struct {
		unsigned blocks, below;
	} levels[] = { { 1, 4096 }, { 2, 256 }, { 19, 16 } };
	unsigned block = 1;

	(void)state;
	for (unsigned level = 0; level < 3; level++) {
		for (unsigned i = 0; i < levels[level].blocks; i++, block++) {
			unsigned first = i * levels[level].below;
			unsigned end = first + levels[level].below;
			uint8_t got[512];
			struct verity_rig b;

			verity_rig_make(&b, &shape);
			b.tree->data[block * 512 + i * 11] ^= 0x40;
			if (level == 0) {
				assert_int_equal(verity_rig_open(&b), -EKEYREJECTED);
				verity_rig_drop(&b);
				continue;
			}
			assert_int_equal(verity_rig_open(&b), 0);
			for (unsigned k = 0; k < shape.data_blocks; k++)
				assert_int_equal(verity_rig_read(&b, got, 512, k * 512, 0),
						 k >= first && k < end ? -EUCLEAN : 0);
			verity_rig_drop(&b);
		}
	}
	assert_int_equal(block, 23);
}

static void another_root(void **state)
{
	struct verity_rig b;
	uint8_t root[64];

	(void)state;
	for (unsigned bit = 0; bit < 256; bit += 51) {
		verity_rig_make(&b, &verity_usual);
		memcpy(root, b.made.root, sizeof(root));
		root[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(verity_rig_open_with(&b, root, 32, NULL), -EKEYREJECTED);
		verity_rig_drop(&b);
	}
	verity_rig_make(&b, &verity_usual);
	assert_int_equal(verity_rig_open_with(&b, b.made.root, 64, NULL), -EINVAL);
	verity_rig_drop(&b);
}

/* Another salt, other sizes: another tree. */
static void another_superblock(void **state)
{
	static const struct {
		unsigned at;
		uint32_t value;
		int err;
	} lies[] = {
		{ 0, 0x79746956, -EINVAL }, /* "Vity" */
		{ 8, 0, -EINVAL },	    /* version */
		{ 8, 2, -EINVAL },
		{ 12, 0, -EINVAL }, /* Chrome OS's hash type */
		{ 12, 2, -EINVAL },
		{ 32, 0x31616873, -EINVAL }, /* "sha1", goes on "56" */
		{ 32, 0, -EINVAL },
		{ 64, 0, -EINVAL }, /* data block */
		{ 64, 256, -EINVAL },
		{ 64, 4095, -EINVAL },
		{ 64, 131072, -EINVAL },
		{ 64, 0x80000000, -EINVAL },
		{ 64, 8192, -EINVAL }, /* then the data are too short */
		{ 64, 512, 0 },	       /* the tree holds, the blocks do not */
		{ 68, 0, -EINVAL },    /* hash block */
		{ 68, 100, -EINVAL },
		{ 68, 1 << 20, -EINVAL },
		{ 68, 8192, -EINVAL }, /* then the tree is too short */
		{ 68, 512, -EKEYREJECTED },
		{ 72, 0, -EINVAL }, /* data blocks */
		{ 72, 301, -EINVAL },
		{ 72, 0xffffffff, -EINVAL },
		{ 76, 1, -EINVAL },
		{ 76, 0xffffffff, -EINVAL },
		{ 72, 1, -EKEYREJECTED },
		{ 72, 128, 0 },		   /* one level less: see a_shallower_tree */
		{ 80, 31, -EKEYREJECTED }, /* salt */
		{ 80, 33, -EKEYREJECTED },
		{ 80, 257, -EINVAL },
		{ 80, 65535, -EINVAL },
		{ 88, 0, -EKEYREJECTED },
		{ 116, 0, -EKEYREJECTED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct verity_rig b;

		verity_rig_make(&b, &verity_usual);
		le32_store(b.tree->data + lies[i].at, lies[i].value);
		assert_int_equal(verity_rig_open(&b), lies[i].err);
		if (!lies[i].err) {
			uint8_t got[512];

			assert_int_equal(verity_rig_read(&b, got, 512, 0, 0), -EBADMSG);
		}
		verity_rig_drop(&b);
	}
}

/*
 * What the root hash alone does not fix: a superblock that tells of one level less makes data of the lowest
 * hashes, and they fit. So a manifest has the superblock's hash too (docs/manifest.md).
 */
static void a_shallower_tree(void **state)
{
	uint8_t got[4096];
	struct verity_rig b;

	(void)state;
	verity_rig_make(&b, &verity_usual);
	le64_store(b.tree->data + 72, 3);
	memcpy(b.data->data, b.made.tree + 2 * 4096, 3 * 4096);
	assert_int_equal(verity_rig_open(&b), 0);
	assert_int_equal(b.disk->size, 3 * 4096);
	assert_int_equal(verity_rig_read(&b, got, sizeof(got), 0, 0), 0);
	assert_memory_equal(got, b.made.tree + 2 * 4096, sizeof(got));
	verity_rig_drop(&b);

	/* With the superblock that was verified it is found out. */
	verity_rig_make(&b, &verity_usual);
	le64_store(b.tree->data + 72, 3);
	memcpy(b.data->data, b.made.tree + 2 * 4096, 3 * 4096);
	assert_int_equal(verity_rig_open_with(&b, b.made.root, 32, b.made.tree), 0);
	assert_int_equal(verity_rig_read(&b, got, sizeof(got), 0, 0), -EBADMSG);
	verity_rig_drop(&b);
}

/* One that was verified counts, not the file's. */
static void a_given_superblock(void **state)
{
	struct verity_rig b;

	(void)state;
	verity_rig_make(&b, &verity_usual);
	memset(b.tree->data, 0xff, 512);
	assert_int_equal(verity_rig_open_with(&b, b.made.root, 32, b.made.tree), 0);
	verity_rig_reads_well(&b, 0, b.size);
	verity_rig_drop(&b);
}

static void files_cut_short(void **state)
{
	struct verity_rig b;

	(void)state;
	for (unsigned what = 0; what < 3; what++) {
		verity_rig_make(&b, &verity_usual);
		if (what < 2)
			b.tree->disk.size -= what ? 512 : b.made.size - 512;
		else
			b.data->disk.size -= 512;
		assert_int_equal(verity_rig_open(&b), -EINVAL);
		verity_rig_drop(&b);
	}
	/* More data than the tree is for are not shown. */
	static const struct verity_shape shape = { "sha256", 4096, 4096, 300, 32 };

	verity_rig_make(&b, &shape);
	assert_int_equal(verity_rig_open(&b), 0);
	assert_int_equal(b.disk->size, 300 * 4096);
	verity_rig_drop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changed_data),	    cmocka_unit_test(moved_blocks),
		cmocka_unit_test(changed_later),    cmocka_unit_test(changed_tree),
		cmocka_unit_test(another_root),	    cmocka_unit_test(another_superblock),
		cmocka_unit_test(a_shallower_tree), cmocka_unit_test(a_given_superblock),
		cmocka_unit_test(files_cut_short),
	};

	return cmocka_run_group_tests_name("verity_changed", tests, NULL, NULL);
}

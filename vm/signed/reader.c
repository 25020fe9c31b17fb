/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread that reads ahead of who works on the bytes. */
#include "vm/signed/reader.h"

#include <errno.h>

#include "base/checked.h"
#include "base/io.h"
#include "base/thread.h"

/* Bytes at a time: they are in the processor's cache when they are needed. */
enum { STEP = 256 * 1024 };

/* The piece at @at, which is below the size, for whoever reads. False: that was the last. */
static bool read_step(struct reader *reader, size_t at)
{
	size_t want = size_min(STEP, reader->size - at);
	ssize_t n = pread_full(reader->fd, reader->data + at, want, at);
	bool more;

	lock_take(&reader->lock);
	if (n < 0)
		reader->error = (int)n;
	else
		reader->done = at + (size_t)n;
	reader->ended = n < (ssize_t)want || at + want == reader->size;
	more = !reader->ended && !reader->unwanted;
	cond_signal(&reader->moved);
	lock_drop(&reader->lock);
	return more;
}

static void *run(void *opaque)
{
	struct reader *reader = opaque;

	(void)pthread_setname_np(pthread_self(), "hvrun-read");
	for (size_t at = 0; read_step(reader, at); at += STEP)
		;
	return NULL;
}

void reader_begin(struct reader *reader, int fd, uint8_t *data, size_t size)
{
	*reader = (struct reader){ .fd = fd, .data = data, .size = size };
	lock_init(&reader->lock, LOCK_RANK_LEAF, "reader");
	cond_init(&reader->moved);
	reader->has_thread = size > STEP &&
			     thread_start(&reader->thread, THREAD_STACK, 0, run, reader) == 0;
}

ssize_t reader_wait(struct reader *reader, size_t have)
{
	ssize_t r;

	if (!reader->has_thread && have < reader->size)
		(void)read_step(reader, have);
	lock_take(&reader->lock);
	while (reader->done <= have && !reader->ended)
		lock_wait(&reader->lock, &reader->moved);
	r = reader->error && reader->done <= have ? reader->error : (ssize_t)reader->done;
	lock_drop(&reader->lock);
	return r;
}

void reader_end(struct reader *reader)
{
	lock_take(&reader->lock);
	reader->unwanted = true;
	lock_drop(&reader->lock);
	if (reader->has_thread)
		(void)pthread_join(reader->thread, NULL);
	cond_destroy(&reader->moved);
	lock_destroy(&reader->lock);
}

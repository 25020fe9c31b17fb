/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Complete reads and writes on file descriptors.
 */
#include "base/io.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"

ssize_t read_full(int fd, void *buf, size_t len)
{
	uint8_t *at = (uint8_t *)buf;
	size_t done = 0;

	if (len > SSIZE_MAX)
		return -EINVAL;
	while (done < len) {
		ssize_t n = read(fd, at + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t pread_full(int fd, void *buf, size_t len, uint64_t offset)
{
	uint8_t *at = (uint8_t *)buf;
	size_t done = 0;

	if (len > SSIZE_MAX || !range_fits(offset, len, INT64_MAX))
		return -EINVAL;
	while (done < len) {
		ssize_t n = pread(fd, at + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int write_full(int fd, const void *buf, size_t len)
{
	const uint8_t *at = (const uint8_t *)buf;
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, at + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		done += (size_t)n;
	}
	return 0;
}

int pwrite_full(int fd, const void *buf, size_t len, uint64_t offset)
{
	const uint8_t *at = (const uint8_t *)buf;
	size_t done = 0;

	if (!range_fits(offset, len, INT64_MAX))
		return -EINVAL;
	while (done < len) {
		ssize_t n = pwrite(fd, at + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		done += (size_t)n;
	}
	return 0;
}

/*
 * How much memory to begin with for the rest of fd: one byte more than the file says it has, so
 * that the end is met without growing; never more than max + 1.
 */
static size_t first_guess(int fd, size_t max)
{
	size_t guess = (size_t)64 << 10;
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= 0 &&
	    (uint64_t)st.st_size < max)
		guess = (size_t)st.st_size + 1;
	return size_min(guess, max + 1);
}

int read_file_whole(int fd, size_t max, uint8_t **buf, size_t *len)
{
	size_t room, used = 0;
	uint8_t *data;

	if (max >= SSIZE_MAX)
		return -EINVAL;
	room = first_guess(fd, max);
	data = (uint8_t *)malloc(room);
	if (!data)
		return -ENOMEM;
	for (;;) {
		ssize_t n = read_full(fd, data + used, room - used);
		uint8_t *more;

		if (n < 0) {
			free(data);
			return (int)n;
		}
		used += (size_t)n;
		if (used < room)
			break;
		if (room > max) {
			free(data);
			return -EFBIG;
		}
		room = size_min(room > max / 2 ? max : room * 2, max) + 1;
		more = (uint8_t *)realloc(data, room);
		if (!more) {
			free(data);
			return -ENOMEM;
		}
		data = more;
	}
	*buf = data;
	*len = used;
	return 0;
}

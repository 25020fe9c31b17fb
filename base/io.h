/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads and writes that finish: loops over short transfers and interrupted system calls.
 *
 * None of these prints anything: the caller knows what the file is for. They block as the
 * descriptor blocks; a non-blocking descriptor ends the loop with -EAGAIN. Any thread.
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Read len bytes at the descriptor's position. Returns the number of bytes read, which is less
 * than len only at the end of the file, or -errno (what was read before the error is lost).
 * len is at most SSIZE_MAX, else -EINVAL.
 */
ssize_t read_full(int fd, void *buf, size_t len);

/* As read_full(), at a given offset in bytes; the descriptor's position is not used. */
ssize_t pread_full(int fd, void *buf, size_t len, uint64_t offset);

/* Write all len bytes at the descriptor's position. Returns 0 or -errno (some may be written). */
int write_full(int fd, const void *buf, size_t len);

/* As write_full(), at a given offset in bytes. */
int pwrite_full(int fd, const void *buf, size_t len, uint64_t offset);

/*
 * Read from the descriptor's position to the end of the file, which need not be seekable and need
 * not tell its size truly. On success *buf is memory that the caller frees (never NULL, even for
 * an empty file) and *len the bytes in it. -EFBIG when there are more than max bytes, -ENOMEM, or
 * another -errno; *buf and *len are then untouched.
 */
int read_file_whole(int fd, size_t max, uint8_t **buf, size_t *len);

#endif /* BASE_IO_H */

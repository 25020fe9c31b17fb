/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hvrun's own words: one line each on standard error, beginning "hvrun: ".
 *
 * A line leaves by a single write(2) from a buffer on the stack, so lines of several threads do
 * not mix, no lock is taken, and the sandbox needs no more than write on descriptor 2. The text
 * is cut at DIAG_MAX bytes, then ends in "...". Bytes that could steer a terminal (control
 * characters, and what is not UTF-8) are shown as \xNN, so text that comes from a guest or a
 * file may be printed. errno is preserved. Any thread may call these at any time.
 *
 * The message is one sentence without "hvrun: " and without a newline: what was being done, to
 * what, what was found, what would be right:
 *
 *	diag_error("disk %s: size %" PRIu64 " is not a multiple of 512", path, size);
 */
#ifndef BASE_DIAG_H
#define BASE_DIAG_H

/* The longest line in bytes, "hvrun: " and the newline included. */
#define DIAG_MAX 1024

/* The cause of a failure; said once, by the place that knows it. */
__attribute__((format(printf, 1, 2))) void diag_error(const char *fmt, ...);

/* Something is not as it should be, and hvrun goes on: "hvrun: warning: ...". */
__attribute__((format(printf, 1, 2))) void diag_warn(const char *fmt, ...);

/* News for a user who asked for it: the caller has looked at the verbosity. */
__attribute__((format(printf, 1, 2))) void diag_note(const char *fmt, ...);

#endif /* BASE_DIAG_H */

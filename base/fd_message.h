/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes through a unix socket with descriptors beside them (SCM_RIGHTS).
 *
 * The peer is a stranger: it sends as many descriptors as it likes, with any bytes. What is not wanted does not
 * stay open, and what is wanted is closed when another program is started. Nothing here prints. Any thread.
 */
#ifndef BASE_FD_MESSAGE_H
#define BASE_FD_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { FD_MESSAGE_MAX = 8 }; /* descriptors that can be wanted, or sent, at once */

/* Descriptors that came; the holder's to close. All zeroes: none. */
struct fd_message {
	int fd[FD_MESSAGE_MAX];
	unsigned count;
	bool cut; /* there were more than was wanted, or than this process could open; those are closed */
};

/*
 * Receives up to @len bytes from the unix socket @from into @data, and the descriptors that came with them
 * behind what @got holds, until that holds @most (FD_MESSAGE_MAX at most). A stream's message may come in
 * pieces, whose descriptors add up in @got; they are the caller's whatever is returned. @flags: MSG_DONTWAIT, or
 * 0 to wait as the socket does. Interruptions are not seen.
 *
 * How many bytes; 0: the peer has closed its end (or, of a socket of messages, an empty one); -EMSGSIZE: a message
 * longer than @len, whose first bytes are in @data; -EAGAIN: none now; or another -errno.
 */
ssize_t fd_message_receive(int from, void *data, size_t len, int flags, unsigned most,
			   struct fd_message *got);

/*
 * Sends up to @len bytes at @data, 1 at least where there are descriptors, to the unix socket @to, and with the first
 * of them the @count descriptors @fds (FD_MESSAGE_MAX at most, else -EINVAL), which stay the caller's. Raises no
 * SIGPIPE. @flags as above. How many bytes; -EAGAIN: there is no room now; or another -errno.
 */
ssize_t fd_message_send(int to, const void *data, size_t len, int flags, const int *fds,
			unsigned count);

/* The first descriptor, the caller's from now on; -1: there is none. */
int fd_message_take(struct fd_message *got);

/* Closes all, and forgets that some were cut. */
void fd_message_close(struct fd_message *got);

#endif /* BASE_FD_MESSAGE_H */

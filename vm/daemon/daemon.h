/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs of others that serve a device (virtiofsd, qemu-storage-daemon), each in a process of its
 * own: started before the door is locked, ended with the machine, and never left behind.
 *
 * A daemon gets nothing of ours: no descriptor but a listening socket (number 3) and a pipe for its
 * words, no terminal, no signals of our terminal's keys, no privileges that it did not have. Between us
 * and it stands a keeper, a process that does nothing but wait: it ends the daemon when we close its pipe,
 * or end ourselves, whatever ends us. So nothing behind the locked door needs to send a signal.
 */
#ifndef VM_DAEMON_DAEMON_H
#define VM_DAEMON_DAEMON_H

#include <stdbool.h>
#include <stddef.h>

#include "hw/loop.h"

enum { DAEMON_SOCKET = 3 }; /* the descriptor on which the daemon finds its socket */

enum { DAEMON_KEEP = 2048 }; /* bytes of its words that are kept */

/* All that a program of others that we start is given of an environment. Ends with NULL. */
extern char *const daemon_environment[];

struct daemon {
	const char *name;  /* for messages; outlives it */
	int keeper;	   /* the keeper's pipe, -1: none */
	int words;	   /* what it prints, non-blocking, closed when it is gone; -1: none */
	struct loop *loop; /* that reads its words, NULL: none yet */
	size_t kept;	   /* bytes of its words not yet shown */
	bool talks;	   /* its words are shown as they come */
	unsigned lines;	   /* of it that were shown */
	char text[DAEMON_KEEP];
};

/* How its process is shut in before the program is started. */
struct daemon_jail {
	bool mounts;	      /* file systems mounted by it are its own alone */
	const char *root_at;  /* the root is mounted there too; NULL: not */
	const char *readonly; /* absolute name of a folder that it cannot write to; NULL: none */
	bool network;	      /* keeps the host's network */
	bool same_ids;	      /* unless we are root: its user is who we are, not root, there too */
};

/* What to start. */
struct daemon_start {
	const char *name;	 /* for messages; outlives the daemon */
	const char *const *argv; /* NULL-ended; the first an absolute name */
	int socket;		 /* becomes its descriptor 3; stays the caller's */
	const struct daemon_jail *jail;
};

/*
 * Starts a daemon. Where the jail needs it and we are not root, the daemon becomes root of a user
 * namespace in which there is nobody but the user who runs hvrun. Returns when the program runs: 0, or
 * -errno said with diag_error. Main thread, before the door is locked. *@daemon must stay where it is.
 */
int daemon_start(struct daemon *daemon, const struct daemon_start *start);

/*
 * From now on its words are read; the first DAEMON_KEEP bytes of them are kept for daemon_talk. Most such
 * programs have something to say about an orderly end too. 0 or -errno.
 */
int daemon_listen(struct daemon *daemon, struct loop *loop);

/*
 * Something is wrong with it, or the user wants to hear more: what it said is shown as warnings of
 * ours, line by line, and what it still says; 16 lines at most.
 */
void daemon_talk(struct daemon *daemon);

/*
 * Has it ended, by force if it does not end when asked to, and waits for that. Its connection should be
 * closed before. Works behind the locked door; allowed for one that was never started or has ended.
 */
void daemon_end(struct daemon *daemon);

/*
 * A socket pair of the kind that such daemons want: *@listener is a unix socket that already has a
 * connection waiting, *@ours its other end. No name of it is left. 0 or -errno.
 */
int daemon_socket(int *listener, int *ours);

/* The first of @places (NULL-ended, absolute names) that is a program; NULL if none is. */
const char *daemon_find(const char *const *places);

#endif

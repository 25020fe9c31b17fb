/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the process gives up at the door besides system calls, in stages: each alone keeps somebody who
 * has taken the process over from something, should the list of system calls have a hole.
 */
#ifndef VM_SANDBOX_STAGES_H
#define VM_SANDBOX_STAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Whom the process becomes (--user). Zeroed: nobody else. */
struct sandbox_user {
	bool set;
	uid_t uid;
	gid_t gid;
};

/* What the stages work on and what came of them. */
struct sandbox_state {
	struct sandbox_user user;
	bool pid_namespace; /* we are process 1 of one of our own (--pid-namespace) */
	bool own_mounts;    /* the mount namespace is ours alone */
	pid_t mapper;	    /* with --user: root's child that maps that user, 0: none */
	int mapper_fd;	    /* by which it is told to */
};

struct sandbox_stage {
	const char *name;
	const char *gives; /* what is gained */
	const char *lacks; /* "..., so ...": what is weaker without */
	bool needed;	   /* the machine does not start without */
	/* 0 or -errno; what could be done is done even then. */
	int (*apply)(struct sandbox_state *state);
};

/* The stages in their order, at index 0 and up; NULL behind the last. */
const struct sandbox_stage *sandbox_stage(size_t index);

/* The first two alone, for a child: the environment's words, and descriptors that came through exec, as far as it goes. */
void sandbox_shed(void);

#endif

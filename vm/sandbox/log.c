/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The supervisor of --sandbox log (seccomp_unotify(2), Linux 5.5). The kernel has one filter that lets
 * through what every list has; for all else it stops the calling thread and asks here. The table is
 * then asked in plain words, as a filter of the process and one of the thread would decide.
 *
 * The thread allocates nothing and takes no lock that others hold for long: a thread that is stopped in
 * the middle of malloc must not stop its supervisor.
 */
#include "vm/sandbox/log.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/lock.h"
#include "base/thread.h"
#include "vm/sandbox/bpf.h"
#include "vm/sandbox/syscall_name.h"

enum {
	THREADS_MAX = 512,
	REPORTS_MAX = 256, /* each place is told once, and no more places than this */
};

/* One line that was said. */
struct report {
	unsigned classes;
	int number;
	uint64_t at;
	uint64_t request;
};

struct sandbox_log {
	struct sandbox_who process;
	struct lock lock RANKED(leaf);
	struct cond opened;
	int listener GUARDED_BY(&lock);
	struct sandbox_who threads[THREADS_MAX] GUARDED_BY(&lock);
	unsigned count GUARDED_BY(&lock);

	/* of the supervisor */
	struct report reports[REPORTS_MAX];
	unsigned report_count;
};

/* The list of the thread beside the process'; before it entered one, the process' again. */
static struct sandbox_who find_thread(struct sandbox_log *log, pid_t tid)
{
	struct sandbox_who who = log->process;

	lock_take(&log->lock);
	for (unsigned i = 0; i < log->count; i++)
		if (log->threads[i].tid == tid)
			who = log->threads[i];
	lock_drop(&log->lock);
	return who;
}

static bool told_before(struct sandbox_log *log, const struct report *report)
{
	for (unsigned i = 0; i < log->report_count; i++) {
		const struct report *old = &log->reports[i];

		if (old->classes == report->classes && old->number == report->number &&
		    old->at == report->at && old->request == report->request)
			return true;
	}
	if (log->report_count == REPORTS_MAX)
		return true;
	log->reports[log->report_count++] = *report;
	return false;
}

static const char *list_name(const struct sandbox_who *who)
{
	for (unsigned which = 0; which < SANDBOX_CLASSES; which++)
		if (who->classes == 1U << which)
			return sandbox_class_name(which);
	return sandbox_class_name(SANDBOX_BUILD);
}

static void report_call(struct sandbox_log *log, const struct sandbox_who *who,
			const struct seccomp_notif *call)
{
	struct report report = {
		.classes = who->classes,
		.number = call->data.nr,
		.at = call->data.instruction_pointer,
		.request = call->data.nr == SYS_ioctl ? call->data.args[1] : 0,
	};

	if (told_before(log, &report))
		return;
	diag_warn("sandbox log: system call %d (%s) with %#llx, %#llx, %#llx at %#llx is not on "
		  "the list of its thread (%s, %u)",
		  call->data.nr, syscall_name(call->data.nr),
		  (unsigned long long)call->data.args[0], (unsigned long long)call->data.args[1],
		  (unsigned long long)call->data.args[2],
		  (unsigned long long)call->data.instruction_pointer, list_name(who), call->pid);
}

/* What two filters one behind the other would say: the stricter word of both. */
static void answer(struct sandbox_log *log, const struct seccomp_notif *call,
		   struct seccomp_notif_resp *response)
{
	struct sandbox_who who = find_thread(log, (pid_t)call->pid);
	uint64_t args[6];
	int process, own;

	memcpy(args, call->data.args, sizeof(args));
	process = sandbox_judge(&log->process, call->data.nr, args);
	own = sandbox_judge(&who, call->data.nr, args);
	response->id = call->id;
	if (process > 0 || own > 0)
		report_call(log, &who, call);
	else if (own < 0 || process < 0)
		response->error = own < 0 ? own : process;
	if (!response->error)
		response->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
}

static int wait_for_listener(struct sandbox_log *log)
{
	int fd;

	lock_take(&log->lock);
	while (log->listener == -1)
		lock_wait(&log->lock, &log->opened);
	fd = log->listener;
	lock_drop(&log->lock);
	return fd;
}

static void *supervise(void *opaque)
{
	struct sandbox_log *log = opaque;
	int fd = wait_for_listener(log);

	if (fd < 0)
		return NULL;
	/* Until the process ends. */
	for (;;) {
		struct seccomp_notif call = { 0 };
		struct seccomp_notif_resp response = { 0 };

		if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
			continue; /* a signal took the thread away before we looked */
		answer(log, &call, &response);
		(void)ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &response);
	}
}

static void hand_over(struct sandbox_log *log, int listener)
{
	lock_take(&log->lock);
	log->listener = listener;
	cond_broadcast(&log->opened);
	lock_drop(&log->lock);
}

int sandbox_log_start(const struct sandbox_who *process, struct sandbox_log **out)
{
	struct sandbox_log *log = calloc(1, sizeof(*log));
	struct sandbox_who everybody = *process;
	struct sandbox_program program;
	pthread_t thread;
	long fd;
	int r;

	if (!log)
		return -ENOMEM;
	log->process = *process;
	lock_init(&log->lock, LOCK_RANK_LEAF, "sandbox log");
	cond_init(&log->opened);
	hand_over(log, -1);
	everybody.everywhere = true;
	r = sandbox_compile(&everybody, SECCOMP_RET_USER_NOTIF, &program);
	if (!r)
		r = thread_start(&thread, 0, 0, supervise, log); /* it ends with the process */
	if (r < 0) {
		free(log);
		return r;
	}
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
		     &(struct sock_fprog){ .len = program.len, .filter = program.code });
	r = fd < 0 ? -errno : 0;
	/* Below -1: the thread ends. */
	hand_over(log, fd < 0 ? -2 : (int)fd);
	*out = log;
	return r;
}

int sandbox_log_enter(struct sandbox_log *log, const struct sandbox_who *who)
{
	int r = 0;

	lock_take(&log->lock);
	if (log->count < THREADS_MAX)
		log->threads[log->count++] = *who;
	else
		r = -ENOSPC;
	lock_drop(&log->lock);
	return r;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs the command and carries its three streams between pipes and the console's ports. Pipes,
 * because a port can be open once only and a program may open /dev/stderr again; and because a reader
 * that goes away is SIGPIPE on a pipe.
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/time_types.h>

#include "init.h"

enum {
	BUFFER = 65536,
	SIGCHLD = 17,
	CANNOT_RUN = 126, /* as shells say it */
	NOT_FOUND = 127,
};

/* Bytes on their way from one descriptor to another. */
struct stream {
	int from, to; /* -1: closed */
	bool to_pipe; /* closing @to tells the command of the end */
	size_t start, len;
	char data[BUFFER];
};

static struct stream streams[3];

static void close_fd(int *fd)
{
	if (*fd >= 0)
		sys(*fd, 0, 0, 0, 0, __NR_close);
	*fd = -1;
}

static void nonblocking(int fd)
{
	sys(fd, F_SETFL, O_NONBLOCK, 0, 0, __NR_fcntl);
}

/* False when nothing could be read now. */
static bool read_stream(struct stream *s)
{
	long n;

	if (s->from < 0 || s->len)
		return false;
	n = sys(s->from, (long)s->data, BUFFER, 0, 0, __NR_read);
	if (n > 0) {
		s->start = 0;
		s->len = (size_t)n;
		return true;
	}
	if (n != -EAGAIN && n != -EINTR)
		close_fd(&s->from);
	return false;
}

static void write_stream(struct stream *s)
{
	if (s->len && s->to >= 0) {
		long n = sys(s->to, (long)(s->data + s->start), (long)s->len, 0, 0, __NR_write);

		if (n > 0) {
			s->start += (size_t)n;
			s->len -= (size_t)n;
		} else if (n != -EAGAIN && n != -EINTR) {
			close_fd(&s->to);
		}
	}
	if (s->to < 0) { /* nobody reads: the writer is to notice */
		s->len = 0;
		close_fd(&s->from);
	}
	if (s->from < 0 && !s->len && s->to_pipe)
		close_fd(&s->to);
}

/* Waits for what can move, or for @pidfd, or a while if there is none. True: the command has ended. */
static bool wait_streams(int pidfd)
{
	struct __kernel_timespec while_ = { .tv_nsec = 5000000 };
	struct pollfd polls[7];

	for (unsigned i = 0; i < 3; i++) {
		struct stream *s = &streams[i];

		polls[2 * i] = (struct pollfd){ s->len ? -1 : s->from, POLLIN, 0 };
		/* A port whose host is gone, a pipe whose reader is gone: both say so unasked. */
		polls[2 * i + 1] = (struct pollfd){ s->to, (short)(s->len ? POLLOUT : 0), 0 };
	}
	polls[6] = (struct pollfd){ pidfd, POLLIN, 0 };
	sys((long)polls, 7, pidfd >= 0 ? 0 : (long)&while_, 0, 8, __NR_ppoll);
	for (unsigned i = 0; i < 3; i++) {
		if (polls[2 * i + 1].revents & (POLLHUP | POLLERR))
			close_fd(&streams[i].to);
	}
	return pidfd < 0 || polls[6].revents;
}

static void move(void)
{
	for (unsigned i = 0; i < 3; i++) {
		(void)read_stream(&streams[i]);
		write_stream(&streams[i]);
	}
}

/* What the command left in its pipes goes out; a child of it that lives on is not waited for. */
static void drain(struct stream *s)
{
	while (s->to >= 0 && (s->len || read_stream(s))) {
		struct pollfd poll = { s->to, POLLOUT, 0 };

		write_stream(s);
		if (s->len && s->to >= 0)
			sys((long)&poll, 1, 0, 0, 8, __NR_ppoll);
		if (poll.revents & (POLLHUP | POLLERR))
			close_fd(&s->to);
	}
}

static void say(const char *text)
{
	write_all(2, text, length(text));
}

/* The words for what execve said. */
static int explain(const char *name, long err)
{
	char text[512];
	const char *why = err == -ENOENT    ? ": not found\n"
			  : err == -EACCES  ? ": may not be executed\n"
			  : err == -ENOEXEC ? ": is not a program\n"
					    : ": cannot be executed\n";

	say(join(text, sizeof(text), "hvrun: exec: ", name, why, NULL));
	return err == -ENOENT ? NOT_FOUND : CANNOT_RUN;
}

static long execute(struct spec *spec, const char *path)
{
	return sys((long)path, (long)spec->argv, (long)spec->env, 0, 0, __NR_execve);
}

/* execvp: along PATH, unless the name says where. Returns when it cannot be. */
static long execute_along_path(struct spec *spec)
{
	const char *path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	long best = -ENOENT;

	for (const char *p = spec->argv[0]; *p; p++) {
		if (*p == '/')
			return execute(spec, spec->argv[0]);
	}
	for (unsigned i = 0; i < spec->envc; i++) {
		char *e = spec->env[i];

		if (e[0] == 'P' && e[1] == 'A' && e[2] == 'T' && e[3] == 'H' && e[4] == '=')
			path = e + 5;
	}
	while (*path) {
		char at[4096];
		size_t n = 0;
		long r;

		for (; *path && *path != ':'; path++) {
			if (n + 1 < sizeof(at))
				at[n++] = *path;
		}
		path += *path == ':';
		at[n] = '\0';
		if (n + length(spec->argv[0]) + 2 > sizeof(at))
			continue;
		join(at + n, sizeof(at) - n, "/", spec->argv[0], NULL, NULL);
		r = execute(spec, at);
		best = r == -ENOENT || r == -ENOTDIR ? best : r;
	}
	return best;
}

static void become_user(const struct spec *spec)
{
	long r = sys(spec->group_count, (long)spec->groups, 0, 0, 0, __NR_setgroups);

	if (r >= 0)
		r = sys(spec->gid, spec->gid, spec->gid, 0, 0, __NR_setresgid);
	if (r >= 0)
		r = sys(spec->uid, spec->uid, spec->uid, 0, 0, __NR_setresuid);
	if (r < 0) {
		say("hvrun: exec: the guest's kernel refuses the user\n");
		sys(CANNOT_RUN, 0, 0, 0, 0, __NR_exit_group);
	}
}

static void child(struct spec *spec, int in, int out, int err)
{
	sys(0, 0, 0, 0, 0, __NR_setsid);
	sys(in, 0, 0, 0, 0, __NR_dup3);
	sys(out, 1, 0, 0, 0, __NR_dup3);
	sys(err, 2, 0, 0, 0, __NR_dup3);
	sys(3, ~0U, 0, 0, 0, __NR_close_range);
	become_user(spec);
	if (sys((long)spec->cwd, 0, 0, 0, 0, __NR_chdir) < 0) {
		char text[512];

		say(join(text, sizeof(text), "hvrun: exec: cannot enter the directory ", spec->cwd,
			 "\n", NULL));
		sys(CANNOT_RUN, 0, 0, 0, 0, __NR_exit_group);
	}
	sys(explain(spec->argv[0], execute_along_path(spec)), 0, 0, 0, 0, __NR_exit_group);
}

/* It belongs to the user, who may open it once more as /dev/stderr and the like. */
static void make_pipe(int fds[2], const struct spec *spec)
{
	long r = sys((long)fds, 0, 0, 0, 0, __NR_pipe2);

	if (r >= 0)
		r = sys(fds[0], spec->uid, spec->gid, 0, 0, __NR_fchown);
	if (r < 0)
		fail("cannot make", "a pipe", r);
}

int run_command(struct spec *spec, int in_port, int out_port, int err_port)
{
	int in[2], out[2], err[2], status = 0;
	long pid, ended = 0;
	int pidfd;

	make_pipe(in, spec);
	make_pipe(out, spec);
	make_pipe(err, spec);
	pid = sys(SIGCHLD, 0, 0, 0, 0, __NR_clone);
	if (pid == 0)
		child(spec, in[0], out[1], err[1]);
	if (pid < 0)
		fail("cannot start", spec->argv[0], pid);
	close_fd(&in[0]);
	close_fd(&out[1]);
	close_fd(&err[1]);
	pidfd = (int)sys(pid, 0, 0, 0, 0, __NR_pidfd_open);
	streams[0].from = in_port;
	streams[0].to = in[1];
	streams[0].to_pipe = true;
	streams[1].from = out[0];
	streams[1].to = out_port;
	streams[2].from = err[0];
	streams[2].to = err_port;
	for (unsigned i = 0; i < 3; i++) {
		nonblocking(streams[i].from);
		nonblocking(streams[i].to);
	}
	while (ended != pid) {
		move();
		/* Any child's end is taken: orphans come to us. */
		if (wait_streams(pidfd)) {
			do
				ended = sys(-1, (long)&status, 1 /* WNOHANG */, 0, 0, __NR_wait4);
			while (ended > 0 && ended != pid);
		}
	}
	drain(&streams[1]);
	drain(&streams[2]);
	return status;
}

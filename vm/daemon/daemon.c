/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that serve a device: start them shut in, pass on what they print, end them. */
#include "vm/daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "base/fd_message.h"
#include "base/io.h"
#include "vm/daemon/atime.h"
#include "vm/daemon/jail.h"

enum {
	LINES_MAX = 16,	     /* of one daemon that are shown */
	END_WAIT_MS = 10000, /* for its orderly end: a disk may have to be written */
	KILL_WAIT_MS = 2000,
};

char *const daemon_environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL };

/* As daemon_socket(). */
static int socket_in_a_folder(int *listener, int *ours)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/hvrun-......";
	int server = -1, client = -1, r = -1;

	memset(strchr(dir, '.'), 'X', 6); /* what mkdtemp replaces */
	/* The folder is ours alone, so nobody else can connect while the socket has a name. */
	if (!mkdtemp(dir))
		return -errno;
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/s", dir);
	server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (server >= 0 && client >= 0)
		r = bind(server, (const struct sockaddr *)&addr, sizeof(addr));
	if (!r)
		r = listen(server, 1);
	if (!r)
		r = connect(client, (const struct sockaddr *)&addr, sizeof(addr));
	r = r < 0 ? -errno : 0;
	(void)unlink(addr.sun_path);
	(void)rmdir(dir);
	if (!r) {
		*listener = server;
		*ours = client;
		return 0;
	}
	if (server >= 0)
		close(server);
	if (client >= 0)
		close(client);
	return r;
}

/* A signal that ends the run waits for that moment: the folder would stay. */
int daemon_socket(int *listener, int *ours)
{
	sigset_t all, before;
	int r;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &before);
	r = socket_in_a_folder(listener, ours);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

const char *daemon_find(const char *const *places)
{
	for (; *places; places++) {
		if (access(*places, X_OK) == 0)
			return *places;
	}
	return NULL;
}

/* In the child from here on: system calls, and a report if one fails. */

__attribute__((noreturn)) static void leave(int status)
{
	_exit(status); /* check-layers: allowed, a child that is no longer hvrun */
}

static void stop_child(int report, int err, const char *step)
{
	struct daemon_failure failure = { .err = err };

	(void)snprintf(failure.step, sizeof(failure.step), "%s", step);
	(void)write_full(report, &failure, sizeof(failure));
	leave(127);
}

/* Descriptors 0 to 3 and nothing else; @report and @notify close when the program starts. */
static int arrange_descriptors(int words, int socket, int *report, int *notify)
{
	int null = open("/dev/null", O_RDONLY);
	/* Out of the way of the numbers that are about to be given. */
	int high[] = { fcntl(words, F_DUPFD, 10), fcntl(socket, F_DUPFD, 10),
		       fcntl(*report, F_DUPFD_CLOEXEC, 10), fcntl(*notify, F_DUPFD_CLOEXEC, 10) };

	if (null < 0 || high[0] < 0 || high[1] < 0 || high[2] < 0 || high[3] < 0)
		return -errno;
	if (dup2(null, 0) < 0 || dup2(high[0], 1) < 0 || dup2(high[0], 2) < 0 ||
	    dup2(high[1], DAEMON_SOCKET) < 0 || dup3(high[2], DAEMON_SOCKET + 1, O_CLOEXEC) < 0 ||
	    dup3(high[3], DAEMON_SOCKET + 2, O_CLOEXEC) < 0)
		return -errno;
	*report = DAEMON_SOCKET + 1;
	*notify = DAEMON_SOCKET + 2;
	return close_range(DAEMON_SOCKET + 3, ~0U, 0) < 0 ? -errno : 0;
}

/* A descriptor to our keeper, who waits for it; none where the host has no such thing. */
static int tell_keeper(const struct daemon_jail *jail, int notify)
{
	int fd = daemon_jail_is_ours(jail) ? daemon_atime_stop() : -ENOSYS;
	ssize_t n = fd_message_send(notify, "", 1, 0, &fd, fd >= 0);

	return n < 0 ? (int)n : 0;
}

static void run_child(const struct daemon_start *start, int words, int report, int notify,
		      pid_t keeper)
{
	const char *const *argv = start->argv;
	const char *step = "its descriptors";
	sigset_t none;
	int r = arrange_descriptors(words, start->socket, &report, &notify);

	if (!r) {
		signal(SIGPIPE, SIG_DFL);
		sigemptyset(&none);
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		r = daemon_enter_jail(start->jail, &step);
	}
	if (!r) {
		step = "its keeper";
		r = tell_keeper(start->jail, notify);
	}
	if (r < 0)
		stop_child(report, -r, step);
	/* After the jail: a change of identity clears it. */
	if (daemon_die_with(keeper) < 0)
		stop_child(report, errno, "its end with ours");
	execve(argv[0], (char *const *)(uintptr_t)argv, daemon_environment);
	stop_child(report, errno, "the program");
}

/* Whether the process of @pidfd has ended within @ms; -1: however long it takes, or until @pipe closes. */
static bool ends(int pidfd, int pipe, int ms)
{
	struct pollfd pfd[] = { { .fd = pidfd, .events = POLLIN }, { .fd = pipe } };
	int n;

	do
		n = poll(pfd, pipe < 0 ? 1 : 2, ms);
	while (n < 0 && errno == EINTR);
	return n > 0 && pfd[0].revents;
}

/* What the daemon told its keeper by @notify: a descriptor, or -1. */
static int hear_daemon(int notify)
{
	struct fd_message got = { .count = 0 };
	char byte = 0;

	(void)fd_message_receive(notify, &byte, 1, 0, 1, &got);
	return fd_message_take(&got);
}

/* Serves the daemon until it ends (true), or our pipe closes. */
static bool serve(int pidfd, int pipe, int listener)
{
	struct pollfd pfd[] = { { .fd = pidfd, .events = POLLIN },
				{ .fd = pipe },
				{ .fd = listener, .events = POLLIN } };

	for (;;) {
		int n = poll(pfd, 3, -1);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0 && (pfd[2].revents & POLLIN))
			daemon_atime_answer(listener);
		else if (n > 0 && pfd[2].revents)
			pfd[2].fd = -1; /* nobody is left who could ask */
		if (n > 0 && (pfd[0].revents || pfd[1].revents))
			return pfd[0].revents;
	}
}

/* The keeper: waits for the end of the daemon, or of us, and then for the daemon's. */
__attribute__((noreturn)) static void keep(pid_t pid, int pipe, int listener)
{
	int pidfd = pidfd_open(pid, 0);
	int high = listener < 0 ? -1 : fcntl(listener, F_DUPFD, 10);

	if (pidfd < 0) {
		(void)kill(pid, SIGKILL);
		leave(1);
	}
	pidfd = fcntl(pidfd, F_DUPFD, 10);
	(void)dup2(pipe, 0);
	(void)dup2(pidfd, 1);
	if (high >= 0)
		(void)dup2(high, 2);
	(void)close_range(high < 0 ? 2 : 3, ~0U, 0);
	if (!serve(1, 0, high < 0 ? -1 : 2)) {
		(void)close(2); /* who waits for us goes on, with an error */
		(void)kill(pid, SIGTERM);
		if (!ends(1, -1, END_WAIT_MS))
			(void)kill(pid, SIGKILL);
	}
	(void)waitpid(pid, NULL, 0);
	leave(0);
}

static void run_keeper(const struct daemon_start *start, int words, int report, int pipe)
{
	int notify[2];
	pid_t self, pid;

	(void)setsid(); /* the keys of our terminal are neither for it nor for the daemon */
	(void)prctl(PR_SET_NAME, "hvrun-keeper");
	self = getpid();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, notify) < 0)
		stop_child(report, errno, "a socket");
	pid = fork();
	if (pid < 0)
		stop_child(report, errno, "a process");
	if (pid == 0)
		run_child(start, words, report, notify[1], self);
	close(notify[1]);
	keep(pid, pipe, hear_daemon(notify[0]));
}

/* In ourselves again. */

/* Whether the program was started: the pipe closes with nothing in it then. */
static int await_start(const struct daemon_start *start, int report)
{
	struct daemon_failure failure;
	ssize_t n = read_full(report, &failure, sizeof(failure));

	if (n == 0)
		return 0;
	if (n != (ssize_t)sizeof(failure)) {
		diag_error("%s: cannot start %s: it ended before it began", start->name,
			   start->argv[0]);
		return -ECHILD;
	}
	failure.step[sizeof(failure.step) - 1] = '\0';
	diag_error("%s: cannot start %s: %s: %s", start->name, start->argv[0], failure.step,
		   strerror(failure.err));
	return -failure.err;
}

enum { OURS, THEIRS }; /* ends of a pipe */

static void close_pipe(int fds[2])
{
	for (int i = 0; i < 2; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

int daemon_start(struct daemon *daemon, const struct daemon_start *start)
{
	/* Each way: what it prints, how its start failed, and the keeper's, which nobody writes. */
	int words[] = { -1, -1 }, report[] = { -1, -1 }, keeper[] = { -1, -1 };
	int r = -ENOMEM;
	pid_t pid = -1;

	*daemon = (struct daemon){ .name = start->name, .keeper = -1, .words = -1 };
	if (pipe2(words, O_CLOEXEC) == 0 && pipe2(report, O_CLOEXEC) == 0 &&
	    pipe2(keeper, O_CLOEXEC) == 0)
		pid = fork();
	if (pid == 0)
		run_keeper(start, words[THEIRS], report[THEIRS], keeper[0]);
	if (pid < 0) {
		r = -errno;
		diag_error("%s: cannot make a process: %s", start->name, strerror(-r));
		close_pipe(words);
		close_pipe(report);
		close_pipe(keeper);
		return r;
	}
	close(words[THEIRS]);
	close(report[THEIRS]);
	close(keeper[0]);
	r = await_start(start, report[OURS]);
	close(report[OURS]);
	daemon->words = words[OURS];
	daemon->keeper = keeper[1];
	(void)fcntl(daemon->words, F_SETFL, O_NONBLOCK);
	if (r < 0)
		daemon_end(daemon);
	return r;
}

/* Shows the whole lines kept, or with @all what there is. */
static void show(struct daemon *daemon, bool all)
{
	char *line = daemon->text;
	char *end = daemon->text + daemon->kept;

	while (line < end) {
		char *stop = memchr(line, '\n', (size_t)(end - line));

		if (!stop && !all)
			break;
		if (!stop)
			stop = end;
		if (stop > line && daemon->lines < LINES_MAX) {
			daemon->lines++;
			diag_warn("%s says: %.*s%s", daemon->name, (int)(stop - line), line,
				  daemon->lines == LINES_MAX ? " (more of it is not shown)" : "");
		}
		line = stop < end ? stop + 1 : end;
	}
	daemon->kept = (size_t)(end - line);
	memmove(daemon->text, line, daemon->kept);
}

/* False when there will be no more. What finds no room is lost: it is not ours to keep. */
static bool read_words(struct daemon *daemon)
{
	char text[512];
	ssize_t n = read(daemon->words, text, sizeof(text));
	size_t take;

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	take = size_min((size_t)n, sizeof(daemon->text) - daemon->kept);
	memcpy(daemon->text + daemon->kept, text, take);
	daemon->kept += take;
	if (daemon->talks)
		show(daemon, daemon->kept == sizeof(daemon->text));
	return true;
}

void daemon_talk(struct daemon *daemon)
{
	daemon->talks = true;
	show(daemon, false);
}

static void on_words(void *opaque, uint32_t events)
{
	struct daemon *daemon = opaque;

	(void)events;
	if (read_words(daemon))
		return;
	(void)loop_del(daemon->loop, daemon->words);
	close(daemon->words);
	daemon->words = -1;
}

int daemon_listen(struct daemon *daemon, struct loop *loop)
{
	if (daemon->words < 0)
		return 0;
	daemon->loop = loop;
	return loop_add(loop, daemon->words, EPOLLIN, on_words, daemon);
}

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* All that it still says, until it is gone; a child of one that was taken over may print for ever. */
static void take_last_words(struct daemon *daemon)
{
	const int64_t end = now_ms() + END_WAIT_MS + KILL_WAIT_MS;
	struct pollfd pfd = { .fd = daemon->words, .events = POLLIN };
	int64_t left;
	int n;

	do {
		left = end - now_ms();
		n = left > 0 ? poll(&pfd, 1, (int)left) : 0;
		if (n > 0 && !read_words(daemon))
			break;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n == 0)
		diag_warn("%s does not end", daemon->name);
	if (daemon->talks)
		show(daemon, true);
}

void daemon_end(struct daemon *daemon)
{
	if (daemon->keeper >= 0)
		close(daemon->keeper);
	daemon->keeper = -1;
	if (daemon->words < 0)
		return;
	if (daemon->loop)
		(void)loop_del(daemon->loop, daemon->words);
	take_last_words(daemon);
	close(daemon->words);
	daemon->words = -1;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starts passt, which gives a guest the user's own network without privileges: translates between
 * frames and sockets, answers DHCP, NDP and DNS, forwards ports.
 *
 * Without -f it goes to the background when it is ready, so the exit status of the process that we
 * start tells whether it works, and its words up to then tell why not.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "vm/daemon/daemon.h"
#include "vm/net.h"

enum {
	PATIENCE_MS = 20000, /* for passt to be ready */
	WORDS_MAX = 4096,    /* of what it says */
	ARGS_MAX = 24 + 2 * VM_NET_MAX_FORWARDS,
	PATH_MAX_LEN = 4096,
	PASST_FD = 3, /* passt's end of the socket, as passt knows it */
};

/* Arguments of a program, with room for those that are made. */
struct args {
	char *argv[ARGS_MAX];
	unsigned count;
	char text[ARGS_MAX * 80];
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void arg(struct args *args, const char *fmt, ...)
{
	char *at = args->text + args->used;
	va_list list;
	int n;

	va_start(list, fmt);
	n = vsnprintf(at, sizeof(args->text) - args->used, fmt, list);
	va_end(list);
	args->argv[args->count++] = at;
	args->used += (size_t)n + 1;
}

/* Where passt is: in PATH, or where Debian and those who build it themselves put it. */
static bool find_passt(char *path, size_t size)
{
	static const char usual[] = "/usr/bin:/usr/local/bin:/bin";
	const char *lists[] = { getenv("PATH"), usual };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const char *at = lists[i];

		while (at && *at) {
			size_t len = strcspn(at, ":");
			int n = snprintf(path, size, "%.*s/passt", (int)len, at);

			if (len > 0 && *at == '/' && n > 0 && (size_t)n < size &&
			    access(path, X_OK) == 0)
				return true;
			at += len + (at[len] == ':');
		}
	}
	return false;
}

static void make_args(struct args *args, const struct vm_net_config *config, uint16_t mtu)
{
	arg(args, "passt");
	arg(args, "--fd");
	arg(args, "%d", PASST_FD);
	arg(args, "--mtu");
	arg(args, "%" PRIu16, mtu);
	if (config->nohost)
		arg(args, "--no-map-gw");
	for (unsigned i = 0; i < config->forward_count; i++) {
		const struct vm_forward *forward = &config->forwards[i];

		arg(args, forward->udp ? "-u" : "-t");
		arg(args, "%s/%" PRIu16 ":%" PRIu16,
		    forward->address ? forward->address : "127.0.0.1", forward->host,
		    forward->guest);
	}
	args->argv[args->count] = NULL;
}

/*
 * Starts @path, its words going to @words. Of our descriptors it gets @fd besides, and no other, nor what we were
 * started with: it reads a hostile guest's packets. 0 or -errno.
 */
static int spawn(const char *path, struct args *args, int fd, int words, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int r = posix_spawn_file_actions_init(&actions);

	if (r)
		return -r;
	r = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, words, 1);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, words, 2);
	/* Also where both are one: then it is not closed by exec. */
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, fd, PASST_FD);
	if (!r)
		r = posix_spawn_file_actions_addclosefrom_np(&actions, PASST_FD + 1);
	if (!r)
		r = posix_spawn(pid, path, &actions, NULL, args->argv, daemon_environment);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What is said on @fd until it is closed, the first WORDS_MAX bytes. False if time is up before. */
static bool listen_to(int fd, char words[WORDS_MAX + 1])
{
	int64_t end = now_ms() + PATIENCE_MS, left;
	size_t used = 0;

	while ((left = end - now_ms()) > 0) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		char more[512];
		ssize_t n;

		if (poll(&wait, 1, (int)left) <= 0)
			continue;
		n = read(fd, more, sizeof(more));
		if (n < 0 && errno == EINTR)
			continue;
		words[used] = '\0';
		if (n <= 0)
			return true;
		memcpy(words + used, more, size_min((size_t)n, WORDS_MAX - used));
		used += size_min((size_t)n, WORDS_MAX - used);
	}
	words[used] = '\0';
	return false;
}

/* Its words, line by line, without those that are about its log or no news. */
static void repeat(char *words, void (*say)(const char *fmt, ...))
{
	char *rest = words;

	while (rest) {
		char *line = strsep(&rest, "\n");

		if (*line && !strstr(line, "to syslog") && !strstr(line, "Don't run as root"))
			say("passt: %s", line);
	}
}

static int wait_ready(pid_t pid, int words_fd, bool verbose)
{
	char words[WORDS_MAX + 1];
	bool closed = listen_to(words_fd, words);
	int status = 0;

	if (!closed)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (closed && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		if (verbose)
			repeat(words, diag_note);
		return 0;
	}
	repeat(words, diag_error);
	if (!closed)
		diag_error("--net user: passt was not ready within %d s", PATIENCE_MS / 1000);
	else if (WIFSIGNALED(status))
		diag_error("--net user: passt was killed by signal %d when it started",
			   WTERMSIG(status));
	else
		diag_error("--net user: passt gave up with status %d when it started",
			   WEXITSTATUS(status));
	return -EIO;
}

static int start(const char *path, const struct vm_net_config *config, uint16_t mtu, bool verbose,
		 const int pair[2])
{
	struct args *args = calloc(1, sizeof(*args));
	int words[2] = { -1, -1 };
	pid_t pid = -1;
	int r;

	if (!args || pipe2(words, O_CLOEXEC) < 0) {
		free(args);
		return -ENOMEM;
	}
	make_args(args, config, mtu);
	r = spawn(path, args, pair[1], words[1], &pid);
	(void)close(words[1]);
	if (!r)
		r = wait_ready(pid, words[0], verbose);
	(void)close(words[0]);
	free(args);
	return r;
}

int vm_passt_start(const struct vm_net_config *config, uint16_t mtu, bool verbose, int *fd)
{
	char path[PATH_MAX_LEN];
	int pair[2] = { -1, -1 };
	int r;

	if (!find_passt(path, sizeof(path))) {
		diag_error("--net user: the program passt is not here; it is in the package passt "
			   "(Debian: apt-get install passt)");
		return -ENOENT;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		r = -errno;
	else
		r = start(path, config, mtu, verbose, pair);
	if (r < 0 && r != -EIO)
		diag_error("--net user: cannot start %s: %s", path, strerror(-r));
	if (pair[1] >= 0)
		(void)close(pair[1]);
	/* Only our end must not wait: the flag is of each end. */
	if (r == 0 && fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0)
		r = -errno;
	if (r == 0)
		*fd = pair[0];
	else if (pair[0] >= 0)
		(void)close(pair[0]);
	return r;
}

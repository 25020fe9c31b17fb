/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a command on a terminal of its own and walks through steps, for tests/cli/terminal.sh:
 *
 *	pty [-b] STEP... -- COMMAND [ARG...]
 *
 *	see:TEXT     wait until the terminal shows TEXT (after what was seen before)
 *	send:TEXT    type TEXT; \xNN is a byte
 *	raw          wait until the terminal is raw (no echo, no lines, no signals by keys)
 *	quiet        wait until the terminal does not echo: whoever asks for a password drops what was typed before
 *	cook         set the terminal as it was at the start, as a shell does
 *	same         the terminal's modes are those of the start, to the last bit
 *	signal:N     send signal N to the command
 *	wait:MS      let that time pass
 *	exit:N       wait until the command ends with status N
 *	killed:N     wait until the command is ended by signal N
 *
 * -b: the command is a background job of its terminal. Standard error stays the caller's. Ends with
 * 0 when all steps held, else says which did not and ends with 1; each waits for two minutes at most.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { STEP_MS = 120000, SHOWN_MAX = 1 << 20 };

struct session {
	int master;
	int slave;    /* kept open: to look at the modes */
	pid_t leader; /* of the session; it ends as the command does */
	pid_t command;
	struct termios start;
	char shown[SHOWN_MAX];
	size_t shown_len;
	size_t seen; /* what see: has passed */
	bool ended;
	int status;
};

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Takes what the terminal shows, for @ms at most. */
static void take_output(struct session *s, int ms)
{
	struct pollfd fd = { .fd = s->master, .events = POLLIN };
	ssize_t n;

	if (poll(&fd, 1, ms) != 1 || s->shown_len == sizeof(s->shown))
		return;
	n = read(s->master, s->shown + s->shown_len, sizeof(s->shown) - s->shown_len);
	if (n > 0)
		s->shown_len += (size_t)n;
}

static void reap(struct session *s)
{
	if (!s->ended && waitpid(s->leader, &s->status, WNOHANG) == s->leader)
		s->ended = true;
}

static bool see(struct session *s, const char *text)
{
	size_t len = strlen(text);
	char *found = memmem(s->shown + s->seen, s->shown_len - s->seen, text, len);

	if (found)
		s->seen = (size_t)(found - s->shown) + len;
	return found != NULL;
}

static bool is_raw(const struct session *s)
{
	struct termios modes;

	return tcgetattr(s->slave, &modes) == 0 &&
	       !(modes.c_lflag & (ECHO | ICANON | ISIG | IEXTEN)) &&
	       !(modes.c_iflag & (ICRNL | IXON)) && (modes.c_oflag & OPOST);
}

static bool is_quiet(const struct session *s)
{
	struct termios modes;

	return tcgetattr(s->slave, &modes) == 0 && !(modes.c_lflag & ECHO);
}

static bool is_same(const struct session *s)
{
	struct termios modes;

	return tcgetattr(s->slave, &modes) == 0 && modes.c_iflag == s->start.c_iflag &&
	       modes.c_oflag == s->start.c_oflag && modes.c_cflag == s->start.c_cflag &&
	       modes.c_lflag == s->start.c_lflag &&
	       memcmp(modes.c_cc, s->start.c_cc, sizeof(modes.c_cc)) == 0;
}

static bool type(struct session *s, const char *text)
{
	while (*text) {
		char byte = *text;

		if (text[0] == '\\' && text[1] == 'x' && text[2] && text[3]) {
			char hex[3] = { text[2], text[3], '\0' };

			byte = (char)strtol(hex, NULL, 16);
			text += 3;
		}
		text++;
		if (write(s->master, &byte, 1) != 1)
			return false;
	}
	return true;
}

/* 1: the step holds; 0: not yet; -1: it never will. */
static int try_step(struct session *s, const char *step)
{
	const char *colon = strchr(step, ':');
	const char *value = colon ? colon + 1 : "";

	reap(s);
	if (strncmp(step, "see:", 4) == 0)
		return see(s, value);
	if (strncmp(step, "send:", 5) == 0)
		return type(s, value) ? 1 : -1;
	if (strcmp(step, "raw") == 0)
		return is_raw(s);
	if (strcmp(step, "quiet") == 0)
		return is_quiet(s);
	if (strcmp(step, "cook") == 0)
		return tcsetattr(s->slave, TCSANOW, &s->start) == 0 ? 1 : -1;
	if (strcmp(step, "same") == 0)
		return is_same(s) ? 1 : -1;
	if (strncmp(step, "signal:", 7) == 0)
		return kill(s->command, atoi(value)) == 0 ? 1 : -1;
	if (strncmp(step, "wait:", 5) == 0)
		return usleep((useconds_t)atoi(value) * 1000) == 0 ? 1 : -1;
	if (strncmp(step, "exit:", 5) == 0 && s->ended)
		return WIFEXITED(s->status) && WEXITSTATUS(s->status) == atoi(value) ? 1 : -1;
	if (strncmp(step, "killed:", 7) == 0 && s->ended)
		return WIFSIGNALED(s->status) && WTERMSIG(s->status) == atoi(value) ? 1 : -1;
	return strchr("ek", step[0]) ? 0 : -1;
}

static bool walk(struct session *s, const char *step)
{
	long until = now_ms() + STEP_MS;
	int held;

	while ((held = try_step(s, step)) == 0 && now_ms() < until)
		take_output(s, 20);
	if (held == 1)
		return true;
	printf("step %s did not hold", step);
	if (s->ended)
		printf("; it ended with %s %d", WIFEXITED(s->status) ? "status" : "signal",
		       WIFEXITED(s->status) ? WEXITSTATUS(s->status) : WTERMSIG(s->status));
	printf("; shown: %.*s\n", (int)s->shown_len, s->shown);
	return false;
}

/* The session's leader: starts the command in a job of its own and ends as it ends. */
static void lead(const struct session *s, int tell, bool background, char **command)
{
	int err = dup(STDERR_FILENO);
	int status;
	pid_t pid;

	/* Who kills us must not leave a command behind that is stopped, and nobody to go on with it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setsid();
	ioctl(s->slave, TIOCSCTTY, 0);
	signal(SIGTTOU, SIG_IGN);
	dup2(s->slave, 0);
	dup2(s->slave, 1);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setpgid(0, 0);
		if (!background)
			tcsetpgrp(0, getpid());
		signal(SIGTTOU, SIG_DFL);
		dup2(err, STDERR_FILENO);
		close(err);
		close(s->master);
		close(s->slave);
		close(tell);
		execvp(command[0], command);
		_exit(127);
	}
	if (write(tell, &pid, sizeof(pid)) != sizeof(pid))
		_exit(126);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	signal(WTERMSIG(status), SIG_DFL);
	raise(WTERMSIG(status));
	_exit(125);
}

static bool start(struct session *s, bool background, char **command)
{
	int pipe_fds[2];

	if (openpty(&s->master, &s->slave, NULL, NULL, NULL) != 0 || pipe(pipe_fds) != 0)
		return false;
	if (tcgetattr(s->slave, &s->start) != 0)
		return false;
	s->leader = fork();
	if (s->leader == 0)
		lead(s, pipe_fds[1], background, command);
	close(pipe_fds[1]);
	return read(pipe_fds[0], &s->command, sizeof(s->command)) == sizeof(s->command);
}

int main(int argc, char **argv)
{
	static struct session s;
	bool background = argc > 1 && strcmp(argv[1], "-b") == 0;
	int first = background ? 2 : 1;
	int dashes = first;
	bool held = true;

	while (dashes < argc && strcmp(argv[dashes], "--") != 0)
		dashes++;
	if (dashes + 1 >= argc || !start(&s, background, argv + dashes + 1)) {
		fprintf(stderr, "pty: cannot start\n");
		return 2;
	}
	for (int i = first; held && i < dashes; i++)
		held = walk(&s, argv[i]);
	if (!s.ended)
		kill(s.command, SIGKILL);
	return held ? 0 : 1;
}

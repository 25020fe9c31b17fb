/* SPDX-License-Identifier: BSD-2-Clause */
/* Asks for a password on the terminal without showing it, or takes it from a file's first line. */
#include "cli/password.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/io.h"

enum { CTRL_C = 3, CTRL_D = 4, BACKSPACE = 8, CTRL_U = 21, DELETE = 127 };

/* One key. False: it ends the line. */
static int take_key(char *password, size_t *len, unsigned char key)
{
	switch (key) {
	case '\n':
	case '\r':
		return 1;
	case CTRL_C:
	case CTRL_D:
		return -EINTR;
	case BACKSPACE:
	case DELETE:
		if (*len > 0)
			(*len)--;
		return 0;
	case CTRL_U:
		*len = 0;
		return 0;
	default:
		if (*len + 1 < PASSWORD_MAX)
			password[(*len)++] = (char)key;
		return 0;
	}
}

static int read_line(int fd, char *password)
{
	size_t len = 0;
	int r = 0;

	while (r == 0) {
		unsigned char key;
		ssize_t n = read(fd, &key, 1);

		if (n < 0 && errno == EINTR)
			continue;
		r = n == 1 ? take_key(password, &len, key) : -EINTR;
	}
	password[len] = '\0';
	return r < 0 ? r : 0;
}

/* Keys come one by one and unseen; signals that would leave the terminal so wait. */
static int ask(int fd, const char *name, char *password)
{
	struct termios before, quiet;
	char prompt[256];
	sigset_t set, old;
	int r;

	if (tcgetattr(fd, &before) < 0)
		return -errno;
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ICANON | ISIG);
	quiet.c_cc[VMIN] = 1;
	quiet.c_cc[VTIME] = 0;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, &old);
	(void)tcsetattr(fd, TCSAFLUSH, &quiet);
	(void)snprintf(prompt, sizeof(prompt), "password of %.200s: ", name);
	(void)write_full(fd, prompt, strlen(prompt));
	r = read_line(fd, password);
	(void)tcsetattr(fd, TCSAFLUSH, &before);
	(void)write_full(fd, "\n", 1);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}

int password_ask(const char *name, char password[PASSWORD_MAX])
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	int r;

	if (fd < 0) {
		r = -errno;
		diag_error(
			"secret key %s: it wants a password, and there is no terminal to ask on; "
			"--password-file has one",
			name);
		return r;
	}
	r = ask(fd, name, password);
	(void)close(fd);
	if (r < 0)
		diag_error("secret key %s: no password was given", name);
	return r;
}

int password_read(const char *file, char password[PASSWORD_MAX])
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n = fd < 0 ? -errno : read_full(fd, password, PASSWORD_MAX);

	if (fd >= 0)
		(void)close(fd);
	if (n < 0) {
		diag_error("password file %s: cannot read: %s", file, strerror((int)-n));
		return (int)n;
	}
	for (size_t i = 0; i < (size_t)n; i++) {
		if (password[i] == '\n' || !password[i]) {
			password[i] = '\0';
			return 0;
		}
	}
	if (n < PASSWORD_MAX) {
		password[n] = '\0';
		return 0;
	}
	diag_error("password file %s: its first line is longer than %d bytes", file,
		   PASSWORD_MAX - 1);
	return -EFBIG;
}

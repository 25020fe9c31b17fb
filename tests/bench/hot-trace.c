/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a program one instruction at a time and prints which of its own code was executed: for tools/hot-list.
 *
 *	hot-trace COMMAND [ARG...]
 *
 * One line for each 16 bytes of the program's file that an instruction began in: their offset in the
 * file, in hexadecimal, rising. All threads are followed, children are not. The program's own output goes to
 * standard error. A start of hvrun takes some seconds that way.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GRAIN = 16, FILE_MAX = 64 << 20 };

/* Where the program's executable segment lies. */
struct text {
	uint64_t start, end, offset;
};

static struct text text_of(pid_t pid, const char *program)
{
	char name[64], line[512], *real = realpath(program, NULL);
	struct text text = { 0 };
	FILE *maps;

	(void)snprintf(name, sizeof(name), "/proc/%d/maps", (int)pid);
	maps = fopen(name, "re");
	while (maps && real && fgets(line, sizeof(line), maps))
		if (strstr(line, real) && strstr(line, " r-xp "))
			(void)sscanf(line, "%" SCNx64 "-%" SCNx64 " r-xp %" SCNx64, &text.start,
				     &text.end, &text.offset);
	if (maps)
		(void)fclose(maps);
	free(real);
	return text;
}

static void note(uint8_t *seen, const struct text *text, pid_t pid)
{
	struct __ptrace_syscall_info info = { 0 };

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0)
		return;
	if (info.instruction_pointer >= text->start && info.instruction_pointer < text->end)
		seen[(info.instruction_pointer - text->start + text->offset) % FILE_MAX / GRAIN] =
			1;
}

/* Until the last thread has ended. */
static void follow(uint8_t *seen, const struct text *text)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		int sig = WIFSTOPPED(status) ? WSTOPSIG(status) : 0;

		if (!WIFSTOPPED(status))
			continue;
		note(seen, text, pid);
		/* Of single steps, of a clone, and of a new thread's beginning. */
		if (sig == SIGTRAP || sig == SIGSTOP)
			sig = 0;
		(void)ptrace(PTRACE_SINGLESTEP, pid, NULL, (void *)(intptr_t)sig);
	}
}

int main(int argc, char **argv)
{
	uint8_t *seen = calloc(FILE_MAX / GRAIN, 1);
	int status = 0;

	if (argc < 2 || !seen) {
		fprintf(stderr, "usage: hot-trace COMMAND [ARG...]\n");
		return 64;
	}

	pid_t pid = fork();

	if (pid == 0) {
		(void)dup2(STDERR_FILENO, STDOUT_FILENO);
		(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		(void)execv(argv[1], argv + 1);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFSTOPPED(status)) {
		fprintf(stderr, "hot-trace: cannot run %s\n", argv[1]);
		return 71;
	}

	struct text text = text_of(pid, argv[1]);

	(void)ptrace(PTRACE_SETOPTIONS, pid, NULL,
		     (void *)(intptr_t)(PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL));
	note(seen, &text, pid);
	(void)ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL);
	follow(seen, &text);
	for (size_t i = 0; i < FILE_MAX / GRAIN; i++)
		if (seen[i])
			printf("%zx\n", i * GRAIN);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Measures how soon a guest runs and what the VMM costs beside guest memory.
 *
 *	start err|out RUNS RAM-MIB COMMAND [ARG...]
 *
 * The clock runs from just before exec to the first byte on that stream.
 *
 * err: COMMAND boots a guest whose second instruction ends the run; the byte is the beginning of the
 * line that tells of it. An upper bound of "exec to first guest instruction": the exit, the waking of
 * the loop and the end of the vCPU's thread are in it.
 * out: the guest sends a byte to the console and then sleeps; the byte comes when the serial port has
 * gathered for 2 ms. Then the resident memory of the process is added up, mappings of guest memory
 * (RAM-MIB or larger) left out.
 *
 * The process is killed then. Prints lines "KEY VALUE".
 *
 *	start cycles
 *
 * How many cycles of the processor's counter (x86: TSC) a microsecond has: "cycles-per-us VALUE".
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RUNS_MAX = 1000, WAIT_MS = 20000 };

struct sample {
	uint64_t us;  /* exec to the first byte */
	uint64_t kib; /* resident beyond guest memory */
};

static uint64_t now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* KiB resident in mappings smaller than ram_kib. */
static uint64_t resident_beside(pid_t pid, uint64_t ram_kib)
{
	uint64_t kib = 0, value, size = 0, total = 0;
	char name[64], line[512];
	FILE *f;

	(void)snprintf(name, sizeof(name), "/proc/%d/smaps", (int)pid);
	f = fopen(name, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Size: %" SCNu64, &value) == 1)
			size = value;
		if (sscanf(line, "Rss: %" SCNu64, &kib) == 1 && size < ram_kib)
			total += kib;
	}
	(void)fclose(f);
	return total;
}

/* Runs command once. Returns 0, or -1 after saying why. */
static int measure(struct sample *s, int stream, uint64_t ram_kib, char **command,
		   uint64_t *shared_start)
{
	struct pollfd p;
	int fds[2], ready;
	pid_t pid;
	char byte;

	if (pipe(fds) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(fds[1], stream);
		(void)close(null);
		(void)close(fds[0]);
		(void)close(fds[1]);
		*shared_start = now_us();
		(void)execv(command[0], command);
		_exit(127);
	}
	(void)close(fds[1]);
	p = (struct pollfd){ .fd = fds[0], .events = POLLIN };
	ready = poll(&p, 1, WAIT_MS);
	s->us = now_us() - *shared_start;
	if (ready != 1 || read(fds[0], &byte, 1) != 1) {
		fprintf(stderr, "start: no byte came from %s\n", command[0]);
		ready = -1;
	}
	if (stream == STDOUT_FILENO)
		s->kib = resident_beside(pid, ram_kib);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	(void)close(fds[0]);
	return ready == 1 ? 0 : -1;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void report(const char *key, uint64_t *values, size_t count)
{
	qsort(values, count, sizeof(*values), by_value);
	printf("%s-least %" PRIu64 "\n%s-median %" PRIu64 "\n%s-most %" PRIu64 "\n", key, values[0],
	       key, values[count / 2], key, values[count - 1]);
}

static int cycles_per_us(void)
{
	const uint64_t us = now_us();
	const uint64_t cycles = (uint64_t)__builtin_ia32_rdtsc();

	(void)poll(NULL, 0, 200);
	printf("cycles-per-us %" PRIu64 "\n",
	       ((uint64_t)__builtin_ia32_rdtsc() - cycles) / (now_us() - us));
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t *start = mmap(NULL, sizeof(*start), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int stream = argc > 1 && strcmp(argv[1], "err") == 0 ? STDERR_FILENO : STDOUT_FILENO;
	size_t runs = argc > 4 ? strtoul(argv[2], NULL, 10) : 0;
	uint64_t ram_kib = argc > 4 ? strtoull(argv[3], NULL, 10) * 1024 : 0;
	static uint64_t us[RUNS_MAX], kib[RUNS_MAX];

	if (argc == 2 && strcmp(argv[1], "cycles") == 0)
		return cycles_per_us();
	if (runs == 0 || runs > RUNS_MAX || ram_kib == 0 || start == MAP_FAILED) {
		fprintf(stderr,
			"usage: start err|out RUNS RAM-MIB COMMAND [ARG...] | start cycles\n");
		return 64;
	}
	for (size_t i = 0; i < runs; i++) {
		struct sample s = { 0 };

		if (measure(&s, stream, ram_kib, argv + 4, start) < 0)
			return 1;
		us[i] = s.us;
		kib[i] = s.kib;
	}
	report("start-us", us, runs);
	if (stream == STDOUT_FILENO)
		report("beside-kib", kib, runs);
	return 0;
}

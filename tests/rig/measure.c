/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a VMM inside L1 and measures it from outside, the same way for every VMM.
 *
 *   measure NAME MODE LIMIT-SECONDS RAM-MIB COMMAND [ARG...]
 *   measure credit		gives L1's kernel its first entropy
 *
 * MODE "time": the clock runs from just before exec; each console line with `RIG-MARK what`
 * and the end are timed (`RIG-MARK what:N` hands on N microseconds that the guest measured).
 * Nothing else is looked at, so nothing disturbs it.
 * MODE "first": the kvm_entry tracepoint gives the moment of the first entry into the guest;
 * the VMM is killed then. MEASURE_PHASE_US of the environment: exec comes that many microseconds
 * behind a tick of L1's kernel.
 * MODE "count": exits by reason (a histogram on the field MEASURE_EXIT_KEY of the environment of the
 * kvm_exit tracepoint; exit_reason) over the whole run;
 * at the mark `init` the VMM is stopped while KVM's counters and its memory are read.
 *
 * Prints lines `MEASURE NAME KEY VALUE`; times in microseconds of CLOCK_MONOTONIC, memory in
 * KiB. Standard input is passed on to the VMM untouched. The console's bytes are counted, and
 * kept in /tmp/NAME.console.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRACING	  "/sys/kernel/debug/tracing/"
#define KVM_STATS "/sys/kernel/debug/kvm"

struct run {
	const char *name;
	const char *exit_key; /* the field of kvm_exit that says why */
	pid_t pid;
	int64_t start_ns;   /* just before exec */
	int64_t stopped_ns; /* how long we held it, not counted */
	long ram_kib;
	bool first;
	bool count;
	bool sampled;
};

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void put(const struct run *run, const char *key, long long value)
{
	printf("MEASURE %s %s %lld\n", run->name, key, value);
}

/* Writes a string to a control file of the kernel; complains, since a silent miss would be
 * taken for a zero. */
static void control(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "measure: %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* The resident memory of the VMM without guest RAM: mappings of at least half the guest's RAM
 * are RAM, all others count. */
static void sample_memory(const struct run *run)
{
	char path[64], line[512];
	unsigned long lo, hi, kib;
	long rest = 0, ram = 0;
	bool is_ram = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)run->pid);
	f = fopen(path, "r");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &lo, &hi) == 2)
			is_ram = (long)((hi - lo) / 1024) >= run->ram_kib / 2;
		else if (sscanf(line, "Rss: %lu kB", &kib) == 1)
			*(is_ram ? &ram : &rest) += (long)kib;
	}
	fclose(f);
	put(run, "rss-beyond-ram-kib", rest);
	put(run, "rss-ram-kib", ram);
}

/* KVM's own counters of the one VM there is (every folder below the top is a VM). */
static void sample_kvm(const struct run *run)
{
	static const char *const names[] = { "exits",	     "io_exits",	 "mmio_exits",
					     "halt_exits",   "irq_exits",	 "irq_window_exits",
					     "signal_exits", "pf_taken",	 "pf_fixed",
					     "pf_fast",	     "insn_emulation",	 "pages_2m",
					     "pages_4k",     "nmi_window_exits", "hypercalls" };
	char path[512], key[64];
	long long value;
	struct dirent *e;
	DIR *d = opendir(KVM_STATS);
	FILE *f;

	while (d && (e = readdir(d))) {
		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			snprintf(path, sizeof(path), KVM_STATS "/%s/%s", e->d_name, names[i]);
			f = fopen(path, "r");
			if (!f)
				continue;
			snprintf(key, sizeof(key), "kvm-%s", names[i]);
			if (fscanf(f, "%lld", &value) == 1)
				put(run, key, value);
			fclose(f);
		}
	}
	if (d)
		closedir(d);
}

static void sample(struct run *run)
{
	int64_t t = now_ns();

	kill(run->pid, SIGSTOP);
	/* stopped for sure only when wait says so */
	waitpid(run->pid, NULL, WUNTRACED);
	sample_kvm(run);
	sample_memory(run);
	kill(run->pid, SIGCONT);
	run->stopped_ns += now_ns() - t;
	run->sampled = true;
}

static void tracing_on(const struct run *run)
{
	char text[64];

	control(TRACING "trace_clock", "mono");
	if (run->count) {
		snprintf(text, sizeof(text), "hist:keys=%s", run->exit_key);
		control(TRACING "events/kvm/kvm_exit/trigger", text);
	}
	if (run->first) {
		control(TRACING "trace", "\n");
		control(TRACING "tracing_on", "1");
		control(TRACING "events/kvm/kvm_entry/trigger", "traceoff:1");
		control(TRACING "events/kvm/kvm_entry/enable", "1");
	}
}

/* `{ exit_reason: 123 } hitcount: 45` lines, and the first `SECONDS.MICROS: kvm_entry`. */
static void tracing_off(const struct run *run)
{
	char line[512], key[64], form[64], *p;
	unsigned long long reason, hits;
	double at;
	FILE *f;

	snprintf(form, sizeof(form), "{ %s: %%llu } hitcount: %%llu", run->exit_key);
	if (run->count && (f = fopen(TRACING "events/kvm/kvm_exit/hist", "r"))) {
		while (fgets(line, sizeof(line), f)) {
			if (sscanf(line, form, &reason, &hits) != 2)
				continue;
			snprintf(key, sizeof(key), "exit-0x%llx", reason);
			put(run, key, (long long)hits);
		}
		fclose(f);
		snprintf(key, sizeof(key), "!hist:keys=%s", run->exit_key);
		control(TRACING "events/kvm/kvm_exit/trigger", key);
	}
	if (run->first && (f = fopen(TRACING "trace", "r"))) {
		while (fgets(line, sizeof(line), f)) {
			p = strstr(line, ": kvm_entry:");
			while (p && p > line && p[-1] != ' ')
				p--;
			if (!p || sscanf(p, "%lf:", &at) != 1)
				continue;
			put(run, "first-vcpu-us", (long long)(at * 1e6) - run->start_ns / 1000);
			break;
		}
		fclose(f);
		control(TRACING "events/kvm/kvm_entry/enable", "0");
		control(TRACING "events/kvm/kvm_entry/trigger", "!traceoff:1");
		control(TRACING "tracing_on", "1");
	}
}

/* One whole line of the console. */
static void line_seen(struct run *run, const char *line)
{
	const char *mark = strstr(line, "RIG-MARK ");
	char key[64];
	int64_t us = (now_ns() - run->start_ns - run->stopped_ns) / 1000;
	int len;

	if (!mark)
		return;
	mark += strlen("RIG-MARK ");
	len = (int)strcspn(mark, ": \r\n");
	snprintf(key, sizeof(key), "%.*s-us", len < 40 ? len : 40, mark);
	put(run, key, mark[len] == ':' ? atoll(mark + len + 1) : us);
	if (run->count && !run->sampled)
		sample(run);
}

/* Reads the console until it closes or the time is over. Returns its bytes. */
static long long follow(struct run *run, int fd, int64_t limit_ns)
{
	static char buf[65536], line[1024];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t used = 0;
	long long total = 0;
	char path[128];
	ssize_t n;
	int keep;

	snprintf(path, sizeof(path), "/tmp/%s.console", run->name);
	keep = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	for (;;) {
		if (now_ns() - run->start_ns > limit_ns) {
			put(run, "timeout", 1);
			kill(run->pid, SIGKILL);
			break;
		}
		if (poll(&p, 1, 1000) <= 0)
			continue;
		n = read(fd, buf, sizeof(buf));
		if (n <= 0)
			break;
		total += n;
		if (run->first)
			kill(run->pid, SIGKILL);
		if (keep >= 0 && write(keep, buf, (size_t)n) != n)
			fprintf(stderr, "measure: %s: short write\n", path);
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] != '\n') {
				if (used < sizeof(line) - 1)
					line[used++] = buf[i];
				continue;
			}
			line[used] = 0;
			used = 0;
			line_seen(run, line);
		}
	}
	if (keep >= 0)
		close(keep);
	return total;
}

/* Waits, busy, until the clock is @phase us behind a tick of L1's kernel (4 ms: Debian's HZ). */
static void wait_for_phase(const char *phase)
{
	enum { TICK_NS = 4000000, NEAR_NS = 10000 };
	int64_t want = phase ? atoll(phase) * 1000 : 0;

	while (phase && (now_ns() + TICK_NS - want) % TICK_NS > NEAR_NS)
		;
}

/* L1 has no source of entropy in virtual time, and a VMM that reads /dev/random would wait. */
static int credit_entropy(void)
{
	struct {
		int bits, bytes;
		uint8_t data[64];
	} pool = { .bits = 512, .bytes = 64 };
	int fd = open("/dev/random", O_RDWR | O_CLOEXEC);

	if (fd >= 0 && ioctl(fd, RNDADDENTROPY, &pool) == 0)
		return 0;
	fprintf(stderr, "measure: /dev/random: %s\n", strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	int64_t *start =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct run run = { 0 };
	struct rusage ru;
	long long bytes;
	int pipefd[2], status;

	if (argc == 2 && !strcmp(argv[1], "credit"))
		return credit_entropy();
	if (argc < 6 || start == MAP_FAILED || pipe(pipefd)) {
		fprintf(stderr,
			"usage: measure NAME time|first|count SECONDS RAM-MIB COMMAND...\n");
		return 64;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	run.name = argv[1];
	run.exit_key = getenv("MEASURE_EXIT_KEY");
	if (!run.exit_key)
		run.exit_key = "exit_reason";
	run.first = !strcmp(argv[2], "first");
	run.count = !strcmp(argv[2], "count");
	run.ram_kib = atol(argv[4]) * 1024;
	tracing_on(&run);
	run.pid = fork();
	if (run.pid == 0) {
		dup2(pipefd[1], 1);
		close(pipefd[0]);
		close(pipefd[1]);
		wait_for_phase(getenv("MEASURE_PHASE_US"));
		*start = now_ns();
		execv(argv[5], argv + 5);
		fprintf(stderr, "measure: %s: %s\n", argv[5], strerror(errno));
		_exit(127);
	}
	close(pipefd[1]);
	while (!*(volatile int64_t *)start)
		usleep(100);
	run.start_ns = *start;
	bytes = follow(&run, pipefd[0], atoll(argv[3]) * 1000000000);
	wait4(run.pid, &status, 0, &ru);
	put(&run, "end-us", (now_ns() - run.start_ns - run.stopped_ns) / 1000);
	put(&run, "status", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	put(&run, "console-bytes", bytes);
	put(&run, "user-us", (long long)ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec);
	put(&run, "system-us", (long long)ru.ru_stime.tv_sec * 1000000 + ru.ru_stime.tv_usec);
	tracing_off(&run);
	return 0;
}

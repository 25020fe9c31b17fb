/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Measures a virtio back-end as a front end sees it, without a guest: a disk that `hvrun backend blk` serves at a
 * socket, by the rings of vhost-user.
 *
 *   backend SOCKET SECTORS      prints, one a line, what tests/bench/run reads: a name and numbers
 *
 * pair     there and back between two processes by eventfd that do nothing else: what this machine's kernel takes
 * look     a doorbell until the used entry is seen, by a driver that looks for it (a read of 512 bytes)
 * wake     the same until the call eventfd has woken a driver that sleeps
 * read     MB/s of reads of 128 KiB, 32 in flight
 */
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	SET_FEATURES = 2,
	SET_MEM = 5,
	NUM = 8,
	ADDR = 9,
	BASE = 10,
	KICK = 12,
	CALL = 13,
	ENABLE = 18
};
enum { ENTRIES = 128, FLIGHT = 32, CHUNK = 128 << 10, ROUNDS = 2000, READS = 8192 };
enum { DESC = 0, AVAIL = 0x1000, USED = 0x2000, HEADERS = 0x3000, STATUS = 0x4000, DATA = 0x10000 };
enum { F_NEXT = 1, F_WRITE = 2 };

#define PATIENCE_NS UINT64_C(10000000000)

static const uint64_t user = UINT64_C(0x7f0000000000);
static const size_t size = DATA + (size_t)FLIGHT * CHUNK;

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

struct front {
	int socket, memory, kick, call;
	uint8_t *ram;
	uint16_t offered, taken;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void ring_bell(int fd)
{
	const uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		err(1, "eventfd");
}

static void wait_bell(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t count;

	if (poll(&p, 1, 10000) != 1)
		errx(1, "no answer within ten seconds");
	if (read(fd, &count, sizeof(count)) != sizeof(count))
		err(1, "eventfd");
}

static void tell(struct front *f, uint32_t request, const void *payload, uint32_t len, int fd)
{
	uint8_t bytes[64] = { 0 };
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { bytes, 12 + len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	const uint32_t head[3] = { request, 1, len };

	memcpy(bytes, head, sizeof(head));
	memcpy(bytes + sizeof(head), payload, len);
	if (fd >= 0) {
		struct cmsghdr *c = (struct cmsghdr *)control;

		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		*c = (struct cmsghdr){ CMSG_LEN(sizeof(fd)), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	if (sendmsg(f->socket, &msg, MSG_NOSIGNAL) != (ssize_t)(12 + len))
		err(1, "message %u", request);
}

static void tell_u64(struct front *f, uint32_t request, uint64_t value, int fd)
{
	tell(f, request, &value, sizeof(value), fd);
}

static void begin(struct front *f, const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	const uint64_t table[5] = { 1, 0, size, user, 0 };
	const uint64_t places[5] = { 0, user + DESC, user + USED, user + AVAIL, 0 };

	strncpy(at.sun_path, path, sizeof(at.sun_path) - 1);
	f->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (f->socket < 0 || connect(f->socket, (struct sockaddr *)&at, sizeof(at)) < 0)
		err(1, "%s", path);
	f->memory = memfd_create("front", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (f->memory < 0 || ftruncate(f->memory, (off_t)size) < 0 ||
	    fcntl(f->memory, F_ADD_SEALS, F_SEAL_SHRINK) < 0)
		err(1, "memfd");
	f->ram = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, f->memory, 0);
	if (f->ram == MAP_FAILED)
		err(1, "mmap");
	f->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	tell_u64(f, SET_FEATURES, UINT64_C(1) << 32,
		 -1); /* VIRTIO_F_VERSION_1: rings are on from their kick on */
	tell(f, SET_MEM, table, sizeof(table), f->memory);
	tell_u64(f, NUM, (uint64_t)ENTRIES << 32, -1);
	tell_u64(f, BASE, 0, -1);
	tell(f, ADDR, places, sizeof(places), -1);
	tell_u64(f, CALL, 0, f->call);
	tell_u64(f, KICK, 0, f->kick);
}

/* Request @slot reads @len bytes from @sector on: descriptors 3*slot and the two behind. */
static void offer(struct front *f, unsigned slot, uint64_t sector, uint32_t len)
{
	struct desc *d = (struct desc *)(f->ram + DESC) + 3 * slot;
	uint64_t *header = (uint64_t *)(f->ram + HEADERS) + 2 * slot;
	uint16_t *avail = (uint16_t *)(f->ram + AVAIL);

	header[0] = 0; /* VIRTIO_BLK_T_IN */
	header[1] = sector;
	f->ram[STATUS + slot] = 0xff;
	d[0] = (struct desc){ HEADERS + 16 * slot, 16, F_NEXT, (uint16_t)(3 * slot + 1) };
	d[1] = (struct desc){ DATA + (uint64_t)CHUNK * slot, len, F_NEXT | F_WRITE,
			      (uint16_t)(3 * slot + 2) };
	d[2] = (struct desc){ STATUS + slot, 1, F_WRITE, 0 };
	avail[2 + f->offered++ % ENTRIES] = (uint16_t)(3 * slot);
	atomic_store_explicit((_Atomic uint16_t *)(avail + 1), f->offered, memory_order_release);
}

static bool is_answered(const struct front *f)
{
	return atomic_load_explicit((_Atomic uint16_t *)(f->ram + USED + 2),
				    memory_order_acquire) != f->taken;
}

/* The slot of the next answer, which has come. */
static unsigned take(struct front *f)
{
	unsigned slot = *(uint32_t *)(f->ram + USED + 4 + 8 * (f->taken++ % ENTRIES)) / 3;

	if (f->ram[STATUS + slot])
		errx(1, "a request ended with status %u", f->ram[STATUS + slot]);
	return slot;
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void report(const char *name, uint64_t *took)
{
	qsort(took, ROUNDS, sizeof(*took), compare);
	printf("%s %.1f %.1f %.1f %.1f\n", name, (double)took[0] / 1e3,
	       (double)took[ROUNDS / 2] / 1e3, (double)took[ROUNDS * 9 / 10] / 1e3,
	       (double)took[ROUNDS * 99 / 100] / 1e3);
}

static void pair(void)
{
	static uint64_t took[ROUNDS];
	int there = eventfd(0, EFD_NONBLOCK), back = eventfd(0, EFD_NONBLOCK);
	pid_t child = fork();

	if (child == 0)
		for (;;) {
			wait_bell(there);
			ring_bell(back);
		}
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t start = now_ns();

		ring_bell(there);
		wait_bell(back);
		took[i] = now_ns() - start;
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	report("pair", took);
}

static void latency(struct front *f, const char *name, bool look)
{
	static uint64_t took[ROUNDS];

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t start = now_ns(), seen;

		offer(f, 0, i % 1024, 512);
		ring_bell(f->kick);
		while (look && !is_answered(f))
			if (now_ns() - start > PATIENCE_NS)
				errx(1, "no answer within ten seconds");
		seen = now_ns();
		wait_bell(f->call);
		took[i] = (look ? seen : now_ns()) - start;
		(void)take(f);
	}
	report(name, took);
}

/* FLIGHT reads of CHUNK at once, round and round the disk, by a driver that sleeps. */
static void bandwidth(struct front *f, uint64_t sectors)
{
	const uint64_t start = now_ns();
	unsigned begun = 0, ended = 0;

	for (; begun < FLIGHT; begun++)
		offer(f, begun, (uint64_t)begun * (CHUNK / 512) % sectors, CHUNK);
	ring_bell(f->kick);
	while (ended < READS) {
		const unsigned before = begun;

		wait_bell(f->call);
		for (; is_answered(f); ended++) {
			unsigned slot = take(f);

			if (begun < READS)
				offer(f, slot, (uint64_t)begun++ * (CHUNK / 512) % sectors, CHUNK);
		}
		if (begun > before)
			ring_bell(f->kick);
	}
	printf("read %.0f\n", (double)READS * CHUNK * 1e3 / (double)(now_ns() - start));
}

int main(int argc, char **argv)
{
	struct front f = { 0 };

	if (argc != 3)
		errx(64, "two words are wanted: the socket, and how many sectors the disk has");
	begin(&f, argv[1]);
	pair();
	latency(&f, "look", true);
	latency(&f, "wake", false);
	bandwidth(&f, strtoull(argv[2], NULL, 10));
	return 0;
}

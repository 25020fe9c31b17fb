/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vhost-user back end with a front end and a guest made of the input: messages of any bytes and with any
 * descriptors, messages that are right but for a few bytes, writes into the guest's memory, doorbells, hang-ups.
 * Whatever they are, each session can be ended, and leaves nothing behind.
 *
 * The input is steps. The low three bits of a step's first byte say what it does:
 *	0  sends bytes: one of length, then the bytes
 *	1  sends a message: one byte each of request, flags, descriptors (two bits how many, then their kind), and
 *	   length, then the payload
 *	2  brings all up to a ring in use; the next byte is the ring's, the one behind it is added to the size of memory
 *	3  writes into guest memory: two bytes of address, one of length, then the bytes
 *	4  rings a doorbell
 *	5  hangs up, and comes again
 *	6, 7  has the loop turn
 */
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fuzz/dev_fuzz.h"
#include "virtio/devices.h"
#include "virtio/vhost_serve.h"
#include "virtio/vhost_user_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS_MAX = 200, DISK = 64 * 1024, QUEUES = 2, FDS = 3 };

#define USER UINT64_C(0x7f0000000000)

struct front {
	struct fuzz_bench bench;
	struct vhost_serve *serve;
	int fd;	      /* our end; -1: hung up */
	int fds[FDS]; /* the guest's memory, an eventfd, neither of both */
	uint8_t *memory;
	bool over; /* the session */
};

static void ended(void *opaque, const char *why)
{
	(void)why;
	((struct front *)opaque)->over = true;
}

static void come(struct front *f)
{
	int pair[2];

	fuzz_expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	fuzz_expect(vhost_serve_begin(f->serve, pair[0]) == 0);
	f->fd = pair[1];
	f->over = false;
}

static void leave(struct front *f)
{
	close(f->fd);
	f->fd = -1;
	for (unsigned turns = 0; !f->over; turns++)
		fuzz_expect(loop_turn(f->bench.loop, 100) >= 0 && turns < FUZZ_TURNS);
}

static void put(const struct front *f, const void *bytes, size_t len, unsigned count, unsigned kind)
{
	int fds[3];

	for (unsigned i = 0; i < count; i++)
		fds[i] = f->fds[(kind + i) % FDS];
	(void)fd_message_send(f->fd, bytes, len, MSG_DONTWAIT, fds, len ? count : 0);
}

static void message(const struct front *f, uint32_t request, uint32_t flags, const void *payload,
		    size_t len, unsigned count, unsigned kind)
{
	uint8_t all[VHOST_USER_HEADER + 256];

	le32_store(all, request);
	le32_store(all + 4, flags);
	le32_store(all + 8, (uint32_t)len);
	memcpy(all + VHOST_USER_HEADER, payload, len);
	put(f, all, VHOST_USER_HEADER + len, count, kind);
}

static void number(const struct front *f, uint32_t request, uint64_t value, unsigned count)
{
	uint8_t payload[8];

	le64_store(payload, value);
	message(f, request, VHOST_USER_VERSION, payload, sizeof(payload), count, 1);
}

static void bring_up(const struct front *f, uint8_t which, uint8_t more)
{
	const uint64_t ring = which % QUEUES, at = USER + ring * FUZZ_RING;
	uint8_t table[40] = { 1 }, place[40] = { (uint8_t)ring };

	le64_store(table + 16, FUZZ_RAM + (uint64_t)(more & 0xf) * 4096);
	le64_store(table + 24, USER);
	le64_store(place + 8, at);
	le64_store(place + 16, at + FUZZ_USED);
	le64_store(place + 24, at + FUZZ_AVAIL);
	number(f, VHOST_USER_SET_FEATURES,
	       VIRTIO_F_VERSION_1 | VHOST_USER_F_PROTOCOL_FEATURES | (uint64_t)(more >> 6) << 28,
	       0);
	message(f, VHOST_USER_SET_MEM_TABLE, VHOST_USER_VERSION, table, sizeof(table), 1, 0);
	number(f, VHOST_USER_SET_VRING_NUM, ring | (uint64_t)FUZZ_QUEUE << 32, 0);
	number(f, VHOST_USER_SET_VRING_BASE, ring, 0);
	message(f, VHOST_USER_SET_VRING_ADDR, VHOST_USER_VERSION, place, sizeof(place), 0, 0);
	number(f, VHOST_USER_SET_VRING_CALL, ring, 1);
	number(f, VHOST_USER_SET_VRING_KICK, ring, 1);
	number(f, VHOST_USER_SET_VRING_ENABLE, ring | (uint64_t)1 << 32, 0);
}

static void send_any(const struct front *f, struct fuzz_input *in)
{
	uint8_t request = fuzz_byte(in), flags = fuzz_byte(in), fds = fuzz_byte(in);
	size_t len = fuzz_byte(in);
	const uint8_t *payload = fuzz_bytes(in, &len);

	message(f, request % 48, (flags & 0xfU) ^ VHOST_USER_VERSION, payload, len, fds & 3,
		(fds >> 2) & 3);
}

static void write_memory(const struct front *f, struct fuzz_input *in)
{
	size_t at = fuzz_byte(in), len;
	const uint8_t *bytes;

	at |= (size_t)fuzz_byte(in) << 8;
	len = fuzz_byte(in);
	bytes = fuzz_bytes(in, &len);
	if (len > FUZZ_RAM - at)
		len = FUZZ_RAM - at;
	memcpy(f->memory + at, bytes, len);
}

static void step(struct front *f, struct fuzz_input *in)
{
	const uint64_t one = 1;
	uint8_t what = fuzz_byte(in);
	const uint8_t *bytes;
	size_t len;

	switch (what & 7) {
	case 0:
		len = fuzz_byte(in);
		bytes = fuzz_bytes(in, &len);
		put(f, bytes, len, 0, 0);
		break;
	case 1:
		send_any(f, in);
		break;
	case 2:
		what = fuzz_byte(in);
		bring_up(f, what, fuzz_byte(in));
		break;
	case 3:
		write_memory(f, in);
		break;
	case 4:
		fuzz_expect(write(f->fds[1], &one, sizeof(one)) == sizeof(one));
		break;
	case 5:
		leave(f);
		come(f);
		break;
	default:
		for (unsigned i = 0; i < 8; i++)
			fuzz_expect(loop_turn(f->bench.loop, 0) >= 0);
	}
}

static void open_front(struct front *f)
{
	struct fuzz_bench *b = &f->bench;
	struct virtio_blk_config blk = { .queues = QUEUES };
	struct vhost_serve_config config = { .ended = ended, .opaque = f };
	int disk = memfd_create("disk", MFD_CLOEXEC);

	fuzz_expect(disk >= 0 && ftruncate(disk, DISK) == 0);
	fuzz_expect(disk_open_raw(disk, "fuzz", false, false, &blk.disk) == 0);
	fuzz_expect(mem_create(&b->mem) == 0 && loop_create(&b->loop) == 0);
	fuzz_expect(virtio_blk_create(&blk, 0, b->mem, b->loop, &b->dev) == 0);
	config.dev = b->dev;
	config.mem = b->mem;
	fuzz_expect(vhost_serve_create(&config, &f->serve) == 0);
	f->fds[0] = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	f->fds[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->fds[2] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fuzz_expect(f->fds[0] >= 0 && f->fds[1] >= 0 && f->fds[2] >= 0);
	fuzz_expect(ftruncate(f->fds[0], FUZZ_RAM) == 0);
	fuzz_expect(fcntl(f->fds[0], F_ADD_SEALS, F_SEAL_SHRINK) == 0);
	f->memory = mmap(NULL, FUZZ_RAM, PROT_READ | PROT_WRITE, MAP_SHARED, f->fds[0], 0);
	fuzz_expect(f->memory != MAP_FAILED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct front f = { .fd = -1 };
	struct fuzz_input in = { data, size };
	size_t regions;

	open_front(&f);
	come(&f);
	for (unsigned i = 0; in.left && i < STEPS_MAX; i++) {
		step(&f, &in);
		if (f.over) {
			close(f.fd);
			come(&f);
		}
	}
	leave(&f);
	/* Nothing of the session is left. */
	fuzz_expect(virtio_status(f.bench.dev) == 0);
	(void)mem_regions(f.bench.mem, &regions);
	fuzz_expect(regions == 0);
	vhost_serve_destroy(f.serve);
	virtio_dev_destroy(f.bench.dev);
	fuzz_close(&f.bench);
	munmap(f.memory, FUZZ_RAM);
	for (unsigned i = 0; i < FDS; i++)
		close(f.fds[i]);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio/vhost_serve: a device that keeps its chains is stopped, has its memory exchanged, and loses its front end,
 * and none of it is done before the last chain is back. The front end is this test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/le.h"
#include "tests/lib/driver_ring.h"
#include "tests/lib/open_fds.h"
#include "virtio/vhost_serve.h"
#include "virtio/vhost_user_msg.h"

enum { RAM = 0x100000, RING = 0x1000, BUFFER = 0x8000, NUM = 16 };

#define USER UINT64_C(0x7e0000000000)

/* The device: it takes chains and returns them when the test says so; a reset is over when the test says so. */
struct bench {
	struct loop *loop;
	struct guest_mem *mem;
	struct virtio_dev dev;
	struct vhost_serve *serve;
	struct vq_chain chain;
	uint16_t held[NUM];
	unsigned count;
	bool busy;
	/* The front end. */
	struct guest_mem *guest;
	int memory;
	struct driver_ring ring;
	int fd, kick, call;
	unsigned sessions_over;
	const char *why;
};

static void hold_kick(struct virtio_dev *dev, unsigned index)
{
	struct bench *b = dev->priv;

	while (virtio_pop(dev, index, &b->chain) > 0)
		b->held[b->count++] = b->chain.head;
	(void)vq_enable_kick(&dev->queues[index]);
}

static bool hold_busy(const struct virtio_dev *dev)
{
	return ((const struct bench *)dev->priv)->busy;
}

static void hold_settle(struct virtio_dev *dev, int ms)
{
	(void)dev;
	(void)ms;
}

static const struct virtio_type holder = {
	.name = "hold", .id = 42, .queue_kick = hold_kick, .busy = hold_busy, .settle = hold_settle
};

static void give_back(struct bench *b)
{
	for (unsigned i = 0; i < b->count; i++)
		vq_push(&b->dev.queues[0], b->held[i], 0);
	b->count = 0;
	virtio_signal(&b->dev, 0);
}

static void ended(void *opaque, const char *why)
{
	struct bench *b = opaque;

	b->sessions_over++;
	b->why = why;
}

static void turns(struct bench *b)
{
	for (unsigned i = 0; i < 10; i++)
		assert_true(loop_turn(b->loop, 2) >= 0);
}

static void come(struct bench *b)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(vhost_serve_begin(b->serve, pair[0]), 0);
	b->fd = pair[1];
}

static void tell(struct bench *b, uint32_t request, const void *payload, uint32_t len, int fd)
{
	uint8_t all[VHOST_USER_HEADER + 64];
	const ssize_t size = VHOST_USER_HEADER + (ssize_t)len;

	le32_store(all, request);
	le32_store(all + 4, VHOST_USER_VERSION);
	le32_store(all + 8, len);
	if (len)
		memcpy(all + VHOST_USER_HEADER, payload, len);
	assert_int_equal(fd_message_send(b->fd, all, (size_t)size, MSG_DONTWAIT, &fd, fd >= 0),
			 size);
}

static void tell_u64(struct bench *b, uint32_t request, uint64_t value, int fd)
{
	uint8_t payload[8];

	le64_store(payload, value);
	tell(b, request, payload, sizeof(payload), fd);
}

static void tell_memory(struct bench *b)
{
	uint8_t table[40] = { 1 };

	le64_store(table + 16, RAM);
	le64_store(table + 24, USER);
	tell(b, VHOST_USER_SET_MEM_TABLE, table, sizeof(table), b->memory);
}

/* Ring 0 from entry @base on, enabled. */
static void tell_ring(struct bench *b, uint16_t base)
{
	uint8_t place[40] = { 0 };

	le64_store(place + 8, USER + b->ring.desc.v);
	le64_store(place + 16, USER + b->ring.used.v);
	le64_store(place + 24, USER + b->ring.avail.v);
	tell_u64(b, VHOST_USER_SET_VRING_NUM, (uint64_t)NUM << 32, -1);
	tell_u64(b, VHOST_USER_SET_VRING_BASE, (uint64_t)base << 32, -1);
	tell(b, VHOST_USER_SET_VRING_ADDR, place, sizeof(place), -1);
	tell_u64(b, VHOST_USER_SET_VRING_CALL, 0, b->call);
	tell_u64(b, VHOST_USER_SET_VRING_KICK, 0, b->kick);
	tell_u64(b, VHOST_USER_SET_VRING_ENABLE, (uint64_t)1 << 32, -1);
}

static void begin(struct bench *b)
{
	come(b);
	tell_u64(b, VHOST_USER_SET_FEATURES, VIRTIO_F_VERSION_1 | VHOST_USER_F_PROTOCOL_FEATURES,
		 -1);
	tell_memory(b);
	tell_ring(b, 0);
	turns(b);
	turns(b);
}

static void offer(struct bench *b)
{
	const struct dr_buf buf = { BUFFER, 8, true };
	const uint64_t one = 1;

	dr_offer(&b->ring, dr_chain(&b->ring, b->ring.avail_idx % NUM, &buf, 1));
	assert_int_equal(write(b->kick, &one, sizeof(one)), sizeof(one));
	turns(b);
}

/* What the back end answers, or that it does not. */
static bool answered(struct bench *b, uint8_t answer[static 8])
{
	uint8_t all[VHOST_USER_HEADER + 8];
	ssize_t n = recv(b->fd, all, sizeof(all), MSG_DONTWAIT);

	if (n < 0)
		return false;
	assert_int_equal(n, sizeof(all));
	memcpy(answer, all + VHOST_USER_HEADER, 8);
	return true;
}

/* A memfd of @size bytes. */
static int sealed(off_t size, int seals)
{
	int fd = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0 && ftruncate(fd, size) == 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static int setup(void **state)
{
	static struct bench b;
	struct vhost_serve_config config = { .dev = &b.dev, .ended = ended, .opaque = &b };

	b = (struct bench){ .fd = -1 };
	assert_int_equal(mem_create(&b.mem), 0);
	assert_int_equal(mem_create(&b.guest), 0);
	assert_int_equal(loop_create(&b.loop), 0);
	assert_int_equal(virtio_dev_init(&b.dev, &holder, "hold0", b.mem, b.loop, 1, NUM, 0, 0), 0);
	b.dev.priv = &b;
	config.mem = b.mem;
	assert_int_equal(vhost_serve_create(&config, &b.serve), 0);
	b.memory = sealed(RAM, F_SEAL_SHRINK);
	assert_int_equal(mem_add_foreign(b.guest, gpa(0), RAM, b.memory, 0), 0);
	dr_init(&b.ring, b.guest, gpa(RING), NUM);
	b.kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	b.call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	*state = &b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	b->busy = false;
	virtio_dev_drained(&b->dev);
	vhost_serve_destroy(b->serve);
	virtio_dev_fini(&b->dev);
	loop_destroy(b->loop);
	mem_destroy(b->mem);
	mem_destroy(b->guest);
	close(b->memory);
	close(b->kick);
	close(b->call);
	if (b->fd >= 0)
		close(b->fd);
	return 0;
}

static void stopped_when_all_is_back(void **state)
{
	struct bench *b = *state;
	uint8_t answer[8] = { 0 };

	begin(b);
	offer(b);
	offer(b);
	assert_int_equal(b->count, 2);
	tell_u64(b, VHOST_USER_GET_VRING_BASE, 0, -1);
	turns(b);
	assert_false(answered(b, answer));
	/* What is offered meanwhile stays for the next one. */
	offer(b);
	assert_int_equal(b->count, 2);
	give_back(b);
	assert_int_equal(dr_used_idx(&b->ring), 2);
	turns(b);
	assert_true(answered(b, answer));
	assert_int_equal(le32_load(answer), 0);
	assert_int_equal(le32_load(answer + 4), 2);

	tell_ring(b, 2);
	turns(b);
	assert_int_equal(b->count, 1);
	give_back(b);
	assert_int_equal(dr_used_idx(&b->ring), 3);
}

static void memory_changes_when_all_is_back(void **state)
{
	struct bench *b = *state;
	const struct mem_region *region;
	size_t count;
	void *before;

	begin(b);
	offer(b);
	assert_int_equal(b->count, 1);
	region = mem_regions(b->mem, &count);
	assert_int_equal(count, 1);
	before = region->host;
	tell_memory(b);
	turns(b);
	assert_ptr_equal(mem_regions(b->mem, &count)->host, before);
	assert_int_equal(b->dev.queues[0].in_flight, 1);
	give_back(b);
	assert_int_equal(dr_used_idx(&b->ring), 1);
	turns(b);
	/* The ring goes on in the new one. */
	offer(b);
	assert_int_equal(b->count, 1);
	give_back(b);
	assert_int_equal(dr_used_idx(&b->ring), 2);
}

/* The front end hangs up while a message of it waits, and while the medium has something still. */
static void hang_up(void **state)
{
	struct bench *b = *state;
	size_t count;
	int pair[2];

	begin(b);
	offer(b);
	tell_u64(b, VHOST_USER_GET_VRING_BASE, 0, -1);
	turns(b);
	b->busy = true;
	close(b->fd);
	b->fd = -1;
	turns(b);
	assert_int_equal(b->sessions_over, 0);
	(void)mem_regions(b->mem, &count);
	assert_int_equal(count, 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(vhost_serve_begin(b->serve, pair[0]), -EBUSY);
	close(pair[1]);
	b->busy = false;
	b->count = 0;
	virtio_dev_drained(&b->dev);
	turns(b);
	assert_int_equal(b->sessions_over, 1);
	assert_null(b->why);
	(void)mem_regions(b->mem, &count);
	assert_int_equal(count, 0);

	/* The next one finds a device like new. */
	dr_init(&b->ring, b->guest, gpa(RING), NUM);
	begin(b);
	offer(b);
	assert_int_equal(b->count, 1);
	give_back(b);
	assert_int_equal(dr_used_idx(&b->ring), 1);
}

/* One that asks and is killed before it is answered has gone, as any other; so when one before it broke a rule. */
static void killed_while_it_asks(void **state)
{
	struct bench *b = *state;

	begin(b);
	tell_u64(b, VHOST_USER_SET_VRING_KICK, 0x100, b->call); /* one too many */
	turns(b);
	assert_int_equal(b->sessions_over, 1);
	assert_non_null(b->why);
	close(b->fd);
	for (unsigned i = 0; i < 2; i++) {
		come(b);
		for (unsigned k = 0; k <= i; k++)
			tell(b, VHOST_USER_GET_FEATURES, NULL, 0, -1);
		close(b->fd);
		b->fd = -1;
		turns(b);
		assert_int_equal(b->sessions_over, 2 + i);
		assert_null(b->why);
	}
}

/* An eventfd that comes when a ring is in use already is rung, since what came before it may have been missed. */
static void late_call(void **state)
{
	struct bench *b = *state;
	uint64_t count;

	begin(b);
	(void)!read(b->call, &count, sizeof(count));
	tell_u64(b, VHOST_USER_SET_VRING_CALL, 0, b->call);
	turns(b);
	assert_int_equal(read(b->call, &count, sizeof(count)), sizeof(count));
}

/* However a session ends, its descriptors are closed. */
static void closes_what_it_got(void **state)
{
	struct bench *b = *state;
	unsigned before = open_fds();

	for (unsigned i = 0; i < 5; i++) {
		begin(b);
		tell_u64(b, VHOST_USER_SET_VRING_KICK, 0x100, b->call); /* one too many */
		turns(b);
		assert_int_equal(b->sessions_over, i + 1);
		assert_non_null(b->why);
		close(b->fd);
		b->fd = -1;
		assert_int_equal(open_fds(), before);
	}
}

static void foreign_memory(void **state)
{
	struct guest_mem *mem;
	uint8_t byte = 7;
	int fd = sealed(3 * 4096, F_SEAL_SHRINK);
	int loose = sealed(3 * 4096, F_SEAL_GROW);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	size_t count;

	(void)state;
	assert_true(null >= 0);
	assert_int_equal(mem_create(&mem), 0);
	assert_int_equal(mem_add_foreign(mem, gpa(0), 4096, null, 0), -EACCES);
	assert_int_equal(mem_add_foreign(mem, gpa(0), 4096, loose, 0), -EACCES);
	assert_int_equal(mem_add_foreign(mem, gpa(0), 4096, fd, 1), -EINVAL);
	assert_int_equal(mem_add_foreign(mem, gpa(1), 4096, fd, 0), -EINVAL);
	assert_int_equal(mem_add_foreign(mem, gpa(0), 4096, fd, 3 * 4096), -ENODATA);
	assert_int_equal(mem_add_foreign(mem, gpa(0), 4096, fd, UINT64_MAX - 4095), -ENODATA);
	assert_int_equal(mem_add_foreign(mem, gpa(0), 4 * 4096, fd, 0), -ENODATA);
	assert_int_equal(mem_add_foreign(mem, gpa(UINT64_MAX - 4095), 4096, fd, 0), -EINVAL);
	assert_int_equal(mem_add_foreign(mem, gpa(0x200000), 2 * 4096, fd, 4096), 0);
	assert_int_equal(mem_add_foreign(mem, gpa(0x201000), 4096, fd, 0), -EEXIST);
	assert_int_equal(mem_write(mem, gpa(0x200000), &byte, 1), 0);
	byte = 0;
	assert_int_equal(pread(fd, &byte, 1, 4096), 1);
	assert_int_equal(byte, 7);
	mem_clear(mem);
	(void)mem_regions(mem, &count);
	assert_int_equal(count, 0);
	assert_int_equal(mem_write(mem, gpa(0x200000), &byte, 1), -EFAULT);
	assert_int_equal(mem_add_foreign(mem, gpa(0x201000), 4096, fd, 0), 0);
	mem_destroy(mem);
	close(fd);
	close(loose);
	close(null);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(stopped_when_all_is_back, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_changes_when_all_is_back, setup, teardown),
		cmocka_unit_test_setup_teardown(hang_up, setup, teardown),
		cmocka_unit_test_setup_teardown(killed_while_it_asks, setup, teardown),
		cmocka_unit_test_setup_teardown(late_call, setup, teardown),
		cmocka_unit_test_setup_teardown(closes_what_it_got, setup, teardown),
		cmocka_unit_test(foreign_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

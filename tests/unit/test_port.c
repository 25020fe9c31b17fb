/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's end of console ports: clients come and go, are slow, say all and leave; nothing of what
 * passed is lost, and the loop is silent when nothing can move.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/le.h"
#include "tests/lib/dev_rig.h"
#include "vm/config.h"
#include "vm/console/port.h"
#include "vm/unix_socket.h"

enum {
	PORT_RX = 4,
	PORT_TX = 5,
	QUEUES = 6,
	F_MULTIPORT = 2,
	AT = RIG_DATA,
	LONG = 1 << 20, /* more than a socket's buffer holds */
};

struct bench {
	struct dev_rig rig;
	struct vm_port port;
	char dir[32];
	char path[64];
};

static void open_bench(struct bench *b)
{
	*b = (struct bench){ .dir = "/tmp/hvrun-port-XXXXXX" };
	assert_non_null(mkdtemp(b->dir));
	(void)snprintf(b->path, sizeof(b->path), "%s/s", b->dir);
	vm_port_init(&b->port);
	b->port.name = "test";
	rig_init(&b->rig);
}

/* The device, and a guest program that has the port open. */
static void start(struct bench *b)
{
	const struct virtio_console_port ports[2] = { { 0 }, vm_port_host(&b->port) };
	struct dr_buf message = { AT, 8, false };

	assert_int_equal(virtio_console_create(ports, 2, b->rig.mem, b->rig.loop, &b->rig.dev), 0);
	assert_int_equal(vm_port_start(&b->port, b->rig.loop, b->rig.dev, 1), 0);
	rig_start(&b->rig, F_MULTIPORT, QUEUES);
	le32_store(rig_at(&b->rig, AT), 1);
	le16_store(rig_at(&b->rig, AT + 4), 6); /* PORT_OPEN */
	le16_store(rig_at(&b->rig, AT + 6), 1);
	assert_int_equal(rig_do(&b->rig, 3, &message, 1), 0);
}

static void close_bench(struct bench *b)
{
	vm_port_stop(&b->port);
	if (b->port.listen_fd >= 0)
		close(b->port.listen_fd);
	rig_fini(&b->rig);
	(void)unlink(b->path);
	assert_int_equal(rmdir(b->dir), 0);
}

static int client(const struct bench *b)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", b->path);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* A bench with its port at a socket, the machine started, and a client that nobody has let in yet. */
static int open_with_client(struct bench *b)
{
	open_bench(b);
	assert_int_equal(vm_unix_listen("port", b->path, NULL, &b->port.listen_fd), 0);
	start(b);
	return client(b);
}

/* What the guest reads with one buffer of @len bytes. */
static void guest_reads(struct bench *b, const char *text)
{
	struct dr_buf buf = { AT, 64, true };

	assert_int_equal(rig_do(&b->rig, PORT_RX, &buf, 1), strlen(text));
	assert_memory_equal(rig_at(&b->rig, AT), text, strlen(text));
	rig_settle(&b->rig);
}

static void guest_writes(struct bench *b, const char *text)
{
	struct dr_buf buf = { AT, (uint32_t)strlen(text), false };

	memcpy(rig_at(&b->rig, AT), text, strlen(text));
	assert_int_equal(rig_do(&b->rig, PORT_TX, &buf, 1), 0);
}

static void client_reads(int fd, const char *text)
{
	char got[64];

	assert_int_equal(read(fd, got, sizeof(got)), strlen(text));
	assert_memory_equal(got, text, strlen(text));
}

static void clients_one_after_another(void **state)
{
	struct bench b;
	struct stat st;

	(void)state;
	open_bench(&b);
	assert_int_equal(vm_unix_listen("port", b.path, NULL, &b.port.listen_fd), 0);
	assert_int_equal(stat(b.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	start(&b);
	guest_writes(&b, "nobody hears this");

	int first = client(&b), second = client(&b);

	assert_int_equal(write(first, "first", 5), 5);
	assert_int_equal(write(second, "second", 6), 6);
	rig_settle(&b.rig);
	guest_reads(&b, "first");
	guest_writes(&b, "to the first");
	client_reads(first, "to the first");

	/* One that has said all still reads; only when it is gone it is the next one's turn. */
	shutdown(first, SHUT_WR);
	rig_settle(&b.rig);
	guest_writes(&b, "still there");
	client_reads(first, "still there");
	close(first);
	rig_settle(&b.rig);
	guest_reads(&b, "second");
	guest_writes(&b, "to the second");
	client_reads(second, "to the second");
	close(second);
	rig_settle(&b.rig);
	close_bench(&b);
}

/* A client that does not read stalls its port and no more; then it gets every byte. */
static void slow_client(void **state)
{
	struct dr_buf buf = { AT, LONG, false };
	uint8_t *got = malloc(LONG);
	size_t done = 0;
	struct bench b;
	int fd;

	(void)state;
	fd = open_with_client(&b);

	rig_settle(&b.rig);
	for (unsigned i = 0; i < LONG; i++)
		*rig_at(&b.rig, AT + i) = (uint8_t)(i * 11 + i / 256);
	rig_offer(&b.rig, PORT_TX, 0, &buf, 1);
	rig_settle(&b.rig);
	assert_int_equal(dr_used_idx(&b.rig.ring[PORT_TX]), 0);
	assert_int_equal(loop_turn(b.rig.loop, 50), 0);
	while (done < LONG) {
		ssize_t n = read(fd, got + done, LONG - done);

		assert_true(n > 0 || errno == EAGAIN);
		done += n > 0 ? (size_t)n : 0;
		rig_settle(&b.rig);
	}
	rig_used(&b.rig, PORT_TX, NULL, NULL);
	assert_memory_equal(got, rig_at(&b.rig, AT), LONG);
	close(fd);
	rig_settle(&b.rig);
	free(got);
	close_bench(&b);
}

/* What a client said before it left reaches a slow guest whole, and the loop does not spin meanwhile. */
static void slow_guest(void **state)
{
	enum { LEN = 30000 };
	uint8_t text[LEN];
	size_t done = 0;
	struct bench b;
	int fd;

	(void)state;
	for (unsigned i = 0; i < LEN; i++)
		text[i] = (uint8_t)(i * 5 + i / 256);
	fd = open_with_client(&b);

	assert_int_equal(write(fd, text, LEN), LEN);
	close(fd);
	rig_settle(&b.rig);
	assert_int_equal(loop_turn(b.rig.loop, 50), 0);
	while (done < LEN) {
		struct dr_buf buf = { AT, 700, true };
		uint32_t n = rig_do(&b.rig, PORT_RX, &buf, 1);

		assert_true(n > 0 && done + n <= LEN);
		assert_memory_equal(rig_at(&b.rig, AT), text + done, n);
		done += n;
		rig_settle(&b.rig);
	}
	assert_false(b.port.client);
	close_bench(&b);
}

/* A client that leaves while its output is stalled lets the guest go on. */
static void client_leaves_while_stalled(void **state)
{
	struct dr_buf buf = { AT, LONG, false };
	struct bench b;
	int fd;

	(void)state;
	fd = open_with_client(&b);

	rig_settle(&b.rig);
	rig_offer(&b.rig, PORT_TX, 0, &buf, 1);
	rig_settle(&b.rig);
	assert_int_equal(dr_used_idx(&b.rig.ring[PORT_TX]), 0);
	close(fd);
	rig_used(&b.rig, PORT_TX, NULL, NULL);
	rig_settle(&b.rig);
	fd = client(&b);
	rig_settle(&b.rig);
	guest_writes(&b, "hello");
	client_reads(fd, "hello");
	close(fd);
	rig_settle(&b.rig);
	close_bench(&b);
}

/*
 * The machine starts again while a client's bytes wait for a slow guest and the client reads slowly: the next
 * boot hears nothing of that client, and what it prints before another one comes waits for nobody.
 */
static void forgets_the_last_boot(void **state)
{
	enum { LEN = 30000 };
	static uint8_t text[LEN];
	struct dr_buf buf = { AT, LONG, false };
	struct bench b;
	int fd;

	(void)state;
	fd = open_with_client(&b);

	memset(text, 'o', LEN);
	assert_int_equal(write(fd, text, LEN), LEN);
	rig_settle(&b.rig);
	rig_offer(&b.rig, PORT_TX, 0, &buf, 1);
	rig_settle(&b.rig);
	assert_int_equal(dr_used_idx(&b.rig.ring[PORT_TX]), 0);
	vm_port_stop(&b.port);
	rig_fini(&b.rig);
	close(fd);

	rig_init(&b.rig);
	start(&b);
	guest_writes(&b, "nobody hears this");
	fd = client(&b);
	assert_int_equal(write(fd, "new", 3), 3);
	rig_settle(&b.rig);
	guest_reads(&b, "new");
	guest_writes(&b, "hello");
	client_reads(fd, "hello");
	close(fd);
	rig_settle(&b.rig);
	close_bench(&b);
}

/* As exec uses it: the caller's pipes; the end of input is the port's end. */
static void pipes(void **state)
{
	int in[2], out[2];
	struct bench b;

	(void)state;
	open_bench(&b);
	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	b.port.in_fd = in[0];
	b.port.out_fd = out[1];
	assert_int_equal(write(in[1], "typed", 5), 5);
	start(&b);
	rig_settle(&b.rig);
	guest_reads(&b, "typed");
	guest_writes(&b, "said");
	client_reads(out[0], "said");
	close(in[1]);
	rig_settle(&b.rig);
	guest_writes(&b, "more");
	client_reads(out[0], "more");
	close(out[0]);
	guest_writes(&b, "lost");
	rig_settle(&b.rig);
	assert_int_equal(b.port.in_fd, -1);
	close_bench(&b);
	close(in[0]);
	close(out[1]);
}

/* A file as input is read as the guest takes it. */
static void file_as_input(void **state)
{
	struct bench b;
	char text[9000];
	size_t done = 0;

	(void)state;
	open_bench(&b);
	memset(text, 'x', sizeof(text));
	b.port.in_fd = open(b.path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(write(b.port.in_fd, text, sizeof(text)), sizeof(text));
	assert_int_equal(lseek(b.port.in_fd, 0, SEEK_SET), 0);

	int fd = b.port.in_fd;

	start(&b);
	while (done < sizeof(text)) {
		struct dr_buf buf = { AT, 1000, true };

		done += rig_do(&b.rig, PORT_RX, &buf, 1);
		rig_settle(&b.rig);
	}
	assert_int_equal(done, sizeof(text));
	assert_int_equal(b.port.in_fd, -1);
	close_bench(&b);
	close(fd);
}

/* A file without an end, and a guest that takes as fast as it is read: others get their turn in between. */
static void endless_file(void **state)
{
	enum { BUFFERS = 60 };
	struct bench b;
	uint16_t used;

	(void)state;
	open_bench(&b);
	b.port.in_fd = open("/dev/zero", O_RDONLY);
	assert_true(b.port.in_fd >= 0);

	int fd = b.port.in_fd;

	start(&b);
	for (unsigned i = 0; i < BUFFERS; i++)
		rig_offer(&b.rig, PORT_RX, (uint16_t)i,
			  &(struct dr_buf){ AT + 0x10000 + (uint64_t)i * 0x8000, 0x8000, true }, 1);
	assert_int_equal(loop_turn(b.rig.loop, 0), 1);
	used = dr_used_idx(&b.rig.ring[PORT_RX]);
	assert_in_range(used, 1, BUFFERS / 2);
	rig_settle(&b.rig);
	assert_int_equal(dr_used_idx(&b.rig.ring[PORT_RX]), BUFFERS);
	close_bench(&b);
	close(fd);
}

static void listening(void **state)
{
	char longer[200], nowhere[64];
	int fd = -1, other = -1, file;
	struct bench b;

	(void)state;
	open_bench(&b);
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(vm_unix_listen("port", longer, NULL, &fd), VM_STATUS_USAGE);
	(void)snprintf(nowhere, sizeof(nowhere), "%s/none/s", b.dir);
	assert_int_equal(vm_unix_listen("port", nowhere, NULL, &fd), VM_STATUS_SYSTEM);
	assert_int_equal(vm_unix_listen("port", b.path, NULL, &fd), 0);
	assert_int_equal(vm_unix_listen("port", b.path, NULL, &other), VM_STATUS_SYSTEM);
	assert_int_equal(other, -1);
	close(fd);
	assert_int_equal(vm_unix_listen("port", b.path, NULL, &fd),
			 0); /* nobody listens: replaced */
	close(fd);
	assert_int_equal(unlink(b.path), 0);
	file = open(b.path, O_WRONLY | O_CREAT, 0600);
	assert_true(file >= 0);
	close(file);
	assert_int_equal(vm_unix_listen("port", b.path, NULL, &fd), VM_STATUS_SYSTEM);
	assert_int_equal(access(b.path, F_OK), 0);
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_one_after_another),
		cmocka_unit_test(slow_client),
		cmocka_unit_test(slow_guest),
		cmocka_unit_test(client_leaves_while_stalled),
		cmocka_unit_test(forgets_the_last_boot),
		cmocka_unit_test(pipes),
		cmocka_unit_test(file_as_input),
		cmocka_unit_test(endless_file),
		cmocka_unit_test(listening),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("port", tests, NULL, NULL);
}

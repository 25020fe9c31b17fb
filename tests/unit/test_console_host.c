/* SPDX-License-Identifier: BSD-2-Clause */
/* vm/console/console: output to a slow or closed reader, input that the guest takes slowly, escape keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/checked.h"
#include "vm/console/console.h"

/* A guest that takes at most @room bytes, and notes what it took. */
struct fake_guest {
	size_t room;
	uint8_t got[20000];
	size_t len;
	unsigned left;
};

static size_t take(void *opaque, const void *data, size_t len)
{
	struct fake_guest *guest = opaque;
	size_t n = size_min(size_min(len, guest->room), sizeof(guest->got) - guest->len);

	memcpy(guest->got + guest->len, data, n);
	guest->len += n;
	guest->room -= n;
	return n;
}

static void on_key(void *opaque, enum vm_console_key key)
{
	struct fake_guest *guest = opaque;

	assert_int_equal(key, VM_KEY_LEAVE);
	guest->left++;
}

struct fixture {
	struct loop *loop;
	struct console console;
	struct fake_guest guest;
	int in[2];
	int out[2];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(loop_create(&f->loop), 0);
	assert_int_equal(pipe(f->in), 0);
	assert_int_equal(pipe(f->out), 0);
	vm_console_init(&f->console, f->loop);
	f->console.in_fd = f->in[0];
	f->console.out_fd = f->out[1];
	f->console.wake_fds[1] = eventfd(0, 0);
	f->console.sink = take;
	f->console.sink_opaque = &f->guest;
	f->console.on_key = on_key;
	f->console.key_opaque = &f->guest;
	f->guest.room = SIZE_MAX;
	signal(SIGPIPE, SIG_IGN);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	vm_console_stop(&f->console);
	loop_destroy(f->loop);
	close(f->in[0]);
	if (f->in[1] >= 0)
		close(f->in[1]);
	if (f->out[0] >= 0)
		close(f->out[0]);
	close(f->out[1]);
	close(f->console.wake_fds[1]);
	free(f);
	return 0;
}

static void type(struct fixture *f, const char *keys, size_t len)
{
	assert_int_equal(write(f->in[1], keys, len), (ssize_t)len);
	assert_true(loop_turn(f->loop, 60000) > 0);
}

static void test_input_reaches_the_guest(void **state)
{
	struct fixture *f = *state;

	vm_console_start(&f->console);
	type(f, "ls\n", 3);
	assert_int_equal(f->guest.len, 3);
	assert_memory_equal(f->guest.got, "ls\n", 3);
}

/* A guest without room: nothing is read ahead without bound, nothing lost, and no spinning. */
static void test_slow_guest_loses_nothing(void **state)
{
	struct fixture *f = *state;
	uint8_t sent[10000];

	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (uint8_t)(i * 7);
	f->guest.room = 100;
	vm_console_start(&f->console);
	type(f, (const char *)sent, sizeof(sent));
	assert_int_equal(f->guest.len, 100);
	close(f->in[1]);
	f->in[1] = -1;
	/* The pipe hangs up now; the loop must have nothing to report while the guest is full. */
	assert_int_equal(loop_turn(f->loop, 50), 0);
	while (f->guest.len < sizeof(sent)) {
		size_t before = f->guest.len;

		f->guest.room = 777;
		vm_console_room(&f->console);
		while (loop_turn(f->loop, 0) > 0)
			;
		assert_true(f->guest.len > before);
	}
	assert_memory_equal(f->guest.got, sent, sizeof(sent));
}

static void test_end_of_input_is_silent(void **state)
{
	struct fixture *f = *state;

	vm_console_start(&f->console);
	close(f->in[1]);
	f->in[1] = -1;
	assert_true(loop_turn(f->loop, 60000) > 0);
	assert_int_equal(f->console.in_fd, -1);
	assert_int_equal(loop_turn(f->loop, 50), 0);
}

/* A regular file as standard input: epoll cannot watch it, and the guest still gets all of it. */
static void test_input_from_a_file(void **state)
{
	struct fixture *f = *state;
	FILE *file = tmpfile();

	assert_non_null(file);
	for (int i = 0; i < 9000; i++)
		fputc(i % 251, file);
	fflush(file);
	rewind(file);
	lseek(fileno(file), 0, SEEK_SET);
	f->console.in_fd = fileno(file);
	f->guest.room = 5000;
	vm_console_start(&f->console);
	assert_int_equal(f->guest.len, 5000);
	f->guest.room = SIZE_MAX;
	vm_console_room(&f->console);
	assert_int_equal(f->guest.len, 9000);
	for (int i = 0; i < 9000; i++)
		assert_int_equal(f->guest.got[i], i % 251);
	fclose(file);
}

static size_t swallow(void *opaque, const void *data, size_t len)
{
	(void)data;
	*(size_t *)opaque += len;
	return len;
}

static void count_ask(void *opaque)
{
	++*(unsigned *)opaque;
}

/* A file without an end, and a guest that takes all: it is asked for more in another turn of the loop. */
static void test_endless_file_gives_turns(void **state)
{
	struct fixture *f = *state;
	int zero = open("/dev/zero", O_RDONLY);
	size_t taken = 0, before;
	unsigned asked = 0;

	assert_true(zero >= 0);
	f->console.in_fd = zero;
	f->console.sink = swallow;
	f->console.sink_opaque = &taken;
	f->console.again = count_ask;
	f->console.again_opaque = &asked;
	vm_console_start(&f->console);
	assert_int_equal(asked, 1);
	assert_in_range(taken, 1, 1 << 20);
	before = taken;
	vm_console_room(&f->console);
	assert_int_equal(asked, 2);
	assert_true(taken > before);
	vm_console_stop(&f->console);
	close(zero);
}

static void test_escape_keys(void **state)
{
	struct fixture *f = *state;

	f->console.escapes = true;
	vm_console_start(&f->console);
	type(f,
	     "a\x01\x01"
	     "b",
	     4); /* Ctrl-A Ctrl-A is one Ctrl-A */
	assert_int_equal(f->guest.len, 3);
	assert_memory_equal(f->guest.got,
			    "a\x01"
			    "b",
			    3);
	type(f, "\x01", 1); /* the two keys may come apart */
	assert_int_equal(f->guest.left, 0);
	type(f, "x", 1);
	assert_int_equal(f->guest.left, 1);
	type(f, "\x01q", 2); /* an unknown key is swallowed */
	assert_int_equal(f->guest.len, 3);
}

static void test_no_escapes_on_a_pipe(void **state)
{
	struct fixture *f = *state;

	vm_console_start(&f->console);
	type(f, "\x01x", 2);
	assert_int_equal(f->guest.left, 0);
	assert_int_equal(f->guest.len, 2);
}

static void test_output_goes_out_and_to_the_log(void **state)
{
	struct fixture *f = *state;
	FILE *log = tmpfile();
	char got[16] = "";

	assert_non_null(log);
	f->console.log_fd = fileno(log);
	vm_console_output(&f->console, "hello\n", 6);
	assert_int_equal(read(f->out[0], got, sizeof(got)), 6);
	assert_string_equal(got, "hello\n");
	assert_int_equal(pread(fileno(log), got, sizeof(got), 0), 6);
	assert_int_equal(f->console.bytes_out, 6);
	fclose(log);
}

/* Nobody reads: the end (wake_fds) frees us, and what was not written is dropped, not awaited. */
static void test_signal_frees_a_stuck_writer(void **state)
{
	struct fixture *f = *state;
	uint64_t one = 1;
	static uint8_t much[1 << 20];

	assert_int_equal(write(f->console.wake_fds[1], &one, sizeof(one)), (ssize_t)sizeof(one));
	vm_console_output(&f->console, much, sizeof(much));
	assert_int_equal(f->console.bytes_out, sizeof(much));
}

static void count_call(void *opaque)
{
	++*(unsigned *)opaque;
}

/* Output that must not wait: as much as the reader takes at once, then a call when there is room. */
static void test_fits(void **state)
{
	struct fixture *f = *state;
	static uint8_t much[1 << 17];
	unsigned calls = 0;
	size_t fits, done = 0;

	f->console.writable = count_call;
	f->console.writable_opaque = &calls;
	while ((fits = vm_console_fits(&f->console, sizeof(much) - done)) > 0) {
		vm_console_output(&f->console, much, fits);
		done += fits;
		assert_true(done < sizeof(much));
	}
	assert_int_equal(vm_console_fits(&f->console, 1), 0);
	assert_int_equal(loop_turn(f->loop, 0), 0);
	assert_int_equal(calls, 0);
	assert_true(read(f->out[0], much, 8192) == 8192);
	(void)loop_turn(f->loop, 0);
	assert_int_equal(calls, 1);
	assert_true(vm_console_fits(&f->console, 1) == 1);
	/* Whoever wants to wait may. */
	f->console.patient = true;
	assert_int_equal(vm_console_fits(&f->console, 1 << 20), 1 << 20);
	/* Nobody reads any more: everything goes nowhere at once. */
	f->console.patient = false;
	f->console.out_fd = -1;
	assert_int_equal(vm_console_fits(&f->console, 1 << 20), 1 << 20);
}

static void test_reader_gone(void **state)
{
	struct fixture *f = *state;

	close(f->out[0]);
	f->out[0] = -1;
	vm_console_output(&f->console, "x", 1);
	assert_int_equal(f->console.out_fd, -1);
	vm_console_output(&f->console, "y", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_input_reaches_the_guest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_guest_loses_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_end_of_input_is_silent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_input_from_a_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_endless_file_gives_turns, setup, teardown),
		cmocka_unit_test_setup_teardown(test_escape_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_escapes_on_a_pipe, setup, teardown),
		cmocka_unit_test_setup_teardown(test_output_goes_out_and_to_the_log, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_signal_frees_a_stuck_writer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_gone, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

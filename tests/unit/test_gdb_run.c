/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/gdb/gdb, run: a debugger that goes away leaves no vCPU in KVM's guest debugging, whatever is under way
 * then. KVM is ours here: the vCPUs' threads are this test, and what goes to KVM_SET_GUEST_DEBUG is kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/lib/capture.h"
#include "vm/gdb/stub.h"

enum {
	CPUS = 2,
	RAM = 0x10000,
	VCPU_FD = 1000, /* of vCPU 0; no descriptor has this number */
};

static struct world {
	struct vm vm;
	struct vm_config config;
	struct kvm_run run[CPUS];
	struct vcpu vcpus[CPUS];
	uint32_t control[CPUS]; /* what KVM was told last */
	struct sockaddr_un name;
	socklen_t name_len;
	int client;
	int timer;	 /* the descriptor of the one that was armed last */
	time_t patience; /* its seconds */
} w;

/* In place of the C library's: what is armed for half a minute is kept, and time goes by when a test says. */
int timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *old)
{
	w.timer = fd;
	w.patience = when->it_value.tv_sec;
	return (int)syscall(SYS_timerfd_settime, fd, flags, when, old);
}

/* KVM's answers, in place of the C library's ioctl: it has all it is asked for, and no registers. */
int ioctl(int fd, unsigned long request, ...)
{
	unsigned cpu = (unsigned)fd - VCPU_FD;
	va_list list;
	void *arg;

	va_start(list, request);
	arg = va_arg(list, void *);
	va_end(list);
	if (request == KVM_CHECK_EXTENSION)
		return 1;
	if (request != KVM_SET_GUEST_DEBUG || cpu >= CPUS) {
		errno = EINVAL;
		return -1;
	}
	w.control[cpu] = ((const struct kvm_guest_debug *)arg)->control;
	return 0;
}

static void emptied(void *opaque)
{
	loop_wake(opaque);
}

/* All that waits is done. */
static void turn(void)
{
	while (loop_turn(w.vm.loop, 0) > 0)
		;
}

static void say(const char *bytes)
{
	assert_int_equal(write(w.client, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
}

static void come(void)
{
	w.client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(w.client, (struct sockaddr *)&w.name, w.name_len), 0);
	turn();
	assert_true(w.vm.gdb->paused);
}

static void leave(void)
{
	if (w.client >= 0)
		close(w.client);
	w.client = -1;
}

static void assert_all(bool debugged)
{
	for (unsigned i = 0; i < CPUS; i++) {
		assert_int_equal(w.control[i] & KVM_GUESTDBG_ENABLE,
				 debugged ? KVM_GUESTDBG_ENABLE : 0);
		assert_false(w.vcpus[i].held);
	}
	assert_false(w.vm.gdb->paused);
}

/* gdb is there and lets the guest run. */
static int setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	w.name.sun_family = AF_UNIX;
	w.name_len = sizeof(w.name);
	w.config = (struct vm_config){ .cpus = CPUS, .gdb_nowait = true, .verbosity = -1 };
	w.vm.config = &w.config;
	w.vm.kvm = (struct kvm){ .sys_fd = -1, .vm_fd = VCPU_FD - 1 };
	w.vm.vcpus = w.vcpus;
	w.vm.gdb = calloc(1, sizeof(*w.vm.gdb));
	assert_non_null(w.vm.gdb);
	w.vm.gdb->vm = &w.vm;
	w.vm.gdb->fd = -1;
	w.vm.gdb->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* A name that the kernel chooses. */
	assert_int_equal(bind(w.vm.gdb->listen_fd, (struct sockaddr *)&w.name, sizeof(sa_family_t)),
			 0);
	assert_int_equal(getsockname(w.vm.gdb->listen_fd, (struct sockaddr *)&w.name, &w.name_len),
			 0);
	assert_int_equal(listen(w.vm.gdb->listen_fd, 1), 0);
	assert_int_equal(loop_create(&w.vm.loop), 0);
	assert_int_equal(mem_create(&w.vm.mem), 0);
	assert_int_equal(mem_add(w.vm.mem, gpa(0), RAM, MEM_RAM), 0);
	vcpu_gate_init(&w.vm.gate, emptied, w.vm.loop);
	w.vm.vcpu_env.kvm = &w.vm.kvm;
	w.vm.vcpu_env.mem = w.vm.mem;
	w.vm.vcpu_env.gate = &w.vm.gate;
	for (unsigned i = 0; i < CPUS; i++)
		w.vcpus[i] = (struct vcpu){
			.env = &w.vm.vcpu_env, .index = i, .fd = VCPU_FD + (int)i, .run = &w.run[i]
		};
	assert_int_equal(vm_gdb_start(&w.vm), 0);
	come();
	say("$vCont;c#a8");
	turn();
	assert_all(true);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	leave();
	vm_gdb_unbuild(&w.vm);
	vm_gdb_destroy(&w.vm);
	loop_destroy(w.vm.loop);
	vcpu_gate_destroy(&w.vm.gate);
	mem_destroy(w.vm.mem);
	return 0;
}

/* vCPU @cpu leaves the guest for the debugger, and waits. */
static void stop(unsigned cpu)
{
	w.run[cpu].exit_reason = KVM_EXIT_DEBUG;
	assert_true(vm_gdb_exit(&w.vm, &w.vcpus[cpu]));
	assert_true(w.vcpus[cpu].held);
}

static void hang_up(void **state)
{
	(void)state;
	leave();
	turn();
	assert_all(false);
}

/* The loop hears of the hang-up first, and then of a stop that is over. */
static void hang_up_before_a_stop(void **state)
{
	(void)state;
	leave();
	stop(1);
	turn();
	assert_all(false);
	/* Another gdb finds all as it should be. */
	come();
	say("$vCont;c#a8");
	turn();
	assert_all(true);
}

static void hang_up_after_a_stop(void **state)
{
	(void)state;
	stop(0);
	stop(1);
	leave();
	turn();
	assert_all(false);
}

/* A client that does not wait for answers: Ctrl-C and detach in one, while a vCPU stops. */
static void detach_before_a_stop(void **state)
{
	(void)state;
	say("\003$D#44");
	stop(0);
	turn();
	assert_all(false);
}

/* As long goes by as the timer was armed for, if it is. */
static void time_goes_by(void)
{
	const struct itimerspec now = { .it_value.tv_nsec = 1 };
	struct itimerspec left = { 0 };

	if (w.timer && timerfd_gettime(w.timer, &left) == 0 && left.it_value.tv_sec)
		assert_int_equal(syscall(SYS_timerfd_settime, w.timer, 0, &now, NULL), 0);
	turn();
}

/* A client that asks for registers until there is more than the socket takes, and does not read. */
static void ask_and_not_read(void)
{
	for (unsigned i = 0; !w.vm.gdb->unsent; i++) {
		assert_true(i < 100000);
		say("$?#3f");
		turn();
	}
	assert_false(w.vm.gdb->closing);
}

/* All that was sent so far; the bytes. */
static size_t read_all(void)
{
	char bytes[4096];
	size_t sum = 0;
	ssize_t n;

	while ((n = recv(w.client, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
		sum += (size_t)n;
		turn();
	}
	return sum;
}

static void assert_place_is_free(void)
{
	assert_int_equal(w.vm.gdb->fd, -1);
	assert_all(false);
	leave();
	come();
	assert_true(w.vm.gdb->fd >= 0);
	say("$?#3f");
	turn();
	assert_true(read_all() > 0);
}

static void never_reads(void *arg)
{
	(void)arg;
	come();
	assert_true(w.vm.gdb->paused);
	ask_and_not_read();
	assert_true(w.patience >= 10);
	time_goes_by();
	assert_place_is_free();
}

/* Nothing is closed, and nothing read: there is place for another one nevertheless, and the guest goes on. */
static void who_never_reads_is_dropped(void **state)
{
	struct captured said;

	(void)state;
	leave();
	turn();
	capture_child(&said, never_reads, NULL);
	assert_int_equal(said.status, 0);
	assert_string_equal(said.text,
			    "hvrun: warning: --gdb: the debugger has read nothing for 30 s "
			    "of what it asked for: hung up, and the guest goes on\n");
}

static void asks_without_end(void *arg)
{
	(void)arg;
	come();
	for (unsigned i = 0; !w.vm.gdb->closing; i++) {
		assert_true(i < 100000);
		say("$?#3f$?#3f$?#3f$?#3f$?#3f$?#3f$?#3f$?#3f");
		turn();
	}
	time_goes_by();
	assert_place_is_free();
}

static void who_asks_without_end_is_dropped(void **state)
{
	struct captured said;

	(void)state;
	leave();
	turn();
	capture_child(&said, asks_without_end, NULL);
	assert_int_equal(said.status, 0);
	assert_non_null(strstr(said.text, "hung up"));
}

/* Reading is all that is asked: a little in time, and nothing when there is nothing. */
static void who_reads_stays(void **state)
{
	char bytes[64 << 10];
	size_t sum = 0;

	(void)state;
	time_goes_by();
	assert_true(w.vm.gdb->fd >= 0);
	ask_and_not_read();
	for (unsigned i = 0; i < 3; i++) {
		w.patience = 0;
		/* As much as makes room for the socket to take something. */
		while (!w.patience) {
			ssize_t n = recv(w.client, bytes, sizeof(bytes), MSG_DONTWAIT);

			assert_true(n > 0);
			sum += (size_t)n;
			turn();
			if (!w.vm.gdb->unsent)
				break;
		}
		if (!w.vm.gdb->unsent)
			ask_and_not_read();
	}
	assert_true(sum + read_all() > 0);
	assert_int_equal(w.vm.gdb->unsent, 0);
	/* A prompt at which nobody types. */
	time_goes_by();
	time_goes_by();
	assert_true(w.vm.gdb->fd >= 0);
	say("$?#3f");
	turn();
	assert_true(read_all() > 0);
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

/* By TCP the kernel looks whether the peer is still there. */
static void vanished_peers_are_noticed(void **state)
{
	struct vm_config config = { .gdb = true, .gdb_address = "127.0.0.1" };
	struct vm vm = { .config = &config };
	struct sockaddr_in name;
	socklen_t len = sizeof(name);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd;

	(void)state;
	assert_int_equal(vm_gdb_open(&vm), 0);
	assert_int_equal(getsockname(vm.gdb->listen_fd, (struct sockaddr *)&name, &len), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&name, len), 0);
	fd = accept4(vm.gdb->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_true(option(fd, IPPROTO_TCP, TCP_KEEPIDLE) +
			    option(fd, IPPROTO_TCP, TCP_KEEPINTVL) *
				    option(fd, IPPROTO_TCP, TCP_KEEPCNT) <=
		    180);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	close(fd);
	close(client);
	vm_gdb_destroy(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(hang_up, setup, teardown),
		cmocka_unit_test_setup_teardown(hang_up_before_a_stop, setup, teardown),
		cmocka_unit_test_setup_teardown(hang_up_after_a_stop, setup, teardown),
		cmocka_unit_test_setup_teardown(detach_before_a_stop, setup, teardown),
		cmocka_unit_test_setup_teardown(who_never_reads_is_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(who_asks_without_end_is_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(who_reads_stays, setup, teardown),
		cmocka_unit_test(vanished_peers_are_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* cpu/gate, hw/loop: vCPUs wait outside while the gate is closed, whatever they were doing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>
#include <unistd.h>

#include "cpu/vcpu.h"
#include "hw/loop.h"

enum { CPUS = 3 };

/* vCPUs whose guest is a counter that only their thread touches, and that the gate must protect. */
struct world {
	struct loop *loop;
	struct vcpu_gate gate;
	struct vcpu_env env;
	struct vcpu vcpus[CPUS];
	struct kvm_run run[CPUS];
	uint64_t steps[CPUS]; /* no lock: read only while the gate is closed and empty */
	uint64_t calls;	      /* of the loop's thread */
	atomic_bool debug;    /* the next step of vCPU 0 is a debug exit */
	atomic_uint held_self;
	bool device_starts;   /* of the loop's thread: whoever comes next is to wait for it */
	struct vcpu *waiting; /* and that was this one */
	atomic_bool device_busy;
};

static struct world world;

static void on_call(void *opaque)
{
	pthread_t caller;

	(void)opaque;
	world.calls++;
	if (!world.device_starts || !loop_caller(world.loop, &caller))
		return;
	world.device_starts = false;
	for (unsigned i = 0; i < CPUS; i++) {
		if (!pthread_equal(world.vcpus[i].thread, caller))
			continue;
		world.waiting = &world.vcpus[i];
		vcpu_gate_await(world.waiting, &world.device_busy);
	}
}

static bool turned_back(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->run->immediate_exit, __ATOMIC_ACQUIRE);
}

/* As vcpu_thread in cpu/vcpu.c, with a guest that writes to a device every eighth step. */
static void *thread(void *arg)
{
	struct vcpu *vcpu = arg;

	vcpu_gate_pass(vcpu);
	while (!atomic_load(&vcpu->stop)) {
		if (turned_back(vcpu)) {
			if (atomic_load(&vcpu->asked_out))
				vcpu_gate_pass(vcpu);
			continue;
		}
		if (++world.steps[vcpu->index] % 8 == 0)
			loop_call(world.loop, on_call, NULL);
		if (vcpu->index == 0 && atomic_exchange(&world.debug, false)) {
			vcpu_gate_hold_self(vcpu);
			atomic_fetch_add(&world.held_self, 1);
		}
		sched_yield();
	}
	vcpu_gate_leave(vcpu->env->gate);
	return NULL;
}

static void emptied(void *opaque)
{
	(void)opaque;
	loop_wake(world.loop);
}

static bool at_rest(void *opaque)
{
	(void)opaque;
	return vcpu_gate_empty(&world.gate);
}

static void close_on_loop(void *opaque)
{
	(void)opaque;
	vcpu_gate_close(&world.gate, world.vcpus, CPUS);
	assert_int_equal(loop_serve_until(world.loop, at_rest, NULL), 0);
}

static void close_gate(void)
{
	loop_call(world.loop, close_on_loop, NULL);
}

static void start(void)
{
	for (unsigned i = 0; i < CPUS; i++) {
		vcpu_gate_enter(&world.gate);
		assert_int_equal(
			pthread_create(&world.vcpus[i].thread, NULL, thread, &world.vcpus[i]), 0);
		world.vcpus[i].started = true;
	}
}

static int setup(void **state)
{
	(void)state;
	world = (struct world){ .env = { .gate = &world.gate } };
	assert_int_equal(loop_create(&world.loop), 0);
	vcpu_gate_init(&world.gate, emptied, NULL);
	assert_int_equal(vcpu_prepare_process(), 0);
	for (unsigned i = 0; i < CPUS; i++)
		world.vcpus[i] = (struct vcpu){
			.env = &world.env, .index = i, .run = &world.run[i], .fd = -1
		};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CPUS; i++)
		vcpu_stop(&world.vcpus[i]);
	for (unsigned i = 0; i < CPUS; i++)
		vcpu_join(&world.vcpus[i]);
	vcpu_gate_destroy(&world.gate);
	loop_destroy(world.loop);
	return 0;
}

static uint64_t all_steps(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < CPUS; i++)
		sum += world.steps[i];
	return sum;
}

/* Lets the loop turn, as between two callbacks, until vCPU @index has made a step since @before. */
static void turn_until_step(unsigned index, uint64_t before)
{
	for (;;) {
		loop_turn(world.loop, 1);
		close_gate();

		bool moved = world.steps[index] != before;

		vcpu_gate_open(&world.gate);
		if (moved)
			return;
		usleep(1000);
	}
}

/* A callback of the loop, which is how the gate is closed in hvrun: calls of vCPUs wait for it. */
static void many_pauses(void *opaque)
{
	(void)opaque;
	for (unsigned i = 0; i < 200; i++) {
		close_gate();

		uint64_t before = all_steps();

		sched_yield();
		assert_int_equal(all_steps(), before);
		vcpu_gate_open(&world.gate);
		sched_yield();
	}
}

static void test_pause_and_resume_many_times(void **state)
{
	(void)state;
	start();
	loop_call(world.loop, many_pauses, NULL);
	turn_until_step(0, 0);
	turn_until_step(CPUS - 1, 0);
}

static void test_pauses_are_counted(void **state)
{
	uint64_t before;

	(void)state;
	start();
	close_gate();
	close_gate();
	before = all_steps();
	vcpu_gate_open(&world.gate);
	usleep(5000);
	assert_true(vcpu_gate_empty(&world.gate));
	assert_int_equal(all_steps(), before);
	before = world.steps[1];
	vcpu_gate_open(&world.gate);
	assert_false(vcpu_gate_empty(&world.gate));
	turn_until_step(1, before);
}

static void test_closed_before_the_start(void **state)
{
	(void)state;
	close_gate();
	start();
	close_gate();
	vcpu_gate_open(&world.gate);
	usleep(5000);
	assert_int_equal(all_steps(), 0);
	vcpu_gate_open(&world.gate);
	turn_until_step(2, 0);
}

static void test_held_vcpu_stays(void **state)
{
	uint64_t before[CPUS];

	(void)state;
	start();
	close_gate();
	vcpu_gate_hold(&world.gate, &world.vcpus[1], true);
	for (unsigned i = 0; i < CPUS; i++)
		before[i] = world.steps[i];
	vcpu_gate_open(&world.gate);
	turn_until_step(0, before[0]);
	turn_until_step(2, before[2]);
	close_gate();
	assert_int_equal(world.steps[1], before[1]);
	vcpu_gate_hold(&world.gate, &world.vcpus[1], false);
	vcpu_gate_open(&world.gate);
	turn_until_step(1, before[1]);
}

static void test_vcpu_holds_itself(void **state)
{
	uint64_t before;
	uint64_t other;

	(void)state;
	start();
	atomic_store(&world.debug, true);
	while (!atomic_load(&world.held_self))
		loop_turn(world.loop, 1);
	close_gate();
	before = world.steps[0];
	other = world.steps[1];
	vcpu_gate_open(&world.gate);
	turn_until_step(1, other);
	close_gate();
	assert_int_equal(world.steps[0], before);
	vcpu_gate_hold(&world.gate, &world.vcpus[0], false);
	vcpu_gate_open(&world.gate);
	turn_until_step(0, before);
}

static void start_device(void *opaque)
{
	(void)opaque;
	atomic_store(&world.device_busy, true);
	world.device_starts = true;
}

static void wait_for_device(void)
{
	start();
	loop_call(world.loop, start_device, NULL);
	while (!world.waiting)
		loop_turn(world.loop, 1);
}

/* A vCPU whose device is not through waits, whatever else lets it go; the others run, and all can be paused. */
static void test_waits_for_a_device(void **state)
{
	uint64_t before[CPUS];
	unsigned index;

	(void)state;
	wait_for_device();
	index = world.waiting->index;
	close_gate();
	for (unsigned i = 0; i < CPUS; i++)
		before[i] = world.steps[i];
	vcpu_gate_hold(&world.gate, world.waiting, false);
	vcpu_gate_open(&world.gate);
	for (unsigned i = 0; i < CPUS; i++)
		if (i != index)
			turn_until_step(i, before[i]);
	vcpu_gate_look(&world.gate);
	close_gate();
	assert_int_equal(world.steps[index], before[index]);
	vcpu_gate_open(&world.gate);
	atomic_store(&world.device_busy, false);
	vcpu_gate_look(&world.gate);
	turn_until_step(index, before[index]);
}

static void test_stop_while_a_device_is_busy(void **state)
{
	(void)state;
	wait_for_device();
}

/* The teardown stops vCPUs that wait, one of them held. */
static void test_stop_while_closed(void **state)
{
	(void)state;
	start();
	close_gate();
	vcpu_gate_hold(&world.gate, &world.vcpus[2], true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pause_and_resume_many_times, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pauses_are_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_closed_before_the_start, setup, teardown),
		cmocka_unit_test_setup_teardown(test_held_vcpu_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vcpu_holds_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(test_waits_for_a_device, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop_while_a_device_is_busy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop_while_closed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* cpu/exits: each exit goes where the table says, and none that is unknown goes unnoticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "cpu/vcpu.h"

/* The world around one vCPU without KVM: notes what it was told. */
struct world {
	struct bus *bus;
	struct vcpu_env env;
	struct vcpu vcpu;
	struct kvm_run run;
	int ended; /* enum vcpu_end, -1: not told */
	unsigned dumps;
	unsigned asked_arch;
	uint32_t written;
};

static int arch_exit(struct vcpu *vcpu)
{
	struct world *w = vcpu->env->opaque;

	w->asked_arch++;
	return vcpu->run->exit_reason == KVM_EXIT_IO ? VCPU_AGAIN : -ENOSYS;
}

static void arch_dump(struct vcpu *vcpu)
{
	struct world *w = vcpu->env->opaque;

	w->dumps++;
}

static void ended(void *opaque, struct vcpu *vcpu, enum vcpu_end why)
{
	struct world *w = opaque;

	(void)vcpu;
	w->ended = (int)why;
}

static void reg_read(void *opaque, uint64_t offset, void *data, size_t len)
{
	(void)opaque;
	memset(data, (int)offset, len);
}

static void reg_write(void *opaque, uint64_t offset, const void *data, size_t len)
{
	struct world *w = opaque;

	(void)offset;
	if (len == 4)
		memcpy(&w->written, data, 4);
}

static const struct bus_ops reg_ops = { reg_read, reg_write };

static struct world world;

static int setup(void **state)
{
	world = (struct world){
		.env = { .arch_exit = arch_exit,
			 .arch_dump = arch_dump,
			 .ended = ended,
			 .opaque = &world },
		.vcpu = { .env = &world.env, .run = &world.run },
		.ended = -1,
	};
	assert_int_equal(bus_create(&world.bus), 0);
	world.env.bus = world.bus;
	assert_int_equal(bus_add(world.bus, BUS_MMIO, 0x1000, 0x100, "reg", &reg_ops, &world), 0);
	*state = &world;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	bus_destroy(w->bus);
	return 0;
}

static void test_mmio_read(void **state)
{
	struct world *w = *state;

	w->run.exit_reason = KVM_EXIT_MMIO;
	w->run.mmio.phys_addr = 0x1011;
	w->run.mmio.len = 4;
	assert_int_equal(vcpu_handle_exit(&w->vcpu), VCPU_AGAIN);
	assert_memory_equal(w->run.mmio.data, "\x11\x11\x11\x11", 4);
	assert_int_equal(w->vcpu.exits[KVM_EXIT_MMIO], 1);
}

static void test_mmio_read_of_nothing_is_all_ones(void **state)
{
	struct world *w = *state;

	w->run.exit_reason = KVM_EXIT_MMIO;
	w->run.mmio.phys_addr = 0x10fe; /* the last two bytes lie outside */
	w->run.mmio.len = 4;
	assert_int_equal(vcpu_handle_exit(&w->vcpu), VCPU_AGAIN);
	assert_memory_equal(w->run.mmio.data, "\xff\xff\xff\xff", 4);
}

static void test_mmio_write(void **state)
{
	struct world *w = *state;

	w->run.exit_reason = KVM_EXIT_MMIO;
	w->run.mmio.phys_addr = 0x1000;
	w->run.mmio.is_write = 1;
	w->run.mmio.len = 4;
	memcpy(w->run.mmio.data, "\x78\x56\x34\x12", 4);
	assert_int_equal(vcpu_handle_exit(&w->vcpu), VCPU_AGAIN);
	assert_int_equal(w->written, 0x12345678);
}

/* The kernel would not say so, but a length beyond the data must not run over it. */
static void test_mmio_length_is_bounded(void **state)
{
	struct world *w = *state;

	w->run.exit_reason = KVM_EXIT_MMIO;
	w->run.mmio.phys_addr = 0x1000;
	w->run.mmio.len = 0xffffffff;
	assert_int_equal(vcpu_handle_exit(&w->vcpu), VCPU_AGAIN);
}

static void expect_end(struct world *w, uint32_t reason, int why, unsigned dumps)
{
	w->run.exit_reason = reason;
	assert_int_equal(vcpu_handle_exit(&w->vcpu), VCPU_STOP);
	assert_int_equal(w->ended, why);
	assert_int_equal(w->dumps, dumps);
}

static void test_shutdown_is_a_crash(void **state)
{
	expect_end(*state, KVM_EXIT_SHUTDOWN, VCPU_END_CRASH, 0);
}

static void test_internal_error_shows_registers(void **state)
{
	struct world *w = *state;

	w->run.internal.suberror = KVM_INTERNAL_ERROR_EMULATION;
	expect_end(w, KVM_EXIT_INTERNAL_ERROR, VCPU_END_CRASH, 1);
}

static void test_failed_entry_shows_registers(void **state)
{
	expect_end(*state, KVM_EXIT_FAIL_ENTRY, VCPU_END_CRASH, 1);
}

static void test_system_events(void **state)
{
	struct world *w = *state;

	w->run.system_event.type = KVM_SYSTEM_EVENT_SHUTDOWN;
	expect_end(w, KVM_EXIT_SYSTEM_EVENT, VCPU_END_POWEROFF, 0);
	w->run.system_event.type = KVM_SYSTEM_EVENT_RESET;
	expect_end(w, KVM_EXIT_SYSTEM_EVENT, VCPU_END_RESET, 0);
	w->run.system_event.type = KVM_SYSTEM_EVENT_CRASH;
	expect_end(w, KVM_EXIT_SYSTEM_EVENT, VCPU_END_CRASH, 0);
}

/* What the table does not handle is asked of the architecture, and else is a defect: no hang. */
static void test_unknown_exits_end_the_run(void **state)
{
	struct world *w = *state;

	w->run.exit_reason = KVM_EXIT_IO;
	assert_int_equal(vcpu_handle_exit(&w->vcpu), VCPU_AGAIN);
	assert_int_equal(w->asked_arch, 1);
	assert_int_equal(w->ended, -1);
	expect_end(w, KVM_EXIT_HYPERCALL, VCPU_END_DEFECT, 1);
	expect_end(w, 61, VCPU_END_DEFECT, 2);
	expect_end(w, UINT32_MAX, VCPU_END_DEFECT, 3);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(vcpu_exit_name(KVM_EXIT_MMIO), "MMIO");
	assert_string_equal(vcpu_exit_name(KVM_EXIT_HLT), "HLT");
	assert_string_equal(vcpu_exit_name(UINT32_MAX), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_mmio_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mmio_read_of_nothing_is_all_ones, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_mmio_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mmio_length_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shutdown_is_a_crash, setup, teardown),
		cmocka_unit_test_setup_teardown(test_internal_error_shows_registers, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_failed_entry_shows_registers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_system_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_exits_end_the_run, setup, teardown),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

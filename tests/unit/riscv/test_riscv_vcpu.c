/* SPDX-License-Identifier: BSD-2-Clause */
/* arch/riscv/vcpu: the register that KVM leaves to us, entropy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sys/random.h>

#include "arch/riscv/machine.h"
#include "hw/loop.h"

enum { CSR_SEED = 0x015, ENTROPY = 0x5a5a };

/* Instead of the C library's: who asks, and an answer that is known. */
static pthread_t asked_by;
static ssize_t answer;

ssize_t getrandom(void *buf, size_t len, unsigned flags)
{
	asked_by = pthread_self();
	assert_int_equal(len, 2);
	assert_int_equal(flags, GRND_NONBLOCK);
	*(uint16_t *)buf = ENTROPY;
	return answer;
}

static void *run(void *loop)
{
	assert_int_equal(loop_run(loop), 0);
	return NULL;
}

static void mark(void *seen)
{
	*(pthread_t *)seen = pthread_self();
}

/* Read as a vCPU's thread does, whose list of system calls has no getrandom: the loop's thread reads. */
static void test_seed_comes_by_way_of_the_loop(void **state)
{
	struct arch arch = { 0 };
	const struct vcpu_env env = { .arch = &arch };
	struct kvm_run exit = { .exit_reason = KVM_EXIT_RISCV_CSR };
	struct vcpu vcpu = { .env = &env, .run = &exit };
	pthread_t thread, seen = pthread_self();

	(void)state;
	assert_int_equal(loop_create(&arch.config.loop), 0);
	assert_int_equal(pthread_create(&thread, NULL, run, arch.config.loop), 0);
	while (pthread_equal(seen, pthread_self()))
		loop_call(arch.config.loop, mark, &seen); /* until the loop is run there */
	exit.riscv_csr.csr_num = CSR_SEED;
	answer = 2;
	assert_int_equal(arch_vcpu_exit(&vcpu), VCPU_AGAIN);
	assert_int_equal(exit.riscv_csr.ret_value, UINT32_C(2) << 30 | ENTROPY);
	assert_true(pthread_equal(asked_by, thread));
	answer = -1; /* none yet */
	assert_int_equal(arch_vcpu_exit(&vcpu), VCPU_AGAIN);
	assert_int_equal(exit.riscv_csr.ret_value, UINT32_C(1) << 30);
	loop_stop(arch.config.loop);
	pthread_join(thread, NULL);
	loop_destroy(arch.config.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seed_comes_by_way_of_the_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

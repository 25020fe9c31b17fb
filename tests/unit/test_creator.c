/* SPDX-License-Identifier: BSD-2-Clause */
/* cpu/creator: a VM is asked for once, on a thread or not, and what came of it is told at the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/diag.h"
#include "cpu/creator.h"

static void test_none_begun(void **state)
{
	struct kvm kvm = { .sys_fd = -1, .vm_fd = -1 };
	struct kvm_creator creator = { 0 };

	(void)state;
	assert_true(kvm_create_done(&creator));
	assert_int_equal(kvm_create_end(&creator, &kvm), 0);
	assert_int_equal(kvm.vm_fd, -1);
}

/* A descriptor that is not /dev/kvm answers as a KVM that refuses (how, is the system's: qemu-user knows no KVM). */
static void refused(int fd, bool apart)
{
	struct kvm kvm = { .sys_fd = fd, .vm_fd = -1 };
	struct kvm_creator creator = { 0 };
	int error = kvm_request_vm(fd, 0);

	assert_true(error < 0);
	kvm_create_begin(&creator, &kvm, 0, apart);
	if (!apart)
		assert_true(kvm_create_done(&creator));
	while (!kvm_create_done(&creator))
		kvm_create_give_way();
	assert_int_equal(kvm_create_end(&creator, &kvm), error);
	assert_int_equal(kvm.vm_fd, -1);
	assert_int_equal(kvm_create_end(&creator, &kvm), 0); /* told once */
}

static void test_refused(void **state)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	assert_true(null >= 0);
	for (unsigned turn = 0; turn < 50; turn++) {
		refused(null, true);
		refused(-1, true);
	}
	refused(null, false);
	close(null);
}

/* Nobody looks at it before the end. */
static void test_not_waited_for(void **state)
{
	struct kvm kvm = { .sys_fd = -1, .vm_fd = -1 };
	struct kvm_creator creator = { 0 };

	(void)state;
	for (unsigned turn = 0; turn < 50; turn++) {
		kvm_create_begin(&creator, &kvm, 0, true);
		assert_true(kvm_create_end(&creator, &kvm) < 0);
	}
}

/* Where the host has a KVM. */
static void test_made(void **state)
{
	int sys = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	struct kvm kvm = { .sys_fd = sys, .vm_fd = -1 };
	struct kvm_creator creator = { 0 };
	int fd = sys < 0 ? -1 : kvm_request_vm(sys, 0);

	(void)state;
	if (sys >= 0 && fd < 0)
		close(sys);
	if (fd < 0)
		skip(); /* no /dev/kvm that makes a VM */
	close(fd);
	for (unsigned turn = 0; turn < 2; turn++) {
		kvm_create_begin(&creator, &kvm, 0, turn == 0);
		assert_int_equal(kvm_create_end(&creator, &kvm), 0);
		assert_true(kvm.vm_fd >= 0 && kvm.run_size > 0);
		kvm_close_vm(&kvm);
	}
	kvm_close(&kvm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none_begun),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_not_waited_for),
		cmocka_unit_test(test_made),
	};

	return cmocka_run_group_tests_name("creator", tests, NULL, NULL);
}

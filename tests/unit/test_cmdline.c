/* SPDX-License-Identifier: BSD-2-Clause */
/* vm/cmdline: what hvrun adds to the kernel's command line, and what it never cuts silently. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/cmdline.h"

static const struct arch_words words = { .serial_console = "console=ttyS0",
					 .always = "board",
					 .no_pci = "" };

/* A configuration in which nothing was asked for; freed by the caller. */
static struct vm_config *plain(const char *append)
{
	struct vm_config *config = calloc(1, sizeof(*config));

	assert_non_null(config);
	strcpy(config->append, append);
	return config;
}

static void expect_line(struct vm_config *config, const char *expected)
{
	char line[256];

	assert_int_equal(vm_cmdline(config, &words, line, sizeof(line)), 0);
	assert_string_equal(line, expected);
	free(config);
}

static void test_serial_console(void **state)
{
	(void)state;
	expect_line(plain(""), "console=ttyS0 board panic=-1");
	expect_line(plain("quiet x=1"), "console=ttyS0 board panic=-1 quiet x=1");
}

static void test_board_without_words(void **state)
{
	const struct arch_words none = { .serial_console = "console=ttyS0",
					 .always = "",
					 .no_pci = "" };
	struct vm_config *config = plain("quiet");
	char line[256];

	(void)state;
	assert_int_equal(vm_cmdline(config, &none, line, sizeof(line)), 0);
	assert_string_equal(line, "console=ttyS0 panic=-1 quiet");
	free(config);
}

/* With a core, the kernel rests where it panicked. */
static void test_core_gives_a_panic_time(void **state)
{
	struct vm_config *config = plain("");

	(void)state;
	config->core = "core";
	expect_line(config, "console=ttyS0 board panic=1");
}

/* A kernel is told not to look for PCI unless there is some. */
static void test_words_without_pci(void **state)
{
	const struct arch_words two = { .serial_console = "console=ttyS0",
					.always = "",
					.no_pci = "pci=off" };
	struct vm_config *config = plain("quiet");
	char line[256];

	(void)state;
	assert_int_equal(vm_cmdline(config, &two, line, sizeof(line)), 0);
	assert_string_equal(line, "console=ttyS0 pci=off panic=-1 quiet");
	config->discovery = VM_DISCOVERY_PCI;
	assert_int_equal(vm_cmdline(config, &two, line, sizeof(line)), 0);
	assert_string_equal(line, "console=ttyS0 panic=-1 quiet");
	free(config);
}

static void test_other_consoles(void **state)
{
	struct vm_config *config = plain("quiet");

	(void)state;
	config->console = VM_CONSOLE_VIRTIO;
	expect_line(config, "console=hvc0 board panic=-1 quiet");
	config = plain("quiet");
	config->console = VM_CONSOLE_NONE;
	expect_line(config, "board panic=-1 quiet");
}

static void test_root_is_the_first_disk_without_initrd(void **state)
{
	struct vm_config *config = plain("");

	(void)state;
	config->disk_count = 2;
	expect_line(config, "console=ttyS0 board panic=-1 root=/dev/vda rw");
	config = plain("");
	config->disk_count = 1;
	config->disks[0].readonly = true;
	expect_line(config, "console=ttyS0 board panic=-1 root=/dev/vda ro");
	config = plain("");
	config->disk_count = 1;
	config->initrd = "initrd";
	expect_line(config, "console=ttyS0 board panic=-1");
}

static void test_append_only(void **state)
{
	struct vm_config *config = plain("just this");

	(void)state;
	config->append_only = true;
	config->disk_count = 1;
	expect_line(config, "just this");
	config = plain("");
	config->append_only = true;
	expect_line(config, "");
}

/* The line fits to the byte or is refused: every size around the exact one. */
static void test_never_cut(void **state)
{
	static const char whole[] = "console=ttyS0 board panic=-1 abc";
	struct vm_config *config = plain("abc");

	(void)state;
	for (size_t size = 1; size <= sizeof(whole) + 2; size++) {
		char *line = malloc(size); /* exactly: ASan sees a byte too many */
		int r = vm_cmdline(config, &words, line, size);

		assert_non_null(line);
		if (size >= sizeof(whole)) {
			assert_int_equal(r, 0);
			assert_string_equal(line, whole);
		} else {
			assert_int_equal(r, -ENOSPC);
		}
		free(line);
	}
	free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_serial_console),
		cmocka_unit_test(test_board_without_words),
		cmocka_unit_test(test_core_gives_a_panic_time),
		cmocka_unit_test(test_words_without_pci),
		cmocka_unit_test(test_other_consoles),
		cmocka_unit_test(test_root_is_the_first_disk_without_initrd),
		cmocka_unit_test(test_append_only),
		cmocka_unit_test(test_never_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

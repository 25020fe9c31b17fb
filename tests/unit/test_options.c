/* SPDX-License-Identifier: BSD-2-Clause */
/* cli/options.c: every option, every refusal with its words, and the text of --help. Devices: test_options_devices.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/arch.h"
#include "base/checked.h"
#include "tests/lib/options_words.h"

static void test_defaults(void **state)
{
	(void)state;
	accept_words("-k|vmlinuz");
	assert_int_equal(options.wish, OPTIONS_RUN);
	assert_string_equal(options.config.kernel, "vmlinuz");
	assert_null(options.config.initrd);
	assert_null(options.config.log);
	assert_string_equal(options.config.append, "");
	assert_false(options.config.append_only);
	assert_int_equal(options.config.memory, UINT64_C(512) << 20);
	assert_int_equal(options.config.cpus, 1);
	assert_int_equal(options.config.disk_count, 0);
	assert_int_equal(options.config.console, VM_CONSOLE_SERIAL);
	assert_int_equal(options.config.sandbox, VM_SANDBOX_ON);
	assert_int_equal(options.config.discovery, VM_DISCOVERY_ACPI);
	assert_false(options.config.io_uring);
	assert_int_equal(options.config.verbosity, 0);
	assert_int_equal(options.config.in_fd, -1);
	assert_int_equal(options.config.out_fd, 1);
	assert_false(options.config.escapes);
	assert_int_equal(options.config.launched_ns, 0);
}

static void check_everything(void)
{
	const struct vm_config *config = &options.config;

	assert_string_equal(config->kernel, "bzImage");
	assert_string_equal(config->initrd, "initrd.gz");
	assert_string_equal(config->append, "quiet root=/dev/vda");
	assert_true(config->append_only);
	assert_int_equal(config->memory, UINT64_C(2) << 30);
	assert_int_equal(config->cpus, 4);
	assert_int_equal(config->disk_count, 2);
	assert_string_equal(config->disks[0].path, "root.img");
	assert_true(config->disks[0].readonly);
	assert_false(config->disks[0].direct);
	assert_string_equal(config->disks[1].path, "data.img");
	assert_true(config->disks[1].direct);
	assert_false(config->disks[1].readonly);
	assert_int_equal(config->console, VM_CONSOLE_VIRTIO);
	assert_string_equal(config->log, "console.log");
	assert_int_equal(config->sandbox, VM_SANDBOX_OFF);
	assert_int_equal(config->verbosity, 1);
}

static void test_every_option_with_equals(void **state)
{
	(void)state;
	accept_words("--kernel=bzImage|--initrd=initrd.gz|--append=quiet|--append=root=/dev/vda|"
		     "--append-only|--memory=2G|--cpus=4|--disk=root.img,ro|--disk=data.img,direct|"
		     "--console=virtio|--log=console.log|--sandbox=off|--verbose");
	check_everything();
}

static void test_every_option_with_a_word(void **state)
{
	(void)state;
	accept_words("--kernel|bzImage|--initrd|initrd.gz|--append|quiet|--append|root=/dev/vda|"
		     "--append-only|--memory|2G|--cpus|4|--disk|root.img,ro|--disk|data.img,direct|"
		     "--console|virtio|--log|console.log|--sandbox|off|--verbose");
	check_everything();
}

static void test_every_letter(void **state)
{
	(void)state;
	accept_words("-kbzImage|-iinitrd.gz|-aquiet|-a|root=/dev/vda|--append-only|-m2G|-c4|"
		     "-d|root.img,ro|-ddata.img,direct|--console|virtio|--log|console.log|"
		     "--sandbox|off|-vv");
	check_everything();
	accept_words("-k|x|-q");
	assert_int_equal(options.config.verbosity, -1);
}

static void test_memory(void **state)
{
	static const struct {
		const char *words;
		uint64_t size;
	} good[] = {
		{ "-k|x|-m|2M", UINT64_C(2) << 20 },
		{ "-k|x|-m|2097152", UINT64_C(2) << 20 },
		{ "-k|x|-m|2048K", UINT64_C(2) << 20 },
		{ "-k|x|-m|2052K", (UINT64_C(2) << 20) + 4096 },
		{ "-k|x|-m|512m", UINT64_C(512) << 20 },
		{ "-k|x|-m|1024G", UINT64_C(1) << 40 },
		{ "-k|x|-m|00001G", UINT64_C(1) << 30 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		accept_words(good[i].words);
		assert_int_equal(options.config.memory, good[i].size);
	}
	refuse_words("-k|x|-m|", "is not a size");
	refuse_words("-k|x|-m|M", "is not a size");
	refuse_words("-k|x|-m|-1M", "is not a size");
	refuse_words("-k|x|-m|+1M", "is not a size");
	refuse_words("-k|x|-m| 1M", "is not a size");
	refuse_words("-k|x|-m|0x200000", "is not a size");
	refuse_words("-k|x|-m|512MB", "is not a size");
	refuse_words("-k|x|-m|512T", "is not a size");
	refuse_words("-k|x|-m|1.5G", "is not a size");
	refuse_words("-k|x|-m|99999999999999999999", "is not a size");
	refuse_words("-k|x|-m|18446744073709551615", "more than 1024G");
	refuse_words("-k|x|-m|17179869184G", "more than 1024G");
	refuse_words("-k|x|-m|1025G", "more than 1024G");
	refuse_words("-k|x|-m|0", "less than 2M");
	refuse_words("-k|x|-m|2047K", "less than 2M");
	refuse_words("-k|x|-m|2097153", "not a multiple of 4096");
	refuse_words("-k|x|-m|2050K", "not a multiple of 4096");
}

static void test_cpus(void **state)
{
	(void)state;
	accept_words("-k|x|-c|1");
	assert_int_equal(options.config.cpus, 1);
	accept_words("-k|x|-c|64");
	assert_int_equal(options.config.cpus, 64);
	refuse_words("-k|x|-c|0", "from 1 to 64");
	refuse_words("-k|x|-c|65", "from 1 to 64");
	refuse_words("-k|x|-c|", "from 1 to 64");
	refuse_words("-k|x|-c|two", "from 1 to 64");
	refuse_words("-k|x|-c|2x", "from 1 to 64");
	refuse_words("-k|x|-c|-1", "from 1 to 64");
	refuse_words("-k|x|-c|4294967297", "from 1 to 64");
	refuse_words("-k|x|-c|18446744073709551617", "from 1 to 64");
}

static void test_append_is_bounded(void **state)
{
	char words[VM_CMDLINE_MAX + 64] = "-k|x|-a|";
	size_t start = strlen(words);

	(void)state;
	memset(words + start, 'a', VM_CMDLINE_MAX - 1);
	accept_words(words);
	assert_int_equal(strlen(options.config.append), VM_CMDLINE_MAX - 1);
	strcat(words, "|-a|");
	refuse_words(words, "longer than 4095");
	words[start + VM_CMDLINE_MAX - 1] = 'a';
	words[start + VM_CMDLINE_MAX] = '\0';
	refuse_words(words, "longer than 4095");
	accept_words("-k|x|-a||-a|b");
	assert_string_equal(options.config.append, "b");
}

static void test_values_of_words(void **state)
{
	(void)state;
	accept_words("-k|x|--console|none");
	assert_int_equal(options.config.console, VM_CONSOLE_NONE);
	accept_words("-k|x|--console|serial");
	assert_int_equal(options.config.console, VM_CONSOLE_SERIAL);
	refuse_words("-k|x|--console|tty",
		     "unknown value \"tty\"; it can be serial, virtio or none");
	accept_words("-k|x|--sandbox|on");
	assert_int_equal(options.config.sandbox, VM_SANDBOX_ON);
	accept_words("-k|x|--sandbox|log");
	assert_int_equal(options.config.sandbox, VM_SANDBOX_LOG);
	accept_words("-k|x|--user|nobody:kvm");
	assert_string_equal(options.config.user, "nobody:kvm");
	refuse_words("-k|x|--user|nobody|--sandbox|off", "do not go together");
	accept_words("-k|x");
	assert_false(options.config.pid_namespace);
	accept_words("-k|x|--pid-namespace|--sandbox|off");
	assert_true(options.config.pid_namespace);
	refuse_words("-k|x|--sandbox|maybe", "unknown value \"maybe\"; it can be on, log or off");
}

/* Only where there are two ways to tell: x86. */
static void test_virtio(void **state)
{
	(void)state;
	if (!arch_has_acpi) {
		refuse_words("-k|x|--virtio|acpi", "unknown option --virtio");
		refuse_words("-k|x|--virtio=cmdline", "unknown option --virtio");
		refuse_words("-k|x|--virtio=pci", "unknown option --virtio");
		return;
	}
	accept_words("-k|x|--virtio=cmdline");
	assert_int_equal(options.config.discovery, VM_DISCOVERY_CMDLINE);
	accept_words("-k|x|--virtio|acpi");
	assert_int_equal(options.config.discovery, VM_DISCOVERY_ACPI);
	accept_words("-k|x|--virtio|pci");
	assert_int_equal(options.config.discovery, VM_DISCOVERY_PCI);
	refuse_words("-k|x|--virtio|isa", "unknown value \"isa\"; it can be acpi, cmdline or pci");
}

/* Only where KVM has such a feature of vCPUs: arm64. */
static void test_pmu(void **state)
{
	(void)state;
	if (!arch_has_pmu) {
		refuse_words("-k|x|--pmu", "unknown option --pmu");
		return;
	}
	accept_words("-k|x");
	assert_false(options.config.pmu);
	accept_words("-k|x|--pmu");
	assert_true(options.config.pmu);
	refuse_words("-k|x|--pmu=on", "--pmu");
}

/* Only where there is a tree to dump. */
static void test_dump_dtb(void **state)
{
	(void)state;
	if (!arch_has_tree) {
		refuse_words("-k|x|--dump-dtb|t", "unknown option --dump-dtb");
		refuse_words("-k|x|--dump-dt|t", "unknown option --dump-dt; hvrun run --help");
		return;
	}
	accept_words("-k|x|--dump-dtb|t");
	assert_string_equal(options.config.tree, "t");
	refuse_words("-k|x|--dump-dtb|", "--dump-dtb: the file name is empty");
	refuse_words("-k|x|--dump-dt|t", "did you mean --dump-dtb?");
}

static void test_refused_words(void **state)
{
	(void)state;
	refuse_words("", "no kernel to boot");
	refuse_words("-m|1G", "no kernel to boot");
	refuse_words("-k", "--kernel needs a value: --kernel FILE");
	refuse_words("--memory", "--memory needs a value");
	refuse_words("-k|", "file name is empty");
	refuse_words("--initrd=|-k|x", "file name is empty");
	refuse_words("--log=|-k|x", "file name is empty");
	refuse_words("-k|a|-k|b", "--kernel is given twice");
	refuse_words("-k|a|--kernel=b", "--kernel is given twice");
	refuse_words("-k|a|-m|1G|-m|1G", "--memory is given twice");
	refuse_words("--append-only=yes|-k|x", "--append-only takes no value");
	refuse_words("-k|x|vmlinuz", "\"vmlinuz\" stands alone");
	refuse_words("-k|x|-", "\"-\" stands alone");
	refuse_words("-k|x|--", "\"--\" stands alone");
	refuse_words("-k|x|-v|-q", "do not go together");
	refuse_words("-k|x|-qv", "do not go together");
	refuse_words("-k|x|-z", "unknown option -z");
	refuse_words("-k|x|-vz", "unknown option -z");
}

static void test_gdb(void **state)
{
	(void)state;
	accept_words("-k|x");
	assert_false(options.config.gdb);
	accept_words("-k|x|--gdb|unix:a,,b.sock");
	assert_true(options.config.gdb);
	assert_string_equal(options.config.gdb_path, "a,b.sock");
	assert_false(options.config.gdb_nowait);
	accept_words("-k|x|--gdb|1234,nowait");
	assert_null(options.config.gdb_path);
	assert_string_equal(options.config.gdb_address, "127.0.0.1");
	assert_int_equal(options.config.gdb_port, 1234);
	assert_true(options.config.gdb_nowait);
	accept_words("-k|x|--gdb=0.0.0.0:65535");
	assert_string_equal(options.config.gdb_address, "0.0.0.0");
	accept_words("-k|x|--gdb=[::1]:1");
	assert_string_equal(options.config.gdb_address, "::1");
	refuse_words("-k|x|--gdb|unix:", "empty");
	refuse_words("-k|x|--gdb|", "not a port");
	refuse_words("-k|x|--gdb|0", "not a port");
	refuse_words("-k|x|--gdb|65536", "not a port");
	refuse_words("-k|x|--gdb|1x", "not a port");
	refuse_words("-k|x|--gdb|localhost:1", "not a numeric address");
	refuse_words("-k|x|--gdb|:1", "not a numeric address");
	refuse_words("-k|x|--gdb|[:1", "not a numeric address");
	refuse_words("-k|x|--gdb|1,wait", "unknown word");
	refuse_words("-k|x|--gdb|1|--gdb|2", "twice");
}

/* What docs of the project plan but this build does not have. */
static void test_where_memory_comes_from(void **state)
{
	(void)state;
	accept_words("-k|x");
	assert_false(options.config.hugepages || options.config.prefault);
	assert_false(options.config.has_numa);
	accept_words("-k|x|--hugepages|--prefault|--numa|1023|--balloon");
	assert_true(options.config.hugepages && options.config.prefault);
	assert_true(options.config.has_numa && options.config.balloon);
	assert_int_equal(options.config.numa, 1023);
	assert_int_equal(options.config.rng_bw, 4 << 20);
	accept_words("-k|x|--rng|bw=64K");
	assert_int_equal(options.config.rng_bw, 65536);
	refuse_words("-k|x|--rng|bw=1023", "from 1K to 4095M");
	refuse_words("-k|x|--rng|bw=4G", "from 1K to 4095M");
	refuse_words("-k|x|--rng|bw=", "from 1K to 4095M");
	refuse_words("-k|x|--rng|64K", "there is bw=SIZE");
	accept_words("-k|x|--pmem|a,,b|--pmem|c");
	assert_int_equal(options.config.pmem_count, 2);
	assert_string_equal(options.config.pmems[0], "a,b");
	refuse_words("-k|x|--pmem|a,ro", "unknown word");
	refuse_words("-k|x|--pmem|a|--verify-key|k", "does not go with --verify-key");
	refuse_words("-k|x|--pmem|", "name is empty");
	refuse_words("-k|x|--pmem|a|--pmem|b|--pmem|c|--pmem|d|--pmem|e", "at most 4");
	refuse_words("-k|x|--numa|1024", "not a number from 0 to 1023");
	refuse_words("-k|x|--numa|x", "not a number from 0 to 1023");
	refuse_words("-k|x|--hugepages|-m|511M", "multiple of 2M");
	refuse_words("-k|x|-m|3M|--hugepages", "multiple of 2M");
}

static void test_not_built_is_unknown(void **state)
{
	static const char *const words[] = {
		"restore=d",
	};
	char line[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		(void)snprintf(line, sizeof(line), "-k|x|--%s", words[i]);
		refuse_words(line, "unknown option --");
	}
}

static void test_suggestions(void **state)
{
	(void)state;
	refuse_words("--kernle=x", "did you mean --kernel?");
	refuse_words("--kernel-image=x", "hvrun run --help");
	refuse_words("--memroy|1G", "did you mean --memory?");
	refuse_words("--cpu=2", "did you mean --cpus?");
	refuse_words("--disks|x", "did you mean --disk?");
	refuse_words("--apend|x", "did you mean --append?");
	refuse_words("--ker|x", "hvrun run --help"); /* no abbreviations */
	refuse_words("--=x", "hvrun run --help");
}

static void test_long_words_are_cut(void **state)
{
	char words[3000] = "-k|x|--";

	(void)state;
	memset(words + strlen(words), 'k', 2000);
	refuse_words(words, "unknown option --kkk");
	assert_true(strlen(options.error) < sizeof(options.error));
}

static void test_help_and_version_win(void **state)
{
	(void)state;
	accept_words("--help");
	assert_int_equal(options.wish, OPTIONS_HELP);
	accept_words("-h|--nonsense");
	assert_int_equal(options.wish, OPTIONS_HELP);
	accept_words("-vh");
	assert_int_equal(options.wish, OPTIONS_HELP);
	accept_words("--version|-k");
	assert_int_equal(options.wish, OPTIONS_VERSION);
	refuse_words("--nonsense|--help", "unknown option --nonsense");
	refuse_words("--help=me", "takes no value");
}

/* The lines of @help, none of them too wide. */
static size_t count_lines(char *help)
{
	size_t lines = 0;

	for (char *line = help; *line; lines++) {
		char *end = strchr(line, '\n');

		assert_non_null(end);
		if (end - line > 79)
			fail_msg("too wide: %.*s", (int)(end - line), line);
		line = end + 1;
	}
	return lines;
}

static void test_help_fits_a_screen(void **state)
{
	char help[8192];
	size_t len = options_help(help, sizeof(help), false);

	(void)state;
	assert_int_equal(len, strlen(help));
	assert_int_equal(help[len - 1], '\n');
	assert_in_range(count_lines(help), 15, 23); /* a prompt needs the 24th */
}

static void test_long_help_has_every_option(void **state)
{
	char help[8192];
	size_t len = options_help(help, sizeof(help), true);

	(void)state;
	assert_int_equal(len, strlen(help));
	assert_true(len < sizeof(help) - 1);
	for (size_t i = 0; i < options_grammar.count; i++) {
		const struct option *option = &options_grammar.options[i];
		char name[40];

		(void)snprintf(name, sizeof(name), "--%s ", option->name);
		assert_int_equal(strstr(help, name) != NULL, parse_offers(option));
	}
	(void)count_lines(help);
}

static void test_help_is_cut_at_the_end(void **state)
{
	char help[8192];
	char small[100];

	(void)state;
	(void)options_help(help, sizeof(help), true);
	memset(small, 'x', sizeof(small));
	assert_int_equal(options_help(small, 50, true), 49);
	assert_int_equal(small[49], '\0');
	assert_int_equal(small[50], 'x');
	assert_memory_equal(small, help, 49);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_option_with_equals),
		cmocka_unit_test(test_every_option_with_a_word),
		cmocka_unit_test(test_every_letter),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_cpus),
		cmocka_unit_test(test_append_is_bounded),
		cmocka_unit_test(test_values_of_words),
		cmocka_unit_test(test_virtio),
		cmocka_unit_test(test_pmu),
		cmocka_unit_test(test_dump_dtb),
		cmocka_unit_test(test_refused_words),
		cmocka_unit_test(test_gdb),
		cmocka_unit_test(test_where_memory_comes_from),
		cmocka_unit_test(test_not_built_is_unknown),
		cmocka_unit_test(test_suggestions),
		cmocka_unit_test(test_long_words_are_cut),
		cmocka_unit_test(test_help_and_version_win),
		cmocka_unit_test(test_help_fits_a_screen),
		cmocka_unit_test(test_long_help_has_every_option),
		cmocka_unit_test(test_help_is_cut_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

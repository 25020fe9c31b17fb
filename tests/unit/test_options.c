/* SPDX-License-Identifier: BSD-2-Clause */
/* cli/options.c: every option, every refusal with its words, and the text of --help. */
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
#include "cli/options.h"

enum { MAX_WORDS = 40, MAX_TEXT = 8192 };

static struct options options;
static char text[MAX_TEXT];

/* Parses words written with '|' between them; they live until the next call. */
static int parse(const char *words)
{
	char *argv[MAX_WORDS];
	char *rest = text;
	int argc = 0;

	assert_true(strlen(words) < sizeof(text));
	memcpy(text, words, strlen(words) + 1);
	if (!*words)
		rest = NULL;
	while (rest) {
		assert_true(argc < MAX_WORDS);
		argv[argc++] = strsep(&rest, "|");
	}
	memset(&options, 0x5a, sizeof(options)); /* the parser must set every field */
	return options_parse(argc, argv, &options);
}

static void accept(const char *words)
{
	if (parse(words) != 0)
		fail_msg("\"%s\" was refused: %s", words, options.error);
}

/* The words are refused, and the reason contains @why. */
static void refuse(const char *words, const char *why)
{
	assert_int_equal(parse(words), -EINVAL);
	if (!strstr(options.error, why))
		fail_msg("\"%s\" was refused with \"%s\", without \"%s\"", words, options.error,
			 why);
}

static void test_defaults(void **state)
{
	(void)state;
	accept("-k|vmlinuz");
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
	accept("--kernel=bzImage|--initrd=initrd.gz|--append=quiet|--append=root=/dev/vda|"
	       "--append-only|--memory=2G|--cpus=4|--disk=root.img,ro|--disk=data.img,direct|"
	       "--console=virtio|--log=console.log|--sandbox=off|--verbose");
	check_everything();
}

static void test_every_option_with_a_word(void **state)
{
	(void)state;
	accept("--kernel|bzImage|--initrd|initrd.gz|--append|quiet|--append|root=/dev/vda|"
	       "--append-only|--memory|2G|--cpus|4|--disk|root.img,ro|--disk|data.img,direct|"
	       "--console|virtio|--log|console.log|--sandbox|off|--verbose");
	check_everything();
}

static void test_every_letter(void **state)
{
	(void)state;
	accept("-kbzImage|-iinitrd.gz|-aquiet|-a|root=/dev/vda|--append-only|-m2G|-c4|"
	       "-d|root.img,ro|-ddata.img,direct|--console|virtio|--log|console.log|"
	       "--sandbox|off|-vv");
	check_everything();
	accept("-k|x|-q");
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
		accept(good[i].words);
		assert_int_equal(options.config.memory, good[i].size);
	}
	refuse("-k|x|-m|", "is not a size");
	refuse("-k|x|-m|M", "is not a size");
	refuse("-k|x|-m|-1M", "is not a size");
	refuse("-k|x|-m|+1M", "is not a size");
	refuse("-k|x|-m| 1M", "is not a size");
	refuse("-k|x|-m|0x200000", "is not a size");
	refuse("-k|x|-m|512MB", "is not a size");
	refuse("-k|x|-m|512T", "is not a size");
	refuse("-k|x|-m|1.5G", "is not a size");
	refuse("-k|x|-m|99999999999999999999", "is not a size");
	refuse("-k|x|-m|18446744073709551615", "more than 1024G");
	refuse("-k|x|-m|17179869184G", "more than 1024G");
	refuse("-k|x|-m|1025G", "more than 1024G");
	refuse("-k|x|-m|0", "less than 2M");
	refuse("-k|x|-m|2047K", "less than 2M");
	refuse("-k|x|-m|2097153", "not a multiple of 4096");
	refuse("-k|x|-m|2050K", "not a multiple of 4096");
}

static void test_cpus(void **state)
{
	(void)state;
	accept("-k|x|-c|1");
	assert_int_equal(options.config.cpus, 1);
	accept("-k|x|-c|64");
	assert_int_equal(options.config.cpus, 64);
	refuse("-k|x|-c|0", "from 1 to 64");
	refuse("-k|x|-c|65", "from 1 to 64");
	refuse("-k|x|-c|", "from 1 to 64");
	refuse("-k|x|-c|two", "from 1 to 64");
	refuse("-k|x|-c|2x", "from 1 to 64");
	refuse("-k|x|-c|-1", "from 1 to 64");
	refuse("-k|x|-c|4294967297", "from 1 to 64");
	refuse("-k|x|-c|18446744073709551617", "from 1 to 64");
}

static void test_disk(void **state)
{
	(void)state;
	accept("-k|x|-d|a.img");
	assert_string_equal(options.config.disks[0].path, "a.img");
	assert_null(options.config.disks[0].serial);
	assert_false(options.config.disks[0].readonly);

	accept("-k|x|-d|a.img,ro,format=raw,direct,serial=12345678901234567890");
	assert_string_equal(options.config.disks[0].path, "a.img");
	assert_string_equal(options.config.disks[0].serial, "12345678901234567890");
	assert_true(options.config.disks[0].readonly);
	assert_true(options.config.disks[0].direct);
	assert_false(options.config.disks[0].cow);

	accept("-k|x|-d|a,queues=16,bw=2M,iops=300|-d|b,format=qcow2,queues=3");
	assert_int_equal(options.config.disks[0].queues, 16);
	assert_int_equal(options.config.disks[0].bytes_per_second, 2 << 20);
	assert_int_equal(options.config.disks[0].requests_per_second, 300);
	assert_int_equal(options.config.disks[1].queues, 3);
	accept("-k|x|-d|a,cow|-d|b,cow=memory");
	for (size_t i = 0; i < 2; i++) {
		assert_true(options.config.disks[i].cow);
		assert_true(options.config.disks[i].readonly);
		assert_int_equal(options.config.disks[i].cow_memory, i == 1);
	}

	refuse("-k|x|-d|", "file name is empty");
	refuse("-k|x|-d|,ro", "file name is empty");
	refuse("-k|x|-d|a,cow,format=qcow2", "cow is for disks of format raw");
	refuse("-k|x|-d|a,cow=disk", "unknown word \"cow=disk\"");
	refuse("-k|x|-d|a,rw", "unknown word \"rw\"");
	refuse("-k|x|-d|a,queues=0", "not a number from 1 to 16");
	refuse("-k|x|-d|a,queues=17", "not a number from 1 to 16");
	refuse("-k|x|-d|a,bw=0", "bw=0 is not a number of at least 1");
	refuse("-k|x|-d|a,bw=", "bw= is not a number");
	refuse("-k|x|-d|a,iops=-1", "iops=-1 is not a number");
	refuse("-k|x|-d|a,iops=1,iops=2", "iops is given twice");
	refuse("-k|x|-d|a,format=qcow2,bw=1M", "bw and iops are for disks of format raw");
	refuse("-k|x|-d|a,verity=h,root-hash=00", "64 or 128 hexadecimal digits");
	refuse("-k|x|-d|a,", "unknown word \"\"");
	refuse("-k|x|-d|a,ro=1", "unknown word \"ro=1\"");
	refuse("-k|x|-d|a,format=vmdk", "unknown format vmdk; it can be raw or qcow2");
	refuse("-k|x|-d|a,format=", "unknown format ; it can be raw");
	refuse("-k|x|-d|a,serial=", "not 1 to 20");
	refuse("-k|x|-d|a,serial=123456789012345678901", "not 1 to 20");
	refuse("-k|x|-d|a,serial=a b", "not printable ASCII");
	refuse("-k|x|-d|a,serial=a\xc3\xa9", "not printable ASCII");
	refuse("-k|x|-d|a,serial=1,serial=2", "given twice");
}

static void test_disk_qcow2(void **state)
{
	const struct vm_disk_config *disk = options.config.disks;

	(void)state;
	accept("-k|x|-d|a,format=qcow2,ro,backing=b,,c,backing-format=qcow2");
	assert_true(disk->qcow2);
	assert_string_equal(disk->backing, "b,c");
	assert_true(disk->backing_qcow2);
	accept("-k|x|-d|a,format=qcow2,backing=b|-d|c");
	assert_false(disk->backing_qcow2);
	assert_false(options.config.disks[1].qcow2);
	refuse("-k|x|-d|a,backing=b", "needs format=qcow2");
	refuse("-k|x|-d|a,format=qcow2,backing=", "wants one file");
	refuse("-k|x|-d|a,format=qcow2,backing=b,backing=c", "wants one file");
	refuse("-k|x|-d|a,format=qcow2,backing-format=qcow2", "needs backing=FILE");
	refuse("-k|x|-d|a,format=qcow2,backing=b,backing-format=vdi", "unknown format vdi");
	refuse("-k|x|-d|a,format=qcow2,serial=1", "has no serial");
	refuse("-k|x|-d|a,format=qcow2|--reboot", "--reboot does not go with");
}

#define ROOT "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

static void test_disk_verity(void **state)
{
	const struct vm_disk_config *disk = &options.config.disks[0];

	(void)state;
	accept("-k|x|-d|a,ro,verity=h.tree,root-hash=" ROOT);
	assert_string_equal(disk->verity, "h.tree");
	assert_int_equal(disk->root_len, 32);
	assert_int_equal(disk->root[0], 0x00);
	assert_int_equal(disk->root[1], 0x11);
	assert_int_equal(disk->root[26], 0xaa);
	assert_int_equal(disk->root[31], 0xff);
	accept("-k|x|-d|a,root-hash=" ROOT ROOT ",verity=h,ro");
	assert_int_equal(disk->root_len, 64);
	accept("--manifest|m|--verify-key|k|-d|a,ro,verity=h");
	assert_int_equal(disk->root_len, 0);
	refuse("-k|x|-d|a,ro,verity=h", "verity needs root-hash=HEX, or a --manifest");
	refuse("-k|x|-d|a,verity=h,root-hash=" ROOT, "verity needs ro");
	refuse("-k|x|-d|a,ro,root-hash=" ROOT, "root-hash needs verity");
	refuse("-k|x|-d|a,ro,verity=", "wants the file");
	refuse("-k|x|-d|a,ro,verity=h,verity=h", "given twice");
	refuse("-k|x|-d|a,ro,verity=h,root-hash=" ROOT ",root-hash=" ROOT, "given twice");
	refuse("-k|x|-d|a,ro,verity=h,root-hash=" ROOT "0", "64 or 128");
	refuse("-k|x|-d|a,ro,verity=h,root-hash=", "64 or 128");
}

static void test_verify(void **state)
{
	(void)state;
	accept("-k|x|--verify-key|key.pub");
	assert_string_equal(options.config.verify_key, "key.pub");
	assert_null(options.config.manifest);
	accept("--verify-key=key.pub|--manifest=m");
	assert_string_equal(options.config.manifest, "m");
	assert_null(options.config.kernel);
	refuse("--manifest=m|-k|x", "--manifest needs --verify-key");
	refuse("--verify-key=k", "no kernel to boot");
	refuse("-k|x|--verify-key=", "file name is empty");
}

static void test_disk_commas(void **state)
{
	(void)state;
	accept("-k|x|-d|a,,b,,,,c,ro");
	assert_string_equal(options.config.disks[0].path, "a,b,,c");
	assert_true(options.config.disks[0].readonly);
	accept("-k|x|-d|a,,");
	assert_string_equal(options.config.disks[0].path, "a,");
	accept("-k|x|-d|,,ro");
	assert_string_equal(options.config.disks[0].path, ",ro");
	accept("-k|x|-d|a,serial=x,,y,ro");
	assert_string_equal(options.config.disks[0].serial, "x,y");
	assert_true(options.config.disks[0].readonly);
	refuse("-k|x|-d|a,,,", "unknown word \"\"");
}

static void test_net(void **state)
{
	const struct vm_net_config *net = options.config.nets;
	static const uint8_t mac[] = { 0x52, 0x54, 0, 0xAb, 0xcd, 0xff };

	(void)state;
	accept("-k|x");
	assert_int_equal(options.config.net_count, 0);
	accept("-k|x|-n|none|--net=user|-n|tap=tap0");
	assert_int_equal(options.config.net_count, 2);
	assert_int_equal(net[0].kind, VM_NET_USER);
	assert_int_equal(net[0].mtu, 0);
	assert_false(net[0].has_mac);
	assert_false(net[0].nohost);
	assert_int_equal(net[1].kind, VM_NET_TAP);
	assert_string_equal(net[1].ifname, "tap0");
	assert_int_equal(net[1].queues, 1);
	accept("-k|x|-n|user,mac=52:54:00:Ab:cd:ff,mtu=1400,nohost,fwd=tcp:8080:80,"
	       "fwd=udp:0.0.0.0/53:5353,fwd=tcp:::1/1:65535");
	assert_memory_equal(net[0].mac, mac, 6);
	assert_int_equal(net[0].mtu, 1400);
	assert_true(net[0].nohost);
	assert_int_equal(net[0].forward_count, 3);
	assert_false(net[0].forwards[0].udp);
	assert_null(net[0].forwards[0].address);
	assert_int_equal(net[0].forwards[0].host, 8080);
	assert_int_equal(net[0].forwards[0].guest, 80);
	assert_true(net[0].forwards[1].udp);
	assert_string_equal(net[0].forwards[1].address, "0.0.0.0");
	assert_string_equal(net[0].forwards[2].address, "::1");
	assert_int_equal(net[0].forwards[2].guest, 65535);
	accept("-k|x|-n|tap=t,queues=8,mtu=65535");
	assert_int_equal(net[0].queues, 8);
}

static void test_net_refusals(void **state)
{
	(void)state;
	refuse("-k|x|-n|", "none, user or tap=NAME");
	refuse("-k|x|-n|bridge", "none, user or tap=NAME");
	refuse("-k|x|-n|tap", "none, user or tap=NAME");
	refuse("-k|x|-n|tap=", "no interface's name");
	refuse("-k|x|-n|tap=a/b", "no interface's name");
	refuse("-k|x|-n|tap=t%d", "no interface's name");
	refuse("-k|x|-n|tap=0123456789abcdef", "no interface's name");
	refuse("-k|x|-n|user,mac=52:54:00:12:34", "is not an address");
	refuse("-k|x|-n|user,mac=52:54:00:12:34:5g", "is not an address");
	refuse("-k|x|-n|user,mac=52:54:00:12:34:567", "is not an address");
	refuse("-k|x|-n|user,mac=53:54:00:12:34:56", "multicast");
	refuse("-k|x|-n|user,mtu=67", "from 68 to 65520");
	refuse("-k|x|-n|user,mtu=65521", "from 68 to 65520");
	refuse("-k|x|-n|tap=t,mtu=65536", "from 68 to 65535");
	refuse("-k|x|-n|user,queues=2", "user has one");
	refuse("-k|x|-n|tap=t,queues=9", "from 1 to 8");
	refuse("-k|x|-n|tap=t,queues=0", "from 1 to 8");
	refuse("-k|x|-n|tap=t,fwd=tcp:1:1", "no ports to forward");
	refuse("-k|x|-n|tap=t,nohost", "unknown word");
	refuse("-k|x|-n|user,fwd=tcp:8080", "is not tcp:PORT:PORT");
	refuse("-k|x|-n|user,fwd=tcp:0:80", "is not tcp:PORT:PORT");
	refuse("-k|x|-n|user,fwd=tcp:80:65536", "is not tcp:PORT:PORT");
	refuse("-k|x|-n|user,fwd=tcp:80:80x", "is not tcp:PORT:PORT");
	refuse("-k|x|-n|user,fwd=icmp:80:80", "is not tcp:PORT:PORT");
	refuse("-k|x|-n|user,fwd=", "is not tcp:PORT:PORT");
	refuse("-k|x|-n|user,fwd=/", "is not tcp:PORT:PORT");
	refuse("-k|x|-n|user,fwd=tcp:1.2.3/80:80", "not an IP address");
	refuse("-k|x|-n|user,", "unknown word");
	refuse("-k|x|-n|user|-n|user|-n|user|-n|user|-n|user", "at most 4");
}

static void test_disks_in_order_and_bounded(void **state)
{
	char words[1024] = "-k|x";
	char word[16];

	(void)state;
	for (int i = 0; i < VM_MAX_DISKS; i++) {
		(void)snprintf(word, sizeof(word), "|-d|disk%d", i);
		strcat(words, word);
	}
	accept(words);
	assert_int_equal(options.config.disk_count, VM_MAX_DISKS);
	for (int i = 0; i < VM_MAX_DISKS; i++) {
		(void)snprintf(word, sizeof(word), "disk%d", i);
		assert_string_equal(options.config.disks[i].path, word);
	}
	strcat(words, "|-d|more");
	refuse(words, "at most 12");
}

static void test_append_is_bounded(void **state)
{
	char words[VM_CMDLINE_MAX + 64] = "-k|x|-a|";
	size_t start = strlen(words);

	(void)state;
	memset(words + start, 'a', VM_CMDLINE_MAX - 1);
	accept(words);
	assert_int_equal(strlen(options.config.append), VM_CMDLINE_MAX - 1);
	strcat(words, "|-a|");
	refuse(words, "longer than 4095");
	words[start + VM_CMDLINE_MAX - 1] = 'a';
	words[start + VM_CMDLINE_MAX] = '\0';
	refuse(words, "longer than 4095");
	accept("-k|x|-a||-a|b");
	assert_string_equal(options.config.append, "b");
}

static void test_values_of_words(void **state)
{
	(void)state;
	accept("-k|x|--console|none");
	assert_int_equal(options.config.console, VM_CONSOLE_NONE);
	accept("-k|x|--console|serial");
	assert_int_equal(options.config.console, VM_CONSOLE_SERIAL);
	refuse("-k|x|--console|tty", "unknown value \"tty\"; it can be serial, virtio or none");
	accept("-k|x|--sandbox|on");
	assert_int_equal(options.config.sandbox, VM_SANDBOX_ON);
	accept("-k|x|--sandbox|log");
	assert_int_equal(options.config.sandbox, VM_SANDBOX_LOG);
	accept("-k|x|--user|nobody:kvm");
	assert_string_equal(options.config.user, "nobody:kvm");
	refuse("-k|x|--user|nobody|--sandbox|off", "do not go together");
	refuse("-k|x|--sandbox|maybe", "unknown value \"maybe\"; it can be on, log or off");
}

/* Only where there are two ways to tell: x86. */
static void test_virtio(void **state)
{
	(void)state;
	if (!arch_has_acpi) {
		refuse("-k|x|--virtio|acpi", "unknown option --virtio");
		refuse("-k|x|--virtio=cmdline", "unknown option --virtio");
		refuse("-k|x|--virtio=pci", "unknown option --virtio");
		return;
	}
	accept("-k|x|--virtio=cmdline");
	assert_int_equal(options.config.discovery, VM_DISCOVERY_CMDLINE);
	accept("-k|x|--virtio|acpi");
	assert_int_equal(options.config.discovery, VM_DISCOVERY_ACPI);
	accept("-k|x|--virtio|pci");
	assert_int_equal(options.config.discovery, VM_DISCOVERY_PCI);
	refuse("-k|x|--virtio|isa", "unknown value \"isa\"; it can be acpi, cmdline or pci");
}

/* Only where KVM has such a feature of vCPUs: arm64. */
static void test_pmu(void **state)
{
	(void)state;
	if (!arch_has_pmu) {
		refuse("-k|x|--pmu", "unknown option --pmu");
		return;
	}
	accept("-k|x");
	assert_false(options.config.pmu);
	accept("-k|x|--pmu");
	assert_true(options.config.pmu);
	refuse("-k|x|--pmu=on", "--pmu");
}

/* Only where there is a tree to dump. */
static void test_dump_dtb(void **state)
{
	(void)state;
	if (!arch_has_tree) {
		refuse("-k|x|--dump-dtb|t", "unknown option --dump-dtb");
		refuse("-k|x|--dump-dt|t", "unknown option --dump-dt; hvrun run --help");
		return;
	}
	accept("-k|x|--dump-dtb|t");
	assert_string_equal(options.config.tree, "t");
	refuse("-k|x|--dump-dtb|", "--dump-dtb: the file name is empty");
	refuse("-k|x|--dump-dt|t", "did you mean --dump-dtb?");
}

static void test_refused_words(void **state)
{
	(void)state;
	refuse("", "no kernel to boot");
	refuse("-m|1G", "no kernel to boot");
	refuse("-k", "--kernel needs a value: --kernel FILE");
	refuse("--memory", "--memory needs a value");
	refuse("-k|", "file name is empty");
	refuse("--initrd=|-k|x", "file name is empty");
	refuse("--log=|-k|x", "file name is empty");
	refuse("-k|a|-k|b", "--kernel is given twice");
	refuse("-k|a|--kernel=b", "--kernel is given twice");
	refuse("-k|a|-m|1G|-m|1G", "--memory is given twice");
	refuse("--append-only=yes|-k|x", "--append-only takes no value");
	refuse("-k|x|vmlinuz", "\"vmlinuz\" stands alone");
	refuse("-k|x|-", "\"-\" stands alone");
	refuse("-k|x|--", "\"--\" stands alone");
	refuse("-k|x|-v|-q", "do not go together");
	refuse("-k|x|-qv", "do not go together");
	refuse("-k|x|-z", "unknown option -z");
	refuse("-k|x|-vz", "unknown option -z");
}

static void test_gdb(void **state)
{
	(void)state;
	accept("-k|x");
	assert_false(options.config.gdb);
	accept("-k|x|--gdb|unix:a,,b.sock");
	assert_true(options.config.gdb);
	assert_string_equal(options.config.gdb_path, "a,b.sock");
	assert_false(options.config.gdb_nowait);
	accept("-k|x|--gdb|1234,nowait");
	assert_null(options.config.gdb_path);
	assert_string_equal(options.config.gdb_address, "127.0.0.1");
	assert_int_equal(options.config.gdb_port, 1234);
	assert_true(options.config.gdb_nowait);
	accept("-k|x|--gdb=0.0.0.0:65535");
	assert_string_equal(options.config.gdb_address, "0.0.0.0");
	accept("-k|x|--gdb=[::1]:1");
	assert_string_equal(options.config.gdb_address, "::1");
	refuse("-k|x|--gdb|unix:", "empty");
	refuse("-k|x|--gdb|", "not a port");
	refuse("-k|x|--gdb|0", "not a port");
	refuse("-k|x|--gdb|65536", "not a port");
	refuse("-k|x|--gdb|1x", "not a port");
	refuse("-k|x|--gdb|localhost:1", "not a numeric address");
	refuse("-k|x|--gdb|:1", "not a numeric address");
	refuse("-k|x|--gdb|[:1", "not a numeric address");
	refuse("-k|x|--gdb|1,wait", "unknown word");
	refuse("-k|x|--gdb|1|--gdb|2", "twice");
}

static void test_share(void **state)
{
	const struct vm_config *config = &options.config;

	(void)state;
	accept("-k|x|-s|/a,,b|--share|.,ro|--share=/c,tag=home,ro");
	assert_int_equal(config->share_count, 3);
	assert_string_equal(config->shares[0].path, "/a,b");
	assert_string_equal(config->shares[0].tag, "share0");
	assert_false(config->shares[0].readonly);
	assert_string_equal(config->shares[1].tag, "share1");
	assert_true(config->shares[1].readonly);
	assert_string_equal(config->shares[2].tag, "home");
	assert_true(config->shares[2].readonly);
	/* A name of ours gives way to the same one given before. */
	accept("-k|x|-s|/a,tag=share0|-s|/b");
	assert_string_equal(config->shares[1].tag, "share1");
	accept("-k|x|-s|/a,tag=123456789012345678901234567890123456");
	refuse("-k|x|-s|/a,tag=1234567890123456789012345678901234567", "not 1 to 36 bytes");
	refuse("-k|x|-s|/a,tag=", "not 1 to 36 bytes");
	refuse("-k|x|-s|/a,tag=b,tag=c", "twice");
	refuse("-k|x|-s|/a,tag=b|-s|/c,tag=b", "another share has the tag b");
	refuse("-k|x|-s|,ro", "name is empty");
	refuse("-k|x|-s|/a,rw", "unknown word \"rw\"");
	refuse("-k|x|-s|a|-s|a|-s|a|-s|a|-s|a", "at most 4");
	refuse("-k|x|-s|a|--reboot", "--reboot does not go with --share");
}

static void test_vhost_user(void **state)
{
	const struct vm_config *config = &options.config;

	(void)state;
	accept("-k|x|--vhost-user|blk,socket=/run/b|--vhost-user=fs,socket=/run/f,tag=t|"
	       "--vhost-user|net,socket=/run/n");
	assert_int_equal(config->vhost_user_count, 3);
	assert_int_equal(config->vhost_user[0].kind, VHOST_USER_BLK);
	assert_string_equal(config->vhost_user[0].socket, "/run/b");
	assert_int_equal(config->vhost_user[1].kind, VHOST_USER_FS);
	assert_string_equal(config->vhost_user[1].tag, "t");
	assert_int_equal(config->vhost_user[2].kind, VHOST_USER_NET);
	accept("-k|x|--vhost-user|fs,socket=/f|-s|/a");
	assert_string_equal(config->vhost_user[0].tag, "share0");
	assert_string_equal(config->shares[0].tag, "share1");
	refuse("-k|x|--vhost-user|gpu,socket=/g", "fs, blk or net");
	refuse("-k|x|--vhost-user|blk", "no socket=PATH");
	refuse("-k|x|--vhost-user|blk,socket=", "name is empty");
	refuse("-k|x|--vhost-user|blk,socket=a,socket=b", "repeated word");
	refuse("-k|x|--vhost-user|blk,socket=a,tag=b", "unknown or repeated word");
	refuse("-k|x|--vhost-user|fs,socket=a,tag=t|-s|/b,tag=t", "another share has the tag t");
}

/* What docs of the project plan but this build does not have. */
static void test_where_memory_comes_from(void **state)
{
	(void)state;
	accept("-k|x");
	assert_false(options.config.hugepages || options.config.prefault);
	assert_false(options.config.has_numa);
	accept("-k|x|--hugepages|--prefault|--numa|1023|--balloon");
	assert_true(options.config.hugepages && options.config.prefault);
	assert_true(options.config.has_numa && options.config.balloon);
	assert_int_equal(options.config.numa, 1023);
	assert_int_equal(options.config.rng_bw, 4 << 20);
	accept("-k|x|--rng|bw=64K");
	assert_int_equal(options.config.rng_bw, 65536);
	refuse("-k|x|--rng|bw=1023", "from 1K to 4095M");
	refuse("-k|x|--rng|bw=4G", "from 1K to 4095M");
	refuse("-k|x|--rng|bw=", "from 1K to 4095M");
	refuse("-k|x|--rng|64K", "there is bw=SIZE");
	accept("-k|x|--pmem|a,,b|--pmem|c");
	assert_int_equal(options.config.pmem_count, 2);
	assert_string_equal(options.config.pmems[0], "a,b");
	refuse("-k|x|--pmem|a,ro", "unknown word");
	refuse("-k|x|--pmem|a|--verify-key|k", "does not go with --verify-key");
	refuse("-k|x|--pmem|", "name is empty");
	refuse("-k|x|--pmem|a|--pmem|b|--pmem|c|--pmem|d|--pmem|e", "at most 4");
	refuse("-k|x|--numa|1024", "not a number from 0 to 1023");
	refuse("-k|x|--numa|x", "not a number from 0 to 1023");
	refuse("-k|x|--hugepages|-m|511M", "multiple of 2M");
	refuse("-k|x|-m|3M|--hugepages", "multiple of 2M");
}

static void test_vsock(void **state)
{
	char words[256] = "-k|x|--vsock|3,path=";
	size_t begin = strlen(words);

	(void)state;
	accept("-k|x|--vsock|3,path=/tmp/s");
	assert_int_equal(options.config.vsock_cid, 3);
	assert_string_equal(options.config.vsock_path, "/tmp/s");
	accept("-k|x|--vsock|4294967294,path=a,,b");
	assert_int_equal(options.config.vsock_cid, 4294967294);
	assert_string_equal(options.config.vsock_path, "a,b");
	refuse("-k|x|--vsock|2,path=s", "not an address for a guest");
	refuse("-k|x|--vsock|4294967295,path=s", "not an address for a guest");
	refuse("-k|x|--vsock|x,path=s", "not an address for a guest");
	refuse("-k|x|--vsock|3", "CID,path=SOCKET");
	refuse("-k|x|--vsock|3,s", "CID,path=SOCKET");
	refuse("-k|x|--vsock|3,path=s,ro", "CID,path=SOCKET");
	refuse("-k|x|--vsock|3,path=", "name is empty");
	refuse("-k|x|--vsock|3,path=s|--vsock|4,path=t", "");
	/* With any port behind it, it is a socket's name: 108 bytes with the last zero. */
	memset(words + begin, 'x', 96);
	accept(words);
	words[begin + 96] = 'x';
	refuse(words, "longer than 96 bytes");
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
		refuse(line, "unknown option --");
	}
}

static void test_suggestions(void **state)
{
	(void)state;
	refuse("--kernle=x", "did you mean --kernel?");
	refuse("--kernel-image=x", "hvrun run --help");
	refuse("--memroy|1G", "did you mean --memory?");
	refuse("--cpu=2", "did you mean --cpus?");
	refuse("--disks|x", "did you mean --disk?");
	refuse("--apend|x", "did you mean --append?");
	refuse("--ker|x", "hvrun run --help"); /* no abbreviations */
	refuse("--=x", "hvrun run --help");
}

static void test_long_words_are_cut(void **state)
{
	char words[3000] = "-k|x|--";

	(void)state;
	memset(words + strlen(words), 'k', 2000);
	refuse(words, "unknown option --kkk");
	assert_true(strlen(options.error) < sizeof(options.error));
}

static void test_help_and_version_win(void **state)
{
	(void)state;
	accept("--help");
	assert_int_equal(options.wish, OPTIONS_HELP);
	accept("-h|--nonsense");
	assert_int_equal(options.wish, OPTIONS_HELP);
	accept("-vh");
	assert_int_equal(options.wish, OPTIONS_HELP);
	accept("--version|-k");
	assert_int_equal(options.wish, OPTIONS_VERSION);
	refuse("--nonsense|--help", "unknown option --nonsense");
	refuse("--help=me", "takes no value");
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
		cmocka_unit_test(test_disk),
		cmocka_unit_test(test_disk_qcow2),
		cmocka_unit_test(test_disk_verity),
		cmocka_unit_test(test_verify),
		cmocka_unit_test(test_disk_commas),
		cmocka_unit_test(test_net),
		cmocka_unit_test(test_net_refusals),
		cmocka_unit_test(test_disks_in_order_and_bounded),
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_vhost_user),
		cmocka_unit_test(test_append_is_bounded),
		cmocka_unit_test(test_values_of_words),
		cmocka_unit_test(test_virtio),
		cmocka_unit_test(test_pmu),
		cmocka_unit_test(test_dump_dtb),
		cmocka_unit_test(test_refused_words),
		cmocka_unit_test(test_gdb),
		cmocka_unit_test(test_where_memory_comes_from),
		cmocka_unit_test(test_vsock),
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

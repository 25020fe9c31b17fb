/* SPDX-License-Identifier: BSD-2-Clause */
/* cli/options_*.c: the words of disks, networks, shares and other devices, and every refusal with its words. */
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

static void test_disk(void **state)
{
	(void)state;
	accept_words("-k|x|-d|a.img");
	assert_string_equal(options.config.disks[0].path, "a.img");
	assert_null(options.config.disks[0].serial);
	assert_false(options.config.disks[0].readonly);

	accept_words("-k|x|-d|a.img,ro,format=raw,direct,serial=12345678901234567890");
	assert_string_equal(options.config.disks[0].path, "a.img");
	assert_string_equal(options.config.disks[0].serial, "12345678901234567890");
	assert_true(options.config.disks[0].readonly);
	assert_true(options.config.disks[0].direct);
	assert_false(options.config.disks[0].cow);

	accept_words("-k|x|-d|a,queues=16,bw=2M,iops=300|-d|b,format=qcow2,queues=3");
	assert_int_equal(options.config.disks[0].queues, 16);
	assert_int_equal(options.config.disks[0].bytes_per_second, 2 << 20);
	assert_int_equal(options.config.disks[0].requests_per_second, 300);
	assert_int_equal(options.config.disks[1].queues, 3);
	accept_words("-k|x|-d|a,cow|-d|b,cow=memory");
	for (size_t i = 0; i < 2; i++) {
		assert_true(options.config.disks[i].cow);
		assert_true(options.config.disks[i].readonly);
		assert_int_equal(options.config.disks[i].cow_memory, i == 1);
	}

	refuse_words("-k|x|-d|", "file name is empty");
	refuse_words("-k|x|-d|,ro", "file name is empty");
	refuse_words("-k|x|-d|a,cow,format=qcow2", "cow is for disks of format raw");
	refuse_words("-k|x|-d|a,cow=disk", "unknown word \"cow=disk\"");
	refuse_words("-k|x|-d|a,rw", "unknown word \"rw\"");
	refuse_words("-k|x|-d|a,queues=0", "not a number from 1 to 16");
	refuse_words("-k|x|-d|a,queues=17", "not a number from 1 to 16");
	refuse_words("-k|x|-d|a,bw=0", "bw=0 is not a number of at least 1");
	refuse_words("-k|x|-d|a,bw=", "bw= is not a number");
	refuse_words("-k|x|-d|a,iops=-1", "iops=-1 is not a number");
	refuse_words("-k|x|-d|a,iops=1,iops=2", "iops is given twice");
	refuse_words("-k|x|-d|a,format=qcow2,bw=1M", "bw and iops are for disks of format raw");
	refuse_words("-k|x|-d|a,verity=h,root-hash=00", "64 or 128 hexadecimal digits");
	refuse_words("-k|x|-d|a,", "unknown word \"\"");
	refuse_words("-k|x|-d|a,ro=1", "unknown word \"ro=1\"");
	refuse_words("-k|x|-d|a,format=vmdk", "unknown format vmdk; it can be raw or qcow2");
	refuse_words("-k|x|-d|a,format=", "unknown format ; it can be raw");
	refuse_words("-k|x|-d|a,serial=", "not 1 to 20");
	refuse_words("-k|x|-d|a,serial=123456789012345678901", "not 1 to 20");
	refuse_words("-k|x|-d|a,serial=a b", "not printable ASCII");
	refuse_words("-k|x|-d|a,serial=a\xc3\xa9", "not printable ASCII");
	refuse_words("-k|x|-d|a,serial=1,serial=2", "given twice");
}

static void test_disk_qcow2(void **state)
{
	const struct vm_disk_config *disk = options.config.disks;

	(void)state;
	accept_words("-k|x|-d|a,format=qcow2,ro,backing=b,,c,backing-format=qcow2");
	assert_true(disk->qcow2);
	assert_string_equal(disk->backing, "b,c");
	assert_true(disk->backing_qcow2);
	accept_words("-k|x|-d|a,format=qcow2,backing=b|-d|c");
	assert_false(disk->backing_qcow2);
	assert_false(options.config.disks[1].qcow2);
	refuse_words("-k|x|-d|a,backing=b", "needs format=qcow2");
	refuse_words("-k|x|-d|a,format=qcow2,backing=", "wants one file");
	refuse_words("-k|x|-d|a,format=qcow2,backing=b,backing=c", "wants one file");
	refuse_words("-k|x|-d|a,format=qcow2,backing-format=qcow2", "needs backing=FILE");
	refuse_words("-k|x|-d|a,format=qcow2,backing=b,backing-format=vdi", "unknown format vdi");
	refuse_words("-k|x|-d|a,format=qcow2,serial=1", "has no serial");
	refuse_words("-k|x|-d|a,format=qcow2|--reboot", "--reboot does not go with");
}

#define ROOT "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

static void test_disk_verity(void **state)
{
	const struct vm_disk_config *disk = &options.config.disks[0];

	(void)state;
	accept_words("-k|x|-d|a,ro,verity=h.tree,root-hash=" ROOT);
	assert_string_equal(disk->verity, "h.tree");
	assert_int_equal(disk->root_len, 32);
	assert_int_equal(disk->root[0], 0x00);
	assert_int_equal(disk->root[1], 0x11);
	assert_int_equal(disk->root[26], 0xaa);
	assert_int_equal(disk->root[31], 0xff);
	accept_words("-k|x|-d|a,root-hash=" ROOT ROOT ",verity=h,ro");
	assert_int_equal(disk->root_len, 64);
	accept_words("--manifest|m|--verify-key|k|-d|a,ro,verity=h");
	assert_int_equal(disk->root_len, 0);
	refuse_words("-k|x|-d|a,ro,verity=h", "verity needs root-hash=HEX, or a --manifest");
	refuse_words("-k|x|-d|a,verity=h,root-hash=" ROOT, "verity needs ro");
	refuse_words("-k|x|-d|a,ro,root-hash=" ROOT, "root-hash needs verity");
	refuse_words("-k|x|-d|a,ro,verity=", "wants the file");
	refuse_words("-k|x|-d|a,ro,verity=h,verity=h", "given twice");
	refuse_words("-k|x|-d|a,ro,verity=h,root-hash=" ROOT ",root-hash=" ROOT, "given twice");
	refuse_words("-k|x|-d|a,ro,verity=h,root-hash=" ROOT "0", "64 or 128");
	refuse_words("-k|x|-d|a,ro,verity=h,root-hash=", "64 or 128");
}

static void test_verify(void **state)
{
	(void)state;
	accept_words("-k|x|--verify-key|key.pub");
	assert_string_equal(options.config.verify_key, "key.pub");
	assert_null(options.config.manifest);
	accept_words("--verify-key=key.pub|--manifest=m");
	assert_string_equal(options.config.manifest, "m");
	assert_null(options.config.kernel);
	refuse_words("--manifest=m|-k|x", "--manifest needs --verify-key");
	refuse_words("--verify-key=k", "no kernel to boot");
	refuse_words("-k|x|--verify-key=", "file name is empty");
}

static void test_disk_commas(void **state)
{
	(void)state;
	accept_words("-k|x|-d|a,,b,,,,c,ro");
	assert_string_equal(options.config.disks[0].path, "a,b,,c");
	assert_true(options.config.disks[0].readonly);
	accept_words("-k|x|-d|a,,");
	assert_string_equal(options.config.disks[0].path, "a,");
	accept_words("-k|x|-d|,,ro");
	assert_string_equal(options.config.disks[0].path, ",ro");
	accept_words("-k|x|-d|a,serial=x,,y,ro");
	assert_string_equal(options.config.disks[0].serial, "x,y");
	assert_true(options.config.disks[0].readonly);
	refuse_words("-k|x|-d|a,,,", "unknown word \"\"");
}

static void test_net(void **state)
{
	const struct vm_net_config *net = options.config.nets;
	static const uint8_t mac[] = { 0x52, 0x54, 0, 0xAb, 0xcd, 0xff };

	(void)state;
	accept_words("-k|x");
	assert_int_equal(options.config.net_count, 0);
	accept_words("-k|x|-n|none|--net=user|-n|tap=tap0");
	assert_int_equal(options.config.net_count, 2);
	assert_int_equal(net[0].kind, VM_NET_USER);
	assert_int_equal(net[0].mtu, 0);
	assert_false(net[0].has_mac);
	assert_false(net[0].nohost);
	assert_int_equal(net[1].kind, VM_NET_TAP);
	assert_string_equal(net[1].ifname, "tap0");
	assert_int_equal(net[1].queues, 1);
	accept_words("-k|x|-n|user,mac=52:54:00:Ab:cd:ff,mtu=1400,nohost,fwd=tcp:8080:80,"
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
	accept_words("-k|x|-n|tap=t,queues=8,mtu=65535");
	assert_int_equal(net[0].queues, 8);
}

static void test_net_refusals(void **state)
{
	(void)state;
	refuse_words("-k|x|-n|", "none, user or tap=NAME");
	refuse_words("-k|x|-n|bridge", "none, user or tap=NAME");
	refuse_words("-k|x|-n|tap", "none, user or tap=NAME");
	refuse_words("-k|x|-n|tap=", "no interface's name");
	refuse_words("-k|x|-n|tap=a/b", "no interface's name");
	refuse_words("-k|x|-n|tap=t%d", "no interface's name");
	refuse_words("-k|x|-n|tap=0123456789abcdef", "no interface's name");
	refuse_words("-k|x|-n|user,mac=52:54:00:12:34", "is not an address");
	refuse_words("-k|x|-n|user,mac=52:54:00:12:34:5g", "is not an address");
	refuse_words("-k|x|-n|user,mac=52:54:00:12:34:567", "is not an address");
	refuse_words("-k|x|-n|user,mac=53:54:00:12:34:56", "multicast");
	refuse_words("-k|x|-n|user,mtu=67", "from 68 to 65520");
	refuse_words("-k|x|-n|user,mtu=65521", "from 68 to 65520");
	refuse_words("-k|x|-n|tap=t,mtu=65536", "from 68 to 65535");
	refuse_words("-k|x|-n|user,queues=2", "user has one");
	refuse_words("-k|x|-n|tap=t,queues=9", "from 1 to 8");
	refuse_words("-k|x|-n|tap=t,queues=0", "from 1 to 8");
	refuse_words("-k|x|-n|tap=t,fwd=tcp:1:1", "no ports to forward");
	refuse_words("-k|x|-n|tap=t,nohost", "unknown word");
	refuse_words("-k|x|-n|user,fwd=tcp:8080", "is not tcp:PORT:PORT");
	refuse_words("-k|x|-n|user,fwd=tcp:0:80", "is not tcp:PORT:PORT");
	refuse_words("-k|x|-n|user,fwd=tcp:80:65536", "is not tcp:PORT:PORT");
	refuse_words("-k|x|-n|user,fwd=tcp:80:80x", "is not tcp:PORT:PORT");
	refuse_words("-k|x|-n|user,fwd=icmp:80:80", "is not tcp:PORT:PORT");
	refuse_words("-k|x|-n|user,fwd=", "is not tcp:PORT:PORT");
	refuse_words("-k|x|-n|user,fwd=/", "is not tcp:PORT:PORT");
	refuse_words("-k|x|-n|user,fwd=tcp:1.2.3/80:80", "not an IP address");
	refuse_words("-k|x|-n|user,", "unknown word");
	refuse_words("-k|x|-n|user|-n|user|-n|user|-n|user|-n|user", "at most 4");
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
	accept_words(words);
	assert_int_equal(options.config.disk_count, VM_MAX_DISKS);
	for (int i = 0; i < VM_MAX_DISKS; i++) {
		(void)snprintf(word, sizeof(word), "disk%d", i);
		assert_string_equal(options.config.disks[i].path, word);
	}
	strcat(words, "|-d|more");
	refuse_words(words, "at most 12");
}

static void test_share(void **state)
{
	const struct vm_config *config = &options.config;

	(void)state;
	accept_words("-k|x|-s|/a,,b|--share|.,ro|--share=/c,tag=home,ro");
	assert_int_equal(config->share_count, 3);
	assert_string_equal(config->shares[0].path, "/a,b");
	assert_string_equal(config->shares[0].tag, "share0");
	assert_false(config->shares[0].readonly);
	assert_string_equal(config->shares[1].tag, "share1");
	assert_true(config->shares[1].readonly);
	assert_string_equal(config->shares[2].tag, "home");
	assert_true(config->shares[2].readonly);
	/* A name of ours gives way to the same one given before. */
	accept_words("-k|x|-s|/a,tag=share0|-s|/b");
	assert_string_equal(config->shares[1].tag, "share1");
	accept_words("-k|x|-s|/a,tag=123456789012345678901234567890123456");
	refuse_words("-k|x|-s|/a,tag=1234567890123456789012345678901234567", "not 1 to 36 bytes");
	refuse_words("-k|x|-s|/a,tag=", "not 1 to 36 bytes");
	refuse_words("-k|x|-s|/a,tag=b,tag=c", "twice");
	refuse_words("-k|x|-s|/a,tag=b|-s|/c,tag=b", "another share has the tag b");
	refuse_words("-k|x|-s|,ro", "name is empty");
	refuse_words("-k|x|-s|/a,rw", "unknown word \"rw\"");
	refuse_words("-k|x|-s|a|-s|a|-s|a|-s|a|-s|a", "at most 4");
	refuse_words("-k|x|-s|a|--reboot", "--reboot does not go with --share");
}

static void test_vhost_user(void **state)
{
	const struct vm_config *config = &options.config;

	(void)state;
	accept_words("-k|x|--vhost-user|blk,socket=/run/b|--vhost-user=fs,socket=/run/f,tag=t|"
		     "--vhost-user|net,socket=/run/n");
	assert_int_equal(config->vhost_user_count, 3);
	assert_int_equal(config->vhost_user[0].kind, VHOST_USER_BLK);
	assert_string_equal(config->vhost_user[0].socket, "/run/b");
	assert_int_equal(config->vhost_user[1].kind, VHOST_USER_FS);
	assert_string_equal(config->vhost_user[1].tag, "t");
	assert_int_equal(config->vhost_user[2].kind, VHOST_USER_NET);
	accept_words("-k|x|--vhost-user|fs,socket=/f|-s|/a");
	assert_string_equal(config->vhost_user[0].tag, "share0");
	assert_string_equal(config->shares[0].tag, "share1");
	refuse_words("-k|x|--vhost-user|gpu,socket=/g", "fs, blk or net");
	refuse_words("-k|x|--vhost-user|blk", "no socket=PATH");
	refuse_words("-k|x|--vhost-user|blk,socket=", "name is empty");
	refuse_words("-k|x|--vhost-user|blk,socket=a,socket=b", "repeated word");
	refuse_words("-k|x|--vhost-user|blk,socket=a,tag=b", "unknown or repeated word");
	refuse_words("-k|x|--vhost-user|fs,socket=a,tag=t|-s|/b,tag=t",
		     "another share has the tag t");
}

static void test_vsock(void **state)
{
	char words[256] = "-k|x|--vsock|3,path=";
	size_t begin = strlen(words);

	(void)state;
	accept_words("-k|x|--vsock|3,path=/tmp/s");
	assert_int_equal(options.config.vsock_cid, 3);
	assert_string_equal(options.config.vsock_path, "/tmp/s");
	accept_words("-k|x|--vsock|4294967294,path=a,,b");
	assert_int_equal(options.config.vsock_cid, 4294967294);
	assert_string_equal(options.config.vsock_path, "a,b");
	refuse_words("-k|x|--vsock|2,path=s", "not an address for a guest");
	refuse_words("-k|x|--vsock|4294967295,path=s", "not an address for a guest");
	refuse_words("-k|x|--vsock|x,path=s", "not an address for a guest");
	refuse_words("-k|x|--vsock|3", "CID,path=SOCKET");
	refuse_words("-k|x|--vsock|3,s", "CID,path=SOCKET");
	refuse_words("-k|x|--vsock|3,path=s,ro", "CID,path=SOCKET");
	refuse_words("-k|x|--vsock|3,path=", "name is empty");
	refuse_words("-k|x|--vsock|3,path=s|--vsock|4,path=t", "");
	/* With any port behind it, it is a socket's name: 108 bytes with the last zero. */
	memset(words + begin, 'x', 96);
	accept_words(words);
	words[begin + 96] = 'x';
	refuse_words(words, "longer than 96 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
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
		cmocka_unit_test(test_vsock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

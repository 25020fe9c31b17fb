/* SPDX-License-Identifier: BSD-2-Clause */
/* vm/gdb_packet, gdb_server, gdb_points: what gdb says, and what it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "vm/gdb_points.h"
#include "vm/gdb_server.h"

enum {
	RAM = 0x10000,
	CPUS = 2,
};

/* A target with memory, where a register's value is its number plus 0x100 for each vCPU. */
static struct world {
	struct guest_mem *mem;
	struct gdb_points points;
	struct gdb_server server;
	char *xml;
	char wire[4 * GDB_FRAME_MAX];
	size_t len;
	enum gdb_action actions[GDB_MAX_CPUS];
	unsigned resumed, interrupted, detached, killed;
	unsigned set_cpu, set_reg;
	uint64_t set_value;
	char words[256];
} w;

static struct arch_debug_can can = { .debug = true, .breaks = 2, .watches = 2 };

static void send_bytes(void *opaque, const void *bytes, size_t len)
{
	(void)opaque;
	assert_true(len <= sizeof(w.wire) - w.len - 1);
	memcpy(w.wire + w.len, bytes, len);
	w.len += len;
	w.wire[w.len] = '\0';
}

static int reg_get(void *opaque, unsigned cpu, unsigned reg, uint8_t value[ARCH_REG_BYTES])
{
	(void)opaque;
	memset(value, 0, ARCH_REG_BYTES);
	le16_store(value, (uint16_t)(0x100 * cpu + reg));
	return reg == 3 ? -EIO : 0;
}

static int reg_set(void *opaque, unsigned cpu, unsigned reg, const uint8_t value[ARCH_REG_BYTES])
{
	(void)opaque;
	w.set_cpu = cpu;
	w.set_reg = reg;
	w.set_value = le64_load(value);
	return 0;
}

static int read_at(void *opaque, unsigned cpu, uint64_t address, void *to, size_t len)
{
	(void)opaque;
	(void)cpu;
	return gdb_trap_read(&w.points, w.mem, gpa(address), to, len) ? -EFAULT : (int)len;
}

static int write_at(void *opaque, unsigned cpu, uint64_t address, const void *from, size_t len)
{
	(void)opaque;
	(void)cpu;
	return gdb_trap_write(&w.points, w.mem, gpa(address), from, len);
}

static int point(void *opaque, unsigned cpu, bool set, enum gdb_point_type type, uint64_t address,
		 uint64_t kind)
{
	const struct arch_place place = { gpa(address), 4096 - address % 4096 };

	(void)opaque;
	(void)cpu;
	if (type != GDB_POINT_SOFTWARE)
		return set ? gdb_point_set(&w.points, &can, type, address, kind)
			   : gdb_point_clear(&w.points, type, address, kind);
	return set ? gdb_trap_set(&w.points, w.mem, address, &place, (unsigned)kind, false)
		   : gdb_trap_clear(&w.points, w.mem, address);
}

static void resume(void *opaque, const enum gdb_action *actions)
{
	(void)opaque;
	memcpy(w.actions, actions, CPUS * sizeof(*actions));
	w.resumed++;
}

static void interrupt(void *opaque)
{
	(void)opaque;
	w.interrupted++;
}

static void detach(void *opaque)
{
	(void)opaque;
	w.detached++;
}

static void kill_it(void *opaque)
{
	(void)opaque;
	w.killed++;
}

static void monitor(void *opaque, const char *words)
{
	(void)opaque;
	(void)snprintf(w.words, sizeof(w.words), "%s", words);
	gdb_server_say(&w.server, "line\n");
}

static struct gdb_target target = {
	.cpus = CPUS,
	.opaque = &w,
	.send = send_bytes,
	.reg_get = reg_get,
	.reg_set = reg_set,
	.mem_read = read_at,
	.mem_write = write_at,
	.point = point,
	.resume = resume,
	.interrupt = interrupt,
	.detach = detach,
	.kill = kill_it,
	.monitor = monitor,
};

static void input(const char *bytes, size_t len)
{
	w.len = 0;
	w.wire[0] = '\0';
	gdb_server_input(&w.server, bytes, len);
}

/* The packet with @body, as gdb sends it; what it is answered in w.wire. */
static void say(const char *body)
{
	char frame[512];
	uint8_t sum = 0;
	int len;

	for (const char *c = body; *c; c++)
		sum = (uint8_t)(sum + (uint8_t)*c);
	len = snprintf(frame, sizeof(frame), "$%s#%02x", body, sum);
	input(frame, (size_t)len);
}

/* The answer to @body is one packet with @answer. */
static void answer(const char *body, const char *answer_body)
{
	char frame[1024];
	uint8_t sum = 0;

	say(body);
	for (const char *c = answer_body; *c; c++)
		sum = (uint8_t)(sum + (uint8_t)*c);
	(void)snprintf(frame, sizeof(frame), "$%s#%02x", answer_body, sum);
	assert_string_equal(w.wire, frame);
}

static int setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	assert_int_equal(mem_create(&w.mem), 0);
	assert_int_equal(mem_add(w.mem, gpa(0), RAM, MEM_RAM), 0);
	w.xml = gdb_target_xml();
	assert_non_null(w.xml);
	target.xml = w.xml;
	gdb_server_begin(&w.server, &target);
	input("$QStartNoAckMode#b0", 19);
	assert_string_equal(w.wire, "+$OK#9a");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(w.xml);
	mem_destroy(w.mem);
	return 0;
}

static void test_packets(void **state)
{
	static char long_packet[GDB_PACKET_MAX + 64];

	(void)state;
	gdb_server_begin(&w.server, &target); /* with acknowledgements */
	input("+$qC#b4", 7);
	assert_string_equal(w.wire, "+$QC1#c5");
	input("-", 1);
	assert_string_equal(w.wire, "$QC1#c5");
	input("$qC#b5", 6); /* a wrong sum */
	assert_string_equal(w.wire, "-");
	input("$qC#zz", 6);
	assert_string_equal(w.wire, "-");
	input("noise$qC$qC#b4", 14); /* one that was cut off */
	assert_string_equal(w.wire, "+$QC1#c5");
	/* Byte by byte, with an escape: "}" and 0x03 are '#'. */
	input("$X0,1:}\x03#9f", 11);
	assert_string_equal(w.wire, "+$OK#9a");
	memset(long_packet, 'm', sizeof(long_packet));
	long_packet[0] = '$';
	memcpy(long_packet + sizeof(long_packet) - 3, "#00", 3);
	input(long_packet, sizeof(long_packet));
	assert_string_equal(w.wire, "-");
	input("$qC#b4", 6);
	assert_string_equal(w.wire, "+$QC1#c5");
}

static void test_unknown_is_empty(void **state)
{
	(void)state;
	answer("vMustReplyEmpty", "");
	answer("", "");
	answer("qTStatus", "");
	answer("Z9,0,1", "");
}

static void test_what_is_supported(void **state)
{
	(void)state;
	say("qSupported:multiprocess+;swbreak+;hwbreak+;xmlRegisters=i386");
	assert_non_null(strstr(w.wire, "PacketSize=4000;"));
	assert_non_null(strstr(w.wire, "qXfer:features:read+"));
	answer("vCont?", "vCont;c;C;s;S");
	answer("qAttached", "1");
}

static void test_description(void **state)
{
	const struct arch_reg *reg;
	unsigned total = 0;

	(void)state;
	say("qXfer:features:read:target.xml:0,40");
	assert_memory_equal(w.wire, "$m<?xml version=\"1.0\"?>", 23);
	say("qXfer:features:read:target.xml:0,ffff");
	assert_memory_equal(w.wire + 1, "l", 1);
	assert_non_null(strstr(w.wire, arch_gdb_name));
	answer("qXfer:features:read:target.xml:fffff,10", "E00");
	answer("qXfer:features:read:other.xml:0,10", "");
	while ((reg = arch_reg(total))) {
		char name[64];

		assert_int_equal(reg->bits % 8, 0);
		assert_in_range(reg->bits, 8, 8 * ARCH_REG_BYTES);
		(void)snprintf(name, sizeof(name), "<reg name=\"%s\"", reg->name);
		assert_non_null(strstr(w.xml, name));
		total++;
	}
	assert_in_range(total, arch_reg_pc + 1, ARCH_REGS_BYTES / 8);
	assert_string_equal(arch_reg(arch_reg_pc)->type, "code_ptr");
}

static void test_threads(void **state)
{
	(void)state;
	answer("qfThreadInfo", "m1,2");
	answer("qsThreadInfo", "l");
	answer("T2", "OK");
	answer("T3", "E16");
	answer("Hg2", "OK");
	answer("qC", "QC2");
	answer("Hg3", "E16");
	answer("Hx1", "E16");
	answer("qThreadExtraInfo,2", "766370752031"); /* vcpu 1 */
	say("qXfer:threads:read::0,fff");
	assert_non_null(strstr(w.wire, "<thread id=\"2\" core=\"1\" name=\"vcpu 1\"/>"));
}

static void test_registers(void **state)
{
	char wanted[2 * ARCH_REG_BYTES + 1] = "0201";

	(void)state;
	answer("Hg2", "OK");
	memset(wanted + 4, '0', arch_reg(2)->bits / 4U - 4);
	answer("p2", wanted);
	answer("p3", "E05");
	answer("pffff", "E16");
	answer("p", "E16");
	answer("p100000002", "E16");
	answer("P1=0807060504030201", "OK");
	assert_int_equal(w.set_cpu, 1);
	assert_int_equal(w.set_reg, 1);
	assert_int_equal(w.set_value, UINT64_C(0x0102030405060708));
	answer("P1=08070605040302", "E16");
	answer("P1=08070605040302010", "E16");
	say("g");
	assert_memory_equal(w.wire, "$0001", 5);
	assert_non_null(strstr(w.wire, "xxxxxxxxxxxxxxxx")); /* register 3 */
	answer("Gzz", "E16");
	answer("Gxxxxxxxxxxxxxxxx0900000000000000", "OK");
	assert_int_equal(w.set_reg, 1);
	assert_int_equal(w.set_value, 9);
}

static void test_memory(void **state)
{
	(void)state;
	answer("M100,4:01020304", "OK");
	answer("m100,4", "01020304");
	answer("m101,2", "0203");
	answer("m10000,1", "E0e");
	answer("mffffffffffffffff,2", "E0e");
	answer("m100", "E16");
	answer("m100,", "E16");
	answer("m11111111111111111,1", "E16"); /* more than 64 bits */
	answer("M100,4:010203", "E16");
	answer("M100,4:0102030405", "E16");
	answer("M100,ffffffff:01", "E16");
	answer("X100,2:ab", "OK");
	answer("m100,4", "61620304");
	answer("X100,3:ab", "E16");
	answer("X10000,1:a", "E0e");
	say("m0,ffffffff"); /* no more than fits into a packet */
	assert_int_equal(w.len, GDB_PACKET_MAX + 4);
}

static void test_breakpoints_in_memory(void **state)
{
	uint8_t trap[ARCH_TRAP_BYTES];
	uint8_t bytes[8];
	unsigned kind = 1;
	char set[32], clear[32];

	(void)state;
	while (arch_trap(kind, trap) < 0)
		kind *= 2;
	(void)snprintf(set, sizeof(set), "Z0,200,%x", kind);
	(void)snprintf(clear, sizeof(clear), "z0,200,%x", kind);
	answer("M1fc,c:0102030405060708090a0b0c", "OK");
	answer(set, "OK");
	answer(set, "OK"); /* again: one still */
	mem_read(w.mem, gpa(0x200), bytes, kind);
	assert_memory_equal(bytes, trap, kind);
	/* Not to be seen, from wherever it is read; and written under. */
	answer("m1fc,c", "0102030405060708090a0b0c");
	answer("m200,1", "05");
	answer("M1ff,2:aabb", "OK");
	answer("m1fc,c", "010203aabb060708090a0b0c");
	mem_read(w.mem, gpa(0x200), bytes, kind);
	assert_memory_equal(bytes, trap, kind);
	answer(clear, "OK");
	answer(clear, "E02");
	answer("m1fc,c", "010203aabb060708090a0b0c");
	mem_read(w.mem, gpa(0x200), bytes, 1);
	assert_int_equal(bytes[0], 0xbb);
	/* What the guest has written over it stays. */
	answer(set, "OK");
	mem_fill(w.mem, gpa(0x200), 0x77, kind);
	answer(clear, "OK");
	answer("m200,1", "77");
	/* Outside of RAM, of a length that is none, too many. */
	(void)snprintf(set, sizeof(set), "Z0,10000,%x", kind);
	answer(set, "E0e");
	answer("Z0,200,3", "E16");
	for (unsigned i = 0; i < GDB_TRAPS_MAX; i++) {
		(void)snprintf(set, sizeof(set), "Z0,%x,%x", 0x1000 + 8 * i, kind);
		answer(set, "OK");
	}
	(void)snprintf(set, sizeof(set), "Z0,8,%x", kind);
	answer(set, "E1c");
	gdb_trap_clear_all(&w.points, w.mem, true);
	assert_int_equal(w.points.trap_count, GDB_TRAPS_MAX);
	gdb_trap_clear_all(&w.points, w.mem, false);
	assert_int_equal(w.points.trap_count, 0);
}

static void test_points_of_the_processor(void **state)
{
	const struct arch_point exec = { ARCH_POINT_EXEC, 0x400, 4 };
	uint64_t start;

	(void)state;
	if (arch_point_check(&exec) < 0) {
		answer("Z1,400,4", ""); /* this architecture has none */
		return;
	}
	answer("Z1,400,4", "OK");
	answer("Z1,400,4", "OK");
	answer("Z2,500,8", "OK");
	answer("Z2,503,8", "E16"); /* not aligned */
	answer("Z4,508,4", "OK");
	answer("Z2,600,8", "E1c"); /* two watchpoints in all */
	assert_int_equal(w.points.point_count, 3);
	assert_int_equal(gdb_point_watched(&w.points, 0x50a, &start), GDB_POINT_ACCESS);
	assert_int_equal(start, 0x508);
	answer("z4,508,4", "OK");
	answer("z4,508,4", "E02");
	answer("z1,400,4", "OK");
	assert_int_equal(w.points.point_count, 1);
	can.watches = 0;
	answer("Z2,600,8", "");
	can.watches = 2;
}

static void acts(const char *packet, enum gdb_action first, enum gdb_action second)
{
	unsigned before = w.resumed;

	say(packet);
	assert_string_equal(w.wire, "");
	assert_int_equal(w.resumed, before + 1);
	assert_int_equal(w.actions[0], first);
	assert_int_equal(w.actions[1], second);
	gdb_server_stopped(&w.server, &(struct gdb_stop){ .cpu = 0 });
}

static void test_going_on(void **state)
{
	(void)state;
	acts("vCont;c", GDB_CONTINUE, GDB_CONTINUE);
	acts("vCont;s:2;c", GDB_CONTINUE, GDB_STEP);
	acts("vCont;s:1", GDB_STEP, GDB_STAY);
	acts("vCont;S05:1;C0b:-1", GDB_STEP, GDB_CONTINUE);
	acts("vCont;c:1;s:1", GDB_CONTINUE, GDB_STAY);
	acts("c", GDB_CONTINUE, GDB_CONTINUE);
	acts("s", GDB_STEP, GDB_CONTINUE);
	say("Hc2");
	acts("s", GDB_STAY, GDB_STEP);
	acts("c", GDB_STAY, GDB_CONTINUE);
	answer("vCont;", "E16");
	answer("vCont;x", "E16");
	answer("vCont;c:3", "E16");
	answer("vCont;c:1x", "E16");
	answer("vCont;c;", "E16");
	answer("c1000", "E16");
}

static void test_stops(void **state)
{
	char wanted[64];

	(void)state;
	say("qSupported:swbreak+;hwbreak+");
	say("vCont;c");
	assert_string_equal(w.wire, "");
	say("m0,4"); /* nothing is asked of a guest that runs */
	assert_string_equal(w.wire, "");
	input("\x03", 1);
	assert_int_equal(w.interrupted, 1);
	gdb_server_stopped(&w.server, &(struct gdb_stop){ .cpu = 1 });
	assert_memory_equal(w.wire, "$T02thread:2;", 13);
	(void)snprintf(wanted, sizeof(wanted), ";%02x:%02x01", arch_reg_pc, arch_reg_pc);
	assert_non_null(strstr(w.wire, wanted));
	answer("qC", "QC2");
	input("\x03", 1); /* it is stopped already */
	assert_int_equal(w.interrupted, 1);
	say("vCont;c");
	gdb_server_stopped(&w.server, &(struct gdb_stop){ .reason = GDB_REASON_TRAP });
	assert_memory_equal(w.wire, "$T05swbreak:;thread:1;", 22);
	say("vCont;c");
	gdb_server_stopped(&w.server, &(struct gdb_stop){ .reason = GDB_REASON_HARDWARE });
	assert_memory_equal(w.wire, "$T05hwbreak:;thread:1;", 22);
	say("vCont;c");
	gdb_server_stopped(&w.server, &(struct gdb_stop){ .reason = GDB_REASON_WATCH,
							  .watch = GDB_POINT_ACCESS,
							  .address = 0xabc });
	assert_memory_equal(w.wire, "$T05awatch:abc;thread:1;", 24);
	say("?");
	assert_memory_equal(w.wire, "$T05awatch:abc;thread:1;", 24);
}

static void test_ends(void **state)
{
	(void)state;
	say("vCont;c");
	gdb_server_exited(&w.server, false, 7);
	assert_string_equal(w.wire, "$W07#be");
	say("qC"); /* nothing more is said */
	assert_string_equal(w.wire, "");
	gdb_server_begin(&w.server, &target);
	w.server.no_ack = true;
	say("vCont;c");
	gdb_server_exited(&w.server, true, 0);
	assert_string_equal(w.wire, "$X06#be");
	gdb_server_begin(&w.server, &target);
	w.server.no_ack = true;
	answer("D;1", "OK");
	assert_int_equal(w.detached, 1);
	gdb_server_begin(&w.server, &target);
	w.server.no_ack = true;
	answer("vKill;1", "OK");
	assert_int_equal(w.killed, 1);
	gdb_server_begin(&w.server, &target);
	w.server.no_ack = true;
	say("k");
	assert_string_equal(w.wire, "");
	assert_int_equal(w.killed, 2);
}

static void test_monitor(void **state)
{
	(void)state;
	say("qRcmd,68656c70");
	assert_string_equal(w.words, "help");
	assert_string_equal(w.wire, "$O6c696e650a#ee$OK#9a");
	answer("qRcmd,6", "E16");
	answer("qRcmd,zz", "E16");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_packets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_is_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_supported, setup, teardown),
		cmocka_unit_test_setup_teardown(test_description, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_registers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_breakpoints_in_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_points_of_the_processor, setup, teardown),
		cmocka_unit_test_setup_teardown(test_going_on, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stops, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_monitor, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

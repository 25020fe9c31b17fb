/* SPDX-License-Identifier: BSD-2-Clause */
/* vm/gdb/packet, server, points: what gdb says, and what it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/lib/gdb_rig.h"
#include "vm/gdb/points.h"
#include "vm/gdb/server.h"

static void test_packets(void **state)
{
	static char long_packet[GDB_PACKET_MAX + 64];

	(void)state;
	gdb_server_begin(&gdb_rig.server, &gdb_rig_target); /* with acknowledgements */
	gdb_rig_input("+$qC#b4", 7);
	assert_string_equal(gdb_rig.wire, "+$QC1#c5");
	gdb_rig_input("-", 1);
	assert_string_equal(gdb_rig.wire, "$QC1#c5");
	gdb_rig_input("$qC#b5", 6); /* a wrong sum */
	assert_string_equal(gdb_rig.wire, "-");
	gdb_rig_input("$qC#zz", 6);
	assert_string_equal(gdb_rig.wire, "-");
	gdb_rig_input("noise$qC$qC#b4", 14); /* one that was cut off */
	assert_string_equal(gdb_rig.wire, "+$QC1#c5");
	/* Byte by byte, with an escape: "}" and 0x03 are '#'. */
	gdb_rig_input("$X0,1:}\x03#9f", 11);
	assert_string_equal(gdb_rig.wire, "+$OK#9a");
	memset(long_packet, 'm', sizeof(long_packet));
	long_packet[0] = '$';
	memcpy(long_packet + sizeof(long_packet) - 3, "#00", 3);
	gdb_rig_input(long_packet, sizeof(long_packet));
	assert_string_equal(gdb_rig.wire, "-");
	gdb_rig_input("$qC#b4", 6);
	assert_string_equal(gdb_rig.wire, "+$QC1#c5");
}

static void test_unknown_is_empty(void **state)
{
	(void)state;
	gdb_rig_answer("vMustReplyEmpty", "");
	gdb_rig_answer("", "");
	gdb_rig_answer("qTStatus", "");
	gdb_rig_answer("Z9,0,1", "");
}

static void test_what_is_supported(void **state)
{
	(void)state;
	gdb_rig_say("qSupported:multiprocess+;swbreak+;hwbreak+;xmlRegisters=i386");
	assert_non_null(strstr(gdb_rig.wire, "PacketSize=4000;"));
	assert_non_null(strstr(gdb_rig.wire, "qXfer:features:read+"));
	gdb_rig_answer("vCont?", "vCont;c;C;s;S");
	gdb_rig_answer("qAttached", "1");
}

static void test_description(void **state)
{
	const struct arch_reg *reg;
	unsigned total = 0;

	(void)state;
	gdb_rig_say("qXfer:features:read:target.xml:0,40");
	assert_memory_equal(gdb_rig.wire, "$m<?xml version=\"1.0\"?>", 23);
	gdb_rig_say("qXfer:features:read:target.xml:0,ffff");
	assert_memory_equal(gdb_rig.wire + 1, "l", 1);
	assert_non_null(strstr(gdb_rig.wire, arch_gdb_name));
	gdb_rig_answer("qXfer:features:read:target.xml:fffff,10", "E00");
	gdb_rig_answer("qXfer:features:read:other.xml:0,10", "");
	while ((reg = arch_reg(total))) {
		char name[64];

		assert_int_equal(reg->bits % 8, 0);
		assert_in_range(reg->bits, 8, 8 * ARCH_REG_BYTES);
		(void)snprintf(name, sizeof(name), "<reg name=\"%s\"", reg->name);
		assert_non_null(strstr(gdb_rig.xml, name));
		total++;
	}
	assert_in_range(total, arch_reg_pc + 1, ARCH_REGS_BYTES / 8);
	assert_string_equal(arch_reg(arch_reg_pc)->type, "code_ptr");
}

static void test_threads(void **state)
{
	(void)state;
	gdb_rig_answer("qfThreadInfo", "m1,2");
	gdb_rig_answer("qsThreadInfo", "l");
	gdb_rig_answer("T2", "OK");
	gdb_rig_answer("T3", "E16");
	gdb_rig_answer("Hg2", "OK");
	gdb_rig_answer("qC", "QC2");
	gdb_rig_answer("Hg3", "E16");
	gdb_rig_answer("Hx1", "E16");
	gdb_rig_answer("qThreadExtraInfo,2", "766370752031"); /* vcpu 1 */
	gdb_rig_say("qXfer:threads:read::0,fff");
	assert_non_null(strstr(gdb_rig.wire, "<thread id=\"2\" core=\"1\" name=\"vcpu 1\"/>"));
}

static void test_registers(void **state)
{
	char wanted[2 * ARCH_REG_BYTES + 1] = "0201";

	(void)state;
	gdb_rig_answer("Hg2", "OK");
	memset(wanted + 4, '0', arch_reg(2)->bits / 4U - 4);
	gdb_rig_answer("p2", wanted);
	gdb_rig_answer("p3", "E05");
	gdb_rig_answer("pffff", "E16");
	gdb_rig_answer("p", "E16");
	gdb_rig_answer("p100000002", "E16");
	gdb_rig_answer("P1=0807060504030201", "OK");
	assert_int_equal(gdb_rig.set_cpu, 1);
	assert_int_equal(gdb_rig.set_reg, 1);
	assert_int_equal(gdb_rig.set_value, UINT64_C(0x0102030405060708));
	gdb_rig_answer("P1=08070605040302", "E16");
	gdb_rig_answer("P1=08070605040302010", "E16");
	gdb_rig_say("g");
	assert_memory_equal(gdb_rig.wire, "$0001", 5);
	assert_non_null(strstr(gdb_rig.wire, "xxxxxxxxxxxxxxxx")); /* register 3 */
	gdb_rig_answer("Gzz", "E16");
	gdb_rig_answer("Gxxxxxxxxxxxxxxxx0900000000000000", "OK");
	assert_int_equal(gdb_rig.set_reg, 1);
	assert_int_equal(gdb_rig.set_value, 9);
}

static void test_memory(void **state)
{
	(void)state;
	gdb_rig_answer("M100,4:01020304", "OK");
	gdb_rig_answer("m100,4", "01020304");
	gdb_rig_answer("m101,2", "0203");
	gdb_rig_answer("m10000,1", "E0e");
	gdb_rig_answer("mffffffffffffffff,2", "E0e");
	gdb_rig_answer("m100", "E16");
	gdb_rig_answer("m100,", "E16");
	gdb_rig_answer("m11111111111111111,1", "E16"); /* more than 64 bits */
	gdb_rig_answer("M100,4:010203", "E16");
	gdb_rig_answer("M100,4:0102030405", "E16");
	gdb_rig_answer("M100,ffffffff:01", "E16");
	gdb_rig_answer("X100,2:ab", "OK");
	gdb_rig_answer("m100,4", "61620304");
	gdb_rig_answer("X100,3:ab", "E16");
	gdb_rig_answer("X10000,1:a", "E0e");
	gdb_rig_say("m0,ffffffff"); /* no more than fits into a packet */
	assert_int_equal(gdb_rig.len, GDB_PACKET_MAX + 4);
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
	gdb_rig_answer("M1fc,c:0102030405060708090a0b0c", "OK");
	gdb_rig_answer(set, "OK");
	gdb_rig_answer(set, "OK"); /* again: one still */
	mem_read(gdb_rig.mem, gpa(0x200), bytes, kind);
	assert_memory_equal(bytes, trap, kind);
	/* Not to be seen, from wherever it is read; and written under. */
	gdb_rig_answer("m1fc,c", "0102030405060708090a0b0c");
	gdb_rig_answer("m200,1", "05");
	gdb_rig_answer("M1ff,2:aabb", "OK");
	gdb_rig_answer("m1fc,c", "010203aabb060708090a0b0c");
	mem_read(gdb_rig.mem, gpa(0x200), bytes, kind);
	assert_memory_equal(bytes, trap, kind);
	gdb_rig_answer(clear, "OK");
	gdb_rig_answer(clear, "E02");
	gdb_rig_answer("m1fc,c", "010203aabb060708090a0b0c");
	mem_read(gdb_rig.mem, gpa(0x200), bytes, 1);
	assert_int_equal(bytes[0], 0xbb);
	/* What the guest has written over it stays. */
	gdb_rig_answer(set, "OK");
	mem_fill(gdb_rig.mem, gpa(0x200), 0x77, kind);
	gdb_rig_answer(clear, "OK");
	gdb_rig_answer("m200,1", "77");
	/* Outside of RAM, of a length that is none, too many. */
	(void)snprintf(set, sizeof(set), "Z0,10000,%x", kind);
	gdb_rig_answer(set, "E0e");
	gdb_rig_answer("Z0,200,3", "E16");
	for (unsigned i = 0; i < GDB_TRAPS_MAX; i++) {
		(void)snprintf(set, sizeof(set), "Z0,%x,%x", 0x1000 + 8 * i, kind);
		gdb_rig_answer(set, "OK");
	}
	(void)snprintf(set, sizeof(set), "Z0,8,%x", kind);
	gdb_rig_answer(set, "E1c");
	gdb_trap_clear_all(&gdb_rig.points, gdb_rig.mem, true);
	assert_int_equal(gdb_rig.points.trap_count, GDB_TRAPS_MAX);
	gdb_trap_clear_all(&gdb_rig.points, gdb_rig.mem, false);
	assert_int_equal(gdb_rig.points.trap_count, 0);
}

static void test_points_of_the_processor(void **state)
{
	const struct arch_point exec = { ARCH_POINT_EXEC, 0x400, 4 };
	uint64_t start;

	(void)state;
	if (arch_point_check(&exec) < 0) {
		gdb_rig_answer("Z1,400,4", ""); /* this architecture has none */
		return;
	}
	gdb_rig_answer("Z1,400,4", "OK");
	gdb_rig_answer("Z1,400,4", "OK");
	gdb_rig_answer("Z2,500,8", "OK");
	gdb_rig_answer("Z2,503,8", "E16"); /* not aligned */
	gdb_rig_answer("Z4,508,4", "OK");
	gdb_rig_answer("Z2,600,8", "E1c"); /* two watchpoints in all */
	assert_int_equal(gdb_rig.points.point_count, 3);
	assert_int_equal(gdb_point_watched(&gdb_rig.points, 0x50a, &start), GDB_POINT_ACCESS);
	assert_int_equal(start, 0x508);
	gdb_rig_answer("z4,508,4", "OK");
	gdb_rig_answer("z4,508,4", "E02");
	gdb_rig_answer("z1,400,4", "OK");
	assert_int_equal(gdb_rig.points.point_count, 1);
	gdb_rig_can.watches = 0;
	gdb_rig_answer("Z2,600,8", "");
	gdb_rig_can.watches = 2;
}

static void acts(const char *packet, enum gdb_action first, enum gdb_action second)
{
	unsigned before = gdb_rig.resumed;

	gdb_rig_say(packet);
	assert_string_equal(gdb_rig.wire, "");
	assert_int_equal(gdb_rig.resumed, before + 1);
	assert_int_equal(gdb_rig.actions[0], first);
	assert_int_equal(gdb_rig.actions[1], second);
	gdb_server_stopped(&gdb_rig.server, &(struct gdb_stop){ .cpu = 0 });
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
	gdb_rig_say("Hc2");
	acts("s", GDB_STAY, GDB_STEP);
	acts("c", GDB_STAY, GDB_CONTINUE);
	gdb_rig_answer("vCont;", "E16");
	gdb_rig_answer("vCont;x", "E16");
	gdb_rig_answer("vCont;c:3", "E16");
	gdb_rig_answer("vCont;c:1x", "E16");
	gdb_rig_answer("vCont;c;", "E16");
	gdb_rig_answer("c1000", "E16");
}

static void test_stops(void **state)
{
	char wanted[64];

	(void)state;
	gdb_rig_say("qSupported:swbreak+;hwbreak+");
	gdb_rig_say("vCont;c");
	assert_string_equal(gdb_rig.wire, "");
	gdb_rig_say("m0,4"); /* nothing is asked of a guest that runs */
	assert_string_equal(gdb_rig.wire, "");
	gdb_rig_input("\x03", 1);
	assert_int_equal(gdb_rig.interrupted, 1);
	gdb_server_stopped(&gdb_rig.server, &(struct gdb_stop){ .cpu = 1 });
	assert_memory_equal(gdb_rig.wire, "$T02thread:2;", 13);
	(void)snprintf(wanted, sizeof(wanted), ";%02x:%02x01", arch_reg_pc, arch_reg_pc);
	assert_non_null(strstr(gdb_rig.wire, wanted));
	gdb_rig_answer("qC", "QC2");
	gdb_rig_input("\x03", 1); /* it is stopped already */
	assert_int_equal(gdb_rig.interrupted, 1);
	gdb_rig_say("vCont;c");
	gdb_server_stopped(&gdb_rig.server, &(struct gdb_stop){ .reason = GDB_REASON_TRAP });
	assert_memory_equal(gdb_rig.wire, "$T05swbreak:;thread:1;", 22);
	gdb_rig_say("vCont;c");
	gdb_server_stopped(&gdb_rig.server, &(struct gdb_stop){ .reason = GDB_REASON_HARDWARE });
	assert_memory_equal(gdb_rig.wire, "$T05hwbreak:;thread:1;", 22);
	gdb_rig_say("vCont;c");
	gdb_server_stopped(&gdb_rig.server, &(struct gdb_stop){ .reason = GDB_REASON_WATCH,
								.watch = GDB_POINT_ACCESS,
								.address = 0xabc });
	assert_memory_equal(gdb_rig.wire, "$T05awatch:abc;thread:1;", 24);
	gdb_rig_say("?");
	assert_memory_equal(gdb_rig.wire, "$T05awatch:abc;thread:1;", 24);
}

static void test_ends(void **state)
{
	(void)state;
	gdb_rig_say("vCont;c");
	gdb_server_exited(&gdb_rig.server, false, 7);
	assert_string_equal(gdb_rig.wire, "$W07#be");
	gdb_rig_say("qC"); /* nothing more is said */
	assert_string_equal(gdb_rig.wire, "");
	gdb_server_begin(&gdb_rig.server, &gdb_rig_target);
	gdb_rig.server.no_ack = true;
	gdb_rig_say("vCont;c");
	gdb_server_exited(&gdb_rig.server, true, 0);
	assert_string_equal(gdb_rig.wire, "$X06#be");
	gdb_server_begin(&gdb_rig.server, &gdb_rig_target);
	gdb_rig.server.no_ack = true;
	gdb_rig_answer("D;1", "OK");
	assert_int_equal(gdb_rig.detached, 1);
	gdb_server_begin(&gdb_rig.server, &gdb_rig_target);
	gdb_rig.server.no_ack = true;
	gdb_rig_answer("vKill;1", "OK");
	assert_int_equal(gdb_rig.killed, 1);
	gdb_server_begin(&gdb_rig.server, &gdb_rig_target);
	gdb_rig.server.no_ack = true;
	gdb_rig_say("k");
	assert_string_equal(gdb_rig.wire, "");
	assert_int_equal(gdb_rig.killed, 2);
}

static void test_monitor(void **state)
{
	(void)state;
	gdb_rig_say("qRcmd,68656c70");
	assert_string_equal(gdb_rig.words, "help");
	assert_string_equal(gdb_rig.wire, "$O6c696e650a#ee$OK#9a");
	gdb_rig_answer("qRcmd,6", "E16");
	gdb_rig_answer("qRcmd,zz", "E16");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, gdb_rig_setup, gdb_rig_teardown)
	const struct CMUnitTest tests[] = {
		T(test_packets),
		T(test_unknown_is_empty),
		T(test_what_is_supported),
		T(test_description),
		T(test_threads),
		T(test_registers),
		T(test_memory),
		T(test_breakpoints_in_memory),
		T(test_points_of_the_processor),
		T(test_going_on),
		T(test_stops),
		T(test_ends),
		T(test_monitor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

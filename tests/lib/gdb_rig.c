/* SPDX-License-Identifier: BSD-2-Clause */
/* A target behind the server of gdb's protocol. */
#include "tests/lib/gdb_rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"

struct gdb_rig gdb_rig;

struct arch_debug_can gdb_rig_can = { .debug = true, .breaks = 2, .watches = 2 };

static void send_bytes(void *opaque, const void *bytes, size_t len)
{
	(void)opaque;
	assert_true(len <= sizeof(gdb_rig.wire) - gdb_rig.len - 1);
	memcpy(gdb_rig.wire + gdb_rig.len, bytes, len);
	gdb_rig.len += len;
	gdb_rig.wire[gdb_rig.len] = '\0';
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
	gdb_rig.set_cpu = cpu;
	gdb_rig.set_reg = reg;
	gdb_rig.set_value = le64_load(value);
	return 0;
}

static int read_at(void *opaque, unsigned cpu, uint64_t address, void *to, size_t len)
{
	(void)opaque;
	(void)cpu;
	return gdb_trap_read(&gdb_rig.points, gdb_rig.mem, gpa(address), to, len) ? -EFAULT
										  : (int)len;
}

static int write_at(void *opaque, unsigned cpu, uint64_t address, const void *from, size_t len)
{
	(void)opaque;
	(void)cpu;
	return gdb_trap_write(&gdb_rig.points, gdb_rig.mem, gpa(address), from, len);
}

static int point(void *opaque, unsigned cpu, bool set, enum gdb_point_type type, uint64_t address,
		 uint64_t kind)
{
	const struct arch_place place = { gpa(address), 4096 - address % 4096 };

	(void)opaque;
	(void)cpu;
	if (type != GDB_POINT_SOFTWARE)
		return set ? gdb_point_set(&gdb_rig.points, &gdb_rig_can, type, address, kind)
			   : gdb_point_clear(&gdb_rig.points, type, address, kind);
	return set ? gdb_trap_set(&gdb_rig.points, gdb_rig.mem, address, &place, (unsigned)kind,
				  false)
		   : gdb_trap_clear(&gdb_rig.points, gdb_rig.mem, address);
}

static void resume(void *opaque, const enum gdb_action *actions)
{
	(void)opaque;
	memcpy(gdb_rig.actions, actions, CPUS * sizeof(*actions));
	gdb_rig.resumed++;
}

static void interrupt(void *opaque)
{
	(void)opaque;
	gdb_rig.interrupted++;
}

static void detach(void *opaque)
{
	(void)opaque;
	gdb_rig.detached++;
}

static void kill_it(void *opaque)
{
	(void)opaque;
	gdb_rig.killed++;
}

static void monitor(void *opaque, const char *words)
{
	(void)opaque;
	(void)snprintf(gdb_rig.words, sizeof(gdb_rig.words), "%s", words);
	gdb_server_say(&gdb_rig.server, "line\n");
}

struct gdb_target gdb_rig_target = {
	.cpus = CPUS,
	.opaque = &gdb_rig,
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

void gdb_rig_input(const char *bytes, size_t len)
{
	gdb_rig.len = 0;
	gdb_rig.wire[0] = '\0';
	gdb_server_input(&gdb_rig.server, bytes, len);
}

void gdb_rig_say(const char *body)
{
	char frame[512];
	uint8_t sum = 0;
	int len;

	for (const char *c = body; *c; c++)
		sum = (uint8_t)(sum + (uint8_t)*c);
	len = snprintf(frame, sizeof(frame), "$%s#%02x", body, sum);
	gdb_rig_input(frame, (size_t)len);
}

void gdb_rig_answer(const char *body, const char *answer_body)
{
	char frame[1024];
	uint8_t sum = 0;

	gdb_rig_say(body);
	for (const char *c = answer_body; *c; c++)
		sum = (uint8_t)(sum + (uint8_t)*c);
	(void)snprintf(frame, sizeof(frame), "$%s#%02x", answer_body, sum);
	assert_string_equal(gdb_rig.wire, frame);
}

int gdb_rig_setup(void **state)
{
	(void)state;
	memset(&gdb_rig, 0, sizeof(gdb_rig));
	assert_int_equal(mem_create(&gdb_rig.mem), 0);
	assert_int_equal(mem_add(gdb_rig.mem, gpa(0), RAM, MEM_RAM), 0);
	gdb_rig.xml = gdb_target_xml();
	assert_non_null(gdb_rig.xml);
	gdb_rig_target.xml = gdb_rig.xml;
	gdb_server_begin(&gdb_rig.server, &gdb_rig_target);
	gdb_rig_input("$QStartNoAckMode#b0", 19);
	assert_string_equal(gdb_rig.wire, "+$OK#9a");
	return 0;
}

int gdb_rig_teardown(void **state)
{
	(void)state;
	free(gdb_rig.xml);
	mem_destroy(gdb_rig.mem);
	return 0;
}

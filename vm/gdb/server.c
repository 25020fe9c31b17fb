/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands of the GDB remote protocol but queries: one table of packets, each with its function. */
#include "vm/gdb/server.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "vm/gdb/query.h"
#include "vm/gdb/resume.h"

enum {
	SIGNAL_INT = 2,
	SIGNAL_TRAP = 5,
	SIGNAL_ABRT = 6,
	READ_MAX = GDB_PACKET_MAX / 2, /* two digits a byte */
};

static void send_out(struct gdb_server *s)
{
	s->last_len = gdb_out_frame(&s->out, s->last);
	s->target->send(s->target->opaque, s->last, s->last_len);
}

/* A packet of its own, apart from a reply under way. */
static void begin_reply(struct gdb_server *s)
{
	s->out.len = 0;
	s->out.full = false;
}

void gdb_answer(struct gdb_server *s, int r)
{
	if (r >= 0)
		gdb_out_text(&s->out, "OK");
	else if (r != -ENOTSUP)
		gdb_out_format(&s->out, "E%02x", (unsigned)-r & 0xff);
}

/* --- stops --- */

static void add_reg(struct gdb_server *s, unsigned cpu, unsigned number)
{
	const struct arch_reg *reg = arch_reg(number);
	uint8_t value[ARCH_REG_BYTES];

	if (s->target->reg_get(s->target->opaque, cpu, number, value) < 0)
		return;
	gdb_out_format(&s->out, "%02x:", number);
	gdb_out_hex(&s->out, value, reg->bits / 8U);
	gdb_out_text(&s->out, ";");
}

static void add_reason(struct gdb_server *s, const struct gdb_stop *stop)
{
	static const char *const words[GDB_POINT_TYPES] = {
		[GDB_POINT_WRITE] = "watch",
		[GDB_POINT_READ] = "rwatch",
		[GDB_POINT_ACCESS] = "awatch",
	};

	if (stop->reason == GDB_REASON_TRAP && s->tells_swbreak)
		gdb_out_text(&s->out, "swbreak:;");
	else if (stop->reason == GDB_REASON_HARDWARE && s->tells_hwbreak)
		gdb_out_text(&s->out, "hwbreak:;");
	else if (stop->reason == GDB_REASON_WATCH)
		gdb_out_format(&s->out, "%s:%" PRIx64 ";", words[stop->watch], stop->address);
}

static void add_stop(struct gdb_server *s)
{
	const struct gdb_stop *stop = &s->stop;

	gdb_out_format(&s->out, "T%02x",
		       stop->reason == GDB_REASON_NONE ? SIGNAL_INT : SIGNAL_TRAP);
	add_reason(s, stop);
	gdb_out_format(&s->out, "thread:%x;", stop->cpu + 1);
	add_reg(s, stop->cpu, arch_reg_fp);
	add_reg(s, stop->cpu, arch_reg_sp);
	add_reg(s, stop->cpu, arch_reg_pc);
}

void gdb_server_stopped(struct gdb_server *s, const struct gdb_stop *stop)
{
	bool told = !s->running;

	s->stop = *stop;
	s->cpu_g = stop->cpu;
	s->running = false;
	if (told || s->over)
		return;
	begin_reply(s);
	add_stop(s);
	send_out(s);
}

void gdb_server_exited(struct gdb_server *s, bool crashed, unsigned status)
{
	if (s->over || !s->running)
		return;
	s->running = false;
	begin_reply(s);
	gdb_out_format(&s->out, crashed ? "X%02x" : "W%02x", crashed ? SIGNAL_ABRT : status & 0xff);
	send_out(s);
	s->over = true;
}

/* --- threads --- */

bool gdb_thread_id(const struct gdb_server *s, struct gdb_text *text, unsigned *cpu)
{
	uint64_t id;

	*cpu = GDB_MAX_CPUS;
	if (gdb_text_prefix(text, "-1"))
		return true;
	if (!gdb_text_number(text, &id) || id > s->target->cpus)
		return false;
	if (id)
		*cpu = (unsigned)id - 1;
	return true;
}

static void set_thread(struct gdb_server *s, struct gdb_text *text)
{
	bool g = gdb_text_char(text, 'g');
	unsigned cpu;

	if ((!g && !gdb_text_char(text, 'c')) || !gdb_thread_id(s, text, &cpu) ||
	    !gdb_text_end(text)) {
		gdb_answer(s, -EINVAL);
		return;
	}
	if (!g)
		s->cpu_c = cpu;
	else if (cpu != GDB_MAX_CPUS)
		s->cpu_g = cpu;
	gdb_answer(s, 0);
}

static void is_alive(struct gdb_server *s, struct gdb_text *text)
{
	unsigned cpu;

	gdb_answer(s, gdb_thread_id(s, text, &cpu) && gdb_text_end(text) ? 0 : -EINVAL);
}

/* --- registers and memory --- */

static void read_regs(struct gdb_server *s, struct gdb_text *text)
{
	const struct arch_reg *reg;

	(void)text;
	for (unsigned i = 0; (reg = arch_reg(i)); i++) {
		uint8_t value[ARCH_REG_BYTES];

		if (!s->target->reg_get(s->target->opaque, s->cpu_g, i, value))
			gdb_out_hex(&s->out, value, reg->bits / 8U);
		else
			for (unsigned n = 0; n < reg->bits / 8U; n++)
				gdb_out_text(&s->out, "xx");
	}
}

/* Of a register that cannot be written (or is not told) the value that gdb sends back is ignored. */
static void write_regs(struct gdb_server *s, struct gdb_text *text)
{
	const struct arch_reg *reg;

	for (unsigned i = 0; (reg = arch_reg(i)) && !gdb_text_end(text); i++) {
		uint8_t value[ARCH_REG_BYTES] = { 0 };
		size_t digits = (size_t)reg->bits / 4;

		if (gdb_text_char(text, 'x')) {
			if ((size_t)(text->end - text->at) < digits - 1)
				break;
			text->at += digits - 1;
			continue;
		}
		if (!gdb_text_bytes(text, value, reg->bits / 8U)) {
			gdb_answer(s, -EINVAL);
			return;
		}
		(void)s->target->reg_set(s->target->opaque, s->cpu_g, i, value);
	}
	gdb_answer(s, 0);
}

static void read_reg(struct gdb_server *s, struct gdb_text *text)
{
	uint8_t value[ARCH_REG_BYTES];
	const struct arch_reg *reg;
	uint64_t number;
	int r = -EINVAL;

	if (gdb_text_number(text, &number) && gdb_text_end(text) && number <= UINT16_MAX &&
	    (reg = arch_reg((unsigned)number)))
		r = s->target->reg_get(s->target->opaque, s->cpu_g, (unsigned)number, value);
	if (r < 0)
		gdb_answer(s, r);
	else
		gdb_out_hex(&s->out, value, reg->bits / 8U);
}

static void write_reg(struct gdb_server *s, struct gdb_text *text)
{
	uint8_t value[ARCH_REG_BYTES] = { 0 };
	const struct arch_reg *reg;
	uint64_t number;
	int r = -EINVAL;

	if (gdb_text_number(text, &number) && gdb_text_char(text, '=') && number <= UINT16_MAX &&
	    (reg = arch_reg((unsigned)number)) && gdb_text_bytes(text, value, reg->bits / 8U) &&
	    gdb_text_end(text))
		r = s->target->reg_set(s->target->opaque, s->cpu_g, (unsigned)number, value);
	gdb_answer(s, r);
}

bool gdb_range(struct gdb_text *text, uint64_t *address, uint64_t *len)
{
	return gdb_text_number(text, address) && gdb_text_char(text, ',') &&
	       gdb_text_number(text, len);
}

static void read_memory(struct gdb_server *s, struct gdb_text *text)
{
	uint8_t bytes[READ_MAX];
	uint64_t address;
	uint64_t len;
	int r = -EINVAL;

	if (gdb_range(text, &address, &len) && gdb_text_end(text))
		r = s->target->mem_read(s->target->opaque, s->cpu_g, address, bytes,
					(size_t)u64_min(len, sizeof(bytes)));
	if (r < 0)
		gdb_answer(s, r);
	else
		gdb_out_hex(&s->out, bytes, (size_t)r);
}

static void write_memory(struct gdb_server *s, struct gdb_text *text)
{
	uint8_t bytes[READ_MAX];
	uint64_t address;
	uint64_t len;
	int r = -EINVAL;

	if (gdb_range(text, &address, &len) && gdb_text_char(text, ':') && len <= sizeof(bytes) &&
	    gdb_text_bytes(text, bytes, (size_t)len) && gdb_text_end(text))
		r = s->target->mem_write(s->target->opaque, s->cpu_g, address, bytes, (size_t)len);
	gdb_answer(s, r);
}

static void write_binary(struct gdb_server *s, struct gdb_text *text)
{
	uint64_t address;
	uint64_t len;
	int r = -EINVAL;

	if (gdb_range(text, &address, &len) && gdb_text_char(text, ':') &&
	    len == (size_t)(text->end - text->at))
		r = s->target->mem_write(s->target->opaque, s->cpu_g, address, text->at,
					 (size_t)len);
	gdb_answer(s, r);
}

/* --- breakpoints --- */

static void change_point(struct gdb_server *s, struct gdb_text *text, bool set)
{
	uint64_t type;
	uint64_t address;
	uint64_t kind;
	int r = -EINVAL;

	if (!gdb_text_number(text, &type) || !gdb_text_char(text, ',') ||
	    !gdb_range(text, &address, &kind))
		r = -EINVAL;
	else if (type >= GDB_POINT_TYPES)
		r = -ENOTSUP;
	else if (gdb_text_end(text))
		r = s->target->point(s->target->opaque, s->cpu_g, set, (enum gdb_point_type)type,
				     address, kind);
	gdb_answer(s, r);
}

static void set_point(struct gdb_server *s, struct gdb_text *text)
{
	change_point(s, text, true);
}

static void clear_point(struct gdb_server *s, struct gdb_text *text)
{
	change_point(s, text, false);
}

/* --- going on --- */

static void go(struct gdb_server *s, const enum gdb_action *actions)
{
	s->running = true;
	s->target->resume(s->target->opaque, actions);
	begin_reply(s); /* the stop was the answer, if there was one already */
}

static void resume_by_vcont(struct gdb_server *s, struct gdb_text *text)
{
	enum gdb_action actions[GDB_MAX_CPUS];

	if (gdb_resume_parse(text, s->target->cpus, actions))
		go(s, actions);
	else
		gdb_answer(s, -EINVAL);
}

static void resume_by_letter(struct gdb_server *s, enum gdb_action action)
{
	enum gdb_action actions[GDB_MAX_CPUS];

	for (unsigned i = 0; i < s->target->cpus; i++)
		actions[i] = s->cpu_c == GDB_MAX_CPUS || s->cpu_c == i ? GDB_CONTINUE : GDB_STAY;
	if (action == GDB_STEP)
		actions[s->cpu_c == GDB_MAX_CPUS ? s->cpu_g : s->cpu_c] = GDB_STEP;
	go(s, actions);
}

/* An address to go on at is not offered: gdb sets pc itself. */
static void go_on(struct gdb_server *s, struct gdb_text *text)
{
	if (gdb_text_end(text))
		resume_by_letter(s, GDB_CONTINUE);
	else
		gdb_answer(s, -EINVAL);
}

static void step(struct gdb_server *s, struct gdb_text *text)
{
	if (gdb_text_end(text))
		resume_by_letter(s, GDB_STEP);
	else
		gdb_answer(s, -EINVAL);
}

static void say_vcont(struct gdb_server *s, struct gdb_text *text)
{
	(void)text;
	gdb_out_text(&s->out, "vCont;c;C;s;S");
}

static void say_stop(struct gdb_server *s, struct gdb_text *text)
{
	(void)text;
	add_stop(s);
}

static void detach(struct gdb_server *s, struct gdb_text *text)
{
	(void)text;
	s->target->detach(s->target->opaque);
	gdb_answer(s, 0);
	send_out(s);
	s->over = true;
}

static void kill_target(struct gdb_server *s, struct gdb_text *text)
{
	(void)text;
	s->over = true;
	s->target->kill(s->target->opaque);
}

static void kill_with_answer(struct gdb_server *s, struct gdb_text *text)
{
	gdb_answer(s, 0);
	send_out(s);
	kill_target(s, text);
}

void gdb_server_say(struct gdb_server *s, const char *text)
{
	begin_reply(s);
	gdb_out_text(&s->out, "O");
	gdb_out_hex(&s->out, text, size_min(strlen(text), (GDB_PACKET_MAX - 1) / 2));
	send_out(s);
	begin_reply(s);
}

/* --- the table --- */

/* The first that fits. What is not here gets an empty answer, as the protocol asks. */
static const struct gdb_command commands[] = {
	{ "vCont?", say_vcont, false },
	{ "vCont;", resume_by_vcont, true },
	{ "vKill;", kill_with_answer, true },
	{ "H", set_thread, false },
	{ "T", is_alive, false },
	{ "?", say_stop, false },
	{ "g", read_regs, false },
	{ "G", write_regs, false },
	{ "p", read_reg, false },
	{ "P", write_reg, false },
	{ "m", read_memory, false },
	{ "M", write_memory, false },
	{ "X", write_binary, false },
	{ "Z", set_point, false },
	{ "z", clear_point, false },
	{ "c", go_on, true },
	{ "s", step, true },
	{ "D", detach, true },
	{ "k", kill_target, true },
	{ NULL, NULL, false },
};

static void run_command(struct gdb_server *s)
{
	struct gdb_text text = { s->in.body, s->in.body + s->in.len };

	const struct gdb_command *command = commands;

	if (text.at < text.end && (*text.at == 'q' || *text.at == 'Q'))
		command = gdb_queries;
	begin_reply(s);
	while (command->prefix && !gdb_text_prefix(&text, command->prefix))
		command++;
	if (command->prefix)
		command->run(s, &text);
	/* A resume that could not be understood has its answer ready. */
	if (!command->silent || (!s->running && !s->over && s->out.len))
		send_out(s);
}

static void send_ack(struct gdb_server *s, char c)
{
	if (!s->no_ack)
		s->target->send(s->target->opaque, &c, 1);
}

static void handle(struct gdb_server *s, enum gdb_event event)
{
	switch (event) {
	case GDB_PACKET:
		send_ack(s, '+');
		/* While the guest runs gdb has nothing to ask but to stop it. */
		if (!s->running)
			run_command(s);
		break;
	case GDB_BAD:
		send_ack(s, '-');
		break;
	case GDB_INTERRUPT:
		if (s->running)
			s->target->interrupt(s->target->opaque);
		break;
	case GDB_NAK:
		if (!s->no_ack && s->last_len)
			s->target->send(s->target->opaque, s->last, s->last_len);
		break;
	case GDB_ACK:
	case GDB_NOTHING:
		break;
	}
}

void gdb_server_begin(struct gdb_server *s, const struct gdb_target *target)
{
	memset(s, 0, sizeof(*s));
	s->target = target;
	s->cpu_c = GDB_MAX_CPUS;
}

void gdb_server_input(struct gdb_server *s, const void *bytes, size_t len)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < len && !s->over; i++)
		handle(s, gdb_in_byte(&s->in, b[i]));
}

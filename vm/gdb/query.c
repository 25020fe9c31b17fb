/* SPDX-License-Identifier: BSD-2-Clause */
/* gdb's questions about the target and itself (packets q and Q of the remote protocol), in one table. */
#include "vm/gdb/query.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"

/* --- threads --- */

static void list_threads(struct gdb_server *s, struct gdb_text *text)
{
	(void)text;
	gdb_out_text(&s->out, "m");
	for (unsigned i = 0; i < s->target->cpus; i++)
		gdb_out_format(&s->out, i ? ",%x" : "%x", i + 1);
}

static void list_threads_end(struct gdb_server *s, struct gdb_text *text)
{
	(void)text;
	gdb_out_text(&s->out, "l");
}

static void current_thread(struct gdb_server *s, struct gdb_text *text)
{
	(void)text;
	gdb_out_format(&s->out, "QC%x", s->cpu_g + 1);
}

static void thread_words(struct gdb_server *s, struct gdb_text *text)
{
	char words[32];
	unsigned cpu;

	if (!gdb_thread_id(s, text, &cpu) || cpu == GDB_MAX_CPUS) {
		gdb_answer(s, -EINVAL);
		return;
	}
	snprintf(words, sizeof(words), "vcpu %u", cpu);
	gdb_out_hex(&s->out, words, strlen(words));
}

/* --- what both sides can do --- */

static void supported(struct gdb_server *s, struct gdb_text *text)
{
	/* What gdb supports is a list of words; the two that matter may stand anywhere. */
	const char *at = text->at;

	s->tells_swbreak = strstr(at, "swbreak+") != NULL;
	s->tells_hwbreak = strstr(at, "hwbreak+") != NULL;
	gdb_out_format(&s->out,
		       "PacketSize=%x;QStartNoAckMode+;qXfer:features:read+;"
		       "qXfer:threads:read+;vContSupported+;swbreak+;hwbreak+",
		       GDB_PACKET_MAX);
}

static void no_ack(struct gdb_server *s, struct gdb_text *text)
{
	(void)text;
	gdb_answer(s, 0);
	s->no_ack = true; /* the packet that asked has had its '+' */
}

static void attached(struct gdb_server *s, struct gdb_text *text)
{
	(void)text;
	gdb_out_text(&s->out, "1"); /* the end of gdb is a detach, not a kill */
}

/* The part of @xml that gdb wants: "OFFSET,LENGTH". */
static void transfer(struct gdb_server *s, struct gdb_text *text, const char *xml)
{
	size_t size = strlen(xml);
	uint64_t offset;
	uint64_t len;

	if (!gdb_range(text, &offset, &len) || !gdb_text_end(text) || offset > size) {
		gdb_out_text(&s->out, "E00");
		return;
	}
	len = u64_min(len, size - offset);
	gdb_out_text(&s->out, "m");
	if (gdb_out_binary(&s->out, xml + offset, (size_t)len) == size - offset)
		s->out.body[0] = 'l'; /* the last part */
}

static void read_features(struct gdb_server *s, struct gdb_text *text)
{
	transfer(s, text, s->target->xml);
}

static void read_threads(struct gdb_server *s, struct gdb_text *text)
{
	char xml[64 + GDB_MAX_CPUS * 64];
	size_t len = (size_t)snprintf(xml, sizeof(xml), "<?xml version=\"1.0\"?><threads>");

	for (unsigned i = 0; i < s->target->cpus; i++)
		len += (size_t)snprintf(xml + len, sizeof(xml) - len,
					"<thread id=\"%x\" core=\"%u\" name=\"vcpu %u\"/>", i + 1,
					i, i);
	snprintf(xml + len, sizeof(xml) - len, "</threads>");
	transfer(s, text, xml);
}

static void monitor(struct gdb_server *s, struct gdb_text *text)
{
	char words[256] = "";
	size_t len = (size_t)(text->end - text->at) / 2;

	if (len >= sizeof(words) || !gdb_text_bytes(text, (uint8_t *)words, len) ||
	    !gdb_text_end(text)) {
		gdb_answer(s, -EINVAL);
		return;
	}
	words[len] = '\0';
	s->target->monitor(s->target->opaque, words);
	gdb_answer(s, 0);
}

const struct gdb_command gdb_queries[] = {
	{ "qSupported", supported, false },
	{ "QStartNoAckMode", no_ack, false },
	{ "qXfer:features:read:target.xml:", read_features, false },
	{ "qXfer:threads:read::", read_threads, false },
	{ "qfThreadInfo", list_threads, false },
	{ "qsThreadInfo", list_threads_end, false },
	{ "qThreadExtraInfo,", thread_words, false },
	{ "qAttached", attached, false },
	{ "qRcmd,", monitor, false },
	{ "qC", current_thread, false },
	{ NULL, NULL, false },
};

/* SPDX-License-Identifier: BSD-2-Clause */
/* The steps of a boot in time: a bar for each, from where the one before it ended. */
#include "cli/timeline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

/* The picture's measures, in pixels. */
enum {
	WIDTH = 960,
	LEFT = 190,  /* names of the steps */
	RIGHT = 110, /* their durations */
	PLOT = WIDTH - LEFT - RIGHT,
	TOP = 76,
	ROW = 26,
	BAR = 16,
	BOTTOM = 40,
	TICKS = 5,
};

static const char *spoken(const char *key)
{
	static const struct {
		const char *key;
		const char *name;
	} names[] = {
		{ "files_opened", "open files" },
		{ "sandbox", "lock the door" },
		{ "verified", "verify images" },
		{ "machine_built", "build the machine" },
		{ "kernel_loaded", "load the kernel" },
		{ "first_instruction", "enter the guest" },
		{ "first_console_byte", "first console byte" },
		{ "init", "/init begins" },
		{ "machine_ended", "guest ends" },
		{ "end", "tear down" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(key, names[i].key) == 0)
			return names[i].name;
	}
	return key;
}

static int by_time(const void *a, const void *b)
{
	const struct timeline_step *x = a, *y = b;

	return (x->end_us > y->end_us) - (x->end_us < y->end_us);
}

/* Keeps the order of steps at the same time: the sort has few and nearly sorted ones. */
static void sort(struct timeline *timeline)
{
	for (size_t i = 1; i < timeline->count; i++) {
		struct timeline_step step = timeline->steps[i];
		size_t at = i;

		for (; at > 0 && by_time(&timeline->steps[at - 1], &step) > 0; at--)
			timeline->steps[at] = timeline->steps[at - 1];
		timeline->steps[at] = step;
	}
}

int timeline_read(const json_t *report, struct timeline *timeline, const char **why)
{
	json_t *times = json_object_get(report, "times_us");
	uint64_t before = 0;
	const char *key;
	json_t *value;

	timeline->count = 0;
	*why = "it has no \"times_us\" with a step in it: no report of hvrun";
	if (!json_is_integer(json_object_get(report, "report")) || !json_is_object(times))
		return -EINVAL;
	json_object_foreach(times, key, value)
	{
		json_int_t us = json_integer_value(value);

		if (!json_is_integer(value) || us < 0) {
			*why = "a time in it is not a number of microseconds";
			return -EINVAL;
		}
		if (timeline->count == TIMELINE_STEPS_MAX) {
			*why = "it has more steps than any report";
			return -EINVAL;
		}
		timeline->steps[timeline->count++] =
			(struct timeline_step){ .name = spoken(key), .end_us = (uint64_t)us };
	}
	sort(timeline);
	for (size_t i = 0; i < timeline->count; i++) {
		timeline->steps[i].begin_us = before;
		before = timeline->steps[i].end_us;
	}
	return timeline->count ? 0 : -EINVAL;
}

/* Words of a stranger as text of XML. */
static void add_words(struct text *text, const char *words)
{
	for (; *words; words++) {
		unsigned char c = (unsigned char)*words;

		if (c == '&')
			text_add(text, "&amp;");
		else if (c == '<')
			text_add(text, "&lt;");
		else if (c == '>')
			text_add(text, "&gt;");
		else if (c == '"')
			text_add(text, "&quot;");
		else if (c < 0x20 || c == 0x7f)
			text_add(text, "?");
		else
			text_add(text, "%c", c);
	}
}

/* A time for people: "830 us", "12.4 ms", "3.21 s". */
static void add_time(struct text *text, uint64_t us)
{
	if (us < 1000)
		text_add(text, "%" PRIu64 " us", us);
	else if (us < 1000000)
		text_add(text, "%" PRIu64 ".%" PRIu64 " ms", us / 1000, us % 1000 / 100);
	else
		text_add(text, "%" PRIu64 ".%02" PRIu64 " s", us / 1000000, us % 1000000 / 10000);
}

static unsigned place(uint64_t us, uint64_t total)
{
	return LEFT + (unsigned)((double)us / (double)total * (double)PLOT);
}

static void draw_axis(struct text *text, uint64_t total, unsigned bottom)
{
	for (unsigned i = 0; i <= TICKS; i++) {
		uint64_t us = total / TICKS * i;
		unsigned x = place(us, total);

		text_add(text,
			 "<line x1=\"%u\" y1=\"%d\" x2=\"%u\" y2=\"%u\" stroke=\"#d0d4da\"/>\n"
			 "<text x=\"%u\" y=\"%u\" text-anchor=\"middle\" fill=\"#5b6470\">",
			 x, TOP - 8, x, bottom, x, bottom + 18);
		add_time(text, us);
		text_add(text, "</text>\n");
	}
}

static void draw_step(struct text *text, const struct timeline_step *step, uint64_t total,
		      unsigned y)
{
	unsigned begin = place(step->begin_us, total);
	unsigned width = u32_max(place(step->end_us, total) - begin, 2);

	text_add(text, "<text x=\"%d\" y=\"%u\" text-anchor=\"end\">", LEFT - 10, y + 12);
	add_words(text, step->name);
	text_add(text,
		 "</text>\n<rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%d\" rx=\"2\" "
		 "fill=\"#2f6fb7\"><title>",
		 begin, y, width, BAR);
	add_words(text, step->name);
	text_add(text, ", done at ");
	add_time(text, step->end_us);
	text_add(text, "</title></rect>\n<text x=\"%u\" y=\"%u\" fill=\"#5b6470\">",
		 begin + width + 6, y + 12);
	add_time(text, step->end_us - step->begin_us);
	text_add(text, "</text>\n");
}

void timeline_draw(const struct timeline *timeline, const char *title, const char *end,
		   struct text *text)
{
	unsigned bottom = TOP + (unsigned)timeline->count * ROW;
	uint64_t total = timeline->count ? timeline->steps[timeline->count - 1].end_us : 0;

	if (!total)
		total = 1;
	text_add(text,
		 "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		 "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\" "
		 "viewBox=\"0 0 %d %u\" font-family=\"sans-serif\" font-size=\"13\">\n"
		 "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n"
		 "<text x=\"20\" y=\"30\" font-size=\"18\" font-weight=\"bold\">",
		 WIDTH, bottom + BOTTOM, WIDTH, bottom + BOTTOM);
	add_words(text, title);
	text_add(text, "</text>\n<text x=\"20\" y=\"52\" fill=\"#5b6470\">");
	add_words(text, end);
	text_add(text, "</text>\n");
	draw_axis(text, total, bottom);
	for (size_t i = 0; i < timeline->count; i++)
		draw_step(text, &timeline->steps[i], total, TOP + (unsigned)i * ROW);
	text_add(text, "</svg>\n");
}

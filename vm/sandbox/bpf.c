/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The compiler from rows to classic BPF: the number of the call is found by halving; under each number
 * its rows are tried one after the other.
 *
 * The program is written from its end to its beginning: jumps go forwards only, so each one's target is there
 * when the jump is written, and all ways that end alike share one return. The kernel checks, converts and
 * translates each instruction when a list is loaded, which costs a start more than anything here.
 *
 * libseccomp does the same and more; building its filter took 0.6 ms of each start, this takes a
 * hundredth of that.
 */
#include "vm/sandbox/bpf.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include "arch/arch.h"

enum {
	ROWS_MAX = 256,
	NO_ARG = -1,
	ENDINGS = 8,
};

/* A row of one list: where it stands in the table. */
struct entry {
	int number;
	uint16_t index;
};

/* Sorted by number; those of one number in the order of the table. */
struct list {
	struct entry rows[ROWS_MAX];
	size_t count;
};

/* The return of an action that was written last. */
struct ending {
	uint32_t action;
	unsigned at;
};

struct compiler {
	const struct sandbox_who *who;
	struct list *list;
	struct sandbox_program *program;
	unsigned start; /* the first instruction written; those behind it are complete */
	unsigned reach; /* how many instructions a conditional jump may pass over */
	uint32_t otherwise;
	struct ending endings[ENDINGS];
	size_t ending_count;
	bool full;
};

/* Writes one instruction before the others. */
static void put(struct compiler *c, uint16_t code, unsigned jt, unsigned jf, uint32_t k)
{
	if (c->start == 0) {
		c->full = true;
		return;
	}
	c->start--;
	c->program->code[c->start] =
		(struct sock_filter){ .code = code, .jt = (uint8_t)jt, .jf = (uint8_t)jf, .k = k };
}

static void put_load(struct compiler *c, size_t offset)
{
	put(c, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

/* Where a conditional jump that is written next goes to be at @target: there, or to a jump of any length. */
static unsigned reach(struct compiler *c, unsigned target)
{
	if (target - c->start <= c->reach)
		return target;
	put(c, BPF_JMP | BPF_JA, 0, 0, target - c->start);
	return c->start;
}

/* Where @action is returned, within reach of a jump that is written next. */
static unsigned ending(struct compiler *c, uint32_t action)
{
	size_t i = 0;

	while (i < c->ending_count && c->endings[i].action != action)
		i++;
	if (i < c->ending_count && c->endings[i].at - c->start <= c->reach)
		return c->endings[i].at;
	put(c, BPF_RET | BPF_K, 0, 0, action);
	if (i < ENDINGS)
		c->endings[i] = (struct ending){ action, c->start };
	if (i == c->ending_count && i < ENDINGS)
		c->ending_count++;
	return c->start;
}

/* Goes to @yes if @test (BPF_JEQ, BPF_JGE) holds for @k, else to @no. */
static void put_jump(struct compiler *c, uint16_t test, uint32_t k, unsigned yes, unsigned no)
{
	yes = reach(c, yes);
	no = reach(c, no);
	put(c, BPF_JMP | BPF_K | test, yes - c->start, no - c->start, k);
}

/* The low half of argument @arg: all architectures of hvrun are little-endian. */
static size_t arg_offset(unsigned arg)
{
	return offsetof(struct seccomp_data, args) + 8 * (size_t)arg;
}

static uint32_t action_of(const struct sandbox_row *row)
{
	return row->refusal ? SECCOMP_RET_ERRNO | (uint32_t)row->refusal : SECCOMP_RET_ALLOW;
}

/* The checks of a row that mean something for whom the list is. */
struct checks {
	const struct sandbox_check *check[SANDBOX_CHECKS];
	uint32_t value[SANDBOX_CHECKS];
	size_t count;
};

static struct checks checks_of(const struct compiler *c, const struct sandbox_row *row)
{
	struct checks checks = { .count = 0 };

	for (size_t i = 0; i < SANDBOX_CHECKS; i++) {
		checks.check[checks.count] = &row->checks[i];
		if (sandbox_check_value(&row->checks[i], c->who, &checks.value[checks.count]))
			checks.count++;
	}
	return checks;
}

/* The argument that the accumulator holds behind @check. */
static int left_by(const struct sandbox_check *check)
{
	return check->mask == UINT32_MAX ? check->arg : NO_ARG;
}

/*
 * One row: its action if all checks hold, else on to @no. @loaded is the argument that the accumulator holds
 * before, so that the many requests of ioctl load theirs once. Returns where it begins.
 */
static unsigned put_row(struct compiler *c, const struct sandbox_row *row, int loaded, unsigned no)
{
	struct checks checks = checks_of(c, row);
	unsigned yes = ending(c, action_of(row));

	for (size_t i = checks.count; i-- > 0;) {
		const struct sandbox_check *check = checks.check[i];
		int before = i > 0 ? left_by(checks.check[i - 1]) : loaded;

		put_jump(c, BPF_JEQ, checks.value[i], yes, no);
		if (check->mask != UINT32_MAX)
			put(c, BPF_ALU | BPF_AND | BPF_K, 0, 0, check->mask);
		if (before != check->arg)
			put_load(c, arg_offset(check->arg));
		yes = c->start;
	}
	return yes;
}

/* Rows @from to @to - 1 of the list, all of the number that the call has. Returns where they begin. */
static unsigned put_rows(struct compiler *c, size_t from, size_t to)
{
	int loaded[ROWS_MAX + 1] = { NO_ARG };
	struct sandbox_row row;
	size_t end = from;
	unsigned next;

	/* Forwards: what each row finds in the accumulator, and which is the last that can be reached. */
	for (bool last = false; !last && end < to; end++) {
		(void)sandbox_row(c->list->rows[end].index, &row);

		struct checks checks = checks_of(c, &row);

		/* Whoever comes from the first of two checks has the first one's argument. */
		loaded[end - from + 1] = checks.count == 1 ? left_by(checks.check[0]) : NO_ARG;
		last = checks.count == 0;
	}
	next = ending(c, c->otherwise);
	while (end-- > from) {
		(void)sandbox_row(c->list->rows[end].index, &row);
		next = put_row(c, &row, loaded[end - from], next);
	}
	return next;
}

/* The rows of the number of row @from, and the question whether the call has it; else on to @no. */
static void put_call(struct compiler *c, size_t from, size_t to, unsigned no)
{
	uint32_t number = (uint32_t)c->list->rows[from].number;

	put_jump(c, BPF_JEQ, number, put_rows(c, from, to), no);
}

/*
 * The call that is asked about far more often than all others, for KVM_RUN: before any halving. Takes its
 * rows off the list, into *@rows.
 */
static void take_frequent(struct list *list, int number, struct list *frequent)
{
	size_t kept = 0;

	frequent->count = 0;
	for (size_t i = 0; i < list->count; i++) {
		if (list->rows[i].number == number)
			frequent->rows[frequent->count++] = list->rows[i];
		else
			list->rows[kept++] = list->rows[i];
	}
	list->count = kept;
}

/* The first row of the number that stands in the middle of @from to @to - 1; @from if it begins there. */
static size_t middle(const struct list *list, size_t from, size_t to)
{
	size_t at = from + (to - from) / 2;

	while (at > from && list->rows[at - 1].number == list->rows[at].number)
		at--;
	if (at > from)
		return at;
	while (at < to && list->rows[at].number == list->rows[from].number)
		at++;
	return at;
}

/* Returns where it begins. */
static unsigned put_range(struct compiler *c, size_t from, size_t to)
{
	size_t at = middle(c->list, from, to);
	unsigned lower, upper;

	if (at == to) {
		put_call(c, from, to, ending(c, c->otherwise));
		return c->start;
	}
	upper = put_range(c, at, to);
	lower = put_range(c, from, at);
	put_jump(c, BPF_JGE, (uint32_t)c->list->rows[at].number, upper, lower);
	return c->start;
}

/* Sorts by insertion: the lists are short, and equal numbers keep their order. */
static int gather(const struct sandbox_who *who, struct list *list)
{
	struct sandbox_row row;

	list->count = 0;
	for (size_t i = 0; sandbox_row(i, &row); i++) {
		size_t at = list->count;

		if (!sandbox_row_applies(&row, who))
			continue;
		if (list->count == ROWS_MAX)
			return -E2BIG;
		while (at > 0 && list->rows[at - 1].number > row.number)
			at--;
		memmove(&list->rows[at + 1], &list->rows[at],
			(list->count - at) * sizeof(list->rows[0]));
		list->rows[at] = (struct entry){ row.number, (uint16_t)i };
		list->count++;
	}
	return 0;
}

int sandbox_compile_near(const struct sandbox_who *who, uint32_t otherwise, unsigned reach,
			 struct sandbox_program *program)
{
	struct list list, frequent;
	struct compiler c = {
		.who = who,
		.list = &list,
		.program = program,
		.start = SANDBOX_PROGRAM_MAX,
		.reach = reach,
		.otherwise = otherwise,
	};
	int r = gather(who, &list);
	unsigned next;

	if (r < 0)
		return r;
	take_frequent(&list, SYS_ioctl, &frequent);
	next = list.count ? put_range(&c, 0, list.count) : ending(&c, otherwise);
	c.list = &frequent;
	if (frequent.count)
		put_call(&c, 0, frequent.count, next);
	put_load(&c, offsetof(struct seccomp_data, nr));
	/* Numbers mean nothing without the architecture whose numbers they are. */
	next = c.start;
	put_jump(&c, BPF_JEQ, arch_audit, next, ending(&c, SECCOMP_RET_KILL_PROCESS));
	put_load(&c, offsetof(struct seccomp_data, arch));
	if (c.full)
		return -E2BIG;
	program->len = (unsigned short)(SANDBOX_PROGRAM_MAX - c.start);
	memmove(program->code, program->code + c.start, program->len * sizeof(program->code[0]));
	return 0;
}

int sandbox_compile(const struct sandbox_who *who, uint32_t otherwise,
		    struct sandbox_program *program)
{
	return sandbox_compile_near(who, otherwise, SANDBOX_REACH, program);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The compiler from rows to classic BPF: the number of the call is found by halving; under each number
 * its rows are tried one after the other.
 *
 * libseccomp does the same and more; building its filter took 0.6 ms of each start, this takes a
 * hundredth of that.
 */
#include "vm/sandbox_bpf.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include "arch/arch.h"

enum { ROWS_MAX = 256, NO_ARG = -1 };

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

struct compiler {
	const struct sandbox_who *who;
	struct list *list;
	struct sandbox_program *program;
	uint32_t otherwise;
	bool full;
};

static unsigned emit(struct compiler *c, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	struct sandbox_program *p = c->program;

	if (p->len == SANDBOX_PROGRAM_MAX) {
		c->full = true;
		return 0;
	}
	p->code[p->len] = (struct sock_filter){ .code = code, .jt = jt, .jf = jf, .k = k };
	return p->len++;
}

static void emit_load(struct compiler *c, size_t offset)
{
	(void)emit(c, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

static void emit_return(struct compiler *c, uint32_t action)
{
	(void)emit(c, BPF_RET | BPF_K, 0, 0, action);
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

/*
 * One row: its action if all checks hold, else on to what follows. *@loaded is the argument that the
 * accumulator holds, so that the many requests of ioctl load theirs once.
 */
static void emit_row(struct compiler *c, const struct sandbox_row *row, int *loaded)
{
	unsigned jumps[SANDBOX_CHECKS], count = 0;

	for (size_t i = 0; i < SANDBOX_CHECKS; i++) {
		const struct sandbox_check *check = &row->checks[i];
		uint32_t value;

		if (!sandbox_check_value(check, c->who, &value))
			continue;
		if (*loaded != check->arg)
			emit_load(c, arg_offset(check->arg));
		*loaded = check->arg;
		if (check->mask != UINT32_MAX) {
			(void)emit(c, BPF_ALU | BPF_AND | BPF_K, 0, 0, check->mask);
			*loaded = NO_ARG;
		}
		jumps[count++] = emit(c, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, value);
	}
	emit_return(c, action_of(row));
	for (unsigned i = 0; i < count; i++)
		c->program->code[jumps[i]].jf = (uint8_t)(c->program->len - jumps[i] - 1);
	/* Whoever comes here from the first of two checks has the first one's argument. */
	if (count > 1)
		*loaded = NO_ARG;
}

static bool row_checks(const struct compiler *c, const struct sandbox_row *row)
{
	uint32_t value;

	for (size_t i = 0; i < SANDBOX_CHECKS; i++)
		if (sandbox_check_value(&row->checks[i], c->who, &value))
			return true;
	return false;
}

/* Rows @from to @to - 1 of the list, all of the number that the call has. */
static void emit_rows(struct compiler *c, size_t from, size_t to)
{
	const struct entry *rows = c->list->rows;
	struct sandbox_row row;
	int loaded = NO_ARG;

	for (size_t i = from; i < to; i++) {
		(void)sandbox_row(rows[i].index, &row);
		emit_row(c, &row, &loaded);
		if (!row_checks(c, &row))
			return; /* what follows cannot be reached */
	}
	emit_return(c, c->otherwise);
}

static void emit_call(struct compiler *c, size_t from, size_t to)
{
	(void)emit(c, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, (uint32_t)c->list->rows[from].number);
	emit_return(c, c->otherwise);
	emit_rows(c, from, to);
}

/*
 * The call that is asked about far more often than all others, for KVM_RUN: before any halving. Its rows
 * leave the list.
 */
static void emit_frequent(struct compiler *c, int number)
{
	struct entry *rows = c->list->rows;
	size_t from = 0, to;
	unsigned others;

	while (from < c->list->count && rows[from].number != number)
		from++;
	for (to = from; to < c->list->count && rows[to].number == number; to++)
		;
	if (from == to)
		return;
	(void)emit(c, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, (uint32_t)number);
	others = emit(c, BPF_JMP | BPF_JA, 0, 0, 0);
	emit_rows(c, from, to);
	c->program->code[others].k = (uint32_t)(c->program->len - others - 1);
	memmove(&rows[from], &rows[to], (c->list->count - to) * sizeof(rows[0]));
	c->list->count -= to - from;
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

static void emit_range(struct compiler *c, size_t from, size_t to)
{
	size_t at = middle(c->list, from, to);
	unsigned far;

	if (c->full)
		return;
	if (at == to) {
		emit_call(c, from, to);
		return;
	}
	(void)emit(c, BPF_JMP | BPF_JGE | BPF_K, 0, 1, (uint32_t)c->list->rows[at].number);
	far = emit(c, BPF_JMP | BPF_JA, 0, 0, 0);
	emit_range(c, from, at);
	c->program->code[far].k = (uint32_t)(c->program->len - far - 1);
	emit_range(c, at, to);
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

int sandbox_compile(const struct sandbox_who *who, uint32_t otherwise,
		    struct sandbox_program *program)
{
	struct list list;
	struct compiler c = {
		.who = who, .list = &list, .program = program, .otherwise = otherwise
	};
	int r = gather(who, &list);

	if (r < 0)
		return r;
	program->len = 0;
	/* Numbers mean nothing without the architecture whose numbers they are. */
	emit_load(&c, offsetof(struct seccomp_data, arch));
	(void)emit(&c, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, arch_audit);
	emit_return(&c, SECCOMP_RET_KILL_PROCESS);
	emit_load(&c, offsetof(struct seccomp_data, nr));
	emit_frequent(&c, SYS_ioctl);
	if (list.count)
		emit_range(&c, 0, list.count);
	else
		emit_return(&c, otherwise);
	return c.full ? -E2BIG : 0;
}

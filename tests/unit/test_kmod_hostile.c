/* SPDX-License-Identifier: BSD-2-Clause */
/* The process that looks into modules (vm/exec/kmod_read.h) in the hands of who made a module. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "tests/lib/capture.h"

/* What is looked at is not for others: its file is a part of this one. */
/* NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "vm/exec/kmod_read.c"

enum {
	BYTES = 64,	/* of the module's file */
	NAME_WORDS = 4, /* of its name, with its end */
};

static struct exchange *share(void)
{
	struct exchange *x = mmap(NULL, sizeof(*x), PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_ptr_not_equal(x, MAP_FAILED);
	return x;
}

/* In the process: no zero stands between the name and the file's end, whatever hvrun writes. */
__attribute__((noreturn)) static void fill(struct exchange *x, pid_t parent)
{
	volatile uint64_t *name = (volatile uint64_t *)(void *)x->name;
	volatile size_t *sizes = &x->packed;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	memset(x->name, 'A', sizeof(x->name));
	memset(x->depends, 'A', sizeof(x->depends));
	while (getppid() == parent) {
		for (int turn = 0; turn < 1000; turn++) {
			for (int i = 0; i < NAME_WORDS; i++)
				name[i] = UINT64_C(0x4141414141414141);
			sizes[0] = sizes[1] = SIZE_MAX;
		}
	}
	_exit(0);
}

/* The name goes to its place, whatever the process writes there meanwhile, and not behind the end of all. */
static void test_the_name_stays_in_its_place(void **state)
{
	char path[] = "/tmp/hvrun-module-XXXXXX";
	struct exchange *x = share();
	time_t end = time(NULL) + 3;
	pid_t self = getpid();
	char bytes[BYTES];
	pid_t pid;
	int fd = mkstemp(path);

	(void)state;
	memset(bytes, 'A', sizeof(bytes));
	assert_true(fd >= 0 && write_full(fd, bytes, sizeof(bytes)) == 0 && close(fd) == 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		fill(x, self);
	for (int i = 0; i < 50000 && time(NULL) < end; i++) {
		assert_int_equal(put_question(x, path), 0);
		assert_int_equal(x->in[BYTES], 0);
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	(void)unlink(path);
	(void)munmap(x, sizeof(*x));
}

/* What comes of the @len bytes at @said on the socket, with @plain and the list as they are. */
static int answer(struct exchange *x, const void *said, size_t len, size_t plain,
		  struct kmod_file *file)
{
	struct kmod_reader reader = { .pid = -1, .shared = x };
	int ends[2];
	int r;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(write_full(ends[1], said, len), 0);
	assert_int_equal(shutdown(ends[1], SHUT_WR), 0);
	x->plain = plain;
	reader.socket = ends[0];
	r = kmod_read(&reader, "/dev/null", file);
	close(ends[0]);
	close(ends[1]);
	return r;
}

static void test_answers_are_judged(void **state)
{
	static const int none, positive = 5, refusal = -ENOEXEC, no_errno = -100000;
	struct kmod_file file = { .data = NULL };
	struct exchange *x = share();

	(void)state;
	memset(x->depends, 'x', sizeof(x->depends));
	assert_int_equal(answer(x, &none, sizeof(none), 0, &file), -EPROTO);
	assert_int_equal(answer(x, &none, sizeof(none), UNPACK_MODULE_MAX + 1, &file), -EPROTO);
	assert_int_equal(answer(x, &none, sizeof(none), SIZE_MAX, &file), -EPROTO);
	assert_int_equal(answer(x, &none, 3, 1, &file), -EPROTO);
	assert_int_equal(answer(x, &none, 0, 1, &file), -EPROTO);
	assert_int_equal(answer(x, &positive, sizeof(positive), 1, &file), -EPROTO);
	assert_int_equal(answer(x, &no_errno, sizeof(no_errno), 1, &file), -EPROTO);
	assert_int_equal(answer(x, &refusal, sizeof(refusal), 1, &file), -ENOEXEC);
	assert_null(file.data);
	assert_int_equal(answer(x, &none, sizeof(none), 1, &file), 0);
	assert_int_equal(file.size, 1);
	assert_int_equal(strlen(file.depends), KMOD_DEPENDS_MAX - 1);
	kmod_file_free(&file);
	(void)munmap(x, sizeof(*x));
}

/* In a child: refused with the number at @opaque, and without a word of the process. */
static void refuse_without_words(void *opaque)
{
	struct kmod_file file = { .data = NULL };

	_exit(-answer(share(), opaque, sizeof(int), 1, &file));
}

/* A refusal is told with the file and the reason, though the process says nothing of it. */
static void test_a_refusal_never_comes_without_words(void **state)
{
	static const struct {
		int said, got;
		const char *why;
	} cases[] = {
		{ -ENOMEM, ENOMEM, "Cannot allocate memory" },
		{ -ENOEXEC, ENOEXEC, "Exec format error" },
		{ -100000, EPROTO, "Protocol error" },
		{ 5, EPROTO, "Protocol error" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct captured out;
		char want[256];
		int said = cases[i].said;

		capture_child(&out, refuse_without_words, &said);
		assert_true(WIFEXITED(out.status));
		assert_int_equal(WEXITSTATUS(out.status), cases[i].got);
		(void)snprintf(want, sizeof(want),
			       "hvrun: module /dev/null: not given to the guest, the process that "
			       "looks into it refuses it: %s\n",
			       cases[i].why);
		assert_string_equal(out.text, want);
	}
}

/* One that does not end when it should is ended. */
static void test_the_end_is_not_waited_for(void **state)
{
	struct kmod_reader *reader = malloc(sizeof(*reader));
	pid_t pid;

	(void)state;
	assert_non_null(reader);
	*reader = (struct kmod_reader){ .pid = fork(), .socket = -1 };
	assert_true(reader->pid >= 0);
	if (reader->pid == 0) {
		(void)alarm(600);
		for (;;)
			(void)pause();
	}
	pid = reader->pid;
	(void)alarm(300);
	kmod_reader_end(reader);
	(void)alarm(0);
	assert_int_equal(kill(pid, 0), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_name_stays_in_its_place),
		cmocka_unit_test(test_answers_are_judged),
		cmocka_unit_test(test_a_refusal_never_comes_without_words),
		cmocka_unit_test(test_the_end_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

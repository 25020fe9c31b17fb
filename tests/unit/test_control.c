/* SPDX-License-Identifier: BSD-2-Clause */
/* vm/control/: what a client is answered, and what the next client finds of one that was dropped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checked.h"
#include "vm/control/control.h"

struct fixture {
	struct loop *loop;
	struct control *control;
	int listen_fd; /* nobody connects to it */
};

/* "ok" is answered; "flood" sends its own client events until that is dropped, then answers later. */
static int run(void *opaque, struct control_client *client, const char *command, const json_t *args,
	       json_t **result, char *why)
{
	struct fixture *f = opaque;

	(void)args;
	(void)result;
	if (strcmp(command, "ok") == 0)
		return 0;
	if (strcmp(command, "flood") != 0) {
		strcpy(why, "no such command");
		return -ENOENT;
	}
	client->events = true;
	while (client->fd >= 0)
		control_event(f->control, json_pack("{ss}", "event", "again"));
	return -EINPROGRESS;
}

static size_t input(void *opaque, const void *data, size_t len)
{
	(void)opaque;
	(void)data;
	return len;
}

static int setup(void **state)
{
	static const struct control_ops ops = { .run = run, .input = input };
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->control = calloc(1, sizeof(*f->control));
	assert_non_null(f->control);
	assert_int_equal(loop_create(&f->loop), 0);
	control_init(f->control, &ops, f);
	f->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(f->listen_fd >= 0);
	f->control->listen_fd = f->listen_fd;
	assert_int_equal(control_attach(f->control, f->loop), 0);
	assert_int_equal(loop_mod(f->loop, f->listen_fd, 0), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	control_end(f->control);
	close(f->listen_fd);
	loop_destroy(f->loop);
	free(f->control);
	free(f);
	return 0;
}

/* The client's end of a new connection, greeted. */
static int connect_client(struct fixture *f)
{
	char back[256];
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds),
			 0);
	assert_int_equal(control_adopt(f->control, fds[0]), 0);
	control_attach(f->control, f->loop); /* which puts it into the loop */
	assert_true(recv(fds[1], back, sizeof(back), 0) > 0);
	return fds[1];
}

/* Sends @len bytes and a line end; the answer, of the caller. */
static json_t *ask(struct fixture *f, int fd, const char *line, size_t len)
{
	char back[1024];
	ssize_t n;

	assert_int_equal(send(fd, line, len, 0), len);
	assert_int_equal(send(fd, "\n", 1, 0), 1);
	for (unsigned i = 0; i < 4 && recv(fd, back, 1, MSG_PEEK) < 0; i++)
		assert_true(loop_turn(f->loop, 0) >= 0);
	n = recv(fd, back, sizeof(back), 0);
	return n > 0 ? json_loadb(back, (size_t)n, 0, NULL) : NULL;
}

static void every_refusal_has_words(void **state)
{
	static const char *const lines[] = {
		"no json",
		"{",
		"\"\xff\"",
		"{\"\xc3\": 1}",
		"\xc3\xa4\xc3\xa4",
		"[]",
		"{}",
		"{\"command\": 1}",
		"{\"command\": \"ok\", \"args\": 1}",
		"{\"command\": \"ok\", \"command\": \"ok\"}",
		"{\"command\": \"other\"}",
	};
	struct fixture *f = *state;
	int fd = connect_client(f);

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		json_t *answer = ask(f, fd, lines[i], strlen(lines[i]));

		assert_true(json_is_false(json_object_get(answer, "ok")));
		assert_true(json_string_length(json_object_get(answer, "error")) > 0);
		json_decref(answer);
	}
	close(fd);
}

/* A request whose own events drop its client leaves nothing for the next in that slot to wait for. */
static void next_client_after_a_dropped_one(void **state)
{
	static const char flood[] = "{\"command\": \"flood\", \"id\": 7}";
	static const char ok[] = "{\"command\": \"ok\"}";
	struct fixture *f = *state;
	int fd = connect_client(f);
	json_t *answer;

	json_decref(ask(f, fd, flood, sizeof(flood) - 1));
	assert_false(control_has_client(f->control));
	close(fd);
	fd = connect_client(f);
	answer = ask(f, fd, ok, sizeof(ok) - 1);
	assert_true(json_is_true(json_object_get(answer, "ok")));
	assert_null(json_object_get(answer, "id"));
	json_decref(answer);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_refusal_has_words, setup, teardown),
		cmocka_unit_test_setup_teardown(next_client_after_a_dropped_one, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

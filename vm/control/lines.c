/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of the control socket's clients: cut, judged, handed to the commands, and answered. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/control/client.h"

json_t *control_error(const char *why)
{
	json_t *json = json_object();

	json_object_set_new(json, "ok", json_false());
	json_object_set_new(json, "error", json_string(why));
	return json;
}

static json_t *result_json(json_t *result)
{
	json_t *json = json_object();

	json_object_set_new(json, "ok", json_true());
	json_object_set_new(json, "result", result ? result : json_object());
	return json;
}

/* The answer, or NULL if that comes later. */
static json_t *run_request(struct control_client *client, const json_t *request)
{
	const char *command = json_string_value(json_object_get(request, "command"));
	json_t *args = json_object_get(request, "args");
	json_t *none = json_object();
	json_t *result = NULL;
	char why[CONTROL_WHY_MAX] = "";
	json_t *json = NULL;
	int r;

	if (!command) {
		json = control_error("a request has a \"command\", a string");
	} else if (args && !json_is_object(args)) {
		json = control_error("\"args\" is an object");
	} else {
		r = client->control->ops->run(client->control->opaque, client, command,
					      args ? args : none, &result, why);
		if (r != -EINPROGRESS)
			json = r < 0 ? control_error(why) : result_json(result);
	}
	json_decref(none);
	return json;
}

/* Sends @answer, stolen, with the request's @id, which may be NULL. */
static void put_answer(struct control_client *client, json_t *answer, json_t *id)
{
	if (id)
		json_object_set(answer, "id", id);
	control_put(client, answer);
	json_decref(answer);
}

/* One line without its end. */
static void serve_line(struct control_client *client, const char *line, size_t len)
{
	json_error_t error;
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	json_t *answer;

	if (json_is_object(request))
		answer = run_request(client, request);
	else
		answer = control_error(request ? "a request is a JSON object" : error.text);
	if (client->fd < 0) {
		json_decref(answer); /* its own events have dropped it */
	} else if (answer) {
		put_answer(client, answer, json_object_get(request, "id"));
	} else {
		client->waits = true;
		client->id = json_incref(json_object_get(request, "id"));
	}
	json_decref(request);
	if (client->fd < 0)
		return;
	client->raw = client->raw_next;
	control_forget_passed(client);
}

/* Bytes for the guest's console, as far as it takes them; the rest stays. */
static void serve_raw(struct control_client *client)
{
	const struct control *control = client->control;
	size_t n = control->ops->input(control->opaque, client->in, client->in_len);

	memmove(client->in, client->in + n, client->in_len - n);
	client->in_len -= n;
}

void control_serve(struct control_client *client)
{
	while (client->fd >= 0 && !client->raw && !client->done && !client->waits &&
	       client->in_len) {
		char *end = memchr(client->in, '\n', client->in_len);
		size_t len;

		if (!end)
			break;
		len = (size_t)(end - client->in);
		if (len)
			serve_line(client, client->in, len);
		if (client->fd < 0)
			return;
		memmove(client->in, end + 1, client->in_len - len - 1);
		client->in_len -= len + 1;
	}
	if (client->fd >= 0 && client->raw && client->in_len)
		serve_raw(client);
	if (client->fd >= 0 && !client->raw && !client->waits &&
	    client->in_len == CONTROL_LINE_MAX) {
		json_t *answer = control_error("a line has at most 65536 bytes");

		client->done = true;
		control_put(client, answer);
		json_decref(answer);
	}
}

void control_answer(struct control *control, uint64_t serial, json_t *result, const char *why)
{
	json_t *answer = why ? control_error(why) : result_json(result);

	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *client = &control->clients[i];
		json_t *id;

		if (client->fd < 0 || client->serial != serial || !client->waits)
			continue;
		id = client->id;
		client->id = NULL;
		client->waits = false;
		put_answer(client, json_incref(answer), id);
		json_decref(id);
		control_serve(client);
		if (client->fd >= 0)
			control_settle(client);
	}
	json_decref(answer);
}

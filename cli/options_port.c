/* SPDX-License-Identifier: BSD-2-Clause */
/* The words of --port: NAME,socket=PATH or NAME,file=FILE. */
#include <string.h>

#include "cli/options.h"
#include "cli/options_apply.h"
#include "cli/parse.h"
#include "virtio/devices.h"

/* A name is part of a path in the guest (/dev/virtio-ports/NAME) and of a udev rule there. */
static bool name_is_fit(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= VIRTIO_CONSOLE_NAME_MAX && name[0] != '.' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       len;
}

static int apply_part(struct parser *parser, struct vm_port_config *port, const char *part)
{
	const char *socket = parse_key(part, "socket");
	const char *file = parse_key(part, "file");

	if (!socket && !file)
		return parse_fail(parser,
				  "--port %s: unknown word \"%s\"; there are socket=PATH and "
				  "file=FILE",
				  port->name, part);
	if (port->socket || port->file)
		return parse_fail(parser, "--port %s: it can have one other end only", port->name);
	port->socket = socket;
	port->file = file;
	if (!*(socket ? socket : file))
		return parse_fail(parser, "--port %s: the file name is empty", port->name);
	return 0;
}

int apply_port(struct parser *parser, char *value)
{
	struct vm_config *config = options_config(parser);
	struct vm_port_config *port = &config->ports[config->port_count];
	char *list = value;
	int err = 0;

	if (config->port_count == VM_MAX_PORTS)
		return parse_fail(parser, "--port: there can be at most %d", VM_MAX_PORTS);
	*port = (struct vm_port_config){ .name = parse_part(&list), .in_fd = -1, .out_fd = -1 };
	if (!name_is_fit(port->name))
		return parse_fail(parser,
				  "--port: the name \"%s\" is not 1 to %d letters, digits, dots, "
				  "dashes and underscores",
				  port->name, VIRTIO_CONSOLE_NAME_MAX);
	for (size_t i = 0; i < config->port_count; i++) {
		if (strcmp(config->ports[i].name, port->name) == 0)
			return parse_fail(parser, "--port %s: there are two of that name",
					  port->name);
	}
	while (!err && list)
		err = apply_part(parser, port, parse_part(&list));
	if (!err && !port->socket && !port->file)
		return parse_fail(parser,
				  "--port %s: what is at the other end? socket=PATH or file=FILE",
				  port->name);
	if (!err)
		config->port_count++;
	return err;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control queues of the console device (virtio 1.3, 5.3.6.2): the host announces ports and their
 * names and says when its end opens and closes; the driver says the same of its end.
 *
 * What the host has to say is kept as one bit a message and port, not as a queue of messages: however
 * often an end opens and closes while the driver offers no buffer, memory does not grow, and the
 * driver hears the latest.
 */
#include <string.h>

#include "base/le.h"
#include "virtio/console_ports.h"
#include "virtio/take.h"

/* Events (5.3.6.2). */
enum {
	DEVICE_READY = 0, /* driver: wants its ports */
	PORT_ADD = 1,
	PORT_READY = 3, /* driver: has set a port up */
	CONSOLE_PORT = 4,
	RESIZE = 5,
	PORT_OPEN = 6, /* both ways */
	PORT_NAME = 7,
};

/* Messages that the host owes the driver, in the order in which they are sent. */
enum {
	OWE_ADD = 1 << 0,
	OWE_CONSOLE = 1 << 1,
	OWE_RESIZE = 1 << 2,
	OWE_NAME = 1 << 3,
	OWE_OPEN = 1 << 4,
};

struct message {
	uint8_t bytes[8 + VIRTIO_CONSOLE_NAME_MAX];
	size_t len;
};

static void begin(struct message *message, unsigned port, uint16_t event, uint16_t value)
{
	le32_store(message->bytes, port);
	le16_store(message->bytes + 4, event);
	le16_store(message->bytes + 6, value);
	message->len = 8;
}

static void add(struct message *message, const void *data, size_t len)
{
	memcpy(message->bytes + message->len, data, len);
	message->len += len;
}

/* The first message owed for port @number, which is then no longer owed. */
static void next_message(struct console *con, unsigned number, struct message *message)
{
	struct console_port *port = &con->ports[number];
	unsigned bit = port->owed & -port->owed;
	uint8_t size[4];

	port->owed &= ~bit;
	switch (bit) {
	case OWE_ADD:
		begin(message, number, PORT_ADD, 1);
		break;
	case OWE_CONSOLE:
		begin(message, number, CONSOLE_PORT, 1);
		break;
	case OWE_RESIZE:
		begin(message, number, RESIZE, 0);
		le16_store(size, con->cols);
		le16_store(size + 2, con->rows);
		add(message, size, sizeof(size));
		break;
	case OWE_NAME:
		begin(message, number, PORT_NAME, 1);
		add(message, port->host.name, strlen(port->host.name));
		break;
	default:
		begin(message, number, PORT_OPEN, port->host_open);
		break;
	}
}

/* The first port that the driver is owed a message of, or con->count. */
static unsigned owed_port(const struct console *con)
{
	unsigned i = 0;

	while (i < con->count && !con->ports[i].owed)
		i++;
	return i;
}

void console_control_serve_rx(struct console *con)
{
	struct virtio_dev *dev = con->dev;
	struct virtqueue *vq = &dev->queues[CONSOLE_CONTROL_RX];
	unsigned number, sent = 0;

	if (!console_multiport(con))
		return;
	vq_disable_kick(vq);
	while ((number = owed_port(con)) < con->count &&
	       virtio_take(dev, CONSOLE_CONTROL_RX, &con->chain)) {
		struct message message;

		next_message(con, number, &message);
		if (con->chain.in_len < message.len) {
			virtio_dev_broken(dev, "a buffer for control messages is too small");
			return;
		}
		vq_push(vq, con->chain.head,
			(uint32_t)vq_chain_write(&con->chain, 0, message.bytes, message.len));
		sent++;
	}
	if (sent)
		virtio_signal(dev, CONSOLE_CONTROL_RX);
}

static void owe(struct console *con, unsigned number, unsigned messages)
{
	con->ports[number].owed |= messages;
	console_control_serve_rx(con);
}

void console_control_tell_open(struct console *con, unsigned number)
{
	/* Before the port is set up its state is part of setting it up. */
	if (con->ports[number].ready)
		owe(con, number, OWE_OPEN);
}

void console_control_tell_size(struct console *con)
{
	if (con->ports[0].ready && !con->ports[0].host.name)
		owe(con, 0, OWE_RESIZE);
}

void console_control_reset(struct console *con)
{
	for (unsigned i = 0; i < con->count; i++) {
		con->ports[i].owed = 0;
		con->ports[i].ready = false;
	}
}

/* The driver has set port @number up. */
static void port_ready(struct console *con, unsigned number)
{
	struct console_port *port = &con->ports[number];

	port->ready = true;
	port->owed |= port->host.name ? OWE_NAME : OWE_CONSOLE | OWE_RESIZE;
	if (port->host_open)
		port->owed |= OWE_OPEN;
}

static void port_open(struct console *con, unsigned number, bool open)
{
	struct console_port *port = &con->ports[number];

	if (port->guest_open == open)
		return;
	port->guest_open = open;
	if (port->host.opened)
		port->host.opened(port->host.opaque, open);
	if (open)
		console_port_serve_rx(con, number);
}

/* One message of the driver; what makes no sense is ignored, as an unknown event must be. */
static void take_message(struct console *con, const uint8_t *bytes)
{
	uint32_t number = le32_load(bytes);
	uint16_t event = le16_load(bytes + 4);
	uint16_t value = le16_load(bytes + 6);

	if (event == DEVICE_READY && value == 1) {
		for (unsigned i = 0; i < con->count; i++) {
			if (con->ports[i].host.out)
				con->ports[i].owed |= OWE_ADD;
		}
		return;
	}
	if (number >= con->count || !con->ports[number].host.out)
		return;
	if (event == PORT_READY && value == 1)
		port_ready(con, number);
	else if (event == PORT_OPEN)
		port_open(con, number, value == 1);
}

void console_control_serve_tx(struct console *con)
{
	struct virtio_dev *dev = con->dev;
	struct virtqueue *vq = &dev->queues[CONSOLE_CONTROL_TX];
	unsigned chains = 0;

	if (!console_multiport(con))
		return;
	vq_disable_kick(vq);
	while (virtio_take(dev, CONSOLE_CONTROL_TX, &con->chain)) {
		uint8_t bytes[8];
		size_t len = vq_chain_read(&con->chain, 0, bytes, sizeof(bytes));

		/* The chain first: what the message brings about may take another one. */
		vq_push(vq, con->chain.head, 0);
		if (len == sizeof(bytes))
			take_message(con, bytes);
		if (++chains == CONSOLE_BATCH_CHAINS) {
			virtio_kick(dev, CONSOLE_CONTROL_TX);
			break;
		}
	}
	virtio_signal(dev, CONSOLE_CONTROL_TX);
	console_control_serve_rx(con);
}

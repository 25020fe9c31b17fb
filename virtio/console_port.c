/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes of one port of the console device: what the guest prints goes out in pieces of bounded
 * size, and what comes in waits in a small ring until the guest offers buffers.
 *
 * Nothing is lost: a full ring makes virtio_console_input take less, and its caller is called when
 * there is room; a host that takes no more output stalls the chain in hand. A chain of output may be
 * gigabytes long; it is handed on over several turns of the loop.
 */
#include "base/checked.h"
#include "virtio/console_ports.h"
#include "virtio/take.h"

enum {
	PIECE = 4096,		 /* bytes of output at a time */
	BATCH_BYTES = 64 * 1024, /* of output in one turn of the loop */
	DRAIN_TURNS = 256,	 /* of those at once: far more than a ring of a kind driver holds */
};

/* Output. */

/* Hands on at most @max bytes of the chain in hand: how many; 0 at its end, or when stalled. */
static size_t print_piece(struct console_port *port, size_t max)
{
	uint8_t piece[PIECE];
	size_t len = vq_chain_read(&port->tx, port->tx_done, piece, size_min(max, sizeof(piece)));
	size_t taken = len ? port->host.out(port->host.opaque, piece, len) : 0;

	port->stalled = taken < len;
	port->tx_done += taken;
	return taken;
}

/* False when the port has to wait, for the host or for its next turn. */
static bool print_chain(struct console_port *port, size_t *bytes)
{
	size_t len;

	while (!port->stalled && *bytes < BATCH_BYTES &&
	       (len = print_piece(port, BATCH_BYTES - *bytes)) > 0)
		*bytes += len;
	return port->tx_done == port->tx.out_len;
}

void console_port_serve_tx(struct console *con, unsigned number)
{
	struct console_port *port = &con->ports[number];
	unsigned queue = console_tx_queue(number);
	struct virtio_dev *dev = con->dev;
	unsigned chains = 0;
	size_t bytes = 0;

	if (!port->host.out)
		return;
	vq_disable_kick(&dev->queues[queue]);
	while (!port->stalled && (port->printing || virtio_take(dev, queue, &port->tx))) {
		if (!port->printing)
			port->tx_done = 0;
		port->printing = !print_chain(port, &bytes);
		if (!port->printing) {
			vq_push(&dev->queues[queue], port->tx.head, 0);
			chains++;
		}
		if (!port->stalled && (bytes >= BATCH_BYTES || chains == CONSOLE_BATCH_CHAINS)) {
			virtio_kick(dev, queue);
			break;
		}
	}
	virtio_signal(dev, queue);
}

bool virtio_console_drain(struct virtio_dev *dev, unsigned number)
{
	struct console *con = dev->priv;
	struct console_port *port = &con->ports[number];
	bool more = true;

	for (unsigned i = 0; more && !port->stalled && i < DRAIN_TURNS; i++) {
		uint64_t before = port->tx_done;
		uint16_t taken = dev->queues[console_tx_queue(number)].next_avail;

		console_port_serve_tx(con, number);
		more = port->tx_done != before ||
		       dev->queues[console_tx_queue(number)].next_avail != taken;
	}
	return !more && !port->stalled && !port->printing;
}

void virtio_console_output_ready(struct virtio_dev *dev, unsigned number)
{
	struct console *con = dev->priv;

	if (!con->ports[number].stalled)
		return;
	con->ports[number].stalled = false;
	console_port_serve_tx(con, number);
}

/* Input. */

static uint32_t input_used(const struct console_port *port)
{
	return port->input_head - port->input_tail;
}

static bool is_drained(const struct console_port *port)
{
	return input_used(port) == 0;
}

/* Puts what fits into the ring. */
static size_t input_put(struct console_port *port, const uint8_t *data, size_t len)
{
	size_t n = size_min(len, CONSOLE_INPUT_SIZE - input_used(port));

	for (size_t i = 0; i < n; i++)
		port->input[port->input_head++ % CONSOLE_INPUT_SIZE] = data[i];
	return n;
}

/* Moves the oldest bytes of the ring into @chain: how many. */
static uint32_t fill(struct console_port *port, const struct vq_chain *chain)
{
	uint32_t done = 0;

	while (input_used(port) > 0) {
		uint32_t at = port->input_tail % CONSOLE_INPUT_SIZE;
		uint32_t run = u32_min(input_used(port), CONSOLE_INPUT_SIZE - at);
		uint32_t n = (uint32_t)vq_chain_write(chain, done, port->input + at, run);

		port->input_tail += n;
		done += n;
		if (n < run)
			break;
	}
	return done;
}

/* A port that no program has open would lose its input in the guest (Linux drops it). */
static bool guest_takes_input(const struct console *con, unsigned number)
{
	const struct console_port *port = &con->ports[number];

	return input_used(port) > 0 && (port->guest_open || (number == 0 && !port->host.name));
}

/* Moves input into the guest's buffers as far as it offers some. */
static void push_input(struct console *con, unsigned number)
{
	struct virtio_dev *dev = con->dev;
	unsigned queue = console_rx_queue(number);
	unsigned chains = 0;

	vq_disable_kick(&dev->queues[queue]);
	while (guest_takes_input(con, number) && virtio_take(dev, queue, &con->chain)) {
		vq_push(&dev->queues[queue], con->chain.head,
			fill(&con->ports[number], &con->chain));
		if (++chains == CONSOLE_BATCH_CHAINS) {
			virtio_kick(dev, queue);
			break;
		}
	}
	if (chains > 0)
		virtio_signal(dev, queue);
}

/*
 * Gives the guest what came in; buffers that are not needed stay in the ring, and then doorbells can
 * stay off: it is input that brings the next turn. The end of input is told after its last byte.
 */
void console_port_serve_rx(struct console *con, unsigned number)
{
	struct console_port *port = &con->ports[number];

	push_input(con, number);
	if (port->host_closing && is_drained(port)) {
		port->host_closing = false;
		port->host_open = false;
		console_control_tell_open(con, number);
	}
	if (!port->room_wanted || input_used(port) == CONSOLE_INPUT_SIZE)
		return;
	port->room_wanted = false;
	if (port->host.room)
		port->host.room(port->host.opaque);
}

size_t virtio_console_input(struct virtio_dev *dev, unsigned number, const void *data, size_t len)
{
	struct console *con = dev->priv;
	struct console_port *port = &con->ports[number];
	size_t done = 0, n;

	do {
		n = input_put(port, (const uint8_t *)data + done, len - done);
		done += n;
		push_input(con, number);
	} while (done < len && n > 0);
	port->room_wanted = done < len;
	return done;
}

void virtio_console_ask_room(struct virtio_dev *dev, unsigned number)
{
	struct console *con = dev->priv;

	con->ports[number].room_wanted = true;
	virtio_kick(dev, console_rx_queue(number));
}

void virtio_console_connect(struct virtio_dev *dev, unsigned number, bool open)
{
	struct console *con = dev->priv;
	struct console_port *port = &con->ports[number];

	port->host_closing = !open && port->host_open && !is_drained(port);
	if (port->host_closing)
		return;
	port->host_open = open;
	console_control_tell_open(con, number);
}

void console_port_reset(struct console_port *port)
{
	port->printing = false;
	port->stalled = false;
	if (port->guest_open && port->host.opened)
		port->host.opened(port->host.opaque, false);
	port->guest_open = false;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console device (virtio 1.3, section 5.3) with one port: what the guest prints goes out in
 * pieces of bounded size, and what is typed waits in a small ring until the guest offers buffers.
 *
 * Nothing typed is lost: a full ring makes virtio_console_input take less, and its caller is called
 * when there is room. A chain of output may be gigabytes long; it is printed over several turns of
 * the loop.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/le.h"
#include "virtio/devices.h"
#include "virtio/take.h"

enum {
	QUEUE_RX = 0, /* receiveq(port0): to the guest */
	QUEUE_TX = 1, /* transmitq(port0): from the guest */
	QUEUES = 2,
	QUEUE_SIZE = 64,
	INPUT_SIZE = 4096,	 /* of the ring; a power of two */
	PIECE = 4096,		 /* of output at a time */
	BATCH_BYTES = 64 * 1024, /* of output in one turn of the loop */
	BATCH_CHAINS = 64,	 /* in one turn of the loop */
};

/* Features (5.3.3). */
#define CONSOLE_F_SIZE	      (UINT64_C(1) << 0)
#define CONSOLE_F_EMERG_WRITE (UINT64_C(1) << 2)

/* Config space (5.3.4). */
enum {
	CONFIG_COLS = 0,      /* le16 */
	CONFIG_ROWS = 2,      /* le16 */
	CONFIG_MAX_PORTS = 4, /* le32, only with MULTIPORT */
	CONFIG_EMERG_WR = 8,  /* le32, write only: its low byte is printed */
	CONFIG_SIZE = 12,
};

struct console {
	struct virtio_dev *dev;
	console_out_fn out_fn;
	void *out_opaque;
	loop_fn room_fn;
	void *room_opaque;
	bool room_wanted; /* input was refused since the last call of room_fn */
	uint8_t config[CONFIG_SIZE];

	bool printing; /* tx is taken, and printed up to tx_done */
	uint64_t tx_done;
	struct vq_chain tx;
	struct vq_chain rx;

	uint32_t input_head; /* counts bytes put in, and */
	uint32_t input_tail; /* bytes taken out; both wrap */
	uint8_t input[INPUT_SIZE];
};

static struct console *console_of(struct virtio_dev *dev)
{
	return dev->priv;
}

/* Output. */

/* Prints at most @max bytes of the chain in hand: how many; 0 when it is all printed. */
static size_t print_piece(struct console *con, size_t max)
{
	uint8_t piece[PIECE];
	size_t len = vq_chain_read(&con->tx, con->tx_done, piece, size_min(max, sizeof(piece)));

	if (len > 0)
		con->out_fn(con->out_opaque, piece, len);
	con->tx_done += len;
	return len;
}

static void serve_tx(struct console *con)
{
	struct virtio_dev *dev = con->dev;
	struct virtqueue *vq = &dev->queues[QUEUE_TX];
	unsigned chains = 0;
	size_t bytes = 0;

	vq_disable_kick(vq);
	while (con->printing || virtio_take(dev, QUEUE_TX, &con->tx)) {
		size_t len;

		if (!con->printing)
			con->tx_done = 0;
		con->printing = true;
		while (bytes < BATCH_BYTES && (len = print_piece(con, BATCH_BYTES - bytes)) > 0)
			bytes += len;
		if (con->tx_done == con->tx.out_len) {
			con->printing = false;
			vq_push(vq, con->tx.head, 0);
			chains++;
		}
		if (bytes >= BATCH_BYTES || chains == BATCH_CHAINS) {
			virtio_kick(dev, QUEUE_TX);
			break;
		}
	}
	virtio_signal(dev, QUEUE_TX);
}

void virtio_console_flush(struct virtio_dev *dev)
{
	serve_tx(console_of(dev));
}

/* Input. */

static uint32_t input_used(const struct console *con)
{
	return con->input_head - con->input_tail;
}

/* Puts what fits into the ring. */
static size_t input_put(struct console *con, const uint8_t *data, size_t len)
{
	size_t n = size_min(len, INPUT_SIZE - input_used(con));

	for (size_t i = 0; i < n; i++)
		con->input[con->input_head++ % INPUT_SIZE] = data[i];
	return n;
}

/* Moves the oldest bytes of the ring into the chain in hand: how many. */
static uint32_t fill_rx(struct console *con)
{
	uint32_t done = 0;

	while (input_used(con) > 0) {
		uint32_t at = con->input_tail % INPUT_SIZE;
		uint32_t run = u32_min(input_used(con), INPUT_SIZE - at);
		uint32_t n = (uint32_t)vq_chain_write(&con->rx, done, con->input + at, run);

		con->input_tail += n;
		done += n;
		if (n < run)
			break;
	}
	return done;
}

/*
 * Gives the guest what is typed, as far as it offers buffers; buffers that are not needed stay in
 * the ring, and then doorbells can stay off: it is input that brings the next turn.
 */
static void serve_rx(struct console *con)
{
	struct virtio_dev *dev = con->dev;
	unsigned chains = 0;

	vq_disable_kick(&dev->queues[QUEUE_RX]);
	while (input_used(con) > 0 && virtio_take(dev, QUEUE_RX, &con->rx)) {
		vq_push(&dev->queues[QUEUE_RX], con->rx.head, fill_rx(con));
		if (++chains == BATCH_CHAINS) {
			virtio_kick(dev, QUEUE_RX);
			break;
		}
	}
	if (chains > 0)
		virtio_signal(dev, QUEUE_RX);
}

size_t virtio_console_input(struct virtio_dev *dev, const void *data, size_t len)
{
	struct console *con = console_of(dev);
	size_t done = 0, n;

	do {
		n = input_put(con, (const uint8_t *)data + done, len - done);
		done += n;
		serve_rx(con);
	} while (done < len && n > 0);
	con->room_wanted = done < len;
	return done;
}

void virtio_console_on_room(struct virtio_dev *dev, loop_fn fn, void *opaque)
{
	struct console *con = console_of(dev);

	con->room_fn = fn;
	con->room_opaque = opaque;
}

static void offer_room(struct console *con)
{
	if (!con->room_wanted || input_used(con) == INPUT_SIZE)
		return;
	con->room_wanted = false;
	if (con->room_fn)
		con->room_fn(con->room_opaque);
}

/* The device. */

static void console_kick(struct virtio_dev *dev, unsigned index)
{
	struct console *con = console_of(dev);

	if (index == QUEUE_TX) {
		serve_tx(con);
		return;
	}
	serve_rx(con);
	offer_room(con);
}

static void console_reset(struct virtio_dev *dev)
{
	console_of(dev)->printing = false;
}

void virtio_console_resize(struct virtio_dev *dev, uint16_t cols, uint16_t rows)
{
	struct console *con = console_of(dev);

	le16_store(con->config + CONFIG_COLS, cols);
	le16_store(con->config + CONFIG_ROWS, rows);
	virtio_config_changed(dev);
}

static void console_config_read(struct virtio_dev *dev, size_t offset, void *data, size_t len)
{
	memcpy(data, console_of(dev)->config + offset, len);
}

/* Emergency output (5.3.4): one byte, in any state of the device. */
static void console_config_write(struct virtio_dev *dev, size_t offset, const void *data,
				 size_t len)
{
	struct console *con = console_of(dev);

	if (offset <= CONFIG_EMERG_WR && CONFIG_EMERG_WR - offset < len)
		con->out_fn(con->out_opaque, (const uint8_t *)data + (CONFIG_EMERG_WR - offset), 1);
}

static void console_destroy(struct virtio_dev *dev)
{
	free(console_of(dev));
}

static const struct virtio_type console_type = {
	.name = "console",
	.id = 3,
	.config_read = console_config_read,
	.config_write = console_config_write,
	.queue_kick = console_kick,
	.reset = console_reset,
	.destroy = console_destroy,
};

int virtio_console_create(console_out_fn out_fn, void *opaque, struct guest_mem *mem,
			  struct loop *loop, struct virtio_dev **out)
{
	struct virtio_dev *dev = calloc(1, sizeof(*dev));
	struct console *con = calloc(1, sizeof(*con));
	int err = -ENOMEM;

	if (dev && con)
		err = virtio_dev_init(dev, &console_type, "console", mem, loop, QUEUES, QUEUE_SIZE,
				      CONSOLE_F_SIZE | CONSOLE_F_EMERG_WRITE, CONFIG_SIZE);
	if (err < 0) {
		free(con);
		free(dev);
		return err;
	}
	con->dev = dev;
	con->out_fn = out_fn;
	con->out_opaque = opaque;
	le32_store(con->config + CONFIG_MAX_PORTS, 1);
	dev->priv = con;
	*out = dev;
	return 0;
}

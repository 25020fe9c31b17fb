/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console device (virtio 1.3, section 5.3): port 0 is the guest's console, the others are byte
 * streams with names (MULTIPORT), if there are any. Bytes flow in console_port.c, ports are
 * announced in console_control.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "virtio/console_ports.h"

enum { QUEUE_SIZE = 64 };

/* Features (5.3.3). */
#define CONSOLE_F_SIZE	      (UINT64_C(1) << 0)
#define CONSOLE_F_MULTIPORT   (UINT64_C(1) << 1)
#define CONSOLE_F_EMERG_WRITE (UINT64_C(1) << 2)

/* Config space (5.3.4). */
enum {
	CONFIG_COLS = 0,      /* le16 */
	CONFIG_ROWS = 2,      /* le16 */
	CONFIG_MAX_PORTS = 4, /* le32, only with MULTIPORT */
	CONFIG_EMERG_WR = 8,  /* le32, write only: its low byte is printed */
	CONFIG_SIZE = 12,
};

static struct console *console_of(struct virtio_dev *dev)
{
	return dev->priv;
}

bool console_multiport(const struct console *con)
{
	return (con->dev->driver_features & CONSOLE_F_MULTIPORT) != 0;
}

unsigned console_rx_queue(unsigned port)
{
	return port == 0 ? 0 : 2 * port + 2;
}

unsigned console_tx_queue(unsigned port)
{
	return console_rx_queue(port) + 1;
}

void virtio_console_flush(struct virtio_dev *dev)
{
	struct console *con = console_of(dev);

	for (unsigned i = 0; i < con->count; i++)
		console_port_serve_tx(con, i);
}

static void console_kick(struct virtio_dev *dev, unsigned index)
{
	struct console *con = console_of(dev);

	if (con->count > 1 && index == CONSOLE_CONTROL_RX)
		console_control_serve_rx(con);
	else if (con->count > 1 && index == CONSOLE_CONTROL_TX)
		console_control_serve_tx(con);
	else if (index % 2)
		console_port_serve_tx(con, index < 2 ? 0 : (index - 2) / 2);
	else
		console_port_serve_rx(con, index < 2 ? 0 : (index - 2) / 2);
}

static void console_reset(struct virtio_dev *dev)
{
	struct console *con = console_of(dev);

	for (unsigned i = 0; i < con->count; i++)
		console_port_reset(&con->ports[i]);
	console_control_reset(con);
}

void virtio_console_resize(struct virtio_dev *dev, uint16_t cols, uint16_t rows)
{
	struct console *con = console_of(dev);

	con->cols = cols;
	con->rows = rows;
	virtio_config_changed(dev);
	console_control_tell_size(con);
}

static void console_config_read(struct virtio_dev *dev, size_t offset, void *data, size_t len)
{
	const struct console *con = console_of(dev);
	uint8_t config[CONFIG_SIZE] = { 0 };

	le16_store(config + CONFIG_COLS, con->cols);
	le16_store(config + CONFIG_ROWS, con->rows);
	le32_store(config + CONFIG_MAX_PORTS, con->count);
	memcpy(data, config + offset, len);
}

/* Emergency output (5.3.4): one byte, in any state of the device. */
static void console_config_write(struct virtio_dev *dev, size_t offset, const void *data,
				 size_t len)
{
	const struct virtio_console_port *host = &console_of(dev)->ports[0].host;

	if (host->out && offset <= CONFIG_EMERG_WR && CONFIG_EMERG_WR - offset < len)
		(void)host->out(host->opaque, (const uint8_t *)data + (CONFIG_EMERG_WR - offset),
				1);
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

/* One port has two queues; several have two more each, and two for control. */
static unsigned queues_of(unsigned ports)
{
	return ports == 1 ? 2 : 2 * ports + 2;
}

static uint64_t features_of(const struct virtio_console_port *ports, unsigned count)
{
	uint64_t features = count > 1 ? CONSOLE_F_MULTIPORT : 0;

	if (ports[0].out)
		features |= CONSOLE_F_SIZE | CONSOLE_F_EMERG_WRITE;
	return features;
}

int virtio_console_create(const struct virtio_console_port *ports, unsigned count,
			  struct guest_mem *mem, struct loop *loop, struct virtio_dev **out)
{
	struct virtio_dev *dev = calloc(1, sizeof(*dev));
	struct console *con = calloc(1, sizeof(*con));
	int err = -ENOMEM;

	if (dev && con)
		err = virtio_dev_init(dev, &console_type, "console", mem, loop, queues_of(count),
				      QUEUE_SIZE, features_of(ports, count), CONFIG_SIZE);
	if (err < 0) {
		free(con);
		free(dev);
		return err;
	}
	con->dev = dev;
	con->count = count;
	for (unsigned i = 0; i < count; i++)
		con->ports[i].host = ports[i];
	con->ports[0].host_open = ports[0].out != NULL;
	dev->priv = con;
	*out = dev;
	return 0;
}

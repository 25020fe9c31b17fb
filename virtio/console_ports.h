/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the three files of the console device share: console.c (the device), console_port.c (the bytes
 * of one port) and console_control.c (ports are announced, opened and closed). Nobody else includes it.
 */
#ifndef VIRTIO_CONSOLE_PORTS_H
#define VIRTIO_CONSOLE_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "virtio/devices.h"

enum {
	CONSOLE_CONTROL_RX = 2,	   /* queue: control messages to the guest */
	CONSOLE_CONTROL_TX = 3,	   /* queue: control messages from the guest */
	CONSOLE_INPUT_SIZE = 4096, /* bytes, of a port's ring; a power of two */
	CONSOLE_BATCH_CHAINS = 64, /* in one turn of the loop */
};

struct console_port {
	struct virtio_console_port host; /* out is NULL: there is no such port */
	bool ready;			 /* the driver has set it up */
	bool guest_open;		 /* a program of the guest has it open */
	bool host_open;			 /* somebody is there on our side */
	bool host_closing;		 /* host_open ends when the guest has taken all input */
	unsigned owed;			 /* control messages, a bit each (console_control.c) */

	bool printing; /* tx is taken, and handed on up to tx_done */
	bool stalled;  /* the host takes no more output for now */
	uint64_t tx_done;
	struct vq_chain tx;

	bool room_wanted;    /* input was refused since the last call of host.room */
	uint32_t input_head; /* counts bytes put in, and */
	uint32_t input_tail; /* bytes taken out; both wrap */
	uint8_t input[CONSOLE_INPUT_SIZE];
};

struct console {
	struct virtio_dev *dev;
	uint16_t cols, rows;
	struct vq_chain chain; /* in hand within one function; too large for the stack */
	unsigned count;
	struct console_port ports[VIRTIO_CONSOLE_PORTS];
};

/* Whether the driver knows of ports other than 0. */
bool console_multiport(const struct console *con);

/* The queues of @port (5.3.2): 0 and 1 of the first, 4 and 5 of the next. */
unsigned console_rx_queue(unsigned port);
unsigned console_tx_queue(unsigned port);

/* console_port.c: a doorbell of port @number's queues. */
void console_port_serve_tx(struct console *con, unsigned number);
void console_port_serve_rx(struct console *con, unsigned number);
void console_port_reset(struct console_port *port);

/* console_control.c: doorbells, and what the host has to say of a port. */
void console_control_serve_tx(struct console *con);
void console_control_serve_rx(struct console *con);
void console_control_tell_open(struct console *con, unsigned number);
void console_control_tell_size(struct console *con);
void console_control_reset(struct console *con);

#endif

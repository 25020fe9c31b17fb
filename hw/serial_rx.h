/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The receiver of a 16550A: its FIFO, and the bytes that wait to enter it. For hw/serial.c, under whose lock it
 * lies: no locks, no interrupts, no loop here.
 */
#ifndef HW_SERIAL_RX_H
#define HW_SERIAL_RX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SERIAL_FIFO_LEN = 16,
	SERIAL_WAITING_LEN = 4096,
	SERIAL_BREAK = 0x100, /* in FIFO and ring: not a byte, but a break */
};

struct serial_rx {
	uint16_t fifo[SERIAL_FIFO_LEN]; /* bytes or SERIAL_BREAK, oldest first */
	size_t fifo_len;
	bool fifo_on;
	uint8_t trigger; /* bytes in the FIFO for IIR_RDI */
	bool overrun;
	bool break_told; /* LSR has told of the break that is first */

	uint16_t waiting[SERIAL_WAITING_LEN]; /* the same as the FIFO's, a ring */
	size_t waiting_at;
	size_t waiting_len;
	bool want_room; /* input was turned away */
	unsigned polls; /* reads of LSR in a row */
	bool polled;	/* the guest listens without interrupts */
};

/* As after power-on. */
void serial_rx_init(struct serial_rx *rx);

/* Whether the oldest in the FIFO is a break that LSR has not told of. */
bool serial_rx_break_first(const struct serial_rx *rx);

/* A byte straight from the line, as when it is looped back: where there is no room it overruns. */
void serial_rx_push(struct serial_rx *rx, uint8_t byte);

/* Lets @value, a byte or SERIAL_BREAK, wait. False: there is no room. */
bool serial_rx_wait(struct serial_rx *rx, uint16_t value);

/*
 * Lets what waits into the FIFO if the guest listens: by interrupt (@interrupts), or by polling. True: input
 * was turned away, and now there is room again.
 */
bool serial_rx_refill(struct serial_rx *rx, bool interrupts);

/* The oldest byte, 0 if there is none; a break reads as zero. */
uint8_t serial_rx_read(struct serial_rx *rx);

/* A read of LSR: its bits of the receiver. Those of errors are gone by it. */
uint8_t serial_rx_status(struct serial_rx *rx);

/* A read of LSR, before what waits is let in; reads in a row mean that the guest polls for input. */
void serial_rx_poll(struct serial_rx *rx);

/* A store to FCR. */
void serial_rx_control(struct serial_rx *rx, uint8_t value);

#endif

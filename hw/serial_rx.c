/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The receiver of a 16550A. Unlike the chip's, it lets what waits into the FIFO only while the guest listens, so
 * that a driver which clears the FIFO when it starts loses nothing (docs/devices/serial.md).
 */
#include "hw/serial_rx.h"

#include <string.h>

#include "hw/serial_regs.h"

enum { POLLS_TO_OPEN = 3 }; /* LSR reads in a row that mean: the guest polls for input */

void serial_rx_init(struct serial_rx *rx)
{
	*rx = (struct serial_rx){ .trigger = 1 };
}

bool serial_rx_break_first(const struct serial_rx *rx)
{
	return rx->fifo_len && rx->fifo[0] == SERIAL_BREAK && !rx->break_told;
}

static size_t depth(const struct serial_rx *rx)
{
	return rx->fifo_on ? SERIAL_FIFO_LEN : 1;
}

void serial_rx_push(struct serial_rx *rx, uint8_t byte)
{
	if (rx->fifo_len < depth(rx)) {
		rx->fifo[rx->fifo_len++] = byte;
		return;
	}
	rx->overrun = true;
	/* Without FIFOs the new byte takes the old one's place; with them the new one is lost. */
	if (!rx->fifo_on)
		rx->fifo[0] = byte;
}

bool serial_rx_wait(struct serial_rx *rx, uint16_t value)
{
	if (rx->waiting_len == SERIAL_WAITING_LEN)
		return false;
	rx->waiting[(rx->waiting_at + rx->waiting_len++) % SERIAL_WAITING_LEN] = value;
	return true;
}

bool serial_rx_refill(struct serial_rx *rx, bool interrupts)
{
	if (!interrupts && !rx->polled)
		return false;
	while (rx->fifo_len < depth(rx) && rx->waiting_len) {
		rx->fifo[rx->fifo_len++] = rx->waiting[rx->waiting_at];
		rx->waiting_at = (rx->waiting_at + 1) % SERIAL_WAITING_LEN;
		rx->waiting_len--;
	}
	if (!rx->want_room || rx->waiting_len > SERIAL_WAITING_LEN / 2)
		return false;
	rx->want_room = false;
	return true;
}

uint8_t serial_rx_read(struct serial_rx *rx)
{
	uint8_t byte;

	if (!rx->fifo_len)
		return 0;
	byte = (uint8_t)rx->fifo[0];
	rx->fifo_len--;
	rx->break_told = false;
	memmove(&rx->fifo[0], &rx->fifo[1], rx->fifo_len * sizeof(rx->fifo[0]));
	return byte;
}

uint8_t serial_rx_status(struct serial_rx *rx)
{
	uint8_t lsr = 0;

	if (rx->fifo_len)
		lsr |= LSR_DR;
	if (rx->overrun)
		lsr |= LSR_OE;
	if (serial_rx_break_first(rx))
		lsr |= LSR_BI;
	rx->overrun = false;
	rx->break_told = rx->fifo_len && rx->fifo[0] == SERIAL_BREAK;
	return lsr;
}

void serial_rx_poll(struct serial_rx *rx)
{
	if (++rx->polls < POLLS_TO_OPEN)
		return;
	rx->polls = POLLS_TO_OPEN;
	rx->polled = true;
}

void serial_rx_control(struct serial_rx *rx, uint8_t value)
{
	static const uint8_t triggers[] = { 1, 4, 8, 14 };
	bool on = value & FCR_ENABLE;

	if (on != rx->fifo_on || (on && (value & FCR_CLEAR_RX))) {
		rx->fifo_len = 0;
		rx->break_told = false;
		rx->polled = false;
	}
	rx->fifo_on = on;
	rx->trigger = on ? triggers[value >> 6] : 1;
}

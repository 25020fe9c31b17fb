/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 16550A: registers, interrupts, gathered output. Its receiver is hw/serial_rx.c.
 *
 * How it differs from the chip, and why, is told in docs/devices/serial.md: sending takes no time,
 * and a character time-out comes at once.
 */
#include "hw/serial.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/lock.h"
#include "hw/serial_regs.h"
#include "hw/serial_rx.h"

enum {
	OUT_LEN = 16384,     /* bytes gathered at most */
	GATHER_NS = 2000000, /* that the first of them waits for more */
	AT_ONCE_NS = 1,
	MAX_SHIFT = 3,
};

struct serial {
	struct loop *loop;
	struct irq_line *irq;
	serial_out_fn out_fn;
	void *out_opaque;
	loop_fn room_fn; /* of the loop's thread */
	void *room_opaque;
	struct loop_timer *flush_timer;
	struct loop_timer *room_timer;
	unsigned int shift;
	bool attached;

	struct lock lock RANKED(device);
	uint8_t ier GUARDED_BY(&lock), lcr GUARDED_BY(&lock), mcr GUARDED_BY(&lock);
	uint8_t scr GUARDED_BY(&lock), dll GUARDED_BY(&lock), dlm GUARDED_BY(&lock);
	uint8_t msr_delta GUARDED_BY(&lock); /* low four bits of MSR */
	bool thre_due
		GUARDED_BY(&lock);    /* the "holding register empty" interrupt has not been told */
	bool level GUARDED_BY(&lock); /* of the interrupt line */

	struct serial_rx rx GUARDED_BY(&lock);
	struct serial_counters counters GUARDED_BY(&lock);
	uint8_t *gathered GUARDED_BY(&lock); /* OUT_LEN bytes */
	size_t gathered_len GUARDED_BY(&lock);
	uint8_t *leaving; /* OUT_LEN bytes, of the loop's thread: what out_fn reads */
};

/* The cause of the highest priority, as IIR tells it (data sheet, table of interrupt control). */
static uint8_t cause(const struct serial *s) REQUIRES(&s->lock)
{
	if ((s->ier & IER_RLSI) && (s->rx.overrun || serial_rx_break_first(&s->rx)))
		return IIR_RLSI;
	if ((s->ier & IER_RDI) && s->rx.fifo_len)
		return s->rx.fifo_len >= s->rx.trigger ? IIR_RDI : IIR_TIMEOUT;
	if ((s->ier & IER_THRI) && s->thre_due)
		return IIR_THRI;
	if ((s->ier & IER_MSI) && s->msr_delta)
		return IIR_MSI;
	return IIR_NONE;
}

/* Under the lock, so that two threads cannot leave the line at the older of two levels. */
static void update_irq(struct serial *s) REQUIRES(&s->lock)
{
	bool level = cause(s) != IIR_NONE;

	if (level == s->level)
		return;
	s->level = level;
	irq_set(s->irq, level);
}

/* --- receiver --- */

/* Lets what waits into the FIFO, unless the line is looped back. */
static void refill(struct serial *s) REQUIRES(&s->lock)
{
	if (!(s->mcr & MCR_LOOP) && serial_rx_refill(&s->rx, s->ier & IER_RDI))
		loop_timer_arm(s->room_timer, AT_ONCE_NS);
}

static uint8_t read_data(struct serial *s) REQUIRES(&s->lock)
{
	uint8_t byte = serial_rx_read(&s->rx);

	refill(s);
	return byte;
}

static uint8_t read_lsr(struct serial *s) REQUIRES(&s->lock)
{
	serial_rx_poll(&s->rx);
	refill(s);
	return LSR_SENT | serial_rx_status(&s->rx);
}

static void write_fcr(struct serial *s, uint8_t value) REQUIRES(&s->lock)
{
	serial_rx_control(&s->rx, value);
	refill(s);
}

/* --- transmitter --- */

/* Hands out what is gathered. While out_fn works, vCPUs fill the other buffer. */
static void hand_out(void *opaque)
{
	struct serial *s = (struct serial *)opaque;
	uint8_t *data;
	size_t len;

	lock_take(&s->lock);
	data = s->gathered;
	len = s->gathered_len;
	s->gathered = s->leaving;
	s->gathered_len = 0;
	lock_drop(&s->lock);
	s->leaving = data;
	if (len)
		s->out_fn(s->out_opaque, data, len);
}

/* Gathers a byte. Where there is no room the vCPU waits for the loop: nothing is lost. */
static void send(struct serial *s, uint8_t byte) REQUIRES(&s->lock)
{
	while (s->gathered_len == OUT_LEN) {
		lock_drop(&s->lock);
		loop_call(s->loop, hand_out, s);
		lock_take(&s->lock);
	}
	s->gathered[s->gathered_len++] = byte;
	s->counters.out++;
	if (s->gathered_len == 1)
		loop_timer_arm(s->flush_timer, GATHER_NS);
	else if (s->gathered_len == OUT_LEN / 2)
		loop_timer_arm(s->flush_timer, AT_ONCE_NS);
}

/* The byte is gone at once, so the holding register is empty again, which is news. */
static void write_data(struct serial *s, uint8_t byte) REQUIRES(&s->lock)
{
	if (s->mcr & MCR_LOOP)
		serial_rx_push(&s->rx, byte);
	else
		send(s, byte);
	s->thre_due = true;
}

/* --- modem lines: a peer that is always there, or our own outputs when looped back --- */

static uint8_t modem_lines(const struct serial *s) REQUIRES(&s->lock)
{
	if (!(s->mcr & MCR_LOOP))
		return MSR_DCD | MSR_DSR | MSR_CTS;
	return (uint8_t)((s->mcr & MCR_RTS ? MSR_CTS : 0) | (s->mcr & MCR_DTR ? MSR_DSR : 0) |
			 (s->mcr & MCR_OUT1 ? MSR_RI : 0) | (s->mcr & MCR_OUT2 ? MSR_DCD : 0));
}

static void write_mcr(struct serial *s, uint8_t value) REQUIRES(&s->lock)
{
	uint8_t before = modem_lines(s), after;

	s->mcr = value & MCR_BITS;
	after = modem_lines(s);
	s->msr_delta |= (uint8_t)(((before ^ after) & ~MSR_RI) >> 4);
	/* The ring indicator tells of its end only. */
	if ((before & MSR_RI) && !(after & MSR_RI))
		s->msr_delta |= MSR_TERI;
	refill(s);
}

/* --- registers --- */

static uint8_t read_iir(struct serial *s) REQUIRES(&s->lock)
{
	uint8_t iir = cause(s);

	if (iir == IIR_THRI)
		s->thre_due = false;
	return (uint8_t)(iir | (s->rx.fifo_on ? IIR_FIFO : 0));
}

static uint8_t read_msr(struct serial *s) REQUIRES(&s->lock)
{
	uint8_t msr = (uint8_t)(modem_lines(s) | s->msr_delta);

	s->msr_delta = 0;
	return msr;
}

static void write_ier(struct serial *s, uint8_t value) REQUIRES(&s->lock)
{
	/* Turning this interrupt on while the holding register is empty raises it. */
	if (!(s->ier & IER_THRI) && (value & IER_THRI))
		s->thre_due = true;
	s->ier = value & IER_BITS;
	s->rx.polled = false;
	refill(s);
}

static uint8_t read_reg(struct serial *s, unsigned int reg) REQUIRES(&s->lock)
{
	const bool dlab = s->lcr & LCR_DLAB;

	if (reg != REG_LSR)
		s->rx.polls = 0;
	switch (reg) {
	case REG_DATA:
		return dlab ? s->dll : read_data(s);
	case REG_IER:
		return dlab ? s->dlm : s->ier;
	case REG_IIR_FCR:
		return read_iir(s);
	case REG_LCR:
		return s->lcr;
	case REG_MCR:
		return s->mcr;
	case REG_LSR:
		return read_lsr(s);
	case REG_MSR:
		return read_msr(s);
	default:
		return s->scr;
	}
}

static void write_reg(struct serial *s, unsigned int reg, uint8_t value) REQUIRES(&s->lock)
{
	const bool dlab = s->lcr & LCR_DLAB;

	s->rx.polls = 0;
	switch (reg) {
	case REG_DATA:
		if (dlab)
			s->dll = value;
		else
			write_data(s, value);
		break;
	case REG_IER:
		if (dlab)
			s->dlm = value;
		else
			write_ier(s, value);
		break;
	case REG_IIR_FCR:
		write_fcr(s, value);
		break;
	case REG_LCR:
		s->lcr = value;
		break;
	case REG_MCR:
		write_mcr(s, value);
		break;
	case REG_SCR:
		s->scr = value;
		break;
	default:
		break; /* LSR and MSR: factory tests only */
	}
}

/*
 * A wide access reaches each register it covers, in order, as the byte cycles of an 8-bit bus do.
 * With registers spread apart, the bytes between them read as zero and go nowhere.
 */
static bool is_register(const struct serial *s, uint64_t offset)
{
	return (offset & ((1U << s->shift) - 1)) == 0 && offset >> s->shift < REGS;
}

static void serial_read(void *opaque, uint64_t offset, void *data, size_t len)
{
	struct serial *s = (struct serial *)opaque;
	uint8_t *bytes = (uint8_t *)data;

	lock_take(&s->lock);
	for (size_t i = 0; i < len; i++)
		bytes[i] = is_register(s, offset + i)
				   ? read_reg(s, (unsigned int)((offset + i) >> s->shift))
				   : 0;
	update_irq(s);
	lock_drop(&s->lock);
}

static void serial_write(void *opaque, uint64_t offset, const void *data, size_t len)
{
	struct serial *s = (struct serial *)opaque;
	const uint8_t *bytes = (const uint8_t *)data;

	lock_take(&s->lock);
	for (size_t i = 0; i < len; i++)
		if (is_register(s, offset + i))
			write_reg(s, (unsigned int)((offset + i) >> s->shift), bytes[i]);
	update_irq(s);
	lock_drop(&s->lock);
}

/* --- the loop's side --- */

bool serial_break(struct serial *serial)
{
	struct serial *s = serial;
	bool room;

	lock_take(&s->lock);
	room = serial_rx_wait(&s->rx, SERIAL_BREAK);
	refill(s);
	update_irq(s);
	lock_drop(&s->lock);
	return room;
}

size_t serial_input(struct serial *serial, const void *data, size_t len)
{
	struct serial *s = serial;
	const uint8_t *bytes = (const uint8_t *)data;
	size_t n = 0;

	lock_take(&s->lock);
	while (n < len && serial_rx_wait(&s->rx, bytes[n]))
		n++;
	s->counters.in += n;
	s->rx.want_room = s->rx.want_room || n < len;
	refill(s);
	update_irq(s);
	lock_drop(&s->lock);
	return n;
}

static void on_room(void *opaque)
{
	struct serial *s = (struct serial *)opaque;

	if (s->room_fn)
		s->room_fn(s->room_opaque);
}

void serial_on_room(struct serial *serial, loop_fn fn, void *opaque)
{
	serial->room_fn = fn;
	serial->room_opaque = opaque;
}

void serial_flush(struct serial *serial)
{
	hand_out(serial);
}

struct serial_counters serial_counters(struct serial *serial)
{
	struct serial_counters counters;

	lock_take(&serial->lock);
	counters = serial->counters;
	lock_drop(&serial->lock);
	return counters;
}

/* --- life --- */

/* The state after power-on (data sheet, "Master Reset"); the divisor is that of 9600 baud. */
static void reset(struct serial *s)
{
	lock_take(&s->lock);
	serial_rx_init(&s->rx);
	s->dll = 12;
	lock_drop(&s->lock);
}

static int alloc_buffers(struct serial *s)
{
	uint8_t *buffer = (uint8_t *)malloc(OUT_LEN);

	s->leaving = (uint8_t *)malloc(OUT_LEN);
	lock_take(&s->lock);
	s->gathered = buffer;
	lock_drop(&s->lock);
	return buffer && s->leaving ? 0 : -ENOMEM;
}

int serial_create(struct loop *loop, struct irq_line *irq, serial_out_fn out_fn, void *opaque,
		  struct serial **out)
{
	struct serial *s = (struct serial *)calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->loop = loop;
	s->irq = irq;
	s->out_fn = out_fn;
	s->out_opaque = opaque;
	lock_init(&s->lock, LOCK_RANK_DEVICE, "serial");
	reset(s);
	err = alloc_buffers(s);
	if (!err)
		err = loop_timer_add(loop, hand_out, s, &s->flush_timer);
	if (!err)
		err = loop_timer_add(loop, on_room, s, &s->room_timer);
	if (err) {
		serial_destroy(s);
		return err;
	}
	*out = s;
	return 0;
}

void serial_destroy(struct serial *serial)
{
	uint8_t *buffer;

	if (!serial)
		return;
	if (serial->flush_timer)
		loop_timer_arm(serial->flush_timer, 0);
	if (serial->room_timer)
		loop_timer_arm(serial->room_timer, 0);
	lock_take(&serial->lock);
	buffer = serial->gathered;
	lock_drop(&serial->lock);
	lock_destroy(&serial->lock);
	free(buffer);
	free(serial->leaving);
	free(serial);
}

int serial_attach(struct serial *serial, struct bus *bus, enum bus_space space, uint64_t base,
		  unsigned shift)
{
	static const struct bus_ops ops = { .read = serial_read, .write = serial_write };
	int err;

	if (shift > MAX_SHIFT)
		return -EINVAL;
	if (serial->attached)
		return -EBUSY;
	err = bus_add(bus, space, base, (uint64_t)REGS << shift, "serial", &ops, serial);
	if (err)
		return err;
	serial->shift = shift;
	serial->attached = true;
	return 0;
}

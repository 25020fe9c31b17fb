/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's console on the host's side: output to standard output and the log, input from the
 * terminal with its escape keys. It knows no device: the machine connects a sink for input.
 * Everything runs on the loop's thread.
 */
#ifndef VM_CONSOLE_CONSOLE_H
#define VM_CONSOLE_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/loop.h"

enum vm_console_key {
	VM_KEY_LEAVE, /* Ctrl-A x */
};

/* Takes at most @len bytes of input for the guest and returns how many. */
typedef size_t (*vm_console_sink)(void *opaque, const void *data, size_t len);

struct console {
	struct loop *loop;
	int in_fd;  /* -1: no input (any more) */
	int out_fd; /* -1: nobody reads any more */
	int log_fd; /* -1: none */
	/*
	 * Readable: wait no longer for a slow reader of out_fd. Two, since a signal is seen by a loop that
	 * waits here, but is read, and gone, where the loop runs and another thread waits.
	 */
	int wake_fds[2];
	bool escapes;
	bool escape_seen;  /* the last key was Ctrl-A */
	bool watched;	   /* in_fd is in the loop */
	bool always_ready; /* in_fd is a regular file, read whenever the guest takes input */
	bool out_watched;  /* out_fd is in the loop */
	bool patient;	   /* vm_console_fits is not to spare anybody a wait */

	vm_console_sink sink;
	void *sink_opaque;
	void (*on_key)(void *opaque, enum vm_console_key key);
	void *key_opaque;
	void (*again)(void *opaque); /* has vm_console_room called in a later turn; NULL: cannot */
	void *again_opaque;
	void (*writable)(void *opaque); /* after vm_console_fits said 0; loop thread */
	void *writable_opaque;

	/* Input read and not yet taken by the guest. */
	uint8_t pending[4096];
	size_t pending_start;
	size_t pending_len;

	uint64_t bytes_in;
	uint64_t bytes_out;
};

/* Prepares @console; descriptors stay the caller's. No input flows before vm_console_start. */
void vm_console_init(struct console *console, struct loop *loop);

/* Begins to read in_fd for @console->sink. */
void vm_console_start(struct console *console);

/* Stops reading in_fd, and waiting for out_fd. */
void vm_console_stop(struct console *console);

/* What the guest printed: all of it goes to out_fd and the log. Matches serial_out_fn. */
void vm_console_output(void *opaque, const void *data, size_t len);

/*
 * How many of @len bytes vm_console_output writes without waiting for a slow reader; if 0, console->writable is
 * called when there are some. For devices whose output comes on the loop, which must not wait. Loop thread.
 */
size_t vm_console_fits(struct console *console, size_t len);

/* The sink has room again: hands on what is pending, then reads more. */
void vm_console_room(struct console *console);

#endif

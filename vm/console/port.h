/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's end of a console port with a name: a unix socket that one client at a time connects to, or
 * plain descriptors (a file for --port, the caller's pipes for exec). Flow is controlled both ways:
 * neither a slow client nor a slow guest makes the loop wait or lose a byte. Loop thread.
 */
#ifndef VM_CONSOLE_PORT_H
#define VM_CONSOLE_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hw/loop.h"
#include "virtio/devices.h"

struct vm_port {
	const char *name;
	struct loop *loop;
	struct virtio_dev *console;
	unsigned number;

	int listen_fd;	   /* -1: no socket */
	int file_fd;	   /* --port NAME,file=FILE; -1: none */
	int in_fd;	   /* bytes for the guest; -1: none */
	int out_fd;	   /* bytes of the guest; -1: they are dropped. A client's is in_fd too */
	bool client;	   /* the two are one connection, ours to close */
	bool in_live;	   /* more may come */
	bool out_live;	   /* somebody may still read */
	bool want_out;	   /* the device waits until out_fd takes more */
	bool always_ready; /* in_fd is a regular file: read whenever the guest takes more */
	int in_mask, out_mask; /* events that the loop waits for; -1: not in the loop */

	/* Read and not yet taken by the guest. */
	uint8_t pending[4096];
	size_t pending_start;
	size_t pending_len;

	uint64_t bytes_in, bytes_out;
	loop_fn moved; /* after output that had to wait went on; NULL: nobody waits for that */
	void *moved_opaque;
};

/*
 * No name, no descriptors, no device yet. @port is zeroed, and is not zeroed again: each has a page of bytes,
 * which a start is not to touch for ports that it does not have.
 */
void vm_port_init(struct vm_port *port);

/* What the console device is to know of the port. */
struct virtio_console_port vm_port_host(struct vm_port *port);

/*
 * The device is there: connects what is open to port @number of @console. A caller's descriptor is not
 * read before a program of the guest has the port open, so that even input that has ended already is
 * heard to end. 0 or -errno.
 */
int vm_port_start(struct vm_port *port, struct loop *loop, struct virtio_dev *console,
		  unsigned number);

/*
 * Closes the connection and leaves the loop; listen_fd and file_fd stay open (vm/files.c closes them).
 * The loop no longer runs; before loop_destroy.
 */
void vm_port_stop(struct vm_port *port);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* `hvrun backend`: a device model that serves the guests of other VMMs through vhost-user. */
#ifndef VM_SERVE_H
#define VM_SERVE_H

#include "vm/config.h"

/* What is served. */
enum vm_serve_device {
	VM_SERVE_BLK, /* config->disks[0] */
	VM_SERVE_RNG,
};

/*
 * Serves front ends at the socket config->serve, one after another, until a signal ends it (main thread, before any
 * other). An exit status: 128 + the signal, or why it could not begin, said.
 */
int vm_serve(const struct vm_config *config, enum vm_serve_device device);

#endif

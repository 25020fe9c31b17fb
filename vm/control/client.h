/* SPDX-License-Identifier: BSD-2-Clause */
/* What vm/control/control.c (clients and their bytes) and vm/control/lines.c (what these say) share, and nobody else. */
#ifndef VM_CONTROL_CLIENT_H
#define VM_CONTROL_CLIENT_H

#include "vm/control/control.h"

/* vm/control/control.c. Any of these may drop the client: its fd is -1 then. */

/* Queues a line and tries to send it; a client that lets too much pile up is dropped. NULL: no memory, too. */
void control_put(struct control_client *client, const json_t *json);

/* Has the loop wait for what is wanted of the client: its next line, or room for what it is sent. */
void control_settle(struct control_client *client);

/* Closes a descriptor that came with the line under way. */
void control_forget_passed(struct control_client *client);

/* vm/control/lines.c. */

/* Does what all whole lines say that are there, or hands the guest its input. */
void control_serve(struct control_client *client);

/* The answer of a request that failed. */
json_t *control_error(const char *why);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands of the GDB remote protocol, on any target: what gdb says becomes calls of struct
 * gdb_target, and what the target tells becomes packets. One thread; knows neither sockets nor KVM, so
 * that tests and the fuzzer drive it as gdb does.
 */
#ifndef VM_GDB_SERVER_H
#define VM_GDB_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/debug.h"
#include "vm/gdb/packet.h"

enum { GDB_MAX_CPUS = 64 };

/* What a vCPU is to do when the guest goes on. */
enum gdb_action {
	GDB_STAY,
	GDB_CONTINUE,
	GDB_STEP,
};

/* Of the packets Z and z. */
enum gdb_point_type {
	GDB_POINT_SOFTWARE,
	GDB_POINT_HARDWARE,
	GDB_POINT_WRITE,
	GDB_POINT_READ,
	GDB_POINT_ACCESS,
	GDB_POINT_TYPES,
};

/*
 * What is debugged. vCPUs are numbered from 0; gdb's thread n is vCPU n - 1. All but send, interrupt
 * and gone are called only while the target is stopped. Functions answer 0 or -errno.
 */
struct gdb_target {
	unsigned cpus;
	const char *xml; /* gdb_target_xml */
	void *opaque;
	/* Bytes for the wire. */
	void (*send)(void *opaque, const void *bytes, size_t len);
	int (*reg_get)(void *opaque, unsigned cpu, unsigned reg, uint8_t value[ARCH_REG_BYTES]);
	int (*reg_set)(void *opaque, unsigned cpu, unsigned reg,
		       const uint8_t value[ARCH_REG_BYTES]);
	/* By virtual address of @cpu. How many bytes from the front could be read; -EFAULT: none. */
	int (*mem_read)(void *opaque, unsigned cpu, uint64_t address, void *to, size_t len);
	int (*mem_write)(void *opaque, unsigned cpu, uint64_t address, const void *from,
			 size_t len);
	/* Sets or clears a breakpoint. -ENOTSUP: there are none of this type. */
	int (*point)(void *opaque, unsigned cpu, bool set, enum gdb_point_type type,
		     uint64_t address, uint64_t kind);
	/* Lets the guest go on; a stop is told by gdb_server_stopped. */
	void (*resume)(void *opaque, const enum gdb_action *actions);
	/* Stops the guest; told by gdb_server_stopped, perhaps before this returns. */
	void (*interrupt)(void *opaque);
	/* gdb lets go: no breakpoints any more, and the guest runs. */
	void (*detach)(void *opaque);
	/* gdb ends the machine. */
	void (*kill)(void *opaque);
	/* Command @words of "monitor": lines of text for gdb by gdb_server_say. */
	void (*monitor)(void *opaque, const char *words);
};

/* Why the target stopped, for gdb. */
enum gdb_reason {
	GDB_REASON_NONE, /* it was asked to */
	GDB_REASON_TRAP, /* a breakpoint instruction of gdb's */
	GDB_REASON_HARDWARE,
	GDB_REASON_WATCH,
	GDB_REASON_STEP,
};

struct gdb_stop {
	unsigned cpu;
	enum gdb_reason reason;
	enum gdb_point_type watch; /* of GDB_REASON_WATCH: which type it was set as */
	uint64_t address;
};

struct gdb_server {
	const struct gdb_target *target;
	bool no_ack;
	bool running;
	bool tells_swbreak; /* gdb understands these words in a stop's report */
	bool tells_hwbreak;
	bool over;	/* it detached or killed: nothing more is said */
	unsigned cpu_g; /* of the commands about registers and memory */
	unsigned cpu_c; /* of the old commands c and s; GDB_MAX_CPUS: any */
	struct gdb_stop stop;
	struct gdb_in in;
	struct gdb_out out;
	size_t last_len; /* the last frame, for when gdb did not get it */
	char last[GDB_FRAME_MAX];
};

/* A new connection to a target that is stopped. */
void gdb_server_begin(struct gdb_server *server, const struct gdb_target *target);

/* What gdb sent. */
void gdb_server_input(struct gdb_server *server, const void *bytes, size_t len);

/* The target has stopped, after a resume or an interrupt. */
void gdb_server_stopped(struct gdb_server *server, const struct gdb_stop *stop);

/* The machine is over: with @status, or by a crash. */
void gdb_server_exited(struct gdb_server *server, bool crashed, unsigned status);

/* A line, or part of one, of monitor's answer. Only from the target's monitor function. */
void gdb_server_say(struct gdb_server *server, const char *text);

/*
 * The target description of this architecture (arch_features) as XML, NULL without memory. The
 * caller's, to be freed.
 */
char *gdb_target_xml(void);

#endif

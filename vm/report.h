/* SPDX-License-Identifier: BSD-2-Clause */
/* What is told of a run in JSON (docs/report.md), at its end and while it runs. */
#ifndef VM_REPORT_H
#define VM_REPORT_H

#include <jansson.h>
#include <stdint.h>
#include <sys/utsname.h>

#include "cpu/vcpu.h"
#include "virtio/queue.h"

struct vm;

enum {
	REPORT_SCHEMA = 1, /* "report": rises when a field changes its meaning or goes */
	REPORT_DEVICES = 16,
};

/* What one device counted, over all boots. */
struct report_device {
	char name[32];
	const char *type;
	struct vq_counters counters;
	uint64_t interrupts;
};

struct vm_report {
	int fd; /* -1: none */
	struct utsname host;
	unsigned host_cpus;
	uint64_t exits[VCPU_EXIT_KINDS];
	struct report_device devices[REPORT_DEVICES];
	unsigned device_count;
	uint64_t console_in; /* bytes */
	uint64_t console_out;
};

/*
 * Prepares the facts about the host, and JSON: behind the door no library may look for a random seed.
 * Before the door is locked.
 */
void report_prepare(struct vm_report *report);

/*
 * The report as it stands, a new reference; NULL without memory. @status below 0: the run is not over.
 * What the machine that runs now has counted is in it only if @report has collected that.
 */
json_t *report_json(const struct vm *vm, const struct vm_report *report, int status);

/* Adds to @report what the machine of @vm has counted so far. Its vCPUs must not run. */
void report_add(const struct vm *vm, struct vm_report *report);

#endif

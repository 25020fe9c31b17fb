/* SPDX-License-Identifier: BSD-2-Clause */
/* The report of a run: facts, times and counters as one JSON object, and the file that it goes to. */
#include "vm/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "base/io.h"
#include "vm/json_text.h"
#include "vm/machine.h"

void report_prepare(struct vm_report *report)
{
	size_t seed = 0;

	/* 0 would make the library look for one by itself, when the first object is made. */
	(void)!getrandom(&seed, sizeof(seed), GRND_NONBLOCK);
	json_object_seed(seed | 1);
	(void)uname(&report->host);
	report->host_cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
}

/* --- counting --- */

/* The row of @dev, which had the same place and name in an earlier boot. */
static struct report_device *device_row(struct vm_report *report, const struct virtio_dev *dev)
{
	for (unsigned i = 0; i < report->device_count; i++) {
		if (strcmp(report->devices[i].name, dev->name) == 0)
			return &report->devices[i];
	}
	if (report->device_count == REPORT_DEVICES)
		return NULL;

	struct report_device *row = &report->devices[report->device_count++];

	memcpy(row->name, dev->name, sizeof(row->name));
	row->type = dev->type->name;
	return row;
}

static void add_device(struct vm_report *report, const struct virtio_dev *dev)
{
	struct report_device *row = device_row(report, dev);

	if (!row)
		return;
	for (unsigned q = 0; q < dev->queue_count; q++) {
		row->counters.chains += dev->queues[q].counters.chains;
		row->counters.bytes_out += dev->queues[q].counters.bytes_out;
		row->counters.bytes_in += dev->queues[q].counters.bytes_in;
	}
	row->interrupts += atomic_load(&dev->interrupts);
}

void report_add(const struct vm *vm, struct vm_report *report)
{
	for (unsigned i = 0; vm->vcpus && i < vm->config->cpus; i++) {
		for (unsigned kind = 0; kind < VCPU_EXIT_KINDS; kind++)
			report->exits[kind] += vm->vcpus[i].exits[kind];
	}
	for (unsigned i = 0; i < vm->device_count; i++)
		add_device(report, vm->devices[i].dev);
	report->console_in += vm->console.bytes_in;
	report->console_out += vm->console.bytes_out;
}

void vm_report_collect(struct vm *vm)
{
	report_add(vm, &vm->report);
}

/* --- JSON: a missing member is a lack of memory; json_*_new frees what it is given --- */

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)u64_min(value, INT64_MAX));
}

static json_t *times_json(const struct vm *vm)
{
	static const char *const names[VM_MOMENTS] = {
		[VM_MOMENT_OPENED] = "files_opened",
		[VM_MOMENT_LOCKED] = "sandbox",
		[VM_MOMENT_VERIFIED] = "verified",
		[VM_MOMENT_BUILT] = "machine_built",
		[VM_MOMENT_LOADED] = "kernel_loaded",
		[VM_MOMENT_ENTERED] = "first_instruction",
		[VM_MOMENT_CONSOLE] = "first_console_byte",
		[VM_MOMENT_INIT] = "init",
		[VM_MOMENT_END] = "machine_ended",
	};
	json_t *times = json_object();

	for (unsigned i = 0; i < VM_MOMENTS; i++) {
		uint64_t ns = atomic_load(&vm->moments[i]);

		/* The step is taken always, and does something only with --verify-key. */
		if (ns && (i != VM_MOMENT_VERIFIED || vm->signed_boot))
			json_object_set_new(times, names[i], number(ns / 1000));
	}
	json_object_set_new(times, "end", number(vm_since_launch(vm) / 1000));
	return times;
}

static json_t *exits_json(const struct vm_report *report)
{
	json_t *exits = json_object();

	for (unsigned kind = 0; kind < VCPU_EXIT_KINDS; kind++) {
		if (report->exits[kind])
			json_object_set_new(exits, vcpu_exit_name(kind),
					    number(report->exits[kind]));
	}
	return exits;
}

static json_t *devices_json(const struct vm_report *report)
{
	json_t *devices = json_array();

	for (unsigned i = 0; i < report->device_count; i++) {
		const struct report_device *row = &report->devices[i];
		json_t *device = json_object();

		json_object_set_new(device, "name", json_text(row->name));
		json_object_set_new(device, "type", json_text(row->type));
		json_object_set_new(device, "requests", number(row->counters.chains));
		json_object_set_new(device, "bytes_from_guest", number(row->counters.bytes_out));
		json_object_set_new(device, "bytes_to_guest", number(row->counters.bytes_in));
		json_object_set_new(device, "interrupts", number(row->interrupts));
		json_array_append_new(devices, device);
	}
	return devices;
}

static json_t *memory_json(const struct vm *vm)
{
	json_t *memory = json_object();
	struct rusage usage;

	json_object_set_new(memory, "guest_bytes", number(vm->config->memory));
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		json_object_set_new(memory, "peak_bytes", number((uint64_t)usage.ru_maxrss * 1024));
	return memory;
}

static json_t *host_json(const struct vm_report *report)
{
	json_t *host = json_object();

	json_object_set_new(host, "system", json_text(report->host.sysname));
	json_object_set_new(host, "release", json_text(report->host.release));
	json_object_set_new(host, "machine", json_text(report->host.machine));
	json_object_set_new(host, "cpus", number(report->host_cpus));
	return host;
}

static json_t *guest_json(const struct vm *vm)
{
	json_t *guest = json_object();

	json_object_set_new(guest, "arch", json_text(arch_name));
	if (vm->config->kernel)
		json_object_set_new(guest, "kernel", json_text(vm->config->kernel));
	if (vm->config->initrd)
		json_object_set_new(guest, "initrd", json_text(vm->config->initrd));
	json_object_set_new(guest, "append", json_text(vm->config->append));
	json_object_set_new(guest, "cpus", number(vm->config->cpus));
	return guest;
}

static void add_line(void *opaque, const char *line)
{
	json_array_append_new(opaque, json_text(line));
}

static json_t *console_json(const struct vm *vm, const struct vm_report *report)
{
	json_t *console = json_object();
	json_t *last = json_array();

	json_object_set_new(console, "bytes_in", number(report->console_in));
	json_object_set_new(console, "bytes_out", number(report->console_out));
	lines_each(&vm->watch.lines, add_line, last);
	json_object_set_new(console, "last_lines", last);
	return console;
}

static void add_end(json_t *json, const struct vm *vm, int status)
{
	/* A run that failed before a machine ran, or of the host's fault, has said why itself. */
	json_object_set_new(json, "why", json_text(vm_end_name(vm_how_it_ended(vm))));
	json_object_set_new(json, "status", json_integer(status));
	if (vm->words[0])
		json_object_set_new(json, "words", json_text(vm->words));
}

json_t *report_json(const struct vm *vm, const struct vm_report *report, int status)
{
	json_t *json = json_object();

	json_object_set_new(json, "report", json_integer(REPORT_SCHEMA));
	json_object_set_new(json, "hvrun", json_text(HVRUN_VERSION));
	if (status >= 0)
		add_end(json, vm, status);
	if (vm->watch.panic.seen)
		json_object_set_new(json, "panic", json_text(vm->watch.panic.why));
	json_object_set_new(json, "boots", number(vm->boots + UINT64_C(1)));
	json_object_set_new(json, "times_us", times_json(vm));
	json_object_set_new(json, "exits", exits_json(report));
	json_object_set_new(json, "devices", devices_json(report));
	json_object_set_new(json, "console", console_json(vm, report));
	json_object_set_new(json, "memory", memory_json(vm));
	json_object_set_new(json, "guest", guest_json(vm));
	json_object_set_new(json, "host", host_json(report));
	return json;
}

/* --- the file --- */

static bool is_named(const struct stat *st, const char *name)
{
	struct stat other;

	return name && stat(name, &other) == 0 && other.st_dev == st->st_dev &&
	       other.st_ino == st->st_ino;
}

/* It is emptied only when it is known to be none of the files that the user named as others. */
static bool is_taken(const struct vm_config *config, const struct stat *st)
{
	bool taken = is_named(st, config->kernel) || is_named(st, config->initrd) ||
		     is_named(st, config->symbols) || is_named(st, config->log) ||
		     is_named(st, config->manifest) || is_named(st, config->verify_key);

	for (size_t i = 0; i < config->disk_count; i++)
		taken = taken || is_named(st, config->disks[i].path) ||
			is_named(st, config->disks[i].verity);
	return taken;
}

int vm_report_open(struct vm *vm)
{
	const char *name = vm->config->report;
	struct stat st;

	if (!name)
		return 0;
	report_prepare(&vm->report);
	vm->report.fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
	if (vm->report.fd < 0 || fstat(vm->report.fd, &st) < 0) {
		diag_error("report %s: cannot open: %s", name, strerror(errno));
		return errno == EISDIR ? VM_STATUS_BAD_IMAGE : VM_STATUS_NO_INPUT;
	}
	if (is_taken(vm->config, &st)) {
		diag_error("report %s: another option names this file; the report would overwrite "
			   "it",
			   name);
		close(vm->report.fd);
		vm->report.fd = -1;
		return VM_STATUS_USAGE;
	}
	/* EINVAL: a terminal, pipe or device has no length to cut. */
	if (ftruncate(vm->report.fd, 0) < 0 && errno != EINVAL) {
		diag_error("report %s: cannot empty it: %s", name, strerror(errno));
		return VM_STATUS_NO_INPUT;
	}
	return 0;
}

void vm_report_write(struct vm *vm, int status)
{
	json_t *json;
	char *text;
	int r = -ENOMEM;

	if (vm->report.fd < 0)
		return;
	json = report_json(vm, &vm->report, status);
	text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
	if (text) {
		r = write_full(vm->report.fd, text, strlen(text));
		if (!r)
			r = write_full(vm->report.fd, "\n", 1);
	}
	if (r < 0)
		diag_error("report %s: cannot write: %s", vm->config->report, strerror(-r));
	free(text);
	json_decref(json);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands of the control socket: one table, a function for each row. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "virtio/devices.h"
#include "vm/control/control.h"
#include "vm/control/machine.h"
#include "vm/core/core.h"
#include "vm/json_text.h"
#include "vm/machine.h"

/* One request under way. */
struct call {
	struct vm *vm;
	struct control_client *client;
	const json_t *args;
	json_t **result;
	char *why; /* CONTROL_WHY_MAX bytes */
};

__attribute__((format(printf, 3, 4))) static int refuse(const struct call *call, int err,
							const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(call->why, CONTROL_WHY_MAX, fmt, args);
	va_end(args);
	return err;
}

static json_t *stats_json(const struct virtio_balloon_info *info)
{
	static const char *const names[VIRTIO_BALLOON_STATS] = {
		"swap_in_bytes",       "swap_out_bytes",   "major_faults",    "minor_faults",
		"free_bytes",	       "total_bytes",	   "available_bytes", "cache_bytes",
		"hugetlb_allocations", "hugetlb_failures", "oom_kills",	      "allocation_stalls",
		"async_scans",	       "direct_scans",	   "async_reclaims",  "direct_reclaims",
	};
	json_t *stats = json_object();
	uint64_t age_us = info->stats_age_ns / 1000;

	for (unsigned i = 0; i < VIRTIO_BALLOON_STATS; i++) {
		if (info->stats_known & UINT32_C(1) << i)
			json_object_set_new(stats, names[i],
					    json_integer((json_int_t)(info->stats[i] & INT64_MAX)));
	}
	json_object_set_new(stats, "age_us", json_integer((json_int_t)age_us));
	return stats;
}

static json_t *balloon_json(struct virtio_dev *dev)
{
	struct virtio_balloon_info info;
	json_t *json = json_object();
	uint64_t given;

	virtio_balloon_look(dev, &info);
	given = info.inflated + info.reported;
	json_object_set_new(json, "driver", json_boolean(info.driver));
	json_object_set_new(json, "target_bytes", json_integer((json_int_t)info.target));
	json_object_set_new(json, "actual_bytes", json_integer((json_int_t)info.actual));
	json_object_set_new(json, "given_back_bytes", json_integer((json_int_t)given));
	json_object_set_new(json, "reported_bytes", json_integer((json_int_t)info.reported));
	if (info.stats_known)
		json_object_set_new(json, "stats", stats_json(&info));
	return json;
}

static int run_status(const struct call *call)
{
	const struct vm *vm = call->vm;
	json_t *json = json_object();

	json_object_set_new(json, "state", json_string(vm->control_paused ? "paused" : "running"));
	json_object_set_new(json, "hvrun", json_string(HVRUN_VERSION));
	json_object_set_new(json, "pid", json_integer(vm->control_pid));
	json_object_set_new(json, "arch", json_string(arch_name));
	json_object_set_new(json, "cpus", json_integer((json_int_t)vm->config->cpus));
	json_object_set_new(json, "memory_bytes", json_integer((json_int_t)vm->config->memory));
	json_object_set_new(json, "boots", json_integer((json_int_t)vm->boots + 1));
	json_object_set_new(json, "time_us",
			    json_integer((json_int_t)(vm_since_launch(vm) / 1000)));
	if (vm->balloon)
		json_object_set_new(json, "balloon", balloon_json(vm->balloon));
	*call->result = json;
	return 0;
}

static int run_pause(const struct call *call)
{
	if (call->vm->control_paused)
		return refuse(call, -EALREADY, "the machine is paused already");
	vm_pause(call->vm);
	call->vm->control_paused = true;
	vm_control_tell(call->vm, "paused", NULL);
	return 0;
}

static int run_resume(const struct call *call)
{
	if (!call->vm->control_paused)
		return refuse(call, -EALREADY, "the machine is not paused");
	call->vm->control_paused = false;
	vm_resume(call->vm);
	vm_control_tell(call->vm, "resumed", NULL);
	return 0;
}

static int run_stop(const struct call *call)
{
	vm_end(call->vm, VM_END_STOP, 0);
	return 0;
}

/* Whatever the guest does, as by the button of a machine. */
static int run_reset(const struct call *call)
{
	if (call->vm->config->exec)
		return refuse(call, -EOPNOTSUPP,
			      "it runs one command, whose input is gone with the first boot");
	if (vm_has_backends(call->vm->config))
		return refuse(
			call, -EOPNOTSUPP,
			"who serves --share, --vhost-user or disks of format qcow2 does so for "
			"one boot");
	call->vm->restart = true;
	vm_end(call->vm, VM_END_RESET, 0);
	return 0;
}

static int run_nmi(const struct call *call)
{
	int r = arch_nmi(call->vm->arch);

	if (r == -ENOTSUP)
		return refuse(call, r, "%s has no interrupt that cannot be masked", arch_name);
	return r < 0 ? refuse(call, r, "the host refuses it: %s", strerror(-r)) : 0;
}

/* A serial console takes a break, then the key; a virtio console of Linux ^O, then the key. */
static int run_sysrq(const struct call *call)
{
	struct vm *vm = call->vm;
	const char *key = json_string_value(json_object_get(call->args, "key"));
	struct serial *serial = vm->arch ? arch_serial(vm->arch) : NULL;
	bool taken;

	if (!key || strlen(key) != 1 || *key <= ' ' || *key > '~')
		return refuse(call, -EINVAL, "\"key\" is one letter or digit, such as h");
	if (vm->config->console == VM_CONSOLE_SERIAL && serial) {
		taken = serial_break(serial) && serial_input(serial, key, 1) == 1;
	} else if (vm->config->console == VM_CONSOLE_VIRTIO) {
		const char keys[2] = { 0x0f, *key };

		taken = vm->console.sink(vm->console.sink_opaque, keys, 2) == 2;
	} else {
		return refuse(call, -ENODEV, "the machine has no console");
	}
	return taken ? 0 : refuse(call, -EAGAIN, "the guest takes no console input now");
}

static int run_console(const struct call *call)
{
	if (call->vm->config->console == VM_CONSOLE_NONE)
		return refuse(call, -ENODEV, "the machine has no console");
	call->client->raw_next = true;
	return 0;
}

static int run_events(const struct call *call)
{
	call->client->events = true;
	return 0;
}

/* Counters of vCPUs are theirs: they rest while they are read. */
static int run_report(const struct call *call)
{
	struct vm_report report = call->vm->report;

	vm_pause(call->vm);
	report_add(call->vm, &report);
	vm_resume(call->vm);
	*call->result = report_json(call->vm, &report, -1);
	return 0;
}

static void core_done(void *opaque, int result, uint64_t written)
{
	struct vm *vm = opaque;
	json_t *json = json_object();

	close(vm->control_core_fd);
	vm->control_core_fd = -1;
	json_object_set_new(json, "bytes_written", json_integer((json_int_t)written));
	control_answer(&vm->control, vm->control_core_client, json,
		       result < 0 ? strerror(-result) : NULL);
	if (result < 0)
		json_decref(json);
}

/* The client has opened the file: what it may write, we may write for it. */
static int run_core(const struct call *call)
{
	struct vm *vm = call->vm;
	struct control_client *client = call->client;
	int r;

	if (client->passed_fd < 0)
		return refuse(call, -EINVAL,
			      "a descriptor of the file must come with the request (SCM_RIGHTS)");
	if (vm->control_core_fd >= 0)
		return refuse(call, -EBUSY, "a core is being written already");
	r = vm_core_start(vm, client->passed_fd, core_done, vm);
	if (r < 0)
		return refuse(call, r, "a core cannot be written now: %s", strerror(-r));
	vm->control_core_fd = client->passed_fd;
	vm->control_core_client = client->serial;
	client->passed_fd = -1;
	return -EINPROGRESS;
}

static int run_balloon(const struct call *call)
{
	const json_t *size = json_object_get(call->args, "size");
	json_int_t bytes = json_integer_value(size);

	if (!call->vm->balloon)
		return refuse(call, -ENODEV, "the machine has none; it starts with --balloon");
	if (!json_is_integer(size) || bytes < 0)
		return refuse(call, -EINVAL, "\"size\" is a number of bytes");
	if (virtio_balloon_set(call->vm->balloon, (uint64_t)bytes) < 0)
		return refuse(call, -ERANGE, "the guest has %" PRIu64 " bytes of memory",
			      call->vm->config->memory);
	*call->result = balloon_json(call->vm->balloon);
	return 0;
}

/* The disk that a client calls vdb, or by the name that it has on the command line. */
static bool find_disk(const struct vm_config *config, const char *name, size_t *index)
{
	for (*index = 0; *index < config->disk_count; ++*index) {
		const char own[] = { 'v', 'd', (char)('a' + *index), '\0' };

		if (strcmp(name, own) == 0 || strcmp(name, config->disks[*index].path) == 0)
			return true;
	}
	return false;
}

static int refuse_resize(const struct call *call, const struct virtio_dev *dev, uint64_t size,
			 int err)
{
	switch (err) {
	case -EINVAL:
		return refuse(call, err, "%" PRIu64 " bytes are not a multiple of 512", size);
	case -ERANGE:
		return refuse(call, err, "it has %" PRIu64 " bytes, and a disk never shrinks",
			      virtio_blk_size(dev));
	case -ENOSPC:
		return refuse(call, err, "the block device has less than %" PRIu64 " bytes", size);
	case -EROFS:
		return refuse(call, err,
			      "its file has less than %" PRIu64 " bytes, and is read-only", size);
	default:
		return refuse(call, err, "%s", strerror(-err));
	}
}

/* Disks come first among the devices, in the order of the command line (vm/devices.c). */
static int run_resize(const struct call *call)
{
	const struct vm *vm = call->vm;
	const char *name = json_string_value(json_object_get(call->args, "disk"));
	const json_t *size = json_object_get(call->args, "size");
	const struct vm_disk_config *disk;
	struct virtio_dev *dev;
	size_t index;
	int r;

	if (!name || !json_is_integer(size) || json_integer_value(size) <= 0)
		return refuse(call, -EINVAL, "\"disk\" is a name, \"size\" a number of bytes");
	if (!find_disk(vm->config, name, &index))
		return refuse(call, -ENOENT,
			      "the machine has no disk %s; it has vda, vdb and so on", name);
	disk = &vm->config->disks[index];
	if (disk->qcow2)
		return refuse(call, -EOPNOTSUPP,
			      "a disk of format qcow2 is not resized while it is used");
	if (disk->cow || disk->verity)
		return refuse(call, -EOPNOTSUPP, "a disk with %s keeps its size",
			      disk->cow ? "cow" : "verity");
	dev = vm->devices[index].dev;
	r = virtio_blk_resize(dev, (uint64_t)json_integer_value(size));
	if (r < 0)
		return refuse_resize(call, dev, (uint64_t)json_integer_value(size), r);
	return 0;
}

struct command {
	struct control_command_info info;
	int (*run)(const struct call *call);
};

static const struct command commands[] = {
	{ { "status", NULL, NULL, "what the machine is and does" }, run_status },
	{ { "pause", NULL, NULL, "its processors rest" }, run_pause },
	{ { "resume", NULL, NULL, "they go on" }, run_resume },
	{ { "stop", NULL, NULL, "end the run, with status 0" }, run_stop },
	{ { "reset", NULL, NULL, "start it again, as by a button" }, run_reset },
	{ { "console", NULL, NULL, "be its console; Ctrl-A x leaves" }, run_console },
	{ { "nmi", NULL, NULL, "interrupt every processor (x86)" }, run_nmi },
	{ { "balloon", "size", "SIZE", "the guest hands over so much memory" }, run_balloon },
	{ { "sysrq", "key", "KEY", "a magic SysRq key, such as h" }, run_sysrq },
	{ { "resize", "disk size", "DISK SIZE", "a disk grows, such as vda to 20G" }, run_resize },
	{ { "core", "file", "FILE", "memory and registers as an ELF core" }, run_core },
	{ { "report", NULL, NULL, "times and counters so far" }, run_report },
	{ { "events", NULL, NULL, "print what happens, until it ends" }, run_events },
};

bool control_command_info(size_t index, struct control_command_info *info)
{
	if (index >= ARRAY_SIZE(commands))
		return false;
	*info = commands[index].info;
	return true;
}

int vm_control_run(void *opaque, struct control_client *client, const char *command,
		   const json_t *args, json_t **result, char *why)
{
	const struct call call = {
		.vm = opaque,
		.client = client,
		.args = args,
		.result = result,
		.why = why,
	};

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].info.name, command) == 0)
			return commands[i].run(&call);
	}
	return refuse(&call, -ENOENT, "there is no such command");
}

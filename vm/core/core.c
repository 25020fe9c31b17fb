/* SPDX-License-Identifier: BSD-2-Clause */
/* Cores of a machine: who asks for one, the thread that writes it, and what is said of it. */
#include "vm/core/core.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "arch/debug.h"
#include "base/diag.h"
#include "base/le.h"
#include "base/lock.h"
#include "base/progress.h"
#include "base/thread.h"
#include "vm/core/elf.h"
#include "vm/core/map.h"
#include "vm/machine.h"

struct vm_core {
	struct vm *vm;
	pthread_t thread;
	int done_fd; /* an eventfd for the loop */

	struct lock lock RANKED(leaf);
	struct cond changed;
	bool busy GUARDED_BY(&lock); /* a core is to be written, or is being written */
	bool leave GUARDED_BY(&lock);
	atomic_bool cancel;

	/* Of the thread while busy, else of the loop's. */
	struct core_state state;
	int fd;
	int result;
	uint64_t written;
	struct progress progress;

	/* Of the loop's thread. */
	vm_core_fn done;
	void *opaque;
	bool at_end; /* it is --core's */
};

/* Whether cores can be asked for in this run: --core, or another option that offers them. */
static bool is_wanted(const struct vm *vm)
{
	return vm->config->core || vm->config->control;
}

static void *writer(void *arg)
{
	struct vm_core *core = arg;
	const uint64_t one = 1;
	bool leave;

	(void)prctl(PR_SET_NAME, "hvrun-core");
	leave = thread_guard_enter(&core->vm->sandbox.guard, THREAD_HELPER) < 0;
	lock_take(&core->lock);
	core->leave = core->leave || leave;
	for (;;) {
		while (!core->busy && !core->leave)
			lock_wait(&core->lock, &core->changed);
		leave = !core->busy;
		lock_drop(&core->lock);
		if (leave)
			return NULL;
		core->result = core_write(core->vm->mem, &core->state, core->fd, &core->cancel,
					  &core->written, &core->progress);
		progress_end(&core->progress);
		lock_take(&core->lock);
		core->busy = false;
		cond_broadcast(&core->changed);
		while (write(core->done_fd, &one, sizeof(one)) < 0 && errno == EINTR)
			;
	}
}

/* Registers and the kernel's mappings. No vCPU runs. */
static void take_state(struct vm_core *core)
{
	struct vm *vm = core->vm;
	struct core_state *state = &core->state;

	memset(state, 0, sizeof(*state));
	state->machine = arch_elf_machine;
	state->cpus = vm->config->cpus;
	for (unsigned i = 0; i < state->cpus; i++) {
		int n = arch_core_regs(&vm->vcpus[i], state->regs[i]);

		if (n > 0)
			state->regs_size = (unsigned)n;
		core_map_vcpu(vm->mem, &vm->vcpus[i], state);
	}
	for (unsigned i = 0; i < state->cpus; i++)
		core_map_stack(&vm->vcpus[i], le64_load(state->regs[i] + arch_core_sp), state);
}

static bool is_busy(struct vm_core *core)
{
	bool busy;

	lock_take(&core->lock);
	busy = core->busy;
	lock_drop(&core->lock);
	return busy;
}

static void begin(struct vm_core *core, int fd)
{
	take_state(core);
	core->fd = fd;
	progress_begin(&core->progress, core->at_end && core->vm->config->verbosity >= 0,
		       "writing core", core->vm->config->core, core->vm->config->memory);
	core->result = -EPERM; /* the thread could not begin, which was said */
	lock_take(&core->lock);
	core->busy = !core->leave;
	cond_broadcast(&core->changed);
	lock_drop(&core->lock);
}

static void wait_for(struct vm_core *core)
{
	lock_take(&core->lock);
	while (core->busy)
		lock_wait(&core->lock, &core->changed);
	lock_drop(&core->lock);
}

static void on_done(void *opaque)
{
	struct vm_core *core = opaque;
	vm_core_fn done = core->done;

	if (!done || is_busy(core))
		return;
	core->done = NULL;
	vm_resume(core->vm);
	done(core->opaque, core->result, core->written);
}

int vm_core_start(struct vm *vm, int fd, vm_core_fn done, void *opaque)
{
	struct vm_core *core = vm->core;

	if (!core)
		return -ENOTSUP;
	if (core->done || is_busy(core))
		return -EBUSY;
	vm_pause(vm);
	core->done = done;
	core->opaque = opaque;
	begin(core, fd);
	return 0;
}

static void result_words(const struct vm_core *core, char *words, size_t size)
{
	if (core->result == 0)
		snprintf(words, size, "core %s: written, %" PRIu64 " KiB of memory in it",
			 core->vm->config->core, core->written >> 10);
	else if (core->result == -ESPIPE || core->result == -ENODEV)
		snprintf(words, size, "core %s: this is no regular file; a core has holes",
			 core->vm->config->core);
	else
		snprintf(words, size, "core %s: cannot be written: %s", core->vm->config->core,
			 strerror(-core->result));
}

void vm_core_save_named(struct vm *vm, char *words, size_t size)
{
	struct vm_core *core = vm->core;

	if (!core || vm->core_fd < 0) {
		snprintf(words, size, "no file was named by --core when the machine was started");
		return;
	}
	if (core->done || is_busy(core)) {
		snprintf(words, size, "a core is being written already");
		return;
	}
	vm_pause(vm);
	begin(core, vm->core_fd);
	wait_for(core);
	vm_resume(vm);
	result_words(core, words, size);
}

void vm_core_at_end(struct vm *vm)
{
	enum vm_end how = vm_how_it_ended(vm);
	struct vm_core *core = vm->core;

	if (!core || vm->core_fd < 0 || (how != VM_END_PANIC && how != VM_END_CRASH))
		return;
	wait_for(core); /* one that was asked for before the end goes first */
	core->at_end = true;
	begin(core, vm->core_fd);
}

static void destroy(struct vm_core *core)
{
	if (core->done_fd >= 0)
		close(core->done_fd);
	cond_destroy(&core->changed);
	lock_destroy(&core->lock);
	free(core);
}

int vm_core_prepare(struct vm *vm)
{
	struct vm_core *core;
	int r;

	if (!is_wanted(vm))
		return 0;
	core = calloc(1, sizeof(*core));
	if (!core) {
		diag_error("core: no memory to prepare for it");
		return -ENOMEM;
	}
	core->vm = vm;
	lock_init(&core->lock, LOCK_RANK_LEAF, "core");
	cond_init(&core->changed);
	core->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = core->done_fd < 0 ? -errno : loop_add_eventfd(vm->loop, core->done_fd, on_done, core);
	if (!r)
		r = thread_start(&core->thread, 0, 0, writer, core);
	if (r < 0) {
		diag_error("core: cannot prepare for it: %s", strerror(-r));
		destroy(core);
		return r;
	}
	vm->core = core;
	return 0;
}

void vm_core_finish(struct vm *vm)
{
	struct vm_core *core = vm->core;
	char words[200];

	if (!core)
		return;
	/* One that was asked for by somebody who is gone now is not worth waiting for. */
	if (!core->at_end)
		atomic_store(&core->cancel, true);
	lock_take(&core->lock);
	core->leave = true;
	cond_broadcast(&core->changed);
	lock_drop(&core->lock);
	pthread_join(core->thread, NULL);
	if (core->done)
		core->done(core->opaque, core->result, core->written);
	if (core->at_end) {
		result_words(core, words, sizeof(words));
		if (core->result < 0)
			diag_error("%s", words);
		else if (vm->config->verbosity >= 0)
			diag_note("%s", words);
	}
	destroy(core);
	vm->core = NULL;
}

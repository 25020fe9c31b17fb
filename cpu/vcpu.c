/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's life: created, run by its thread until told to stop, joined, destroyed. */
#include "cpu/vcpu.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/thread.h"

enum { KICK_SIGNAL = SIGUSR1 };

int vcpu_create(struct vcpu *vcpu, const struct vcpu_env *env, unsigned index)
{
	*vcpu = (struct vcpu){ .env = env, .index = index, .fd = -1 };

	vcpu->fd = ioctl(env->kvm->vm_fd, KVM_CREATE_VCPU, (unsigned long)index);
	if (vcpu->fd < 0) {
		int err = -errno;

		diag_error("vcpu %u: KVM cannot create it: %s", index, strerror(-err));
		return err;
	}

	void *run = mmap(NULL, env->kvm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);

	if (run == MAP_FAILED) {
		int err = -errno;

		diag_error("vcpu %u: cannot map its state: %s", index, strerror(-err));
		return err;
	}
	vcpu->run = run;
	return 0;
}

void vcpu_destroy(struct vcpu *vcpu)
{
	if (vcpu->run)
		munmap(vcpu->run, vcpu->env->kvm->run_size);
	if (vcpu->fd >= 0)
		close(vcpu->fd);
	vcpu->run = NULL;
	vcpu->fd = -1;
}

enum vcpu_next vcpu_tell_end(struct vcpu *vcpu, enum vcpu_end why)
{
	vcpu->env->ended(vcpu->env->opaque, vcpu, why);
	return VCPU_STOP;
}

/* KVM_RUN itself failed with @err: say it, with what can be known. */
static enum vcpu_next run_failed(struct vcpu *vcpu, int err)
{
	const char *words = vcpu->env->arch_run_words(err);

	if (words)
		diag_error("vcpu %u: %s", vcpu->index, words);
	else if (err == EFAULT)
		diag_error("vcpu %u: the guest ran into memory that the host cannot give "
			   "(out of memory, or a file of --pmem was cut)",
			   vcpu->index);
	else
		diag_error("vcpu %u: KVM cannot run it: %s", vcpu->index, strerror(err));
	vcpu->env->arch_dump(vcpu);
	return vcpu_tell_end(vcpu, words ? VCPU_END_CRASH : VCPU_END_HOST);
}

/*
 * One stay in the guest. With immediate_exit KVM_RUN completes what the last exit left to complete (a
 * register's value on its way to the guest), perhaps with one more exit, and then answers EINTR: only
 * after that a vCPU that was asked out is at rest.
 */
static enum vcpu_next run_once(struct vcpu *vcpu)
{
	int r = ioctl(vcpu->fd, KVM_RUN, 0);

	if (r < 0 && (errno == EINTR || errno == EAGAIN)) {
		if (atomic_load_explicit(&vcpu->asked_out, memory_order_acquire))
			vcpu_gate_pass(vcpu);
		return VCPU_AGAIN;
	}
	if (r < 0)
		return run_failed(vcpu, errno);
	return vcpu_handle_exit(vcpu);
}

/*
 * A stop request sets `stop` and immediate_exit, then signals. Wherever the thread is then, it does
 * not stay in the guest: before KVM_RUN, immediate_exit turns it back; inside, the signal does.
 */
static void run_until_told(struct vcpu *vcpu)
{
	while (!atomic_load_explicit(&vcpu->stop, memory_order_acquire)) {
		if (run_once(vcpu) == VCPU_STOP)
			return;
	}
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *vcpu = arg;
	char name[16];

	snprintf(name, sizeof(name), "hvrun-vcpu%u", vcpu->index % 10000);
	(void)prctl(PR_SET_NAME, name);
	if (vcpu->env->entering(vcpu->env->opaque, vcpu) == 0) {
		vcpu_gate_pass(vcpu);
		run_until_told(vcpu);
	}
	vcpu_gate_leave(vcpu->env->gate);
	return NULL;
}

int vcpu_start(struct vcpu *vcpu)
{
	vcpu_gate_enter(vcpu->env->gate);

	/* It takes the kick and nothing else: all other signals belong to the main loop. */
	int r = thread_start(&vcpu->thread, THREAD_STACK, KICK_SIGNAL, vcpu_thread, vcpu);

	if (r) {
		vcpu_gate_leave(vcpu->env->gate);
		diag_error("vcpu %u: cannot start its thread: %s", vcpu->index, strerror(-r));
		return r;
	}
	vcpu->started = true;
	return 0;
}

void vcpu_ask_out(struct vcpu *vcpu)
{
	atomic_store_explicit(&vcpu->asked_out, true, memory_order_release);
	if (!vcpu->started)
		return; /* its thread passes the gate first */
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_RELEASE);
	pthread_kill(vcpu->thread, KICK_SIGNAL);
}

void vcpu_stop(struct vcpu *vcpu)
{
	struct vcpu_gate *gate = vcpu->env->gate;

	if (!vcpu->started)
		return;
	lock_take(&gate->lock);
	atomic_store_explicit(&vcpu->stop, true, memory_order_release);
	vcpu_ask_out(vcpu);
	cond_broadcast(&gate->opened);
	lock_drop(&gate->lock);
}

void vcpu_join(struct vcpu *vcpu)
{
	if (!vcpu->started)
		return;
	pthread_join(vcpu->thread, NULL);
	vcpu->started = false;
}

/* What firmware stopped (arm64, riscv64) keeps its place; what it never started has none. */
bool vcpu_never_started(const struct vcpu *vcpu, uint64_t pc)
{
	struct kvm_mp_state state;

	if (ioctl(vcpu->fd, KVM_GET_MP_STATE, &state) < 0)
		return false;
	switch (state.mp_state) {
	case KVM_MP_STATE_UNINITIALIZED:
	case KVM_MP_STATE_INIT_RECEIVED:
		return true;
	case KVM_MP_STATE_STOPPED:
		return pc == 0;
	default:
		return false;
	}
}

static void on_kick(int sig)
{
	(void)sig;
}

int vcpu_prepare_process(void)
{
	struct sigaction action = { .sa_handler = on_kick };

	sigemptyset(&action.sa_mask);
	return sigaction(KICK_SIGNAL, &action, NULL) < 0 ? -errno : 0;
}

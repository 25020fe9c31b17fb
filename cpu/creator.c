/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread that waits for KVM_CREATE_VM. */
#include "cpu/creator.h"

#include <signal.h>
#include <time.h>

#include "base/signals.h"

enum { STACK_SIZE = 128 * 1024 };

static void *run(void *opaque)
{
	struct kvm_creator *creator = opaque;

	creator->answer = kvm_request_vm(creator->sys_fd, creator->type);
	atomic_store_explicit(&creator->done, true, memory_order_release);
	return NULL;
}

static bool start(struct kvm_creator *creator)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int err;

	if (pthread_attr_init(&attr) != 0)
		return false;
	signals_fill(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (err == 0)
		err = pthread_create(&creator->thread, &attr, run, creator);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attr);
	return err == 0;
}

void kvm_create_begin(struct kvm_creator *creator, const struct kvm *kvm, unsigned long type,
		      bool apart)
{
	creator->sys_fd = kvm->sys_fd;
	creator->type = type;
	creator->begun = true;
	atomic_store(&creator->done, false);
	creator->has_thread = apart && start(creator);
	if (!creator->has_thread)
		(void)run(creator);
}

bool kvm_create_done(const struct kvm_creator *creator)
{
	return !creator->begun || atomic_load_explicit(&creator->done, memory_order_acquire);
}

void kvm_create_give_way(void)
{
	const struct timespec moment = { .tv_nsec = 1 };

	(void)nanosleep(&moment,
			NULL); /* yielding would not do: it goes on at once where nobody waits */
}

int kvm_create_end(struct kvm_creator *creator, struct kvm *kvm)
{
	if (!creator->begun)
		return 0;
	if (creator->has_thread)
		(void)pthread_join(creator->thread, NULL);
	creator->begun = false;
	return kvm_adopt_vm(kvm, creator->answer);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread that waits for KVM_CREATE_VM. */
#include "cpu/creator.h"

#include <time.h>

#include "base/thread.h"

static void request(struct kvm_creator *creator)
{
	creator->answer = kvm_request_vm(creator->sys_fd, creator->type);
	atomic_store_explicit(&creator->done, true, memory_order_release);
}

static void *run(void *opaque)
{
	(void)pthread_setname_np(pthread_self(), "hvrun-create");
	request(opaque);
	return NULL;
}

void kvm_create_begin(struct kvm_creator *creator, const struct kvm *kvm, unsigned long type,
		      bool apart)
{
	creator->sys_fd = kvm->sys_fd;
	creator->type = type;
	creator->begun = true;
	atomic_store(&creator->done, false);
	creator->has_thread = apart &&
			      thread_start(&creator->thread, THREAD_STACK, 0, run, creator) == 0;
	if (!creator->has_thread)
		request(creator);
}

bool kvm_create_done(const struct kvm_creator *creator)
{
	return !creator->begun || atomic_load_explicit(&creator->done, memory_order_acquire);
}

void kvm_create_give_way(void)
{
	const struct timespec moment = { .tv_nsec = 1 };

	/* To yield would not do: it goes on at once where nobody else is ready. */
	(void)nanosleep(&moment, NULL);
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

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM_CREATE_VM on a thread of its own, while the caller does what needs no VM.
 *
 * Some kernels sleep in it for an RCU grace period: on x86 Linux 6.1 starts a worker there (against huge
 * pages that a guest may not execute) and moves it into cgroups, which takes 8 to 12 ms. The thread lives from
 * kvm_create_begin to kvm_create_end, has the list of system calls of the whole process, and makes this one
 * request. All functions here are the main thread's.
 */
#ifndef CPU_CREATOR_H
#define CPU_CREATOR_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "cpu/kvm.h"

struct kvm_creator {
	int sys_fd; /* constant from here on while the thread runs */
	unsigned long type;
	bool begun, has_thread;
	pthread_t thread;
	int answer; /* the VM's descriptor or -errno: the thread's until it is done */
	atomic_bool done;
};

/*
 * Begins to create the VM of machine type @type, of which kvm_create_end tells; nothing else is asked of @kvm
 * meanwhile. Without @apart, or where no thread can be had, it is done on return. @creator is zeroed before the
 * first time.
 */
void kvm_create_begin(struct kvm_creator *creator, const struct kvm *kvm, unsigned long type,
		      bool apart);

/*
 * Whether kvm_create_end has nothing to wait for. On a host with one CPU the grace period passes only when
 * nobody works for a moment: who has work to do meanwhile gives way (kvm_create_give_way) between its
 * pieces as long as this is false.
 */
bool kvm_create_done(const struct kvm_creator *creator);
void kvm_create_give_way(void);

/* Waits for the VM, which @kvm owns then. 0 or -errno, said in words. 0 and nothing done if none was begun. */
int kvm_create_end(struct kvm_creator *creator, struct kvm *kvm);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The state of one machine, shared by the files of vm/ and by nobody else. */
#ifndef VM_MACHINE_H
#define VM_MACHINE_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "arch/arch.h"
#include "cpu/creator.h"
#include "cpu/kvm.h"
#include "cpu/vcpu.h"
#include "hw/bus.h"
#include "hw/irq.h"
#include "hw/loop.h"
#include "mm/memory.h"
#include "virtio/device.h"
#include "virtio/disk.h"
#include "virtio/disk_cow.h"
#include "virtio/mmio.h"
#include "virtio/pci.h"
#include "vm/config.h"
#include "vm/console/console.h"
#include "vm/console/port.h"
#include "vm/console/watch.h"
#include "vm/control/control.h"
#include "vm/daemon/backends.h"
#include "vm/daemon/remover.h"
#include "vm/exec/exec.h"
#include "vm/net.h"
#include "vm/report.h"
#include "vm/sandbox/sandbox.h"
#include "vm/vsock.h"

enum { VM_MAX_DEVICES = 16 };

/* How the run ended; the first cause counts. */
enum vm_end {
	VM_END_NONE,
	VM_END_POWEROFF,
	VM_END_RESET,
	VM_END_GUEST_STATUS, /* the exit device */
	VM_END_CRASH,	     /* triple fault and the like */
	VM_END_HOST,	     /* the host could not go on; said already */
	VM_END_DEFECT,	     /* an exit we should have known; said already */
	VM_END_SIGNAL,	     /* hvrun was asked to end by a signal */
	VM_END_USER,	     /* Ctrl-A x */
	VM_END_PANIC,	     /* the guest's kernel said so */
	VM_END_TIMEOUT,
	VM_END_UNTIL, /* a line of the console matched */
	VM_END_FAIL_ON,
	VM_END_STOP,	 /* by the control socket */
	VM_END_DEBUGGER, /* gdb's kill */
};

/* Steps of a run whose time is kept, in their order. */
enum vm_moment {
	VM_MOMENT_OPENED,
	VM_MOMENT_LOCKED,
	VM_MOMENT_VERIFIED,
	VM_MOMENT_BUILT,
	VM_MOMENT_LOADED,
	VM_MOMENT_ENTERED, /* the first vCPU is about to run */
	VM_MOMENT_CONSOLE, /* the first byte that the guest printed has come to us */
	VM_MOMENT_INIT,	   /* the line by which the guest's kernel starts its first program */
	VM_MOMENT_END,
	VM_MOMENTS,
};

struct signed_boot;
struct vm_core;
struct vm_gdb;

/* A file that was opened before the door was locked; nothing of it is read yet. */
struct vm_file {
	int fd; /* -1: not named */
	const char *name;
	uint64_t size; /* bytes, of regular files */
};

/* A kernel in memory: in the guest's RAM, or in a mapping of our own. */
struct vm_image {
	uint8_t *data; /* NULL: not read, or forgotten */
	size_t size;
	bool ours; /* to be unmapped */
};

/* A virtio device with its place on the board. */
struct vm_device {
	struct virtio_dev *dev;
	struct virtio_mmio *mmio; /* one of the two, or none yet */
	struct virtio_pci *pci;
	struct irq_line irq;
};

struct vm {
	const struct vm_config *config;

	struct vm_file kernel;
	struct vm_file initrd;
	struct vm_file disks[VM_MAX_DISKS];
	struct vm_file disk_trees[VM_MAX_DISKS]; /* of hashes, for disks that are verified */
	struct vm_file overlays[VM_MAX_DISKS];	 /* of disks that say cow */
	struct cow_map *cow_maps[VM_MAX_DISKS];	 /* what these hold; kept over a reset */
	bool only_verified;			 /* hvrun verify: disks that are not stay closed */
	struct signed_boot *signed_boot;	 /* vm/signed/signed.h; NULL: nothing is verified */
	struct vm_port ports[VM_MAX_PORTS];	 /* config->port_count of them */
	struct exec_watch exec;			 /* of the loop; with config->exec */
	struct vm_net nets[VM_MAX_NETS];
	struct vm_backend backends[VM_MAX_BACKENDS];
	unsigned backend_count;
	int share_fd; /* the file of guest memory that they are handed, -1: none */
	int log_fd;
	int core_fd;   /* of --core, -1: none */
	int tree_fd;   /* for a copy of the device tree, -1: none */
	int signal_fd; /* signals that end the run */
	int window_fd; /* the terminal's size has changed */
	int end_fd; /* readable after an end that cuts output off, to the next boot; never read */
	struct remover remover; /* of sockets' names */
	struct vm_file symbols;
	struct vm_report report;

	struct control control; /* vm/control/machine.h; without --control nobody ever connects */
	bool control_paused;	/* by a client */
	bool restart;		/* a client asked for a reset */
	bool stuck;	     /* something is in flight that does not end: nothing is taken down */
	pid_t control_pid;   /* ours, as seen outside */
	int control_core_fd; /* a core that a client asked for, -1: none */
	uint64_t control_core_client;

	struct sandbox sandbox;
	struct kvm kvm;
	struct kvm_creator creator; /* of its VM */
	struct vm_image image;	    /* the kernel, from vm_read_kernel to vm_load */
	struct guest_mem *mem;
	struct bus *bus;
	struct loop *loop;
	struct arch *arch;
	struct console console;
	struct watch watch; /* of the loop; read when it has ended */
	struct loop_timer *quiet_timer;
	struct virtio_pci_board pci_board; /* with --virtio pci */
	struct vm_device devices[VM_MAX_DEVICES];
	unsigned device_count;
	struct virtio_dev *virtio_ports;   /* the device of the named ports, or NULL */
	struct virtio_dev *virtio_console; /* one of devices, or NULL */
	struct vm_file pmems[VM_MAX_PMEMS];
	uint64_t pmem_at[VM_MAX_PMEMS]; /* gpa, once they are mapped */
	struct vm_vsock vsock;
	struct virtio_dev *balloon; /* one of devices, or NULL */

	struct vcpu_env vcpu_env;
	struct vcpu_gate gate;
	struct vm_core *core; /* vm/core/core.h; NULL: nobody may ask for one */
	struct vm_gdb *gdb;   /* vm/gdb/gdb.h; NULL: no debugger is asked for */
	struct vcpu *vcpus;   /* config->cpus of them, or NULL */

	/* enum vm_end in the low byte, status above: set once by whoever ends the run. */
	atomic_uint end;
	unsigned boots;	     /* after the first one */
	atomic_bool entered; /* the first vCPU was about to run */
	/* Nanoseconds since launch, 0: not reached (yet). */
	_Atomic uint64_t moments[VM_MOMENTS];
	char words[512]; /* how the run ended, as it was said; vm/end.c */
};

/* vm/files.c: no file of @vm is open yet. */
void vm_name_nothing(struct vm *vm);

/* vm/files.c: opens what @vm->config names. 0, or an exit status with the reason said. */
int vm_open_files(struct vm *vm);

/* The part of it that hvrun only reads, and disks; and the disks alone. */
int vm_open_inputs(struct vm *vm);
int vm_open_disks(struct vm *vm);

/* Opens the regular file @name, which is a @what ("kernel"), to read it; nothing if it is open already. */
int vm_open_image(const char *what, const char *name, struct vm_file *file);

/*
 * vm/signed/verify.c: reads and verifies what --verify-key asks for. On return, what boots is the bytes in
 * vm->signed_boot. 0, or an exit status with the reason said.
 */
int vm_verify(struct vm *vm);

/* Whether error @err (-errno) is the host's lack of descriptors or memory: status 71, not 69 or 66. */
bool vm_is_shortage(int err);
void vm_close_files(struct vm *vm);

/*
 * A descriptor of @file for the device that is made from it and closes it: the file's own, or a copy
 * where the machine may be built once more. -errno; nothing is said.
 */
int vm_lend_file(const struct vm *vm, struct vm_file *file);

/*
 * vm/pmem.c: opens the files of --pmem; 0 or an exit status. What they add to the size of the guest's address
 * space, at most. Maps them, when all else is in vm->mem, and makes the device of one; 0 or -errno. All say
 * their errors.
 */
int vm_open_pmems(struct vm *vm);
uint64_t vm_pmem_size(const struct vm *vm);
int vm_map_pmems(struct vm *vm);
int vm_create_pmem(struct vm *vm, unsigned index);

/*
 * vm/memory.c: whether the host has the huge pages that are wanted, and which of its nodes memory is taken
 * from, while both can be asked. Before the door. 0, or an exit status with the reason said.
 */
int vm_open_memory(const struct vm *vm);

/* Bytes of the kernel that are read at a time beside KVM_CREATE_VM; a smaller one is not worth a thread. */
enum { VM_READ_PIECE = 512 * 1024 };

/*
 * vm/read.c: reads the kernel, once, while KVM makes the machine: vm->image, in memory of its own or in its
 * place in the guest's. 0, or an exit status with the reason said. vm_forget_kernel gives the former back.
 */
int vm_read_kernel(struct vm *vm);
void vm_forget_kernel(struct vm *vm);

/*
 * vm/load.c: has what is in the kernel, the initrd and the guest's tables put into its memory. 0, or an exit
 * status with the reason said.
 */
int vm_load(struct vm *vm);

/* vm/place.c: the slot in which the guest reads the virtio windows' registers. 0 or -errno, said. */
int vm_map_windows(struct vm *vm);

/*
 * vm/place.c: puts @dev, which the machine owns from now on whatever comes back, in its place on the board.
 * 0 or -errno, said.
 */
int vm_place(struct vm *vm, struct virtio_dev *dev);

/* vm/place.c: away with all devices and their places. */
void vm_unplace_all(struct vm *vm);

/* vm/devices.c: the one list of virtio devices. 0, or an exit status with the reason said. */
int vm_create_devices(struct vm *vm);

/* Opens what is behind disk @index, whose descriptors it takes. 0 or -errno, said. */
int vm_open_disk(struct vm *vm, unsigned index, struct disk **out);

/* The device of disk @index, which is no qcow2 image; it has no place yet. 0 or -errno, said. */
int vm_make_disk(struct vm *vm, unsigned index, struct virtio_dev **out);
void vm_destroy_devices(struct vm *vm);

/* vm/run.c: the vCPUs, before devices, until those are gone. 0, or an exit status, said. */
int vm_create_vcpus(struct vm *vm);
void vm_destroy_vcpus(struct vm *vm);

/* vm/run.c: vCPU threads and main loop, until the end. 0, or an exit status with the reason said. */
int vm_run_vcpus(struct vm *vm);

/*
 * vm/pause.c: all vCPUs leave the guest and wait. On return none runs, and what the guest had begun
 * (an access to a device) is complete: their registers may be read and written by KVM's requests on
 * their descriptors, from this thread. Devices go on: requests that the guest made may still change
 * its memory. Pauses are counted: each is undone by one vm_resume, and the guest runs when all are.
 *
 * On the loop's thread, from a callback of its own (timer, socket), never from a device's or with a
 * lock held: vCPU threads may wait for the loop, so their calls are served meanwhile. Before the vCPUs
 * start it makes them wait before their first instruction; after the run's end it does nothing. A
 * vCPU that has ended counts as waiting, and so does one that vcpu_gate_hold holds. It takes as long
 * as the slowest exit under way, microseconds as a rule.
 */
void vm_pause(struct vm *vm);

/*
 * struct virtio_dev's hold and let_go; @opaque is the vm. A vCPU whose access the loop serves waits at the gate until
 * *@draining is false, while the loop goes on.
 */
void vm_hold_caller(void *opaque, const atomic_bool *draining);
void vm_let_go(void *opaque);
void vm_resume(struct vm *vm);

/*
 * vm/settle.c: resets all devices and waits until nothing of them is in flight any more; no vCPU runs, nor the loop. If
 * the machine is to start again, as long as it takes; else for some seconds. False when that was in vain or a signal
 * came, with the reason said: then threads may be in the midst of guest memory, and nothing is to be taken down.
 */
bool vm_settle(struct vm *vm, bool again);

/*
 * Those that end a run: SIGTERM, SIGINT, and SIGHUP unless it was ignored when we were started (nohup). SIGINT counts
 * even so: a shell has what it does not wait for ignore it, and whoever sends it to us means us.
 */
void vm_ending_signals(sigset_t *set);

/* vm/run.c: a signal has come that ends the run. Loop thread; matches loop_fd_fn, @opaque is the vm. */
void vm_on_signal(void *opaque, uint32_t events);

/* vm/moments.c: nanoseconds since main() began. Any thread. */
uint64_t vm_since_launch(const struct vm *vm);

/* vm/run.c: ends the run if the console's lines say so. Loop thread. */
void vm_judge_console(struct vm *vm);

/* vm/vm.c: what the guest prints, by whatever device. Loop thread; matches serial_out_fn. */
void vm_guest_output(void *opaque, const void *data, size_t len);

/* vm/vm.c: its console takes input again, whoever has some. Loop thread; matches loop_fn. */
void vm_input_room(void *opaque);

/*
 * vm/moments.c: keeps the time of @moment, the first one if it comes again, and with -v says @what
 * (NULL: nothing) and that time. Any thread.
 */
void vm_mark(struct vm *vm, enum vm_moment moment, const char *what);

/*
 * vm/end.c: the last word, when all threads have ended: how the run ended in one line, kept in
 * vm->words too, with what helps to understand a bad end. The exit status.
 */
int vm_say_end(struct vm *vm);

/*
 * vm/report.c: opens --report's file, before all others, since it is written also when those cannot be
 * opened; 0 or an exit status, said. Adds what the machine counted before it is torn down. Writes
 * the file, if one was named: the run is over with @status.
 */
int vm_report_open(struct vm *vm);
void vm_report_collect(struct vm *vm);
void vm_report_write(struct vm *vm, int status);

/* How the run ended, what the console told considered. */
enum vm_end vm_how_it_ended(const struct vm *vm);

/* "poweroff", "panic", ...: the name of @end in reports. */
const char *vm_end_name(enum vm_end end);

/* The run is over because of @why; only the first call counts. Any thread. */
void vm_end(struct vm *vm, enum vm_end why, unsigned status);

#endif

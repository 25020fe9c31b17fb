/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one table of the sandbox: which threads may make which system call with which arguments, for
 * which feature, and why. The filters (vm/sandbox/bpf.h), `hvrun doctor --sandbox` and the list in
 * docs/security.md come from it.
 */
#ifndef VM_SANDBOX_TABLE_H
#define VM_SANDBOX_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Classes of threads. From the door on, the process has the union of all; each thread then takes its
 * own list in addition, and what is on both remains.
 */
enum sandbox_class {
	SANDBOX_BUILD, /* main thread from the door to the first entry; every thread's first steps */
	SANDBOX_LOOP,  /* main thread from then on: devices, console, signals, the end */
	SANDBOX_VCPU,  /* one per vCPU */
	SANDBOX_IO,    /* threads of disks */
	SANDBOX_HELPER, /* other threads that work beside the loop */
	SANDBOX_CLASSES,
};

enum { SANDBOX_ALL = (1 << SANDBOX_CLASSES) - 1 };

/* What the user asked for that needs more calls; bits. */
enum sandbox_feature {
	SANDBOX_IO_URING = 1 << 0, /* --io-uring */
	SANDBOX_AGAIN = 1 << 1,	   /* --reboot */
	SANDBOX_ACCEPT = 1 << 2,   /* a socket that we listen on: --port NAME,socket= */
	SANDBOX_GDB = 1 << 3,	   /* --gdb */
	SANDBOX_TAP = 1 << 4,	   /* --net tap=NAME */
	SANDBOX_BACKEND = 1 << 5,  /* devices that other processes serve: --share and the like */
	SANDBOX_REPORT = 1 << 6,   /* --report */
	SANDBOX_CONTROL = 1 << 7,  /* --control */
	SANDBOX_CORE = 1 << 8,	   /* --core */
	SANDBOX_BALLOON = 1 << 9,  /* --balloon */
	SANDBOX_VSOCK = 1 << 10,   /* --vsock */
	SANDBOX_PCI = 1 << 11,	   /* --virtio pci */
	SANDBOX_SERVE = 1 << 12,   /* hvrun backend: a device for another VMM */
};

/* What an argument is compared with. */
enum sandbox_than {
	SANDBOX_THAN_VALUE, /* a constant */
	SANDBOX_THAN_PID,   /* our process */
	SANDBOX_THAN_TID,   /* the calling thread */
	SANDBOX_THAN_VCPU,  /* the calling thread's own vCPU descriptor */
	SANDBOX_THAN_VM,    /* the machine's descriptor */
};

/*
 * The low 32 bits of argument @arg, masked, are @value. That is all the kernel looks at in the calls
 * of the table. A mask of 0 ends a row's checks.
 */
struct sandbox_check {
	uint8_t arg;
	uint8_t than; /* enum sandbox_than */
	uint32_t mask;
	uint32_t value;
};

enum { SANDBOX_CHECKS = 2 };

struct sandbox_row {
	int number;	   /* below 0: this architecture has no such call */
	uint16_t in;	   /* on the lists of these classes: bits 1 << SANDBOX_... */
	uint16_t features; /* 0: always; else any of them */
	int refusal;	   /* 0: allowed; else the call is refused with this errno and no report */
	struct sandbox_check checks[SANDBOX_CHECKS]; /* all must hold */
	const char *name;
	const char *only; /* the checks in words; NULL: any arguments */
	const char *why;
};

/* Who asks: what the checks compare with. A descriptor or id below 0 is unknown: it is not checked. */
struct sandbox_who {
	unsigned classes;  /* bits: 1 << SANDBOX_... */
	unsigned features; /* bits */
	bool everywhere;   /* only what every class has, whatever the arguments */
	pid_t pid, tid;
	int vcpu_fd, vm_fd;
};

/* Row @index in *@row, those of this architecture last; false behind the last. */
bool sandbox_row(size_t index, struct sandbox_row *row);

/* Whether row @index belongs to this architecture only. */
bool sandbox_row_is_arch(size_t index);

/* Whether @row is on the list of @who. */
bool sandbox_row_applies(const struct sandbox_row *row, const struct sandbox_who *who);

/* What check @check of a row means for @who: *@value to compare with. False: nothing to check. */
bool sandbox_check_value(const struct sandbox_check *check, const struct sandbox_who *who,
			 uint32_t *value);

/*
 * What the table says of a call by @who: 0 allowed, -errno refused with it, 1 a violation. What the
 * filters do, in plain words: tests compare the two, and --sandbox log asks here.
 */
int sandbox_judge(const struct sandbox_who *who, int number, const uint64_t args[6]);

/* "loop" and the like. */
const char *sandbox_class_name(enum sandbox_class which);

#endif

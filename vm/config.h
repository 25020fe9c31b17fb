/* SPDX-License-Identifier: BSD-2-Clause */
/* What the user asked for: the words of the command line as plain data, judged by cli/. */
#ifndef VM_CONFIG_H
#define VM_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "virtio/vhost_user_kind.h"

enum {
	VM_MAX_DISKS = 12,
	VM_MAX_PORTS = 7, /* of virtio-console, beside the console itself */
	VM_MAX_CPUS = 64,
	VM_CMDLINE_MAX = 4096, /* bytes of --append in all, the final zero included */
	VM_SERIAL_MAX = 20,    /* bytes of a disk's serial (virtio 1.3, 5.2.6, GET_ID) */
	VM_ROOT_HASH_MAX = 64, /* bytes of a verity root hash */
	VM_MAX_NETS = 4,
	VM_MAX_PMEMS = 4,
	VM_NET_MAX_QUEUES = 8,
	VM_DISK_MAX_QUEUES = 16,
	VM_NET_MAX_FORWARDS = 32,
	VM_MAX_SHARES = 4,
	VM_MAX_VHOST_USER = 4,
	VM_TAG_MAX = 36, /* bytes of a share's tag (virtio 1.3, 5.11.4) */
};

#define VM_MEMORY_DEFAULT (UINT64_C(512) << 20)
#define VM_MEMORY_MIN	  (UINT64_C(2) << 20)
#define VM_RNG_BW	  (UINT64_C(4) << 20)
#define VM_MEMORY_MAX	  (UINT64_C(1) << 40)

/* Exit statuses (cli.md). The guest's own status and 128 + signal come on top. */
enum vm_status {
	VM_STATUS_OK = 0,
	VM_STATUS_FAIL_ON = 1,
	VM_STATUS_USAGE = 64,
	VM_STATUS_BAD_IMAGE = 65,
	VM_STATUS_NO_INPUT = 66,
	VM_STATUS_NO_KVM = 69,
	VM_STATUS_DEFECT = 70,
	VM_STATUS_SYSTEM = 71,
	VM_STATUS_REFUSED = 77,
	VM_STATUS_TIMEOUT = 124,
	VM_STATUS_PANIC = 134,
};

enum vm_console {
	VM_CONSOLE_SERIAL,
	VM_CONSOLE_VIRTIO,
	VM_CONSOLE_NONE,
};

enum vm_sandbox {
	VM_SANDBOX_ON,
	VM_SANDBOX_LOG, /* report what is not on the lists, and let it be */
	VM_SANDBOX_OFF,
};

/* How an x86 guest reaches its virtio devices, and is told of them. */
enum vm_discovery {
	VM_DISCOVERY_ACPI,    /* windows of registers, in the DSDT */
	VM_DISCOVERY_CMDLINE, /* the same by virtio_mmio.device=, and no ACPI entries for them */
	VM_DISCOVERY_PCI,     /* PCI functions */
};

/* Strings point into argv or at constants; nothing here is owned. */
struct vm_disk_config {
	const char *path;
	const char *serial; /* NULL: none given */
	const char *verity; /* the file of its dm-verity tree; NULL: not verified */
	uint8_t root[VM_ROOT_HASH_MAX];
	size_t root_len; /* bytes; 0: not given, the manifest has it */
	bool readonly;	 /* the file; with cow the guest writes nevertheless */
	bool direct;
	bool cow;		   /* what the guest writes is thrown away in the end */
	bool cow_memory;	   /* and kept in memory meanwhile */
	unsigned queues;	   /* 1 to VM_DISK_MAX_QUEUES; 0: not said */
	uint64_t bytes_per_second; /* 0: no limit */
	uint64_t requests_per_second;
	bool qcow2;	     /* the format; else raw */
	const char *backing; /* of a qcow2 image; NULL: none */
	bool backing_qcow2;  /* its format; else raw */
};

/* A named port of the guest's virtio-console. One of socket and file, or descriptors (exec). */
struct vm_port_config {
	const char *name;
	const char *socket; /* a unix socket that we listen on, or NULL */
	const char *file;   /* takes what the guest writes, or NULL */
	int in_fd;	    /* without the two: bytes for the guest, -1: none */
	int out_fd;	    /* bytes of the guest, -1: none; both stay the caller's */
};

enum vm_net_kind {
	VM_NET_USER,
	VM_NET_TAP,
};

/* A port of the host that leads to one of the guest. */
struct vm_forward {
	bool udp;
	const char *address; /* of the host, NULL: its loopback */
	uint16_t host, guest;
};

struct vm_net_config {
	enum vm_net_kind kind;
	const char *ifname; /* of a tap, shorter than IF_NAMESIZE */
	bool has_mac;
	uint8_t mac[6];
	uint16_t mtu;	 /* 0: as the back-end has it */
	unsigned queues; /* of a tap, 1 to VM_NET_MAX_QUEUES */
	bool nohost;	 /* the guest does not reach the host's own loopback */
	struct vm_forward forwards[VM_NET_MAX_FORWARDS];
	unsigned forward_count;
};

/* A directory of the host for the guest. */
struct vm_share_config {
	const char *path;
	char tag[VM_TAG_MAX + 1];
	bool readonly;
};

/* A device that a process not started by us serves at a socket. */
struct vm_vhost_user_config {
	enum vhost_user_kind kind;
	const char *socket;
	char tag[VM_TAG_MAX + 1]; /* of a file system */
};

struct vm_config {
	const char *kernel;	     /* NULL: the manifest names it */
	const char *initrd;	     /* NULL: none */
	char append[VM_CMDLINE_MAX]; /* all --append joined by one space */
	bool append_only;
	uint64_t memory; /* bytes, a multiple of 4096 */
	bool hugepages;	 /* RAM of reserved huge pages */
	bool prefault;	 /* all of it from the start */
	bool has_numa;
	unsigned numa; /* the node of the host that memory is taken from */
	unsigned cpus;
	bool pmu; /* vCPUs with performance monitors */
	struct vm_disk_config disks[VM_MAX_DISKS];
	size_t disk_count;
	const char *verify_key; /* a minisign public key; NULL: nothing is verified */
	const char *manifest;	/* what may boot; NULL: each image has its own signature */
	bool exec;		/* one more port, hvrun.status: init tells how the command ended */
	int initrd_fd;		/* an initrd that is open already, the caller's; -1: none */
	struct vm_port_config ports[VM_MAX_PORTS];
	size_t port_count;
	struct vm_net_config nets[VM_MAX_NETS];
	size_t net_count;
	struct vm_share_config shares[VM_MAX_SHARES];
	unsigned share_count;
	struct vm_vhost_user_config vhost_user[VM_MAX_VHOST_USER];
	unsigned vhost_user_count;
	enum vm_console console;
	const char *log;  /* NULL: none */
	const char *tree; /* a copy of the device tree, NULL: none */
	enum vm_sandbox sandbox;
	const char *user;   /* --user: USER[:GROUP], NULL: stay who we are */
	bool pid_namespace; /* process 1 of one of its own */
	pid_t outer_pid; /* with pid_namespace: our number outside, for people; set by cli/pid_namespace.c */
	enum vm_discovery discovery;
	bool io_uring;			 /* disks by io_uring */
	const char *pmems[VM_MAX_PMEMS]; /* files for the guest's address space */
	unsigned pmem_count;
	bool balloon;
	uint64_t rng_bw; /* bytes a second that the guest's source of random numbers gives */
	const char *
		serve; /* hvrun backend: the socket that front ends come to; NULL: a machine is run */
	uint64_t vsock_cid;	/* 3 to 2^32 - 2 */
	const char *vsock_path; /* NULL: no vsock */

	/* How the run may end, and what is told of it. */
	uint64_t timeout_ms; /* from launch; 0: none */
	const char *until;   /* patterns that match_judge took; NULL: none */
	const char *fail_on;
	bool reboot;	     /* a guest that resets starts again */
	const char *control; /* a socket to be made, NULL: none */
	const char *report;  /* a file for JSON, NULL: none */
	const char *symbols; /* a System.map or vmlinux, NULL: none */

	const char *core; /* where the guest's memory goes when it panics, NULL: nowhere */

	/* The debugger's socket: at gdb_path, or at numeric gdb_address and gdb_port. */
	bool gdb;
	bool gdb_nowait;      /* the guest does not wait for the debugger */
	const char *gdb_path; /* NULL: by TCP */
	const char *gdb_address;
	uint16_t gdb_port;

	int verbosity; /* -1 quiet, 0, 1 verbose */

	/* The terminal, prepared by cli/: both are open descriptors of the process. */
	int in_fd;    /* console input, -1: none */
	int out_fd;   /* console output */
	bool escapes; /* in_fd is a terminal in raw mode: Ctrl-A x leaves, Ctrl-A c is help */
	uint64_t launched_ns; /* CLOCK_MONOTONIC at main() */
};

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Looks at the host: kernel, kind of KVM, capabilities, sandbox, memory; says what will run. */
#include "cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "arch/arch.h"
#include "base/diag.h"
#include "base/io.h"
#include "cpu/kvm.h"
#include "vm/config.h"

/* How this host's KVM runs guests. */
enum host_kind {
	HOST_VMX,
	HOST_SVM,
	HOST_PVM,
	HOST_OTHER, /* not x86, or a kind we have no name for */
};

/* What was found that decides what will run. NULL: nothing in the way. */
struct findings {
	const char *no_kvm;   /* why no machine can run at all */
	const char *no_stock; /* why a stock kernel cannot run, though others can */
};

/* The first @size - 1 bytes of a small file of /proc or /sys, zero-ended; "" if it cannot be read. */
static void read_small(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd >= 0) {
		n = read_full(fd, buf, size - 1);
		close(fd);
	}
	buf[n < 0 ? 0 : n] = '\0';
}

/* Whether the x86 host's CPU has @flag, which is written between blanks: " vmx ". */
static bool cpu_has(const char *cpuinfo, const char *flag)
{
	const char *line = strstr(cpuinfo, "\nflags");
	const char *end = line ? strchr(line + 1, '\n') : NULL;
	const char *found = line ? strstr(line, flag) : NULL;

	return found && (!end || found < end);
}

static bool module_loaded(const char *name)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/sys/module/%s", name);
	return access(path, F_OK) == 0;
}

/*
 * A module that is built in has its folder even where it found no hardware, so the CPU is asked too.
 */
static enum host_kind find_kind(const char *cpuinfo)
{
	if (cpu_has(cpuinfo, " vmx ") && module_loaded("kvm_intel"))
		return HOST_VMX;
	if (cpu_has(cpuinfo, " svm ") && module_loaded("kvm_amd"))
		return HOST_SVM;
	if (module_loaded("kvm_pvm"))
		return HOST_PVM;
	return HOST_OTHER;
}

static void look_at_kind(struct findings *findings)
{
	static const char *const words[] = {
		[HOST_VMX] = "VMX (Intel's hardware virtualisation)",
		[HOST_SVM] = "SVM (AMD's hardware virtualisation)",
		[HOST_PVM] = "PVM (KVM without hardware virtualisation)",
		[HOST_OTHER] = "the usual one for this architecture",
	};
	char cpuinfo[16384];
	enum host_kind kind;

	read_small("/proc/cpuinfo", cpuinfo, sizeof(cpuinfo));
	kind = find_kind(cpuinfo);
	printf("kind of KVM: %s%s\n", words[kind],
	       cpu_has(cpuinfo, " hypervisor ") ? "; the host is itself a guest" : "");
	if (kind == HOST_PVM)
		findings->no_stock = "a PVM host emulates kernel code and lacks instructions that "
				     "stock kernels use";
}

static void look_at_needs(const struct kvm *kvm, const struct kvm_need *need,
			  struct findings *findings)
{
	for (; need->name; need++) {
		bool has = kvm_has(kvm, need->cap) != 0;

		printf("%s: %s (%s)\n", need->name,
		       has		? "there"
		       : need->required ? "missing, and needed"
					: "missing, not needed",
		       need->why);
		if (!has && need->required)
			findings->no_kvm = "KVM lacks a capability that hvrun needs, see above";
	}
}

/* Asks KVM for a machine and a vCPU, which a host may refuse although all capabilities are there. */
static void try_machine(struct kvm *kvm, struct findings *findings)
{
	unsigned long type;
	int vcpu;

	if (arch_vm_type(kvm, VM_MEMORY_DEFAULT, &type) != 0 || kvm_create_vm(kvm, type) != 0) {
		findings->no_kvm = "KVM refuses to create a machine";
		return;
	}
	vcpu = ioctl(kvm->vm_fd, KVM_CREATE_VCPU, 0);
	if (vcpu < 0) {
		findings->no_kvm = "KVM refuses to create a vCPU";
		return;
	}
	close(vcpu);
}

static void look_at_kvm(struct findings *findings)
{
	struct kvm kvm;
	int version;

	if (access("/dev/kvm", R_OK | W_OK) != 0) {
		findings->no_kvm = errno == EACCES
					   ? "this user may not open /dev/kvm; the group kvm may"
					   : "this host has no /dev/kvm";
		printf("/dev/kvm: %s\n", strerror(errno));
		return;
	}
	if (kvm_open(&kvm, "/dev/kvm") != 0) {
		findings->no_kvm = "/dev/kvm cannot be opened";
		printf("/dev/kvm: cannot be opened\n");
		return;
	}
	version = kvm_api_version(&kvm);
	printf("/dev/kvm: opens, API version %d\n", version);
	if (version != KVM_API_VERSION) {
		findings->no_kvm = "/dev/kvm speaks another API version than 12";
	} else {
		look_at_kind(findings);
		look_at_needs(&kvm, kvm_common_needs, findings);
		look_at_needs(&kvm, arch_kvm_needs, findings);
		printf("vCPUs: %d recommended, %d at most by KVM, %d by hvrun\n",
		       kvm_has(&kvm, KVM_CAP_NR_VCPUS), kvm_has(&kvm, KVM_CAP_MAX_VCPUS),
		       VM_MAX_CPUS);
		if (!findings->no_kvm)
			try_machine(&kvm, findings);
	}
	kvm_close(&kvm);
}

static void look_at_sandbox(void)
{
	uint32_t action = SECCOMP_RET_KILL_PROCESS;
	bool seccomp = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
	bool privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) >= 0;

	if (seccomp && privs)
		printf("sandbox: seccomp and no_new_privs are there\n");
	else
		printf("sandbox: the host's kernel lacks %s; only --sandbox off runs\n",
		       seccomp ? "no_new_privs" : "seccomp filters");
}

static void look_at_memory(void)
{
	char text[4096];
	const char *choice;
	const char *available;

	read_small("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof(text));
	choice = strchr(text, '[');
	if (!choice)
		printf("huge pages: the host has no transparent ones; guests run slower\n");
	else if (strncmp(choice, "[never]", 7) == 0)
		printf("huge pages: switched off; guests run faster after `echo madvise "
		       ">/sys/kernel/mm/transparent_hugepage/enabled`\n");
	else
		printf("huge pages: %.*s, guests get them\n", (int)strcspn(choice + 1, "]"),
		       choice + 1);

	read_small("/proc/meminfo", text, sizeof(text));
	available = strstr(text, "MemAvailable:");
	if (available)
		printf("memory: %llu MiB available for guests\n",
		       strtoull(available + strlen("MemAvailable:"), NULL, 10) / 1024);
}

/* "yes", or "no: " and why not. */
static void say_verdict(const char *what, const char *why_not)
{
	printf("%s: %s%s\n", what, why_not ? "no: " : "yes", why_not ? why_not : "");
}

static void say_what_runs(const struct findings *findings)
{
	say_verdict("bare-metal-guests", findings->no_kvm);
	say_verdict("stock-guests", findings->no_kvm ? findings->no_kvm : findings->no_stock);
}

int doctor_run(void)
{
	struct findings findings = { 0 };
	struct utsname host = { 0 };

	(void)uname(&host);
	printf("hvrun: %s for %s\n", HVRUN_VERSION, arch_name);
	printf("host: %s %s on %s\n", host.sysname, host.release, host.machine);
	(void)fflush(stdout); /* kvm_open() speaks on standard error: keep the order */
	look_at_kvm(&findings);
	look_at_sandbox();
	look_at_memory();
	say_what_runs(&findings);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		diag_error("standard output: cannot write: %s", strerror(errno));
		return VM_STATUS_SYSTEM;
	}
	return findings.no_kvm ? VM_STATUS_NO_KVM : VM_STATUS_OK;
}

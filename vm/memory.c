/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What has to be asked of the host about guest memory before the door is locked, since it stands in files of
 * /sys: huge pages, and the node to take memory from.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/diag.h"
#include "vm/machine.h"

#define HUGE_PAGES "/sys/kernel/mm/hugepages/hugepages-2048kB/"
static const uint64_t huge_page = 0x200000;

/* The first line of the file @path into @text, without its end. False: it cannot be read. */
static bool read_line(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return true;
}

static bool read_number(const char *path, uint64_t *number)
{
	char text[32];

	if (!read_line(path, text, sizeof(text)))
		return false;
	*number = strtoull(text, NULL, 10);
	return true;
}

/* Only a hint that comes early and in words: the pages are taken when the machine is built. */
static int judge_huge_pages(const struct vm *vm)
{
	uint64_t need = vm->config->memory / huge_page;
	uint64_t all, there, reserved, more, surplus, left;

	if (!read_number(HUGE_PAGES "nr_hugepages", &all) ||
	    !read_number(HUGE_PAGES "free_hugepages", &there) ||
	    !read_number(HUGE_PAGES "resv_hugepages", &reserved) ||
	    !read_number(HUGE_PAGES "nr_overcommit_hugepages", &more) ||
	    !read_number(HUGE_PAGES "surplus_hugepages", &surplus)) {
		diag_error("--hugepages: this host's kernel has no huge pages of 2 MiB");
		return VM_STATUS_SYSTEM;
	}
	left = (there > reserved ? there - reserved : 0) + (more > surplus ? more - surplus : 0);
	if (need <= left)
		return 0;
	diag_error("--hugepages: the guest needs %" PRIu64 " huge pages of 2 MiB, and the host has "
		   "%" PRIu64 " left of %" PRIu64 "; as root: echo %" PRIu64
		   " > /proc/sys/vm/nr_hugepages",
		   need, left, all, all + need - left);
	return VM_STATUS_SYSTEM;
}

/* For all memory that this process takes from now on; a hint: where the node has none left, others give it. */
static int prefer_node(unsigned node)
{
	enum { WORD_BITS = 8 * sizeof(unsigned long) };
	unsigned long nodes[1024 / WORD_BITS + 1] = { 0 };
	char have[128];

	nodes[node / WORD_BITS] = 1UL << node % WORD_BITS;
	if (syscall(SYS_set_mempolicy, MPOL_PREFERRED, nodes, 8 * sizeof(nodes)) == 0)
		return 0;
	if (errno == EINVAL && read_line("/sys/devices/system/node/has_memory", have, sizeof(have)))
		diag_error("--numa %u: this host has no such node with memory; it has %s", node,
			   have);
	else
		diag_error("--numa %u: the host refuses it: %s", node,
			   errno == EINVAL ? "it has no nodes" : strerror(errno));
	return VM_STATUS_SYSTEM;
}

int vm_open_memory(const struct vm *vm)
{
	int status = vm->config->hugepages ? judge_huge_pages(vm) : 0;

	if (!status && vm->config->has_numa)
		status = prefer_node(vm->config->numa);
	return status;
}

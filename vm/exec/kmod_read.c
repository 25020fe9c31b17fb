/* SPDX-License-Identifier: BSD-2-Clause */
/* A process that unpacks modules and reads what they need, and the memory that it shares with us. */
#include "vm/exec/kmod_read.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/diag.h"
#include "base/io.h"
#include "vm/sandbox/sandbox.h"
#include "vm/unpack.h"

/* Far more than the largest module takes; one that is built to take longer is not worth more. */
enum { ANSWER_S = 120 };

/* Both see it: the question, then the answer. Nobody touches it while it is the other's turn. */
struct exchange {
	char name[4096]; /* of the file, for messages */
	size_t packed;	 /* bytes of @in */
	size_t plain;	 /* bytes of @out */
	char depends[KMOD_DEPENDS_MAX];
	uint8_t in[UNPACK_MODULE_MAX];
	uint8_t out[UNPACK_MODULE_MAX];
};

struct kmod_reader {
	pid_t pid;
	int socket; /* to it: a byte asks, an int answers; -1: none */
	struct exchange *shared;
};

/* In the process itself. */

/* Section header @index of @elf into *@out. False: it is not inside the file. */
static bool section(const unsigned char *elf, size_t size, const Elf64_Ehdr *header, size_t index,
		    Elf64_Shdr *out)
{
	uint64_t at;

	if (!u64_mul(index, sizeof(*out), &at) || !u64_add(at, header->e_shoff, &at) || at > size ||
	    size - at < sizeof(*out))
		return false;
	memcpy(out, elf + at, sizeof(*out));
	return out->sh_type == SHT_NOBITS ||
	       (out->sh_offset <= size && out->sh_size <= size - out->sh_offset);
}

/* The value of "depends=" among zero-ended words. */
static const char *find_depends(const char *words, size_t size)
{
	static const char key[] = "depends=";

	for (size_t at = 0; at < size;) {
		size_t len = strnlen(words + at, size - at);

		if (len == size - at)
			return ""; /* the last word has no end */
		if (strncmp(words + at, key, sizeof(key) - 1) == 0)
			return words + at + sizeof(key) - 1;
		at += len + 1;
	}
	return "";
}

const char *kmod_depends(const unsigned char *elf, size_t size)
{
	static const char name[] = ".modinfo";
	Elf64_Ehdr header;
	Elf64_Shdr names, s;

	if (size < sizeof(header))
		return NULL;
	memcpy(&header, elf, sizeof(header));
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
	    header.e_shentsize != sizeof(Elf64_Shdr) ||
	    !section(elf, size, &header, header.e_shstrndx, &names) || names.sh_type != SHT_STRTAB)
		return NULL;
	for (size_t i = 0; i < header.e_shnum; i++) {
		if (!section(elf, size, &header, i, &s))
			return NULL;
		if (s.sh_type == SHT_PROGBITS && s.sh_name < names.sh_size &&
		    names.sh_size - s.sh_name >= sizeof(name) &&
		    memcmp(elf + names.sh_offset + s.sh_name, name, sizeof(name)) == 0)
			return find_depends((const char *)elf + s.sh_offset, s.sh_size);
	}
	return "";
}

static int judge(const struct exchange *x, const uint8_t *data, size_t size, const char **depends)
{
	*depends = kmod_depends(data, size);
	if (*depends && strlen(*depends) < sizeof(x->depends))
		return 0;
	diag_error("module %s: this is no module as Linux loads it (64-bit ELF)", x->name);
	return -ENOEXEC;
}

static int look_into(struct exchange *x)
{
	struct unpacked plain = { .data = NULL };
	const uint8_t *data = x->in;
	const char *depends;
	size_t size = x->packed;
	int r = 0;

	if (unpack_wanted(data, size)) {
		r = unpack_module(x->name, data, size, &plain);
		data = plain.data;
		size = plain.size;
	}
	if (!r)
		r = judge(x, data, size, &depends);
	if (!r) {
		memcpy(x->depends, depends, strlen(depends) + 1);
		memcpy(x->out, data, size);
		x->plain = size;
	}
	unpack_release(&plain);
	return r;
}

__attribute__((noreturn)) static void serve(struct exchange *x, const struct vm_config *config,
					    int socket)
{
	char word;
	int r = sandbox_lock_child(config) ? -EPERM : 0;

	while (!r && read_full(socket, &word, 1) == 1) {
		int said = look_into(x);

		r = write_full(socket, &said, sizeof(said));
	}
	_exit(r ? 1 : 0); /* check-layers: allowed: the child's end */
}

/* In ourselves. */

static int refused(const char *what, int err)
{
	diag_error("modules: the host refuses %s: %s", what, strerror(err));
	return -err;
}

static int start_process(struct kmod_reader *reader, const struct vm_config *config)
{
	const struct timeval limit = { .tv_sec = ANSWER_S };
	pid_t self = getpid();
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return refused("a socket", errno);
	reader->pid = fork();
	if (reader->pid == 0) {
		close(ends[0]);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != self)
			_exit(1); /* check-layers: allowed: the child's end */
		serve(reader->shared, config, ends[1]);
	}
	close(ends[1]);
	reader->socket = ends[0];
	if (reader->pid < 0)
		return refused("a process", errno);
	if (setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
		return refused("a limit of time", errno);
	return 0;
}

int kmod_reader_start(const struct vm_config *config, struct kmod_reader **out)
{
	struct kmod_reader *reader = malloc(sizeof(*reader));
	int r;

	if (!reader)
		return refused("memory", ENOMEM);
	*reader = (struct kmod_reader){ .pid = -1, .socket = -1 };
	reader->shared = mmap(NULL, sizeof(*reader->shared), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (reader->shared == MAP_FAILED) {
		reader->shared = NULL;
		r = refused("memory", errno);
	} else {
		r = start_process(reader, config);
	}
	if (r < 0)
		kmod_reader_end(reader);
	else
		*out = reader;
	return r;
}

void kmod_reader_end(struct kmod_reader *reader)
{
	if (!reader)
		return;
	if (reader->socket >= 0)
		close(reader->socket);
	/* It would end by itself, if it is what it should be. */
	if (reader->pid > 0)
		(void)kill(reader->pid, SIGKILL);
	while (reader->pid > 0 && waitpid(reader->pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (reader->shared)
		(void)munmap(reader->shared, sizeof(*reader->shared));
	free(reader);
}

/* The file's bytes to where the process finds them. */
static int put_question(struct exchange *x, const char *path)
{
	size_t len = strnlen(path, sizeof(x->name) - 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t n = fd < 0 ? -errno : pread_full(fd, x->in, sizeof(x->in), 0);

	if (fd >= 0)
		close(fd);
	if (n < 0) {
		diag_error("module %s: cannot read: %s", path, strerror((int)-n));
		return (int)n;
	}
	if ((size_t)n == sizeof(x->in)) {
		diag_error("module %s: larger than any module (%zu bytes)", path, sizeof(x->in));
		return -ENOEXEC;
	}
	x->packed = (size_t)n;
	/* No look at what is there: the process may be writing to it. */
	memcpy(x->name, path, len);
	x->name[len] = '\0';
	return 0;
}

/* What the process says may be an enemy's: it was given strange bytes, and writes while we read. */
static int take_answer(const struct exchange *x, struct kmod_file *file)
{
	file->size = *(const volatile size_t *)&x->plain;
	if (file->size == 0 || file->size > sizeof(x->out))
		return -EPROTO;
	memcpy(file->depends, x->depends, sizeof(file->depends));
	file->depends[sizeof(file->depends) - 1] = '\0';
	file->data = malloc(file->size);
	if (!file->data)
		return -ENOMEM;
	memcpy(file->data, x->out, file->size);
	return 0;
}

/*
 * The process says the cause itself, if it is what it should be; one that was taken over may say nothing. So
 * what became of the module is said here, whatever stands before it.
 */
static int refusal(const char *path, int said)
{
	int r = said < 0 && said >= -4095 ? said : -EPROTO;

	diag_error("module %s: not given to the guest, the process that looks into it refuses it: "
		   "%s",
		   path, strerror(-r));
	return r;
}

int kmod_read(struct kmod_reader *reader, const char *path, struct kmod_file *file)
{
	int said = 0;
	ssize_t n;
	int r = put_question(reader->shared, path);

	if (r < 0)
		return r;
	n = send(reader->socket, "", 1, MSG_NOSIGNAL) == 1
		    ? read_full(reader->socket, &said, sizeof(said))
		    : 0;
	if (n != (ssize_t)sizeof(said)) {
		diag_error("module %s: the process that looks into it %s", path,
			   n == -EAGAIN ? "does not answer" : "has ended");
		return -EPROTO;
	}
	if (said)
		return refusal(path, said);
	r = take_answer(reader->shared, file);
	if (r < 0)
		diag_error("module %s: what was found in it cannot be used: %s", path,
			   strerror(-r));
	return r;
}

void kmod_file_free(struct kmod_file *file)
{
	free(file->data);
	file->data = NULL;
}

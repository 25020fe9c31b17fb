/* SPDX-License-Identifier: BSD-2-Clause */
/* hvrun exec: what init says is judged, the initramfs is what cpio reads, modules come in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "cli/exec_spec.h"
#include "tests/lib/capture.h"
#include "vm/config.h"
#include "vm/exec/exec.h"
#include "vm/exec/initramfs.h"
#include "vm/exec/kmod.h"
#include "vm/exec/kmod_read.h"

static bool ends(struct exec_watch *watch, const char *line)
{
	*watch = (struct exec_watch){ .len = 0 };
	return exec_take_line(watch, line);
}

static void lines_of_init(void **state)
{
	static const char *const nothing[] = { "",
					       "exit",
					       "exit ",
					       "exit 256",
					       "exit 1000",
					       "exit -1",
					       "exit 1x",
					       "exit  1",
					       "EXIT 1",
					       "started sh",
					       "error",
					       "exit 0 0",
					       "exit 99999999999999999999" };
	struct exec_watch watch;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(nothing); i++)
		assert_false(ends(&watch, nothing[i]));
	assert_true(ends(&watch, "exit 0"));
	assert_int_equal(watch.status, 0);
	assert_true(ends(&watch, "exit 255"));
	assert_int_equal(watch.status, 255);
	assert_false(exec_take_line(&watch, "exit 3")); /* the first word counts */
	assert_int_equal(watch.status, 255);
	assert_true(ends(&watch, "error cannot mount\033[2J virtiofs"));
	assert_true(watch.failed);
}

static void initramfs_is_cpio(void **state)
{
	char path[64], line[256];
	struct initramfs fs;
	unsigned found = 0;
	FILE *cpio;

	(void)state;
	/* NOLINTNEXTLINE(cert-env33-c): the words are ours */
	if (system("command -v cpio >/dev/null 2>&1") != 0)
		skip();
	assert_int_equal(initramfs_begin(&fs), 0);
	assert_int_equal(initramfs_dir(&fs, "modules"), 0);
	assert_int_equal(initramfs_file(&fs, "init", 0755, "12345", 5), 0);
	assert_int_equal(initramfs_file(&fs, "modules/empty", 0600, "", 0), 0);
	assert_int_equal(initramfs_end(&fs), 0);
	/* A memfd is closed by exec: the shell gets its own. */
	(void)snprintf(path, sizeof(path), "cpio -tv --quiet </proc/%d/fd/%d 2>&1", (int)getpid(),
		       fs.fd);
	/* NOLINTNEXTLINE(cert-env33-c) */
	cpio = popen(path, "r");
	assert_non_null(cpio);
	while (fgets(line, sizeof(line), cpio)) {
		found |= strstr(line, "drwxr-xr-x") && strstr(line, " modules\n") ? 1 : 0;
		found |= strstr(line, "-rwxr-xr-x") && strstr(line, " 5 ") &&
					 strstr(line, " init\n")
				 ? 2
				 : 0;
		found |= strstr(line, "-rw-------") && strstr(line, " modules/empty\n") ? 4 : 0;
	}
	assert_int_equal(pclose(cpio), 0);
	assert_int_equal(found, 7);
	close(fs.fd);
}

/* A module file that needs @depends: a header, three sections and their names. */
static size_t make_module(unsigned char *to, const char *depends)
{
	static const char names[] = "\0.shstrtab\0.modinfo";
	Elf64_Ehdr header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB },
			      .e_shentsize = sizeof(Elf64_Shdr),
			      .e_shnum = 3,
			      .e_shstrndx = 1,
			      .e_shoff = sizeof(header) };
	Elf64_Shdr sections[3] = { 0 };
	size_t at = sizeof(header) + sizeof(sections);
	char info[128];
	size_t len =
		(size_t)snprintf(info, sizeof(info), "license=GPL%cdepends=%s", 0, depends) + 1;

	sections[1] = (Elf64_Shdr){
		.sh_name = 1, .sh_type = SHT_STRTAB, .sh_offset = at, .sh_size = sizeof(names)
	};
	sections[2] = (Elf64_Shdr){ .sh_name = 11,
				    .sh_type = SHT_PROGBITS,
				    .sh_offset = at + sizeof(names),
				    .sh_size = len };
	memcpy(to, &header, sizeof(header));
	memcpy(to + sizeof(header), sections, sizeof(sections));
	memcpy(to + at, names, sizeof(names));
	memcpy(to + at + sizeof(names), info, len);
	return at + sizeof(names) + len;
}

static void depends_of_a_module(void **state)
{
	unsigned char module[1024], copy[1024];
	size_t len = make_module(module, "fuse,virtio-ring");

	(void)state;
	assert_string_equal(kmod_depends(module, len), "fuse,virtio-ring");
	for (size_t cut = 0; cut < len; cut++) {
		unsigned char *exact = malloc(cut ? cut : 1);

		memcpy(exact, module, cut);
		(void)kmod_depends(exact, cut); /* ASan looks */
		free(exact);
	}
	for (size_t i = 0; i < len; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			unsigned char *exact = malloc(len);
			const char *got;

			memcpy(exact, module, len);
			exact[i] ^= (unsigned char)(1U << bit);
			got = kmod_depends(exact, len);
			assert_true(!got || strlen(got) < len);
			free(exact);
		}
	}
	memset(copy, 0xff, sizeof(copy));
	assert_null(kmod_depends(copy, sizeof(copy)));
}

static void write_module(const char *dir, const char *name, const char *depends)
{
	unsigned char module[1024];
	size_t len = make_module(module, depends);
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(module, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* Tests run under sanitizers and in emulators too: their processes make calls of their own. */
static const struct vm_config no_door = { .sandbox = VM_SANDBOX_OFF };

struct order {
	char text[256];
};

static int note(void *opaque, const char *path, const uint8_t *data, size_t size)
{
	struct order *order = opaque;
	size_t used = strlen(order->text);

	assert_non_null(kmod_depends(data, size)); /* unpacked */

	(void)snprintf(order->text + used, sizeof(order->text) - used, "%s ",
		       strrchr(path, '/') + 1);
	return 0;
}

static void modules_in_order(void **state)
{
	static const char *const wanted[] = { "virtiofs", "absent", "overlay", "fuse" };
	static const char *const circle[] = { "ring_a" };
	char dir[] = "/tmp/hvrun-kmod-XXXXXX", sub[64], path[128];
	struct order order = { "" };
	struct kmod_index *index;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(sub, sizeof(sub), "%s/fs", dir);
	assert_int_equal(mkdir(sub, 0755), 0);
	write_module(sub, "virtiofs.ko", "virtio-core,fuse");
	write_module(sub, "fuse.ko", "");
	write_module(dir, "virtio-core.ko", "");
	write_module(dir, "overlay.ko", "absent_too");
	write_module(dir, "ring_a.ko", "ring_b");
	write_module(dir, "ring_b.ko", "ring_a");
	(void)snprintf(path, sizeof(path), "%s/modules.builtin", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs("kernel/drivers/virtio/virtio_mmio.ko\nkernel/fs/ext4/ext4.ko", f) >= 0);
	assert_int_equal(fclose(f), 0);

	assert_int_equal(kmod_open(dir, &no_door, &index), 0);
	assert_true(kmod_has(index, "virtio_mmio"));
	assert_true(kmod_has(index, "ext4"));
	assert_true(kmod_has(index, "virtio_core"));
	assert_false(kmod_has(index, "xt4"));
	assert_int_equal(kmod_each(index, wanted, 4, note, &order), 0);
	assert_string_equal(order.text, "virtio-core.ko fuse.ko virtiofs.ko overlay.ko ");
	assert_true(kmod_each(index, circle, 1, note, &order) < 0);
	kmod_free(index);
	(void)snprintf(path, sizeof(path), "rm -r %s", dir);
	/* NOLINTNEXTLINE(cert-env33-c) */
	assert_int_equal(system(path), 0);
	assert_true(kmod_open(dir, &no_door, &index) < 0);
}

/* File systems that keep no types in their folders (XFS without ftype, some of the network) say DT_UNKNOWN. */
static void entries_without_type(void **state)
{
	static const struct {
		const char *name;
		unsigned char said, wanted;
	} cases[] = {
		{ "file.ko", DT_UNKNOWN, DT_REG }, { "folder", DT_UNKNOWN, DT_DIR },
		{ "link.ko", DT_UNKNOWN, DT_LNK }, { "absent", DT_UNKNOWN, DT_UNKNOWN },
		{ "absent", DT_REG, DT_REG },
	};
	char dir[] = "/tmp/hvrun-kmod-XXXXXX", line[128];
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	write_module(dir, "file.ko", "");
	assert_int_equal(mkdirat(fd, "folder", 0755), 0);
	assert_int_equal(symlinkat("file.ko", fd, "link.ko"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct dirent entry = { .d_type = cases[i].said };

		(void)snprintf(entry.d_name, sizeof(entry.d_name), "%s", cases[i].name);
		assert_int_equal(kmod_entry_type(fd, &entry), cases[i].wanted);
	}
	close(fd);
	(void)snprintf(line, sizeof(line), "rm -r %s", dir);
	/* NOLINTNEXTLINE(cert-env33-c) */
	assert_int_equal(system(line), 0);
}

/* @file packed by @command, which this machine may lack. */
static bool pack(const char *dir, const char *command, const char *file)
{
	char line[256];

	(void)snprintf(line, sizeof(line), "cd %s && %s %s", dir, command, file);
	/* NOLINTNEXTLINE(cert-env33-c): the words are ours */
	return system(line) == 0;
}

static void packed_modules(void **state)
{
	static const char *const wanted[] = { "last" };
	char dir[] = "/tmp/hvrun-kmod-XXXXXX", path[128];
	struct order order = { "" };
	struct kmod_index *index;

	(void)state;
	assert_non_null(mkdtemp(dir));
	write_module(dir, "last.ko", "by_xz,by_zstd");
	write_module(dir, "by_xz.ko", "by_gzip");
	write_module(dir, "by_zstd.ko", "by_gzip");
	write_module(dir, "by_gzip.ko", "");
	if (!pack(dir, "xz -q --check=crc32 --lzma2=dict=2MiB", "by_xz.ko") ||
	    !pack(dir, "zstd -q --rm", "by_zstd.ko") || !pack(dir, "gzip", "by_gzip.ko"))
		skip();
	assert_int_equal(kmod_open(dir, &no_door, &index), 0);
	assert_int_equal(kmod_each(index, wanted, 1, note, &order), 0);
	assert_string_equal(order.text, "by_gzip.ko.gz by_xz.ko.xz by_zstd.ko.zst last.ko ");
	kmod_free(index);
	(void)snprintf(path, sizeof(path), "rm -r %s", dir);
	/* NOLINTNEXTLINE(cert-env33-c) */
	assert_int_equal(system(path), 0);
}

struct question {
	const void *bytes;
	size_t len;
	const struct vm_config *config;
};

static void ask(void *arg)
{
	const struct question *question = arg;
	char path[] = "/tmp/hvrun-module-XXXXXX";
	int fd = mkstemp(path);
	struct kmod_reader *reader;
	struct kmod_file file;
	int r;

	if (fd < 0 || write(fd, question->bytes, question->len) != (ssize_t)question->len ||
	    close(fd) < 0 || kmod_reader_start(question->config, &reader) < 0)
		_exit(99);
	r = kmod_read(reader, path, &file);
	(void)unlink(path);
	/* Another file after it: the process is still there. */
	if (kmod_read(reader, "/proc/self/exe", &file) < 0)
		_exit(98);
	kmod_file_free(&file);
	kmod_reader_end(reader);
	_exit(r < 0 ? -r : 0);
}

static void assert_no_module(const void *bytes, size_t len, const struct vm_config *config,
			     const char *words)
{
	struct question question = { bytes, len, config };
	struct captured said;

	capture_child(&said, ask, &question);
	assert_non_null(strstr(said.text, words));
	assert_true(WIFEXITED(said.status));
	assert_int_equal(WEXITSTATUS(said.status), ENOEXEC);
}

static void test_threat_33_module_is_no_module(void **state)
{
	static const struct vm_config door = { .sandbox = VM_SANDBOX_ON };
	static const unsigned char xz[] = { 0xfd, '7', 'z',  'X',  'Z',	 0,
					    0,	  1,   0x69, 0x22, 0xde, 0x36 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		const struct vm_config *config = i ? &door : &no_door;

		assert_no_module("", 0, config, "this is no module");
		assert_no_module("no\n", 3, config, "this is no module");
		assert_no_module("\x1f\x8b no", 5, config, "its gzip data");
		assert_no_module(xz, sizeof(xz), config, "its xz data has no end (12 bytes)");
		assert_no_module(xz, 8, config, "its xz data has no end (8 bytes)");
	}
}

static void words_for_init(void **state)
{
	struct exec_spec spec = { .text = NULL };
	char *big = malloc(EXEC_SPEC_MAX);

	(void)state;
	exec_spec_add(&spec, 'a', "sh");
	exec_spec_add(&spec, 'a', "");
	exec_spec_add_number(&spec, 'u', 1000);
	assert_int_equal(spec.len, 12);
	assert_memory_equal(spec.text, "ash\0a\0u1000\0", 12);
	memset(big, 'x', EXEC_SPEC_MAX - 1);
	big[EXEC_SPEC_MAX - 1] = '\0';
	exec_spec_add(&spec, 'a', big);
	assert_true(spec.failed);
	exec_spec_free(&spec);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_init),
		cmocka_unit_test(initramfs_is_cpio),
		cmocka_unit_test(depends_of_a_module),
		cmocka_unit_test(modules_in_order),
		cmocka_unit_test(entries_without_type),
		cmocka_unit_test(words_for_init),
		cmocka_unit_test(packed_modules),
		cmocka_unit_test(test_threat_33_module_is_no_module),
	};

	return cmocka_run_group_tests_name("exec", tests, NULL, NULL);
}

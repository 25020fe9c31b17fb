/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch/x86/acpi.c, acpi_dsdt.c: tables as bytes, and as iasl (ACPICA) reads them: it must
 * take them apart without a warning, and compile the DSDT back to the same bytes.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "arch/x86/acpi.h"
#include "base/io.h"
#include "tests/unit/x86/images.h"

enum { AREA = X86_RESET_PAGE - X86_ACPI, HEADER = 36 };

static uint8_t area[AREA]; /* what lies in the guest from X86_ACPI */

static const uint8_t *at_address(uint64_t address, size_t len)
{
	assert_true(address >= X86_ACPI && range_fits(address - X86_ACPI, len, AREA));
	return area + (address - X86_ACPI);
}

static void assert_sum(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + p[i]);
	assert_int_equal(sum, 0);
}

/* The table at @address, its header and checksum looked at. */
static const uint8_t *table_at(uint64_t address, const char *signature, uint32_t *len)
{
	const uint8_t *t = at_address(address, HEADER);

	assert_memory_equal(t, signature, 4);
	*len = le32_load(t + 4);
	assert_true(*len >= HEADER);
	(void)at_address(address, *len);
	assert_sum(t, *len);
	assert_memory_equal(t + 10, "HVRUN ", 6);
	return t;
}

struct tables {
	const uint8_t *fadt, *madt, *dsdt;
	uint32_t fadt_len, madt_len, dsdt_len;
};

static void build(const struct x86_acpi_config *config, struct tables *t)
{
	struct guest_mem *mem = ram(2 * MIB);
	const uint8_t *rsdp, *xsdt;
	gpa_t at = gpa(0);
	uint32_t len;

	assert_int_equal(x86_write_acpi(mem, config, &at), 0);
	assert_int_equal(mem_read(mem, gpa(X86_ACPI), area, sizeof(area)), 0);
	mem_destroy(mem);

	assert_int_equal(at.v % 16, 0); /* 5.2.5.1 */
	rsdp = at_address(at.v, 36);
	assert_memory_equal(rsdp, "RSD PTR ", 8);
	assert_sum(rsdp, 20);
	assert_sum(rsdp, 36);
	assert_int_equal(rsdp[15], 2);
	assert_int_equal(le32_load(rsdp + 16), 0);
	assert_int_equal(le32_load(rsdp + 20), 36);
	xsdt = table_at(le64_load(rsdp + 24), "XSDT", &len);
	assert_int_equal(len, HEADER + 2 * 8);
	t->fadt = table_at(le64_load(xsdt + HEADER), "FACP", &t->fadt_len);
	t->madt = table_at(le64_load(xsdt + HEADER + 8), "APIC", &t->madt_len);
	assert_int_equal(le64_load(t->fadt + 140), le32_load(t->fadt + 40));
	t->dsdt = table_at(le64_load(t->fadt + 140), "DSDT", &t->dsdt_len);
}

static struct x86_acpi_virtio windows[X86_ACPI_MAX_VIRTIO];

/* @cpus, the first @virtio windows of the machine. */
static struct x86_acpi_config config_of(unsigned cpus, size_t virtio, bool serial)
{
	for (unsigned i = 0; i < ARRAY_SIZE(windows); i++)
		windows[i] = (struct x86_acpi_virtio){ .base = X86_VIRTIO_BASE + i * 0x1000ULL,
						       .size = 0x1000,
						       .gsi = x86_virtio_gsi(i) };
	return (struct x86_acpi_config){
		.cpus = cpus, .virtio = windows, .virtio_count = virtio, .serial = serial
	};
}

static void test_fadt(void **state)
{
	struct x86_acpi_config config = config_of(1, 1, true);
	static const uint8_t reset[12] = { 1, 8, 0, 1, 0x64 };
	static const uint8_t sleep_control[12] = { 1, 8, 0, 1, 0x00, 0x06 };
	static const uint8_t sleep_status[12] = { 1, 8, 0, 1, 0x01, 0x06 };
	struct tables t;
	uint32_t flags;

	(void)state;
	build(&config, &t);
	assert_int_equal(t.fadt_len, 276);
	assert_int_equal(t.fadt[8], 6);
	assert_int_equal(t.fadt[131], 3);
	flags = le32_load(t.fadt + 112);
	assert_true(flags & 1 << 20); /* HW_REDUCED_ACPI */
	assert_true(flags & 1 << 10); /* RESET_REG_SUP */
	assert_true(flags & 1 << 4);  /* no fixed power button */
	assert_true(flags & 1 << 5);  /* no fixed sleep button */
	assert_int_equal(le16_load(t.fadt + 109), 0x24);
	assert_memory_equal(t.fadt + 116, reset, 12);
	assert_int_equal(t.fadt[128], 0xfe);
	assert_memory_equal(t.fadt + 244, sleep_control, 12);
	assert_memory_equal(t.fadt + 256, sleep_status, 12);
	/* What a hardware-reduced machine does not have: FACS, SMI, SCI, PM blocks. */
	assert_int_equal(le32_load(t.fadt + 36), 0);
	for (unsigned i = 46; i < 108; i++)
		assert_int_equal(t.fadt[i], 0);
	for (unsigned i = 148; i < 244; i++)
		assert_int_equal(t.fadt[i], 0);
}

/* Walks the MADT and asserts that it names @cpus processors and one IOAPIC. */
static void check_madt(const struct tables *t, unsigned cpus)
{
	unsigned seen = 0, ioapics = 0, nmis = 0, x2nmis = 0;
	const uint8_t *e = t->madt + 44, *end = t->madt + t->madt_len;

	assert_int_equal(t->madt[8], 5);
	assert_int_equal(le32_load(t->madt + 36), 0xfee00000);
	assert_int_equal(le32_load(t->madt + 40), 0);
	for (; e < end; e += e[1]) {
		assert_true(e[1] >= 2 && e + e[1] <= end);
		if (e[0] == 0) {
			assert_int_equal(e[1], 8);
			assert_int_equal(e[2], seen);
			assert_int_equal(e[3], seen++);
			assert_true(e[3] != 255);
			assert_int_equal(le32_load(e + 4), 1);
		} else if (e[0] == 9) {
			assert_int_equal(e[1], 16);
			assert_true(seen > 254);
			assert_int_equal(le32_load(e + 4), seen);
			assert_int_equal(le32_load(e + 8), 1);
			assert_int_equal(le32_load(e + 12), seen++);
		} else if (e[0] == 1) {
			static const uint8_t ioapic[] = {
				1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0
			};

			assert_memory_equal(e, ioapic, 12);
			ioapics++;
		} else if (e[0] == 4) {
			static const uint8_t nmi[] = { 4, 6, 0xff, 0, 0, 1 };

			assert_memory_equal(e, nmi, 6);
			nmis++;
		} else {
			static const uint8_t nmi[] = { 10,   12,   0, 0, 0xff, 0xff,
						       0xff, 0xff, 1, 0, 0,    0 };

			assert_memory_equal(e, nmi, 12);
			x2nmis++;
		}
	}
	assert_int_equal(seen, cpus);
	assert_int_equal(ioapics, 1);
	assert_int_equal(nmis, 1);
	assert_int_equal(x2nmis, cpus > 255 ? 1 : 0);
}

static void test_madt_every_count(void **state)
{
	struct tables t;

	(void)state;
	for (unsigned cpus = 1; cpus <= 300; cpus++) {
		struct x86_acpi_config config = config_of(cpus, 0, false);

		build(&config, &t);
		check_madt(&t, cpus);
	}
}

/* The whole of a small DSDT, byte by byte, put together by hand from the specification. */
static void test_dsdt_bytes(void **state)
{
	/* clang-format off */
	static const uint8_t expected[] = {
		/* Name (_S5, Package (4) { 5, 0, 0, 0 }) */
		0x08, '_', 'S', '5', '_', 0x12, 0x07, 0x04, 0x0a, 0x05, 0x00, 0x00, 0x00,
		/* Scope (_SB), 0xa5 bytes */
		0x10, 0x45, 0x0a, '_', 'S', 'B', '_',
		/* Device (PEVT), 0x27 bytes */
		0x5b, 0x82, 0x27, 'P', 'E', 'V', 'T',
		0x08, '_', 'H', 'I', 'D', 0x0d, 'Q', 'E', 'M', 'U', '0', '0', '0', '1', 0,
		0x08, '_', 'C', 'R', 'S', 0x11, 0x0d, 0x0a, 0x0a,
		0x47, 0x01, 0x05, 0x05, 0x05, 0x05, 0x00, 0x01,
		0x79, 0x00,
		/* Device (COM1), 0x31 bytes */
		0x5b, 0x82, 0x31, 'C', 'O', 'M', '1',
		0x08, '_', 'H', 'I', 'D', 0x0c, 0x41, 0xd0, 0x05, 0x01, /* EisaId ("PNP0501") */
		0x08, '_', 'U', 'I', 'D', 0x01,
		0x08, '_', 'C', 'R', 'S', 0x11, 0x16, 0x0a, 0x13,
		0x47, 0x01, 0xf8, 0x03, 0xf8, 0x03, 0x00, 0x08,
		0x89, 0x06, 0x00, 0x03, 0x01, 0x04, 0x00, 0x00, 0x00,
		0x79, 0x00,
		/* Device (VR00), 0x41 bytes */
		0x5b, 0x82, 0x41, 0x04, 'V', 'R', '0', '0',
		0x08, '_', 'H', 'I', 'D', 0x0d, 'L', 'N', 'R', 'O', '0', '0', '0', '5', 0,
		0x08, '_', 'U', 'I', 'D', 0x00,
		0x08, '_', 'C', 'C', 'A', 0x01,
		0x08, '_', 'C', 'R', 'S', 0x11, 0x1a, 0x0a, 0x17,
		0x86, 0x09, 0x00, 0x01, 0x00, 0x00, 0x00, 0xc0, 0x00, 0x10, 0x00, 0x00,
		0x89, 0x06, 0x00, 0x03, 0x01, 0x05, 0x00, 0x00, 0x00,
		0x79, 0x00,
	};
	/* clang-format on */
	struct x86_acpi_config config = config_of(1, 1, true);
	struct tables t;

	(void)state;
	build(&config, &t);
	assert_int_equal(t.dsdt[8], 2);
	assert_memory_equal(t.dsdt + HEADER, expected, sizeof(expected));
	assert_int_equal(t.dsdt_len, HEADER + sizeof(expected));
}

/* The root bus stands between COM1 and the windows, of which there are none then. */
static void test_dsdt_pci_bytes(void **state)
{
	/* clang-format off */
	static const uint8_t expected[] = {
		/* Device (PCI0), 0x53 bytes */
		0x5b, 0x82, 0x43, 0x05, 'P', 'C', 'I', '0',
		0x08, '_', 'H', 'I', 'D', 0x0c, 0x41, 0xd0, 0x0a, 0x03, /* EisaId ("PNP0A03") */
		0x08, '_', 'U', 'I', 'D', 0x00,
		0x08, '_', 'C', 'R', 'S', 0x11, 0x37, 0x0a, 0x34,
		/* WordBusNumber: 0 to 0 */
		0x88, 0x0d, 0x00, 0x02, 0x0c, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x01, 0x00,
		0x47, 0x01, 0xf8, 0x0c, 0xf8, 0x0c, 0x00, 0x08,
		/* DWordMemory: 0xc1000000 to 0xc1ffffff */
		0x87, 0x17, 0x00, 0x00, 0x0c, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xc1,
		0xff, 0xff, 0xff, 0xc1, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01,
		0x79, 0x00,
	};
	/* clang-format on */
	struct x86_acpi_config config = config_of(1, 0, false);
	struct tables t;

	(void)state;
	config.pci_window = X86_PCI_WINDOW;
	config.pci_window_size = X86_PCI_WINDOW_SIZE;
	build(&config, &t);
	assert_true(t.dsdt_len >= HEADER + sizeof(expected));
	assert_memory_equal(t.dsdt + t.dsdt_len - sizeof(expected), expected, sizeof(expected));
}

static void test_limits(void **state)
{
	struct guest_mem *mem = ram(2 * MIB), *none;
	struct x86_acpi_config config;
	struct tables t;
	gpa_t rsdp = gpa(1);

	(void)state;
	config = config_of(X86_ACPI_MAX_CPUS, X86_ACPI_MAX_VIRTIO, true);
	build(&config, &t);
	check_madt(&t, X86_ACPI_MAX_CPUS);

	config = config_of(0, 0, false);
	assert_int_equal(x86_write_acpi(mem, &config, &rsdp), -EINVAL);
	config = config_of(X86_ACPI_MAX_CPUS + 1, 0, false);
	assert_int_equal(x86_write_acpi(mem, &config, &rsdp), -EINVAL);
	config = config_of(1, X86_ACPI_MAX_VIRTIO + 1, false);
	assert_int_equal(x86_write_acpi(mem, &config, &rsdp), -EINVAL);
	config = config_of(1, 0, false);
	config.pci_window = UINT64_C(0xff000001);
	config.pci_window_size = 0x1000000;
	assert_int_equal(x86_write_acpi(mem, &config, &rsdp), -EINVAL);
	config = config_of(1, 1, false);
	windows[0].base = UINT64_C(0xfffff001);
	assert_int_equal(x86_write_acpi(mem, &config, &rsdp), -EINVAL);
	windows[0].base = UINT64_MAX;
	assert_int_equal(x86_write_acpi(mem, &config, &rsdp), -EINVAL);
	windows[0].base = UINT64_C(0xfffff000);
	assert_int_equal(x86_write_acpi(mem, &config, &rsdp), 0);
	assert_int_equal(rsdp.v, X86_ACPI);

	none = ram(0xa0000);
	rsdp = gpa(1);
	assert_int_equal(x86_write_acpi(none, &config, &rsdp), -EFAULT);
	assert_int_equal(rsdp.v, 1);
	mem_destroy(none);
	mem_destroy(mem);
}

/* Runs `iasl @option @file` in @dir, what it says in the file "said". Its exit status. */
static int iasl(const char *dir, const char *option, const char *file)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		int fd;

		if (chdir(dir))
			_exit(125);
		fd = open("said", O_WRONLY | O_CREAT | O_TRUNC, 0600);
		(void)dup2(fd, STDOUT_FILENO);
		(void)dup2(fd, STDERR_FILENO);
		(void)execlp("iasl", "iasl", option, file, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static char *slurp(const char *dir, const char *name, size_t *len)
{
	char path[512];
	uint8_t *buf;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(read_file_whole(fd, 16 * MIB, &buf, len), 0);
	(void)close(fd);
	buf = (uint8_t *)realloc(buf, *len + 1);
	assert_non_null(buf);
	buf[*len] = 0;
	return (char *)buf;
}

static void spit(const char *dir, const char *name, const void *data, size_t len)
{
	char path[512];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write_full(fd, data, len), 0);
	(void)close(fd);
}

/* No complaint may be in what iasl said; "0 Errors, 0 Warnings" is fine. */
static void assert_no_complaint(const char *dir)
{
	static const char *const complaints[] = { "Warning  ",	"Error  ",	"Remark  ",
						  "Could not",	"Invalid",	"incorrect",
						  "ACPI Error", "ACPI Warning", "exceeds" };
	size_t len;
	char *said = slurp(dir, "said", &len);

	for (size_t i = 0; i < ARRAY_SIZE(complaints); i++) {
		if (strstr(said, complaints[i]))
			fail_msg("iasl says: %s", said);
	}
	free(said);
}

static size_t occurrences(const char *text, const char *word)
{
	size_t n = 0;

	for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
		n++;
	return n;
}

/* Takes table @name apart, and puts it together again: the same bytes behind the header. */
static char *round_trip(const char *dir, const char *name, const uint8_t *table, size_t len,
			size_t *text_len)
{
	char file[32], again[32], *bytes, *text;
	size_t again_len;

	(void)snprintf(file, sizeof(file), "%s.dat", name);
	spit(dir, file, table, len);
	assert_int_equal(iasl(dir, "-d", file), 0);
	assert_no_complaint(dir);
	(void)snprintf(file, sizeof(file), "%s.dsl", name);
	text = slurp(dir, file, text_len);
	assert_int_equal(iasl(dir, "-we", file), 0); /* warnings are errors */
	assert_no_complaint(dir);
	(void)snprintf(again, sizeof(again), "%s.aml", name);
	bytes = slurp(dir, again, &again_len);
	assert_int_equal(again_len, len);
	assert_memory_equal(bytes + HEADER, table + HEADER, len - HEADER);
	free(bytes);
	return text;
}

static void remove_dir(const char *dir)
{
	static const char *const files[] = { "said",	 "dsdt.dat", "dsdt.dsl", "dsdt.aml",
					     "facp.dat", "facp.dsl", "facp.aml", "apic.dat",
					     "apic.dsl", "apic.aml" };
	char path[512];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(dir), 0);
}

static void check_by_iasl(const char *dir, unsigned cpus, size_t virtio, bool serial)
{
	struct x86_acpi_config config = config_of(cpus, virtio, serial);
	bool pci = !virtio;
	struct tables t;
	size_t len;
	char *text;

	config.pci_window = X86_PCI_WINDOW;
	config.pci_window_size = pci ? X86_PCI_WINDOW_SIZE : 0;
	build(&config, &t);
	text = round_trip(dir, "dsdt", t.dsdt, t.dsdt_len, &len);
	assert_int_equal(occurrences(text, "EisaId (\"PNP0A03\")"), pci);
	assert_int_equal(occurrences(text, "WordBusNumber (ResourceProducer, MinFixed, MaxFixed,"),
			 pci);
	assert_int_equal(occurrences(text, "DWordMemory (ResourceProducer, PosDecode, MinFixed,"),
			 pci);
	assert_int_equal(occurrences(text, "Name (_HID, \"LNRO0005\")"), virtio);
	assert_int_equal(occurrences(text, "EisaId (\"PNP0501\")"), serial);
	assert_int_equal(occurrences(text,
				     "Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive"),
			 virtio + serial);
	assert_int_equal(occurrences(text, "Memory32Fixed (ReadWrite,"), virtio);
	assert_int_equal(occurrences(text, "Name (_S5, Package (0x04)"), 1);
	if (virtio == X86_VIRTIO_WINDOWS) {
		assert_non_null(strstr(text, "0xC000F000,         // Address Base"));
		assert_non_null(strstr(text, "Device (VR0F)"));
	}
	free(text);
	text = round_trip(dir, "facp", t.fadt, t.fadt_len, &len);
	assert_int_equal(occurrences(text, "Hardware Reduced (V5) : 1"), 1);
	assert_int_equal(occurrences(text, "Reset Register Supported (V2) : 1"), 1);
	free(text);
	text = round_trip(dir, "apic", t.madt, t.madt_len, &len);
	assert_int_equal(occurrences(text, "[Processor Local APIC]"), cpus > 255 ? 255 : cpus);
	assert_int_equal(occurrences(text, "[Processor Local x2APIC]"),
			 cpus > 255 ? cpus - 255 : 0);
	free(text);
}

static void test_iasl(void **state)
{
	static const struct {
		unsigned cpus;
		size_t virtio;
		bool serial;
	} cases[] = {
		{ 1, 0, false },   { 1, 0, true },     { 1, 1, false },	    { 2, 3, true },
		{ 255, 16, true }, { 256, 16, false }, { 1024, 256, true },
	};
	const char *tmp = getenv("TMPDIR");
	char dir[256];

	(void)state;
	(void)snprintf(dir, sizeof(dir), "%s/hvrun-acpi.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(dir));
	if (iasl(dir, "-v", "said") == 127) {
		remove_dir(dir);
		print_message("iasl is not installed (package acpica-tools)\n");
		skip();
	}
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_by_iasl(dir, cases[i].cpus, cases[i].virtio, cases[i].serial);
	remove_dir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fadt),	   cmocka_unit_test(test_madt_every_count),
		cmocka_unit_test(test_dsdt_bytes), cmocka_unit_test(test_dsdt_pci_bytes),
		cmocka_unit_test(test_limits),	   cmocka_unit_test(test_iasl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

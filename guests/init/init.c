/* SPDX-License-Identifier: BSD-2-Clause */
/* /init of the guest of `hvrun exec`, from top to bottom: modules, root, command, its status. */
#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/if.h>
#include <linux/mount.h>
#include <linux/reboot.h>
#include <linux/sockios.h>

#include "init.h"

static struct spec spec;
static int status_port = -1;

/* Nothing is left to do: the host ends the machine when it has read everything. */
static void rest(void)
{
	for (;;)
		sys(0, 0, 0, 0, 8, __NR_ppoll);
}

static char *decimal(char *end, unsigned long n)
{
	*--end = '\0';
	do
		*--end = (char)('0' + n % 10);
	while (n /= 10);
	return end;
}

static void tell(const char *word, const char *what)
{
	char text[1024];

	join(text, sizeof(text), word, " ", what, "\n");
	if (status_port < 0 || write_all(status_port, text, length(text)) < 0)
		write_all(1, text, length(text)); /* the kernel's console */
}

void fail(const char *what, const char *whom, long err)
{
	char digits[24], text[512];
	size_t len = length(join(text, sizeof(text), what, " ", whom, ": error "));

	join(text + len, sizeof(text) - len, decimal(digits + sizeof(digits), (unsigned long)-err),
	     NULL, NULL, NULL);
	tell("error", text);
	if (status_port < 0)
		sys(LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_POWER_OFF, 0, 0,
		    __NR_reboot);
	rest();
}

static void mount_kernel_files(void)
{
	sys(AT_FDCWD, (long)"/proc", 0755, 0, 0, __NR_mkdirat);
	sys(AT_FDCWD, (long)"/sys", 0755, 0, 0, __NR_mkdirat);
	sys(AT_FDCWD, (long)"/dev", 0755, 0, 0, __NR_mkdirat);
	sys((long)"proc", (long)"/proc", (long)"proc", 0, 0, __NR_mount);
	sys((long)"sysfs", (long)"/sys", (long)"sysfs", 0, 0, __NR_mount);
	sys((long)"devtmpfs", (long)"/dev", (long)"devtmpfs", 0, 0, __NR_mount);
}

static bool ends_with(const char *s, const char *end)
{
	return length(s) >= length(end) && same(s + length(s) - length(end), end);
}

/* In the order of the list, in which each comes after those that it needs. */
static void load_modules(void)
{
	enum { COMPRESSED = 4 }; /* MODULE_INIT_COMPRESSED_FILE */
	const long exists = -17;

	for (unsigned i = 0; i < spec.module_count; i++) {
		const char *path = spec.modules[i];
		int fd = open_read(path);
		long r = fd;

		if (fd >= 0) {
			r = sys(fd, (long)"", ends_with(path, ".ko") ? 0 : COMPRESSED, 0, 0,
				__NR_finit_module);
			sys(fd, 0, 0, 0, 0, __NR_close);
		}
		if (r < 0 && r != exists)
			fail("cannot load", path, r);
	}
}

static void loopback_up(void)
{
	int fd = (int)sys(AF_INET, SOCK_DGRAM, 0, 0, 0, __NR_socket);
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	if (fd < 0)
		return;
	sys(fd, SIOCSIFFLAGS, (long)&request, 0, 0, __NR_ioctl);
	sys(fd, 0, 0, 0, 0, __NR_close);
}

static unsigned long exit_status(int status)
{
	unsigned long signal = (unsigned long)status & 0x7f;

	return signal ? 128 + signal : (unsigned long)status >> 8 & 0xff;
}

void init_main(void);

void init_main(void)
{
	char digits[24];
	int in, out, err;

	mount_kernel_files();
	read_spec(&spec);
	load_modules();
	status_port = open_port("hvrun.status", O_RDWR);
	in = open_port("hvrun.stdin", O_RDONLY);
	out = open_port("hvrun.stdout", O_WRONLY);
	err = open_port("hvrun.stderr", O_WRONLY);
	if (in < 0 || out < 0 || err < 0)
		fail("cannot open", "the ports of the virtio console", -2);
	make_root(&spec);
	if (spec.hostname)
		sys((long)spec.hostname, (long)length(spec.hostname), 0, 0, 0, __NR_sethostname);
	loopback_up();
	tell("started", spec.argv[0]);
	tell("exit",
	     decimal(digits + sizeof(digits), exit_status(run_command(&spec, in, out, err))));
	rest();
}

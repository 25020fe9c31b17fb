/* SPDX-License-Identifier: BSD-2-Clause */
/* The few words of a C library that init needs. */
#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/time_types.h>

#include "init.h"

/* The compiler may call these for struct copies and zeroing. */
void *memcpy(void *to, const void *from, size_t len);
void *memset(void *to, int value, size_t len);

void *memcpy(void *to, const void *from, size_t len)
{
	char *t = to;
	const char *f = from;

	while (len--)
		*t++ = *f++;
	return to;
}

void *memset(void *to, int value, size_t len)
{
	char *t = to;

	while (len--)
		*t++ = (char)value;
	return to;
}

size_t length(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

bool same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

unsigned number(const char *s)
{
	unsigned n = 0;

	for (; *s >= '0' && *s <= '9'; s++)
		n = n * 10 + (unsigned)(*s - '0');
	return n;
}

char *join(char *to, size_t size, const char *a, const char *b, const char *c, const char *d)
{
	const char *parts[4] = { a, b, c, d };
	size_t used = 0;

	for (unsigned i = 0; i < 4 && parts[i]; i++) {
		for (const char *p = parts[i]; *p && used + 1 < size; p++)
			to[used++] = *p;
	}
	to[used] = '\0';
	return to;
}

long write_all(int fd, const char *data, size_t len)
{
	while (len) {
		long n = sys(fd, (long)data, (long)len, 0, 0, __NR_write);

		if (n < 0)
			return n;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int open_read(const char *path)
{
	return (int)sys(AT_FDCWD, (long)path, O_RDONLY, 0, 0, __NR_openat);
}

long read_file(const char *path, char *to, size_t size)
{
	int fd = open_read(path);
	size_t used = 0;
	long n = 1;

	if (fd < 0)
		return fd;
	while (n > 0 && used + 1 < size) {
		n = sys(fd, (long)(to + used), (long)(size - 1 - used), 0, 0, __NR_read);
		used += n > 0 ? (size_t)n : 0;
	}
	sys(fd, 0, 0, 0, 0, __NR_close);
	to[used] = '\0';
	return n < 0 ? n : (long)used;
}

void sleep_ms(long ms)
{
	struct __kernel_timespec time = { .tv_nsec = ms * 1000000 };

	sys((long)&time, 0, 0, 0, 0, __NR_nanosleep);
}

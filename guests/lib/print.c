/* SPDX-License-Identifier: BSD-2-Clause */
/* A small printf over plat_putc(). */
#include "lib/print.h"
#include "lib/platform.h"
#include "lib/string.h"

typedef __builtin_va_list va_list;

static void put_text(const char *text)
{
	while (*text)
		plat_putc(*text++);
}

static void put_number(u64 value, u32 base)
{
	char digits[24];
	u32 at = sizeof(digits);

	digits[--at] = 0;
	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	put_text(digits + at);
}

static void print_list(const char *format, va_list list)
{
	for (; *format; format++) {
		if (*format != '%') {
			plat_putc(*format);
			continue;
		}
		switch (*++format) {
		case 's':
			put_text(__builtin_va_arg(list, const char *));
			break;
		case 'c':
			plat_putc((char)__builtin_va_arg(list, int));
			break;
		case 'u':
			put_number(__builtin_va_arg(list, u32), 10);
			break;
		case 'x':
			put_number(__builtin_va_arg(list, u32), 16);
			break;
		case 'U':
			put_number(__builtin_va_arg(list, u64), 10);
			break;
		case 'X':
			put_number(__builtin_va_arg(list, u64), 16);
			break;
		case 'p':
			put_number((uptr) __builtin_va_arg(list, void *), 16);
			break;
		default:
			plat_putc(*format);
		}
	}
}

void print(const char *format, ...)
{
	va_list list;

	__builtin_va_start(list, format);
	print_list(format, list);
	__builtin_va_end(list);
}

_Noreturn void fail(u32 status, const char *format, ...)
{
	va_list list;

	put_text("FAIL: ");
	__builtin_va_start(list, format);
	print_list(format, list);
	__builtin_va_end(list);
	put_text("\n");
	plat_exit(status);
}

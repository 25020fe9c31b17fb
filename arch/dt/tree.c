/* SPDX-License-Identifier: BSD-2-Clause */
/* A device tree under construction: libfdt's sequential writer with one error that sticks. */
#include "arch/dt/tree.h"

#include <errno.h>
#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	MAX_NAME = 64,
	MAX_CELLS = 256,
	MAX_LIST = 1024, /* bytes of a list of strings */
	MAX_REGS = 8,
};

static void note(struct dt *dt, int r)
{
	if (r < 0 && !dt->error)
		dt->error = r;
}

void dt_begin(struct dt *dt, void *blob, size_t size)
{
	*dt = (struct dt){ .blob = blob, .size = size, .depth = 1 };
	note(dt, fdt_create(blob, (int)size));
	note(dt, fdt_finish_reservemap(blob));
	note(dt, fdt_begin_node(blob, ""));
}

int dt_finish(struct dt *dt)
{
	note(dt, fdt_end_node(dt->blob));
	note(dt, fdt_finish(dt->blob));
	if (dt->depth != 1)
		note(dt, -FDT_ERR_BADSTATE);
	if (dt->error)
		return dt->error == -FDT_ERR_BADSTATE ? -EINVAL : -ENOSPC;
	return (int)fdt_totalsize(dt->blob);
}

void dt_node(struct dt *dt, const char *name, ...)
{
	char text[MAX_NAME];
	va_list args;

	va_start(args, name);
	if (vsnprintf(text, sizeof(text), name, args) >= (int)sizeof(text))
		note(dt, -FDT_ERR_NOSPACE);
	va_end(args);
	note(dt, fdt_begin_node(dt->blob, text));
	dt->depth++;
}

void dt_node_end(struct dt *dt)
{
	if (dt->depth == 1) {
		note(dt, -FDT_ERR_BADSTATE);
		return;
	}
	dt->depth--;
	note(dt, fdt_end_node(dt->blob));
}

void dt_bytes(struct dt *dt, const char *name, const void *bytes, size_t len)
{
	note(dt, fdt_property(dt->blob, name, bytes, (int)len));
}

void dt_flag(struct dt *dt, const char *name)
{
	dt_bytes(dt, name, NULL, 0);
}

void dt_u32(struct dt *dt, const char *name, uint32_t value)
{
	note(dt, fdt_property_u32(dt->blob, name, value));
}

void dt_u64(struct dt *dt, const char *name, uint64_t value)
{
	note(dt, fdt_property_u64(dt->blob, name, value));
}

void dt_string(struct dt *dt, const char *name, const char *value)
{
	dt_bytes(dt, name, value, strlen(value) + 1);
}

void dt_cells(struct dt *dt, const char *name, const uint32_t *cells, size_t count)
{
	fdt32_t swapped[MAX_CELLS];

	if (count > MAX_CELLS) {
		note(dt, -FDT_ERR_NOSPACE);
		return;
	}
	for (size_t i = 0; i < count; i++)
		swapped[i] = cpu_to_fdt32(cells[i]);
	dt_bytes(dt, name, swapped, count * sizeof(swapped[0]));
}

void dt_strings(struct dt *dt, const char *name, const char *const *values)
{
	char list[MAX_LIST];
	size_t used = 0;

	for (; *values; values++) {
		size_t len = strlen(*values) + 1;

		if (len > sizeof(list) - used) {
			note(dt, -FDT_ERR_NOSPACE);
			return;
		}
		memcpy(list + used, *values, len);
		used += len;
	}
	dt_bytes(dt, name, list, used);
}

void dt_reg(struct dt *dt, uint64_t addr, uint64_t size)
{
	const uint64_t pair[] = { addr, size };

	dt_regs(dt, pair, 1);
}

void dt_regs(struct dt *dt, const uint64_t *pairs, size_t count)
{
	fdt64_t swapped[2 * MAX_REGS];

	if (count > MAX_REGS) {
		note(dt, -FDT_ERR_NOSPACE);
		return;
	}
	for (size_t i = 0; i < 2 * count; i++)
		swapped[i] = cpu_to_fdt64(pairs[i]);
	dt_bytes(dt, "reg", swapped, 2 * count * sizeof(swapped[0]));
}

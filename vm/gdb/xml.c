/* SPDX-License-Identifier: BSD-2-Clause */
/* The target description: the architecture's table of registers as gdb's XML. */
#include <stdio.h>

#include "vm/gdb/server.h"

static void add_feature(FILE *f, const struct arch_feature *feature)
{
	fprintf(f, "<feature name=\"%s\">%s", feature->name, feature->types ? feature->types : "");
	for (unsigned i = 0; i < feature->count; i++)
		fprintf(f, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"/>", feature->regs[i].name,
			feature->regs[i].bits, feature->regs[i].type);
	fprintf(f, "</feature>");
}

char *gdb_target_xml(void)
{
	char *xml = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&xml, &size);

	if (!f)
		return NULL;
	fprintf(f,
		"<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">"
		"<target version=\"1.0\"><architecture>%s</architecture>",
		arch_gdb_name);
	for (const struct arch_feature *feature = arch_features; feature->name; feature++)
		add_feature(f, feature);
	fprintf(f, "</target>");
	return fclose(f) == 0 ? xml : NULL;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of `hvrun run` whose words are many enough for a file of their own: rows of cli/options.c. */
#ifndef CLI_OPTIONS_APPLY_H
#define CLI_OPTIONS_APPLY_H

#include "cli/parse.h"

/* --port NAME,socket=PATH or NAME,file=FILE: the config's next port (cli/options_port.c). */
int apply_port(struct parser *parser, char *value);

/* --disk FILE[,OPT]...: the config's next disk (cli/options_disk.c). */
int apply_disk(struct parser *parser, char *value);

/* How a run ends and what is told of it (cli/options_end.c). */
int apply_timeout(struct parser *parser, char *value);
int apply_until(struct parser *parser, char *value);
int apply_fail_on(struct parser *parser, char *value);
/* --share DIR[,OPT]... and --vhost-user KIND,OPT... (cli/options_share.c). */
int apply_share(struct parser *parser, char *value);
int apply_vhost_user(struct parser *parser, char *value);

/* --gdb unix:PATH|[ADDR:]PORT[,nowait] (cli/options_gdb.c). */
int apply_gdb(struct parser *parser, char *value);

/* Where guest memory comes from (cli/options_memory.c). */
int apply_numa(struct parser *parser, char *value);
int apply_pmem(struct parser *parser, char *value); /* FILE */
int apply_rng(struct parser *parser, char *value);  /* bw=SIZE */

/* --vsock CID,path=SOCKET (cli/options_vsock.c). */
int apply_vsock(struct parser *parser, char *value);

/* --net KIND[,OPT]...: the config's next network (cli/options_net.c). */
int apply_net(struct parser *parser, char *value);

#endif

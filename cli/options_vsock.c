/* SPDX-License-Identifier: BSD-2-Clause */
/* The words of --vsock: CID,path=SOCKET. */
#include <string.h>
#include <sys/un.h>

#include "cli/options.h"
#include "cli/options_apply.h"
#include "cli/parse.h"

#define CID_MIN 3	   /* 0 to 2 are the hypervisor's, the loopback's and the host's */
#define CID_MAX 4294967294 /* the next one is any */

/* The longest name that is made of it, SOCKET_4294967295, has to be a socket's. */
static const size_t path_max = sizeof(((struct sockaddr_un *)0)->sun_path) - sizeof("_4294967295");

int apply_vsock(struct parser *parser, char *value)
{
	struct vm_config *config = options_config(parser);
	char *list = value;
	const char *cid = parse_part(&list);
	const char *path = list ? parse_key(parse_part(&list), "path") : NULL;

	if (!parse_number_within(cid, CID_MIN, CID_MAX, &config->vsock_cid))
		return parse_fail(parser,
				  "--vsock: %s is not an address for a guest: a number from %d to "
				  "%lld",
				  cid, CID_MIN, (long long)CID_MAX);
	if (!path || list)
		return parse_fail(parser, "--vsock: give it as CID,path=SOCKET, such as "
					  "3,path=/tmp/guest.sock");
	if (!*path)
		return parse_fail(parser, "--vsock: the socket's name is empty");
	if (strlen(path) > path_max)
		return parse_fail(parser,
				  "--vsock: the socket's name is longer than %zu bytes: a port is "
				  "added to it",
				  path_max);
	config->vsock_path = path;
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The words of --net: none, user or tap=NAME, then [,word][,key=value]... */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "cli/options.h"
#include "cli/options_apply.h"
#include "cli/parse.h"

enum {
	MTU_MIN = 68,
	MTU_MAX_USER = 65520, /* passt's: a frame's length in 16 bits, in whole words */
	MTU_MAX = 65535,
};

static int apply_mac(struct parser *parser, struct vm_net_config *net, const char *value)
{
	unsigned byte[6];
	char end;

	if (strlen(value) != 17 || sscanf(value, "%2x:%2x:%2x:%2x:%2x:%2x%c", &byte[0], &byte[1],
					  &byte[2], &byte[3], &byte[4], &byte[5], &end) != 6)
		return parse_fail(
			parser, "--net: mac=%s is not an address such as 52:54:00:12:34:56", value);
	if (byte[0] & 1)
		return parse_fail(
			parser, "--net: mac=%s is a multicast address; the first byte must be even",
			value);
	for (unsigned i = 0; i < 6; i++)
		net->mac[i] = (uint8_t)byte[i];
	net->has_mac = true;
	return 0;
}

static int apply_mtu(struct parser *parser, struct vm_net_config *net, const char *value)
{
	uint64_t max = net->kind == VM_NET_USER ? MTU_MAX_USER : MTU_MAX;
	uint64_t mtu;

	if (!parse_number_within(value, MTU_MIN, max, &mtu))
		return parse_fail(parser, "--net: mtu=%s is not a number from %d to %d", value,
				  MTU_MIN, (int)max);
	net->mtu = (uint16_t)mtu;
	return 0;
}

static int apply_queues(struct parser *parser, struct vm_net_config *net, const char *value)
{
	uint64_t queues;

	if (net->kind != VM_NET_TAP)
		return parse_fail(parser, "--net: queues= is for tap=NAME; user has one");
	if (!parse_number_within(value, 1, VM_NET_MAX_QUEUES, &queues))
		return parse_fail(parser, "--net: queues=%s is not a number from 1 to %d", value,
				  VM_NET_MAX_QUEUES);
	net->queues = (unsigned)queues;
	return 0;
}

/* A port at *@text, followed by @end. */
static bool take_port(const char **text, char end, uint16_t *port)
{
	uint64_t number;

	if (!parse_number(text, &number) || number < 1 || number > 65535 || **text != end)
		return false;
	*port = (uint16_t)number;
	if (end)
		++*text;
	return true;
}

static bool is_address(const char *text)
{
	uint8_t raw[16];

	return inet_pton(AF_INET, text, raw) == 1 || inet_pton(AF_INET6, text, raw) == 1;
}

/* tcp:[ADDRESS/]PORT:PORT */
static int apply_forward(struct parser *parser, struct vm_net_config *net, char *value)
{
	struct vm_forward *forward = &net->forwards[net->forward_count];
	const char *ports;
	char *slash;

	if (net->kind != VM_NET_USER)
		return parse_fail(parser, "--net: fwd= is for user; a tap has no ports to forward");
	if (net->forward_count == VM_NET_MAX_FORWARDS)
		return parse_fail(parser,
				  "--net: there can be at most %d fwd=", VM_NET_MAX_FORWARDS);
	*forward = (struct vm_forward){ .udp = strncmp(value, "udp:", 4) == 0 };
	slash = strchr(value, '/');
	ports = slash ? slash + 1 : value + 4;
	if ((!forward->udp && strncmp(value, "tcp:", 4) != 0) ||
	    !take_port(&ports, ':', &forward->host) || !take_port(&ports, '\0', &forward->guest))
		return parse_fail(
			parser,
			"--net: fwd=%s is not tcp:PORT:PORT or udp:PORT:PORT, the host's and "
			"the guest's, such as tcp:8080:80",
			value);
	if (slash) {
		*slash = '\0';
		forward->address = value + 4;
		if (!is_address(forward->address))
			return parse_fail(parser, "--net: fwd=: %s is not an IP address",
					  forward->address);
	}
	net->forward_count++;
	return 0;
}

static int apply_part(struct parser *parser, struct vm_net_config *net, char *part)
{
	const char *value = parse_key(part, "mac");

	if (value)
		return apply_mac(parser, net, value);
	value = parse_key(part, "mtu");
	if (value)
		return apply_mtu(parser, net, value);
	value = parse_key(part, "queues");
	if (value)
		return apply_queues(parser, net, value);
	if (parse_key(part, "fwd"))
		return apply_forward(parser, net, part + strlen("fwd="));
	if (strcmp(part, "nohost") == 0 && net->kind == VM_NET_USER) {
		net->nohost = true;
		return 0;
	}
	return parse_fail(
		parser,
		"--net: unknown word \"%s\"; there are mac=, mtu=, for user fwd= and nohost, "
		"for tap queues=",
		part);
}

static int apply_kind(struct parser *parser, struct vm_net_config *net, const char *kind)
{
	const char *name = parse_key(kind, "tap");

	if (strcmp(kind, "user") == 0) {
		net->kind = VM_NET_USER;
		return 0;
	}
	if (!name)
		return parse_unknown_value(parser, kind, "none, user or tap=NAME");
	if (!*name || strlen(name) >= IF_NAMESIZE || strchr(name, '/') || strchr(name, '%'))
		return parse_fail(parser, "--net: \"%s\" is no interface's name", name);
	net->kind = VM_NET_TAP;
	net->ifname = name;
	return 0;
}

int apply_net(struct parser *parser, char *value)
{
	struct vm_config *config = options_config(parser);
	struct vm_net_config *net = &config->nets[config->net_count];
	char *list = value;
	int err;

	if (strcmp(value, "none") == 0)
		return 0;
	if (config->net_count == VM_MAX_NETS)
		return parse_fail(parser, "--net: there can be at most %d", VM_MAX_NETS);
	*net = (struct vm_net_config){ .queues = 1 };
	err = apply_kind(parser, net, parse_part(&list));
	while (!err && list)
		err = apply_part(parser, net, parse_part(&list));
	if (!err)
		config->net_count++;
	return err;
}

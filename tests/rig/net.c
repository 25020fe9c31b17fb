/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the tests of networks, in L1 and in the guest: bytes that can be told from any others, and taps.
 *
 *   net pattern SEED BYTES    writes that many bytes to standard output
 *   net verify SEED BYTES     reads standard input to its end: those bytes and no others?
 *   net send HOST PORT SEED BYTES    the same by TCP, and waits until the other side has read all of it
 *   net take ADDRESS PORT SEED BYTES waits for one that sends so: those bytes and no others?
 *   net tap NAME [multi]      a tap that stays when this ends; multi: with many queues
 *
 * By TCP in large pieces: a byte costs little in a machine in software, a packet much.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 1 << 16 };

/* xorshift64: eight bytes a step, of which any lost, doubled or moved are seen. */
static uint64_t fill(uint64_t state, uint8_t *to)
{
	for (unsigned i = 0; i < CHUNK; i += sizeof(state)) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		memcpy(to + i, &state, sizeof(state));
	}
	return state;
}

static int fail(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	return 1;
}

static int pattern(FILE *to, uint64_t state, uint64_t bytes)
{
	static uint8_t buf[CHUNK];

	setvbuf(to, NULL, _IONBF, 0);
	while (bytes > 0) {
		size_t len = bytes < CHUNK ? (size_t)bytes : CHUNK;

		state = fill(state, buf);
		if (fwrite(buf, 1, len, to) != len)
			return fail("write");
		bytes -= len;
	}
	return 0;
}

static int verify(FILE *from, uint64_t state, uint64_t bytes)
{
	static uint8_t want[CHUNK], got[CHUNK];
	uint64_t done = 0;
	size_t len;

	while ((len = fread(got, 1, CHUNK, from)) > 0) {
		state = fill(state, want);
		if (memcmp(got, want, len) != 0) {
			printf("wrong bytes after %" PRIu64 "\n", done);
			return 1;
		}
		done += len;
	}
	if (done != bytes)
		printf("%" PRIu64 " bytes came, not %" PRIu64 "\n", done, bytes);
	return done != bytes;
}

static struct sockaddr_in address(char **words)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)atoi(words[1])) };

	in.sin_addr.s_addr = inet_addr(words[0]);
	return in;
}

/* HOST PORT SEED BYTES */
static int send_to(char **words)
{
	const struct sockaddr_in to = address(words);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	FILE *file = fdopen(fd, "r+");
	char byte;

	if (fd < 0 || !file || connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return fail("connect");
	if (pattern(file, strtoull(words[2], NULL, 10), strtoull(words[3], NULL, 10)))
		return 1;
	/* The other side closes when it has seen our end. */
	if (shutdown(fd, SHUT_WR) < 0 || read(fd, &byte, 1) != 0)
		return fail("the end");
	return 0;
}

/* ADDRESS PORT SEED BYTES */
static int take(char **words)
{
	const struct sockaddr_in at = address(words);
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	FILE *file;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 1) < 0)
		return fail("listen");
	file = fdopen(accept(fd, NULL, NULL), "r");
	if (!file)
		return fail("accept");
	return verify(file, strtoull(words[2], NULL, 10), strtoull(words[3], NULL, 10));
}

static int tap(const char *name, int multi)
{
	struct ifreq req = { .ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR |
						  (multi ? IFF_MULTI_QUEUE : 0)) };
	int fd = open("/dev/net/tun", O_RDWR);

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &req) == 0 && ioctl(fd, TUNSETPERSIST, 1) == 0)
		return 0;
	printf("tap %s: %s\n", name, strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	if (argc >= 3 && strcmp(argv[1], "tap") == 0)
		return tap(argv[2], argc > 3);
	if (argc == 4 && strcmp(argv[1], "pattern") == 0)
		return pattern(stdout, strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
	if (argc == 4 && strcmp(argv[1], "verify") == 0)
		return verify(stdin, strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
	if (argc == 6 && strcmp(argv[1], "send") == 0)
		return send_to(argv + 2);
	if (argc == 6 && strcmp(argv[1], "take") == 0)
		return take(argv + 2);
	return 64;
}

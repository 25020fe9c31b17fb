/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the tests of networks, in L1 and in the guest: bytes that can be told from any others, and taps.
 *
 *   net pattern SEED BYTES    writes that many bytes to standard output
 *   net verify SEED BYTES     reads standard input to its end: those bytes and no others?
 *   net tap NAME [multi]      a tap that stays when this ends; multi: with many queues
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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

static int pattern(uint64_t state, uint64_t bytes)
{
	static uint8_t buf[CHUNK];

	while (bytes > 0) {
		size_t len = bytes < CHUNK ? (size_t)bytes : CHUNK;

		state = fill(state, buf);
		if (fwrite(buf, 1, len, stdout) != len)
			return 1;
		bytes -= len;
	}
	return fflush(stdout) != 0;
}

static int verify(uint64_t state, uint64_t bytes)
{
	static uint8_t want[CHUNK], got[CHUNK];
	uint64_t done = 0;
	size_t len;

	while ((len = fread(got, 1, CHUNK, stdin)) > 0) {
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
		return pattern(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
	if (argc == 4 && strcmp(argv[1], "verify") == 0)
		return verify(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
	return 64;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The entrance: notes when the process began and hands the words to cli/. */
#include <stdint.h>
#include <time.h>

#include "cli/cli.h"

int main(int argc, char **argv)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return cli_main(argc, argv, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
}

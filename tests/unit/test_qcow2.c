/* SPDX-License-Identifier: BSD-2-Clause */
/* What a qcow2 header may say for its image to be served. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "vm/daemon/qcow2.h"

enum { HEADER = 80 };

static void make(uint8_t header[HEADER], uint8_t version)
{
	memset(header, 0, HEADER);
	memcpy(header, "QFI\xfb", 4);
	header[7] = version;
}

static void says(const uint8_t *header, size_t len, bool backing, const char *what)
{
	const char *why = qcow2_judge(header, len, backing);

	assert_non_null(why);
	assert_non_null(strstr(why, what));
}

static void good(void **state)
{
	uint8_t header[HEADER];

	(void)state;
	make(header, 2);
	header[79] = 0xff; /* version 2 has no features there */
	assert_null(qcow2_judge(header, HEADER, false));
	make(header, 3);
	header[79] = 1 | 2 | 8 |
		     16; /* dirty, corrupt, compression, extended L2: the daemon's to judge */
	assert_null(qcow2_judge(header, HEADER, false));
}

static void not_qcow2(void **state)
{
	uint8_t header[HEADER];

	(void)state;
	make(header, 3);
	for (size_t len = 0; len < HEADER; len++)
		says(header, len, false, "no qcow2");
	header[3] = 0;
	says(header, HEADER, false, "no qcow2");
	make(header, 1);
	says(header, HEADER, false, "neither 2 nor 3");
	make(header, 4);
	says(header, HEADER, false, "neither 2 nor 3");
	make(header, 3);
	header[4] = 1;
	says(header, HEADER, false, "neither 2 nor 3");
}

static void test_threat_22_header_names_files(void **state)
{
	uint8_t header[HEADER];

	(void)state;
	for (unsigned at = 8; at < 16; at++) {
		make(header, 2);
		header[at] = 0x80;
		says(header, HEADER, false, "backing=FILE");
		assert_null(qcow2_judge(header, HEADER, true));
	}
	make(header, 3);
	says(header, HEADER, true, "no backing file");
	header[79] = 4;
	says(header, HEADER, false, "its data lies in another file");
	says(header, HEADER, true, "its data lies in another file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(not_qcow2),
		cmocka_unit_test(test_threat_22_header_names_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

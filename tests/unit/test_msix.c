/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MSI-X (hw/msix.c): messages that are sent, masked, pending and forgotten, and accesses of
 * every size to the table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/checked.h"
#include "base/le.h"
#include "hw/msix.h"

struct sent {
	struct msi_port port;
	unsigned count;
	uint64_t address;
	uint32_t data;
};

static void note(struct msi_port *port, uint64_t at, uint32_t data)
{
	struct sent *sent = port->opaque;

	sent->count++;
	sent->address = at;
	sent->data = data;
}

enum { VECTORS = 3, ON = MSIX_CONTROL_ENABLE };

static void fresh(struct msix *msix, struct sent *sent)
{
	*sent = (struct sent){ .port = { .send = note } };
	sent->port.opaque = sent;
	msix_init(msix, VECTORS, &sent->port);
}

static void table32(struct msix *msix, uint64_t at, uint32_t value)
{
	uint8_t data[4];

	le32_store(data, value);
	msix_write_table(msix, at, data, 4);
}

static uint32_t table_get(const struct msix *msix, uint64_t at)
{
	uint8_t data[4];

	msix_read_table(msix, at, data, 4);
	return le32_load(data);
}

static uint64_t waiting(const struct msix *msix)
{
	uint8_t data[8];

	msix_read_pending(msix, 0, data, 8);
	return le64_load(data);
}

static void test_msix_sends(void **state)
{
	struct msix msix;
	struct sent sent;

	(void)state;
	fresh(&msix, &sent);
	msix_raise(&msix, 1); /* off: nothing is even noted */
	assert_int_equal(waiting(&msix), 0);
	msix_control(&msix, ON, true);
	table32(&msix, MSIX_ENTRY + 0, 0xfee01003);
	table32(&msix, MSIX_ENTRY + 4, 0x11);
	table32(&msix, MSIX_ENTRY + 8, 0x4041);
	assert_int_equal(table_get(&msix, MSIX_ENTRY), 0xfee01000);
	assert_int_equal(table_get(&msix, MSIX_ENTRY + 4), 0x11);
	assert_int_equal(table_get(&msix, MSIX_ENTRY + 12), 1); /* masked from the start */
	msix_raise(&msix, 1);
	assert_int_equal(sent.count, 0);
	assert_int_equal(waiting(&msix), 2);
	table32(&msix, MSIX_ENTRY + 12, 0xfffffffe);
	assert_int_equal(table_get(&msix, MSIX_ENTRY + 12), 0);
	assert_int_equal(sent.count, 1);
	assert_int_equal(waiting(&msix), 0);
	assert_true(sent.address == UINT64_C(0x11fee01000));
	assert_int_equal(sent.data, 0x4041);
	msix_raise(&msix, 1);
	assert_int_equal(sent.count, 2);
	msix_raise(&msix, VECTORS);
	msix_raise(&msix, UINT32_MAX);
	assert_int_equal(sent.count, 2);
}

static void test_msix_waits(void **state)
{
	static const struct {
		uint16_t control;
		bool master;
	} closed[] = { { ON | MSIX_CONTROL_MASK, true }, { ON, false } };
	struct msix msix;
	struct sent sent;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(closed); i++) {
		fresh(&msix, &sent);
		table32(&msix, 12, 0);
		msix_control(&msix, closed[i].control, closed[i].master);
		msix_raise(&msix, 0);
		msix_raise(&msix, 0);
		msix_raise(&msix, 2);
		assert_int_equal(sent.count, 0);
		assert_int_equal(waiting(&msix), 5);
		msix_control(&msix, ON, true);
		assert_int_equal(sent.count, 1); /* once, however often it was raised */
		assert_int_equal(waiting(&msix), 4);
		msix_forget(&msix);
		table32(&msix, 2 * MSIX_ENTRY + 12, 0);
		assert_int_equal(sent.count, 1);
		msix_raise(&msix, 2);
		assert_int_equal(sent.count, 2);
	}
	/* Switched off, what waited is gone. */
	msix_control(&msix, ON | MSIX_CONTROL_MASK, true);
	msix_raise(&msix, 0);
	msix_control(&msix, 0, true);
	msix_control(&msix, ON, true);
	assert_int_equal(sent.count, 2);
}

static void test_threat_17_msix_accesses_of_every_size(void **state)
{
	struct msix msix;
	struct sent sent;
	uint8_t data[9];

	(void)state;
	fresh(&msix, &sent);
	for (uint64_t at = 0; at < (VECTORS + 1) * MSIX_ENTRY; at++) {
		for (size_t len = 1; len <= 8; len++) {
			bool good = (len == 4 || len == 8) && at % len == 0 &&
				    at + len <= VECTORS * MSIX_ENTRY;

			memset(data, 0xa5, sizeof(data));
			msix_read_table(&msix, at, data, len);
			assert_int_equal(data[len], 0xa5);
			if (!good) {
				for (size_t i = 0; i < len; i++)
					assert_int_equal(data[i], 0xff);
				memset(data, 0, sizeof(data));
				msix_write_table(&msix, at, data, len);
			}
			memset(data, 0xa5, sizeof(data));
			msix_read_pending(&msix, at, data, len);
			assert_int_equal(data[0], (len == 4 || len == 8) && at % len == 0 && at < 8
							  ? 0
							  : 0xff);
			assert_int_equal(data[len], 0xa5);
		}
	}
	for (unsigned i = 0; i < VECTORS; i++)
		assert_true(msix.table[i].masked); /* no odd write took the mask off */
	le64_store(data, UINT64_C(0x00000000000000ab));
	msix_write_table(&msix, MSIX_ENTRY + 8, data, 8);
	assert_int_equal(table_get(&msix, MSIX_ENTRY + 8), 0xab);
	assert_int_equal(table_get(&msix, MSIX_ENTRY + 12), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_msix_sends),
		cmocka_unit_test(test_msix_waits),
		cmocka_unit_test(test_threat_17_msix_accesses_of_every_size),
	};

	return cmocka_run_group_tests_name("msix", tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small device type that tests drive.
 */
#include "tests/lib/test_device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct test_device *td_of(struct virtio_dev *dev)
{
	return (struct test_device *)dev->priv;
}

static void td_config_read(struct virtio_dev *dev, size_t offset, void *data, size_t len)
{
	assert_true(len > 0 && offset <= TD_CONFIG && len <= TD_CONFIG - offset);
	memcpy(data, td_of(dev)->config + offset, len);
}

static void td_config_write(struct virtio_dev *dev, size_t offset, const void *data, size_t len)
{
	assert_true(len > 0 && offset <= TD_CONFIG && len <= TD_CONFIG - offset);
	td_of(dev)->config_writes++;
	memcpy(td_of(dev)->config + offset, data, len);
}

static void td_ready(struct virtio_dev *dev)
{
	td_of(dev)->readies++;
}

static void td_queue_kick(struct virtio_dev *dev, unsigned index)
{
	struct test_device *td = td_of(dev);

	td->kicks[index]++;
	while (virtio_pop(dev, index, &td->chain)) {
		td->served[index]++;
		if (!td->hold)
			vq_push(&dev->queues[index], td->chain.head, 0);
	}
	virtio_signal(dev, index);
}

static void td_reset(struct virtio_dev *dev)
{
	struct test_device *td = td_of(dev);

	td->resets++;
	td->status_at_reset = virtio_status(dev);
	/* Nothing may be served any more while the type drains. */
	for (unsigned i = 0; i < TD_QUEUES; i++)
		assert_int_equal(virtio_pop(dev, i, &td->chain), 0);
}

static void td_destroy(struct virtio_dev *dev)
{
	td_of(dev)->destroys++;
}

static const struct virtio_type td_type = {
	.name = "test",
	.id = TD_ID,
	.config_read = td_config_read,
	.config_write = td_config_write,
	.ready = td_ready,
	.queue_kick = td_queue_kick,
	.reset = td_reset,
	.destroy = td_destroy,
};

void test_device_clear_rings(struct test_device *td)
{
	for (unsigned i = 0; i < TD_QUEUES; i++)
		dr_init(&td->rings[i], td->mem, gpa(TD_RINGS + i * 0x4000), TD_QUEUE_MAX);
}

int test_device_setup(void **state)
{
	struct test_device *td = (struct test_device *)calloc(1, sizeof(*td));

	assert_non_null(td);
	assert_int_equal(mem_create(&td->mem), 0);
	assert_int_equal(mem_add(td->mem, gpa(0), TD_RAM, MEM_RAM), 0);
	assert_int_equal(loop_create(&td->loop), 0);
	assert_int_equal(virtio_dev_init(&td->dev, &td_type, "test0", td->mem, td->loop, TD_QUEUES,
					 TD_QUEUE_MAX, TD_FEATURE, TD_CONFIG),
			 0);
	td->dev.priv = td;
	count_irq_init(&td->irq);
	td->dev.irq = &td->irq.line;
	test_device_clear_rings(td);
	*state = td;
	return 0;
}

int test_device_teardown(void **state)
{
	struct test_device *td = (struct test_device *)*state;

	virtio_dev_fini(&td->dev);
	assert_int_equal(td->destroys, 1);
	loop_destroy(td->loop);
	mem_destroy(td->mem);
	free(td);
	return 0;
}

void test_device_start(struct test_device *td)
{
	test_device_clear_rings(td);
	assert_true(dr_negotiate(&td->dev, TD_FEATURES));
	for (unsigned i = 0; i < TD_QUEUES; i++)
		assert_true(dr_setup_queue(&td->dev, i, &td->rings[i]));
	assert_true(dr_driver_ok(&td->dev));
}

void test_device_offer(struct test_device *td, unsigned index, uint16_t head)
{
	static const struct dr_buf bufs[] = {
		{ TD_BUFFER, 8, false },
		{ TD_BUFFER + 8, 8, true },
	};

	dr_offer(&td->rings[index], dr_chain(&td->rings[index], head, bufs, 2));
}

void test_device_turn(struct test_device *td)
{
	while (loop_turn(td->loop, 0) > 0)
		;
}

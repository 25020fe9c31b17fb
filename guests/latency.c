/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long a doorbell and an interrupt take, by way of virtio-rng. Words: rounds=N. Three lines with
 * percentiles, in cycles of the processor's counter (tests/bench/run turns them into microseconds):
 *
 *	store		the store to the doorbell, until the next instruction
 *	device		from the store until the used entry is seen, by a driver that looks for it
 *	interrupt	from the store to the handler of the interrupt, by a driver that halts
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/virtio.h"

enum { MAX_ROUNDS = 1000, DEFAULT_ROUNDS = 50, LOOKS = 1 << 20 };

static struct vdevice dev;
static struct vqueue queue;
static u64 buffer;
static volatile u64 arrived;
static u64 store[MAX_ROUNDS], device[MAX_ROUNDS], interrupt[MAX_ROUNDS];

static void handler(void)
{
	arrived = plat_cycles();
	mmio_write32(dev.base + VM_INTERRUPT_ACK, 1);
}

static void sort(u64 *took, u32 n)
{
	for (u32 gap = n / 2; gap > 0; gap /= 2)
		for (u32 i = gap; i < n; i++)
			for (u32 j = i; j >= gap && took[j] < took[j - gap]; j -= gap) {
				u64 t = took[j];

				took[j] = took[j - gap];
				took[j - gap] = t;
			}
}

static void report(const char *what, u64 *took, u32 n)
{
	sort(took, n);
	print("latency: %s cycles min %U p50 %U p90 %U p99 %U max %U of %u\n", what, took[0],
	      took[n / 2], took[n * 9 / 10], took[n * 99 / 100], took[n - 1], n);
}

static u64 ring(void)
{
	static const struct vbuf buf = { (uptr)&buffer, sizeof(buffer), true };
	u64 begin;

	virtio_put(&queue, 0, &buf, 1, false);
	begin = plat_cycles();
	virtio_kick(&dev, &queue);
	return begin;
}

static void look(u32 i)
{
	struct vused_elem elem;
	u64 begin = ring();

	store[i] = plat_cycles() - begin;
	/* The clock of who hangs is looked at now and then: it would be a part of what is measured. */
	for (u32 n = 1; !virtio_pending(&queue); n++)
		CHECK(n % LOOKS || plat_cycles() - begin < PATIENCE, 5);
	device[i] = plat_cycles() - begin;
	CHECK(virtio_take(&queue, &elem), 6);
}

static void halt(u32 i)
{
	struct vused_elem elem;
	u64 begin;

	arrived = 0;
	virtio_want_irq(&dev, &queue);
	begin = ring();
	while (!arrived)
		plat_wait_irq();
	interrupt[i] = arrived - begin;
	CHECK(virtio_take(&queue, &elem), 7);
}

u32 guest_main(void)
{
	u32 rounds = (u32)cmdline_number("rounds", DEFAULT_ROUNDS);

	CHECK(rounds > 0 && rounds <= MAX_ROUNDS, 2);
	if (!virtio_find(&dev, VIRTIO_RNG, 0))
		fail(1, "no virtio-rng");
	CHECK(virtio_begin(&dev, VF_EVENT_IDX), 3);
	CHECK(virtio_queue(&dev, &queue, 0, 4), 4);
	virtio_go(&dev);
	plat_irq_on(plat_virtio_irq(dev.window), false, handler);
	for (u32 i = 0; i < rounds; i++) {
		look(i);
		halt(i);
	}
	report("store", store, rounds);
	report("device", device, rounds);
	report("interrupt", interrupt, rounds);
	return 0;
}

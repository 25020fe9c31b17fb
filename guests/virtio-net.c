/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network card: asks by ARP who has 192.168.77.1 and expects the answer, into one buffer and into
 * merged small ones; resets with packets under way in both directions and asks again. With the word
 * "link" it waits at the end until its link goes down.
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/virtio.h"

enum {
	HDR = 12,
	ARP = 42, /* bytes of the frame */
	BUFFERS = 8,
	FRAMES = 200, /* of others that are passed over */
	CONFIG_MAC = 0,
	CONFIG_STATUS = 4, /* the 32-bit word with the status in its upper half */
};

#define NET_MAC	   (1ULL << 5)
#define NET_MERGE  (1ULL << 15)
#define NET_STATUS (1ULL << 16)
#define LINK_UP	   0x10000u

static struct vdevice dev;
static struct vqueue receive, transmit;
static u8 mac[6];
static u8 out[HDR + ARP];
static u8 in[BUFFERS][2048];
static u8 frame[BUFFERS * 2048];

static void start(u64 features, u32 size)
{
	CHECK(virtio_begin(&dev, features | VF_EVENT_IDX), 2);
	CHECK((dev.features & features) == features, 3);
	CHECK(virtio_queue(&dev, &receive, 0, BUFFERS), 4);
	CHECK(virtio_queue(&dev, &transmit, 1, BUFFERS), 5);
	virtio_go(&dev);
	for (u32 i = 0; i < 6; i++)
		mac[i] = (u8)(mmio_read32(dev.base + VM_CONFIG + (i & ~3u)) >> (8 * (i & 3)));
	for (u32 i = 0; i < BUFFERS; i++) {
		struct vbuf buf = { (uptr)in[i], size, true };

		virtio_put(&receive, i, &buf, 1, false);
	}
	virtio_kick(&dev, &receive);
}

static void make_request(void)
{
	static const u8 arp[] = { 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1 };
	static const u8 me[] = { 192, 168, 77, 2 }, you[] = { 192, 168, 77, 1 };
	u8 *f = out + HDR;

	memset(out, 0, sizeof(out));
	memset(f, 0xff, 6);
	memcpy(f + 6, mac, 6);
	memcpy(f + 12, arp, sizeof(arp));
	memcpy(f + 22, mac, 6);
	memcpy(f + 28, me, 4);
	memcpy(f + 38, you, 4);
}

/* Header and frame in buffers of their own, by descriptors @first and the next. */
static void send(u32 first)
{
	struct vbuf bufs[] = { { (uptr)out, HDR, false }, { (uptr)out + HDR, ARP, false } };

	virtio_put(&transmit, first, bufs, 2, false);
}

static bool link_up(void)
{
	return mmio_read32(dev.base + VM_CONFIG + CONFIG_STATUS) & LINK_UP;
}

/* None comes over a link that is down. */
static void await_packet(void)
{
	u64 give_up = plat_cycles() + PATIENCE;

	while (!virtio_pending(&receive) && plat_cycles() < give_up)
		CHECK(link_up() || virtio_pending(&receive), 13);
}

/* The next packet, its buffers put together and offered again: its length. */
static u32 take_packet(u32 size)
{
	u32 have = 0, left = 1;

	while (left--) {
		struct vused_elem elem;
		struct vbuf buf = { 0, size, true };

		await_packet();
		if (!virtio_take(&receive, &elem))
			fail(6, "no packet came; device status %x", virtio_status(&dev));
		CHECK(elem.id < BUFFERS && elem.len <= size, 7);
		memcpy(frame + have, in[elem.id], elem.len);
		if (have == 0) {
			left = (u32)frame[10] + frame[11] * 256u - 1;
			CHECK(elem.len >= HDR && left < BUFFERS, 8);
		}
		have += elem.len;
		buf.gpa = (uptr)in[elem.id];
		virtio_put(&receive, elem.id, &buf, 1, false);
	}
	virtio_kick(&dev, &receive);
	return have;
}

static bool is_answer(u32 len)
{
	static const u8 arp[] = { 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 2 };
	static const u8 you[] = { 192, 168, 77, 1 };
	const u8 *f = frame + HDR;

	return len >= HDR + ARP && memcmp(f, mac, 6) == 0 &&
	       memcmp(f + 12, arp, sizeof(arp)) == 0 && memcmp(f + 28, you, 4) == 0 &&
	       memcmp(f + 32, mac, 6) == 0;
}

static void ask(u32 size)
{
	struct vused_elem elem;
	u32 frames = 0;

	make_request();
	send(0);
	virtio_kick(&dev, &transmit);
	if (!virtio_take(&transmit, &elem))
		fail(9, "the card takes nothing; device status %x", virtio_status(&dev));
	CHECK(elem.id == 0 && elem.len == 0, 10);
	while (!is_answer(take_packet(size)))
		CHECK(++frames < FRAMES, 11);
}

/* Packets offered both ways, and at once a reset: nothing comes to the next rings from it. */
static void reset_in_flight(void)
{
	for (u32 i = 0; i < BUFFERS; i += 2)
		send(i);
	virtio_kick(&dev, &transmit);
	virtio_reset(&dev);
	CHECK(virtio_status(&dev) == 0, 12);
}

u32 guest_main(void)
{
	u64 give_up;

	if (!virtio_find(&dev, VIRTIO_NET, 0))
		fail(1, "no network card");
	start(NET_MAC | NET_STATUS, 2048);
	CHECK(link_up(), 13);
	ask(2048);
	print("virtio-net: answered\n");
	for (u32 i = 0; i < 4; i++) {
		reset_in_flight();
		start(NET_MAC | NET_STATUS | NET_MERGE, i % 2 ? 32 : 2048);
		ask(i % 2 ? 32 : 2048);
	}
	print("virtio-net: answered after resets, merged too\n");
	if (!cmdline_has("link"))
		return 0;
	print("virtio-net: waiting\n");
	give_up = plat_cycles() + PATIENCE;
	while (link_up())
		CHECK(plat_cycles() < give_up, 14);
	make_request();
	send(0);
	virtio_kick(&dev, &transmit);
	print("virtio-net: the link is down\n");
	return 0;
}

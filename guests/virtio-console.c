/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio console: a line out on port 0; with the word "input", one line in and echoed; with "flood", 256 KiB in
 * one buffer, which may take as long as they like, and with "leave" nobody waits for them.
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/virtio.h"

static struct vdevice dev;
static struct vqueue receive, transmit;
static char line[128];

static void send(const char *text, uptr size, bool indirect)
{
	struct vbuf bufs[2] = { { (uptr)text, 5, false },
				{ (uptr)text + 5, (u32)size - 5, false } };
	struct vused_elem elem;

	virtio_put(&transmit, 0, bufs, 2, indirect);
	virtio_kick(&dev, &transmit);
	if (!virtio_take(&transmit, &elem))
		fail(2, "the console takes nothing; device status %x", virtio_status(&dev));
	if (elem.id || elem.len)
		fail(3, "used element id %u len %u, should be 0 and 0", elem.id, elem.len);
}

/* Read until the line ends; returns its length. */
static uptr read_line(void)
{
	struct vused_elem elem;
	uptr have = 0;

	while (!have || line[have - 1] != '\n') {
		struct vbuf buf = { (uptr)line + have, (u32)(sizeof(line) - have), true };

		if (have == sizeof(line))
			fail(4, "the line is too long");
		virtio_put(&receive, 0, &buf, 1, false);
		virtio_kick(&dev, &receive);
		if (!virtio_take(&receive, &elem))
			fail(5, "no input came");
		if (elem.len == 0 || elem.len > sizeof(line) - have)
			fail(6, "the console says it wrote %u bytes", elem.len);
		have += elem.len;
	}
	return have;
}

/* 4,096 lines of 64 bytes, numbered. */
static void flood(bool leave)
{
	static char lines[4096][64];
	struct vbuf buf = { (uptr)lines, sizeof(lines), false };
	struct vused_elem elem;

	for (u32 i = 0; i < 4096; i++) {
		for (u32 at = 0; at < 63; at++)
			lines[i][at] = '.';
		for (u32 n = i, at = 0; at < 4; at++, n /= 10)
			lines[i][3 - at] = (char)('0' + n % 10);
		lines[i][63] = '\n';
	}
	virtio_put(&transmit, 0, &buf, 1, false);
	virtio_kick(&dev, &transmit);
	while (!leave && !virtio_take(&transmit, &elem))
		;
}

u32 guest_main(void)
{
	static const char direct_line[] = "virtio-console: a line\n";
	static const char indirect_line[] = "virtio-console: an indirect line\n";

	if (!virtio_find(&dev, VIRTIO_CONSOLE, 0))
		fail(1, "no virtio-console");
	CHECK(virtio_begin(&dev, VF_INDIRECT | VF_EVENT_IDX), 7);
	CHECK(virtio_queue(&dev, &receive, 0, 8), 8);
	CHECK(virtio_queue(&dev, &transmit, 1, 8), 9);
	virtio_go(&dev);
	send(direct_line, sizeof(direct_line) - 1, false);
	if (dev.features & VF_INDIRECT)
		send(indirect_line, sizeof(indirect_line) - 1, true);
	if (cmdline_has("flood") || cmdline_has("leave"))
		flood(cmdline_has("leave"));
	if (cmdline_has("input"))
		send(line, read_line(), false);
	return 0;
}

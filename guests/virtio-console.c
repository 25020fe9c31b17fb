/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtio console: a line out on port 0; with the word "input", one line in and echoed. */
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
	if (cmdline_has("input"))
		send(line, read_line(), false);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel that `hvrun exec` can run, as small as it gets: it has no programs, but says by the ports of the
 * virtio console what a real one's init says when the command has ended. Words: status=N (0), error
 * (it could not be run), cut (no status comes: the guest powers off), silent (nothing on the streams).
 */
#include "lib/platform.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/virtio.h"

enum {
	MULTIPORT = 2, /* feature bit 1 */
	CONTROL_IN = 2,
	CONTROL_OUT = 3,
	PORTS = 5, /* the console's own, and four with names */
	NAME_MAX = 32,
};

/* Events of control messages (virtio 1.3, 5.3.6.2). */
enum {
	DEVICE_READY = 0,
	PORT_ADD = 1,
	PORT_READY = 3,
	PORT_OPEN = 6,
	PORT_NAME = 7,
};

struct control {
	u32 id;
	u16 event;
	u16 value;
	char name[NAME_MAX];
};

static struct vdevice dev;
static struct vqueue in, out, ports[PORTS]; /* of ports: what we write */
static u32 port_stdout, port_stderr, port_status;
static bool open[PORTS];

static void send(struct vqueue *queue, const void *data, u32 size)
{
	struct vbuf buf = { (uptr)data, size, false };
	struct vused_elem elem;

	virtio_put(queue, 0, &buf, 1, false);
	virtio_kick(&dev, queue);
	if (!virtio_take(queue, &elem))
		fail(2, "a port takes nothing; device status %x", virtio_status(&dev));
}

static void control(u32 id, u16 event, u16 value)
{
	static struct control message;

	message = (struct control){ .id = id, .event = event, .value = value };
	send(&out, &message, 8);
}

static bool is(const char *name, const char *wanted)
{
	while (*name && *name == *wanted) {
		name++;
		wanted++;
	}
	return *name == *wanted;
}

static void take_name(const struct control *message)
{
	if (is(message->name, "hvrun.stdout"))
		port_stdout = message->id;
	if (is(message->name, "hvrun.stderr"))
		port_stderr = message->id;
	if (is(message->name, "hvrun.status"))
		port_status = message->id;
	control(message->id, PORT_OPEN, 1);
}

/* One message of the device. */
static void listen(void)
{
	static struct control message;
	struct vbuf buf = { (uptr)&message, sizeof(message) - 1, true };
	struct vused_elem elem;

	message = (struct control){ 0 };
	virtio_put(&in, 0, &buf, 1, false);
	virtio_kick(&dev, &in);
	if (!virtio_take(&in, &elem))
		fail(3, "no message came");
	if (elem.len < 8 || message.id >= PORTS)
		fail(4, "a message of %u bytes for port %u", elem.len, message.id);
	if (message.event == PORT_ADD)
		control(message.id, PORT_READY, 1);
	if (message.event == PORT_NAME)
		take_name(&message);
	if (message.event == PORT_OPEN)
		open[message.id] = message.value;
}

static void say(u32 port, const char *text)
{
	u32 size = 0;

	while (text[size])
		size++;
	send(&ports[port], text, size);
}

static void tell_status(u32 status)
{
	static char line[] = "exit 000\n";

	for (u32 i = 0, n = status; i < 3; i++, n /= 10)
		line[7 - i] = (char)('0' + n % 10);
	say(port_status, line);
}

u32 guest_main(void)
{
	if (!virtio_find(&dev, VIRTIO_CONSOLE, 0))
		fail(1, "no virtio-console");
	CHECK(virtio_begin(&dev, MULTIPORT), 7);
	CHECK(dev.features & MULTIPORT, 8);
	CHECK(virtio_queue(&dev, &in, CONTROL_IN, 8), 9);
	CHECK(virtio_queue(&dev, &out, CONTROL_OUT, 8), 10);
	for (u32 i = 1; i < PORTS; i++)
		CHECK(virtio_queue(&dev, &ports[i], 3 + 2 * i, 8), 11);
	virtio_go(&dev);
	control(~0U, DEVICE_READY, 1);
	while (!port_status || !open[port_stdout] || !open[port_stderr] || !open[port_status])
		listen();
	print("command: runs\n");
	say(port_status, "started it\n");
	if (!cmdline_has("silent")) {
		say(port_stdout, "on standard output\n");
		say(port_stderr, "on standard error\n");
	}
	if (cmdline_has("cut"))
		plat_poweroff();
	if (cmdline_has("error"))
		say(port_status, "error cannot mount the root: error 19\n");
	else
		tell_status((u32)cmdline_number("status", 0));
	plat_hang();
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of every device, whatever its type. */
#include "virtio/devices.h"

#include <stdlib.h>

void virtio_dev_destroy(struct virtio_dev *dev)
{
	if (!dev)
		return;
	virtio_dev_fini(dev);
	free(dev);
}

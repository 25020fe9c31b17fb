/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that disks are made of: full of bytes that tell where they are from. Failures fail the running cmocka test. */
#ifndef TESTS_LIB_IMAGE_H
#define TESTS_LIB_IMAGE_H

#include <stddef.h>
#include <stdint.h>

/* What an image holds at @at: neighbours differ, and so do sectors. */
uint8_t image_byte(uint64_t at);

/* A file of @size such bytes under /tmp, without a name, where O_DIRECT is likely to work. The caller closes it. */
int image_file(size_t size);

/* The file of @fd opened anew, with locks and an offset of its own: as open(). */
int image_again(int fd, int flags);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* How many descriptors this process has, for tests that nothing stays open. */
#ifndef TESTS_LIB_OPEN_FDS_H
#define TESTS_LIB_OPEN_FDS_H

/* The number itself means nothing; two of them are compared. Fails the running cmocka test if it cannot tell. */
unsigned open_fds(void);

#endif

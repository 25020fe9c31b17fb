/* SPDX-License-Identifier: BSD-2-Clause */
/* Breakpoints and watchpoints as x86's debug registers hold them. */
#ifndef ARCH_X86_DEBUG_H
#define ARCH_X86_DEBUG_H

#include <stdint.h>

#include "arch/debug.h"

/* DR0 to DR7 for the points of @debug (Intel SDM, volume 3, 18.2). All zero if there are none. */
void x86_debug_registers(const struct arch_debug *debug, uint64_t dr[8]);

#endif

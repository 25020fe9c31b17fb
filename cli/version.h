/* SPDX-License-Identifier: BSD-2-Clause */
/* The one place that says which hvrun this is. */
#ifndef CLI_VERSION_H
#define CLI_VERSION_H

#define HVRUN_VERSION "0.1.0"

#endif

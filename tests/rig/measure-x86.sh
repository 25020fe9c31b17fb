#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# measure.sh by the name that it had when it knew x86 only.
exec "$(dirname "$0")/measure.sh" "$@" x86

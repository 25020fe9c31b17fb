#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# hvrun exec: its words, and the page hvrun-exec.1. What it does is tested in the rig.
. "$TEST_TOP/tests/lib/sh.sh"

k=$TMPDIR/kernel
: >"$k"
hv exec
check 'no kernel' 64 '^hvrun: exec: no kernel; .*hvrun exec --help'
hv exec -k "$k"
check 'no command' 64 '^hvrun: exec: no command; it comes after --'
hv exec -k "$k" --
check 'nothing after --' 64 '^hvrun: exec: no command'
hv exec -k "$k" --root "$TMPDIR/absent" -- true
check 'a root that is not there' 64 "^hvrun: --root $TMPDIR/absent: No such file"
hv exec -k "$k" --root /,ro -- true
check 'a wrong word of --root' 64 '^hvrun: --root /: unknown word "ro"'
hv exec -k "$k" --cwd here -- true
check 'a relative --cwd' 64 '^hvrun: --cwd here: this is no absolute path'
hv exec -k "$k" --env =x -- true
check 'a variable without a name' 64 '^hvrun: --env =x: the variable has no name'
hv exec -k "$k" --env HVRUN_TEST_NOT_SET -- true
check 'a variable that is not set' 64 '^hvrun: --env HVRUN_TEST_NOT_SET: it has no value here'
hv exec -k "$k" --initrd x -- true
check 'an option of run that makes no sense here' 64 '^hvrun: unknown option --initrd'
hv exec -k "$k" --modules "$TMPDIR/absent" -- true
check 'modules that are not there' 66 "^hvrun: modules $TMPDIR/absent: cannot read"
mkdir "$TMPDIR/broken" && echo no >"$TMPDIR/broken/virtio_mmio.ko"
hv exec -k "$k" --modules "$TMPDIR/broken" -- true
check 'a file that is no module' 65 "^hvrun: module $TMPDIR/broken/virtio_mmio.ko: this is no module"

hv exec --help
check 'help: status 0, nothing on stderr' 0 '' '^hvrun exec runs a command'
options_of_page hvrun-exec.1 10

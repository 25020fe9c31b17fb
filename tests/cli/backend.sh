#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# hvrun backend: its words, its page, and what it does before the first front end comes.
. "$TEST_TOP/tests/lib/sh.sh"

s=$TMPDIR/socket
truncate -s 1M "$TMPDIR/disk"
head -c 1000 /dev/zero >"$TMPDIR/odd"

hv backend
check 'no device' 64 '^hvrun: backend: which device\?'
hv backend blk
check 'no socket' 64 '^hvrun: backend: for whom\?'
hv backend blk --socket ''
check 'an empty name of a socket' 64 '^hvrun: --socket'
hv backend blk --socket "$s"
check 'no disk' 64 '^hvrun: backend blk: one disk is served'
hv backend blk --socket "$s" -d "$TMPDIR/disk" -d "$TMPDIR/disk"
check 'two disks' 64 '^hvrun: backend blk: one disk is served'
hv backend blk --socket "$s" -d "$TMPDIR/disk,format=qcow2"
check 'a disk of another format' 64 '^hvrun: backend blk: format=qcow2 is served by qemu-storage-daemon'
hv backend blk --socket "$s" -d "$TMPDIR/disk,ro,verity=$TMPDIR/odd"
check 'a tree without its root' 64 '^hvrun: backend blk: a disk with verity needs root-hash=HEX'
hv backend rng --socket "$s" -d "$TMPDIR/disk"
check 'random numbers of a disk' 64 '^hvrun: backend rng: a disk is served by hvrun backend blk'
hv backend gpu --socket "$s"
check 'a device that is not there' 64 '^hvrun: backend: there is no device "gpu"; there are blk and rng'
hv backend blk rng --socket "$s"
check 'two devices' 64 '^hvrun: "rng" is one word too many'
hv backend blk --socket "$s" -k kernel
check 'an option of run that makes no sense here' 64 '^hvrun: unknown option -k'

hv backend blk --socket "$s" -d "$TMPDIR/absent"
check 'a disk that is not there' 66 "^hvrun: disk $TMPDIR/absent: cannot open"
hv backend blk --socket "$s" -d "$TMPDIR/odd"
check 'a disk that is none' 65 "^hvrun: disk $TMPDIR/odd: size 1000 is not a multiple of 512"
hv backend rng --socket "$TMPDIR/no/socket"
check 'a socket in no folder' 71 '^hvrun: backend: cannot listen on .*/no/socket'
if [ -e "$s" ]; then not_ok 'nothing is left behind' "$s is there"; else ok 'nothing is left behind'; fi

# serve NAME WORD...: hvrun backend in the background, as $pid, when it listens.
serve() {
	: >"$TMPDIR/err" # the last one's words are not to be taken for this one's
	"$HVRUN" backend "$@" --socket "$s" -v 2>"$TMPDIR/err" &
	pid=$!
	until grep -q 'waiting at' "$TMPDIR/err" || ! kill -0 $pid 2>/dev/null; do sleep 0.05; done
}
for way in TERM INT HUP 'TERM --pid-namespace'; do
	signal=${way%% *}
	# shellcheck disable=SC2086 # one word or none
	serve blk -d "$TMPDIR/disk" ${way#"$signal"}
	if grep -q 'the host refuses one' "$TMPDIR/err"; then
		skip "SIG$way" 'this host gives no PID namespace'
		continue
	fi
	inside=$(cat "/proc/$pid/task/$pid/children")
	case $way/$([ -z "$inside" ] || awk '$1 == "NSpid:" { print $NF }' "/proc/${inside%% *}/status") in
	*--pid-namespace/1) ok 'process 1 of a namespace' ;;
	*--pid-namespace/*) not_ok 'process 1 of a namespace' "children: $inside" ;;
	esac
	hv backend blk --socket "$s" -d "$TMPDIR/disk,ro"
	check "SIG$way: meanwhile the socket is taken" 71 '^hvrun: backend: another program listens on'
	kill -$signal $pid
	status=0
	wait $pid || status=$?
	case $signal in TERM) want=143 ;; INT) want=130 ;; HUP) want=129 ;; esac
	if [ $status = $want ] && [ ! -e "$s" ] && ! grep -qvE ': (waiting at|a front end is here|the front end has gone)' "$TMPDIR/err"; then
		ok "SIG$way: status $want, and no socket is left"
	else
		not_ok "SIG$way: status $want, and no socket is left" "status $status: $(head -n 2 "$TMPDIR/err" | tr '\n' '|')"
	fi
done

hv backend --help
check 'help: status 0, nothing on stderr' 0 '' '^hvrun backend serves a device'
options_of_page hvrun-backend.1 8

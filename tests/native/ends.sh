#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every way a run can end: its status, one line that says why, and what explains a bad end.
. "$(dirname "$0")/common"
need_guests

# tail_says NAME LINE: standard error repeats this line of the console, made harmless.
tail_says() {
	if grep -qxF -- "hvrun: | $2" "$TMP/err"; then
		ok "$1"
	else
		not_ok "$1" "no line \"| $2\": $(last_words)"
	fi
}

run hello -m 64M
expect ends-poweroff 0
says ends-poweroff-words 'guest powered off'
run reset -m 64M
expect ends-reset 0
says ends-reset-words 'guest reset'
run status -m 64M -a status=7
expect ends-status 7
says ends-status-words 'guest ended with status 7'
run hello -m 64M -q
if [ ! -s "$TMP/err" ]; then ok ends-quiet; else not_ok ends-quiet "$(last_words)"; fi

# A panic: by the device, by the last line of a kernel that hangs, by the line of one that resets.
for how in device hang reset; do
	run panic -m 64M -a $how
	expect ends-panic-$how 134
	says ends-panic-$how-words "the guest's kernel panicked: made up"
	tail_says ends-panic-$how-tail '[    0.123456] Kernel panic - not syncing: made up'
	tail_says ends-panic-$how-colours 'panic: colours \x1b[31mred\x1b[0m'
done
run panic -m 64M -a loaded
expect ends-panic-crash-kernel-goes-on 0
run triple -m 64M
expect ends-triple-fault 134
tail_says ends-triple-fault-tail 'triple: now'

# in_time WORD...: a guest that never ends is given a time that is enough on this machine to get where it stays.
in_time() {
	local seconds
	for seconds in 1.500 10.000 100.000; do
		run spin -m 64M --timeout "$seconds" "$@"
		! grep -q 'spin: for ever' "$TMP/out.lines" || break
	done
	after=$seconds
}

# Time: a guest that is busy with interrupts off, and one that sleeps.
for how in busy sleep; do
	in_time -a $how -c 2 --symbols "$GUESTS/spin.elf"
	expect ends-timeout-$how 124 'spin: for ever'
	says ends-timeout-$how-words "--timeout: the guest still ran after $after s"
	tail_says ends-timeout-$how-tail 'spin: for ever'
	says ends-timeout-$how-registers 'vcpu 1: rip '
	case $how in busy) place=plat_hang ;; *) place=plat_sleep_for_ever ;; esac
	says ends-timeout-$how-place "vcpu 0: at $place+0x"
	says ends-timeout-$how-never-started 'vcpu 1: the guest never started it'
done
nm "$GUESTS/spin.elf" | sort >"$TMP/System.map"
in_time --symbols "$TMP/System.map"
says ends-timeout-system-map 'vcpu 0: at plat_hang+0x'
run spin -m 64M --timeout 1.5 --symbols "$GUESTS/../../../README.md"
expect ends-timeout-other-symbols 124
says ends-timeout-other-symbols-words 'it is neither a System.map nor'
run hello -m 64M --timeout 200
expect ends-before-the-timeout 0
# A reader of the console that does not read must not keep the clock from ending the run.
status=0
timeout -k 5 200 "$HVRUN" -k "$GUESTS/hello.elf" -m 64M --timeout 1 -a lines=100000 </dev/null 2>"$TMP/err" |
	{ sleep 4; cat >"$TMP/out.lines"; }
status=${PIPESTATUS[0]}
expect ends-timeout-unread-console 124

# nohup: the terminal that is closed is not ours.
trap '' HUP
launch spin -m 64M -a sleep
trap - HUP
await grep -q 'for ever' "$TMP/out"
kill -s HUP "$pid"
kill -s TERM "$pid"
over
expect ends-nohup 143
says ends-nohup-words 'ended by signal 15'

# The console decides.
run spin -m 64M --until '^spin: (for|at) '
expect ends-until 0
says ends-until-words '--until: the console showed "spin: for ever"'
run spin -m 64M --fail-on 'for ever$'
expect ends-fail-on 1
says ends-fail-on-words '--fail-on: the console showed "spin: for ever"'
run spin -m 64M --fail-on ever --until spin
expect ends-fail-on-goes-before 1
run hello -m 64M --fail-on 'a guest'
expect ends-fail-on-before-poweroff 1
run hello -m 64M --until 'not there'
expect ends-until-not-seen 0
says ends-until-not-seen-words 'guest powered off'
run echo -m 64M -a 'irq loud' --until 'ready' --console serial
expect ends-until-ready 0
INPUT=$TMP/line
echo hvrun >"$INPUT"
run virtio-console -m 64M --console virtio --fail-on 'virtio-console: a line'
expect ends-fail-on-virtio 1
INPUT=

# --reboot: the machine is built anew behind the locked door, disks and all.
truncate -s 64K "$TMP/count"
run again -m 64M -c 2 -d "$TMP/count" -a times=3 --reboot
expect ends-reboot 3 'again: boot 4'
if [ "$(grep -c 'it starts again' "$TMP/err")" = 3 ]; then ok ends-reboot-words; else not_ok ends-reboot-words "$(last_words)"; fi
# With each device that does not need somebody for one boot only.
truncate -s 0 "$TMP/count"
truncate -s 64K "$TMP/count"
truncate -s 2M "$TMP/pmem"
words=(-d "$TMP/pmem,ro" -d "$TMP/pmem,ro,cow" --pmem "$TMP/pmem" --balloon --vsock "3,path=$TMP/vs" --port "p,file=$TMP/port"
	--port "q,socket=$TMP/port.sock" --rng bw=64K --io-uring)
! command -v passt >/dev/null || words+=(--net user)
run again -m 64M -d "$TMP/count" "${words[@]}" -a times=3 --reboot
expect ends-reboot-devices 3 'again: boot 4'
if [ ! -e "$TMP/vs" ] && [ ! -e "$TMP/port.sock" ]; then ok ends-reboot-sockets-go; else not_ok ends-reboot-sockets-go "$(ls "$TMP")"; fi
truncate -s 0 "$TMP/count"
truncate -s 64K "$TMP/count"
run again -m 64M -d "$TMP/count" -a times=3
expect ends-without-reboot 0 'again: boot 1'
run reset -m 64M --reboot --timeout 1
expect ends-reboot-for-ever 124
run panic -m 64M -a reset --reboot
expect ends-reboot-not-after-panic 134

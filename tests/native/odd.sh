#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A healthy guest is never killed by the sandbox: odd runs by dice (40; 1,000 in the long form, SEED=N for
# others). Every device, vCPUs, disks that are full, direct, read-only, verified or on io_uring, consoles that nobody
# reads, signals, stops, window sizes, clocks far ahead, few descriptors; as we are, in a PID namespace, by
# --user, and as another user. Whatever ends such a run, it is not a call that a list lacks: status 70 or a violation.
. "$(dirname "$0")/common"
need_kvm
[ -z "${HVRUN_SANITIZER:-}" ] || skip_all 'builds with sanitizers are not locked in'

runs=40
[ -z "${HVRUN_TEST_LONG:-}" ] || runs=1000
seed=${SEED:-4711}
RANDOM=$seed
pick() { local -a of=("$@"); picked=${of[RANDOM % ${#of[@]}]}; }
dice() { [ $((RANDOM % $1)) = 0 ]; }

# Another user has to come to the files, also through the folders that the runner made for itself.
chmod 755 "$TMP"
for at in "$(dirname "$TMP")" "$(dirname "$(dirname "$TMP")")"; do
	[[ $at != */hvrun-* ]] || chmod o+x "$at"
done
truncate -s 1M "$TMP/disk" "$TMP/disk2"
chmod 666 "$TMP/disk" "$TMP/disk2"
mkdir -m 1777 "$TMP/any"
root='' hash=sha256
if PATH=$PATH:/usr/sbin:/sbin command -v veritysetup >/dev/null; then
	# The three hashes come from two libraries; which one it is has to be in no list.
	hash=$(set -- sha256 sha512 blake2b-512; shift $((seed % 3)); echo "$1")
	truncate -s 1M "$TMP/verified"
	root=$(PATH=$PATH:/usr/sbin:/sbin veritysetup format --hash "$hash" "$TMP/verified" "$TMP/tree" 2>/dev/null |
		sed -n 's/^Root hash:[[:space:]]*//p')
	[ -z "$root" ] || chmod 644 "$TMP/verified" "$TMP/tree"
fi
passt=$(command -v passt) virtiofsd=$(PATH=/usr/lib/qemu:/usr/libexec:$PATH command -v virtiofsd)
full=
if [ "$(id -u)" = 0 ] && mkdir "$TMP/full" && mount -t tmpfs -o size=64k,mode=777 none "$TMP/full" 2>/dev/null; then
	full=$TMP/full
	trap 'umount "$TMP/full"; rm -rf "$TMP"' EXIT
	truncate -s 1M "$full/disk" # sparse: writing to it fails in the middle
	chmod 666 "$full/disk"
fi
resizer=$TMP/pty
"${CC:-cc}" -std=gnu17 -D_GNU_SOURCE -O1 -o "$resizer" "$TEST_TOP/tests/cli/pty.c" 2>/dev/null || resizer=
other=
if [ "$(id -u)" = 0 ] && mknod -m 666 "$TMP/kvm" c 10 232 && unshare --mount sh -c 'mount --bind "$0" /dev/kvm && exec setpriv \
	--reuid 65534 --regid 65534 --clear-groups test -w /dev/kvm -a -x "$1" -a -r "$2/hello.elf"' "$TMP/kvm" "$HVRUN" "$GUESTS"; then
	other=yes
fi
ahead=
! unshare --time --fork --monotonic 900000000 --boottime 900000000 true 2>/dev/null || ahead=yes

# devices: any others beside the guest's own, into $words.
devices() {
	! dice 4 || words+=(--balloon)
	! dice 4 || words+=(--vsock "3,path=$TMP/any/vsock$n")
	! dice 4 || words+=(--pmem "$TMP/disk2")
	! dice 5 || words+=(--port "odd,socket=$TMP/any/port$n")
	! dice 5 || words+=(--port "even,file=$TMP/any/file$n")
	! dice 5 || words+=(--rng bw=1M)
	! dice 5 || words+=(-d "$TMP/disk2,ro,cow")
	[ -z "$root" ] || ! dice 4 || words+=(-d "$TMP/verified,ro,verity=$TMP/tree,root-hash=$root")
	! dice 6 || words+=(--control "$TMP/any/control$n")
	! dice 6 || words+=(--virtio pci)
	! dice 8 || [ -z "$passt" ] || words+=(--net user)
	[[ " ${words[*]} " == *' --reboot '* ]] || ! dice 8 || [ -z "$virtiofsd" ] || words+=(-s "$TMP/any")
}

# choose: the words of a run in $words, what goes before in $before, its name in $what.
choose() {
	words=() before=()
	pick hello hello smp smp virtio-blk virtio-blk virtio-rng virtio-console timer irq storm mem status \
		latency faults spin echo panic reset hostile
	guest=$picked
	words=(-k "$GUESTS/$guest.elf")
	pick 1 1 2 3 8
	words+=(-c "$picked")
	case $guest in
	virtio-console) words+=(--console virtio) ;;
	faults) pick load store jump && words+=(-a "$picked") ;;
	echo) words+=(-a 'irq loud') ;;
	virtio-blk | storm | hostile)
		pick "$TMP/disk" "$TMP/disk" "${full:-$TMP}/disk"
		local disk=$picked
		pick '' '' ,direct ,serial=odd
		words+=(-d "$disk$picked")
		! dice 3 || words+=(--io-uring)
		;;
	hello) ! dice 3 || words+=(-d "$TMP/disk,ro" -d "$TMP/disk2") ;;
	esac
	pick 8M 64M 256M 1G
	words+=(-m "$picked")
	pick -q -q -v ''
	[ -z "$picked" ] || words+=("$picked")
	! dice 5 || words+=(--log "$TMP/any/log$n")
	! dice 6 || words+=(--reboot)
	! dice 6 || words+=(--until 'no such line')
	! dice 8 || words+=(--report "$TMP/any/report$n")
	devices
	words+=(--timeout 2)
	pick us us user other
	case $picked/$(id -u)/$other in
	user/0/*) words+=(--user 65534:65534) ;;
	other/0/yes)
		before=(unshare --mount sh -c 'mount --bind "$0" /dev/kvm && exec setpriv --reuid 65534 --regid 65534 \
			--clear-groups "$@"' "$TMP/kvm")
		;;
	esac
	[ -z "$ahead" ] || ! dice 6 || before=(unshare --time --fork --monotonic 900000000 --boottime 900000000 "${before[@]}")
	! dice 6 || words+=(--pid-namespace)
	pick plain plain closed unread full nostderr terminal few
	how=$picked
	what="$guest, $how, ${words[*]:2} ${before[*]:0:2}"
}

# meddle PID: signals to a run, by dice.
meddle() {
	local n
	for n in 1 2 3 4; do
		sleep 0.0$((RANDOM % 9))
		pick WINCH WINCH STOP CONT USR2NOT TERM CONT ALRM
		case $picked in
		USR2NOT) ;;
		STOP) kill -STOP "$1" && sleep 0.02 && kill -CONT "$1" ;;
		TERM) dice 3 && kill -TERM "$1" ;;
		*) kill -"$picked" "$1" ;;
		esac
	done 2>/dev/null
	kill -CONT "$1" 2>/dev/null
}

# go: the run; status in $status, its words in $TMP/err.
go() {
	local -a command=("${before[@]}" "$HVRUN" "${words[@]}")
	status=0
	: >"$TMP/err"
	case $how in
	closed) timeout -k 100 60 "${command[@]}" </dev/null >&- 2>"$TMP/err" & ;;
	unread) timeout -k 100 60 "${command[@]}" </dev/null > >(sleep 0.2) 2>"$TMP/err" & ;;
	full) timeout -k 100 60 "${command[@]}" </dev/null >/dev/full 2>"$TMP/err" & ;;
	nostderr) timeout -k 100 60 "${command[@]}" </dev/null >"$TMP/out" 2>&- & ;;
	few) (ulimit -n 64 && exec timeout -k 100 60 "${command[@]}" </dev/null >"$TMP/out" 2>"$TMP/err") & ;;
	terminal)
		if [ -n "$resizer" ]; then
			# Stopped as by a shell's key, put back, gone on with, resized.
			timeout -k 100 60 "$resizer" wait:30 signal:28 signal:20 wait:20 signal:18 wait:20 signal:28 wait:20 \
				'send:abc\x01x' wait:3000 -- "${command[@]}" >/dev/null 2>"$TMP/err" &
		else
			timeout -k 100 60 "${command[@]}" </dev/null >"$TMP/out" 2>"$TMP/err" &
		fi
		;;
	*) timeout -k 100 60 "${command[@]}" </dev/null >"$TMP/out" 2>"$TMP/err" & ;;
	esac
	local pid=$! hv
	if dice 2; then
		sleep 0.01
		hv=$(pgrep -P "$pid" | head -n 1)
		[ -z "$hv" ] || meddle "$hv"
	fi
	wait "$pid" || status=$?
}

declare -A seen=()
bad=0
for n in $(seq "$runs"); do
	choose
	go 2>/dev/null
	seen[$status]=$((${seen[$status]:-0} + 1))
	# A run that did not begin is none.
	if [ "$status" = 64 ] || [ "$status" = 66 ]; then
		bad=$((bad + 1))
		not_ok "odd run $n (SEED=$seed)" "it did not begin: $what; $(tail -n 1 "$TMP/err")"
		[ $bad -lt 10 ] || break
	fi
	# 159: SIGSYS; 124 is --timeout's; 137 a run that hung.
	if [ "$status" = 70 ] || [ "$status" = 159 ] || [ "$status" = 137 ] || grep -q 'sandbox: system call' "$TMP/err"; then
		bad=$((bad + 1))
		not_ok "odd run $n (SEED=$seed)" "status $status; $what; $(tail -n 2 "$TMP/err" | tr '\n' '|')"
		[ $bad -lt 10 ] || break
	fi
done
counts=$(for s in "${!seen[@]}"; do echo "$s:${seen[$s]}"; done | sort -n | tr '\n' ' ')
[ $bad -gt 0 ] || ok "$runs odd runs, no call that a list lacks (statuses $counts)"

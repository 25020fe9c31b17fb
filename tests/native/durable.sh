#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# hvrun is killed at random moments while a guest writes a numbered log and flushes each entry: no number
# that the guest has seen flushed may be missing. 5 kills for each way to a disk, 200 in the long form.
. "$(dirname "$0")/common"
need_guests
rounds=5
[ -z "${HVRUN_TEST_LONG:-}" ] || rounds=200
sectors=8192

# complete RAW LAST: sectors 0 to LAST hold their numbers; else what is wrong.
complete() {
	head -c $((($2 + 1) * 512)) "$1" | od -An -v -tu8 -w8 | awk -v want=$((($2 + 1) * 64)) '
		$1 != int((NR - 1) / 64) { print "sector " int((NR - 1) / 64) " holds " $1; bad = 1; exit }
		END { if (!bad && NR != want) print "the file ends at word " NR " of " want }'
}

# storage_daemons FILE: the processes that serve it.
storage_daemons() { pgrep -f "qemu-storage-daemon.*$1"; }

# one DISK OPTION...: a run that is killed, in $last the last number that came out whole, or -1. The first of a way
# is let live until it has said some numbers.
one() {
	local pid wait_ms=$((RANDOM % 350 + 30))
	: >"$TMP/out"
	: >"$TMP/err"
	"$HVRUN" -k "$GUESTS/log-disk.elf" -m 64M "${@:2}" -d "$1" </dev/null >"$TMP/out" 2>"$TMP/err" &
	pid=$!
	disown $pid
	until grep -q . "$TMP/out" "$TMP/err" || ! kill -0 $pid 2>/dev/null; do sleep 0.02; done
	[ "$round" != 1 ] || until [ "$(grep -c '^[0-9]' "$TMP/out")" -ge 3 ] || grep -q . "$TMP/err" || ! kill -0 $pid 2>/dev/null; do
		sleep 0.02
	done
	sleep "0.$(printf %03d $wait_ms)"
	# shellcheck disable=SC2086
	kill -9 $pid ${victims:+$($victims)}
	while kill -0 $pid 2>/dev/null; do sleep 0.01; done
	# The last line may be cut.
	last=$(tr -d '\r' <"$TMP/out" | awk '/^[0-9]+$/ { if (seen) last = now; now = $1; seen = 1 }
		END { print last == "" ? -1 : last }')
}

# kills NAME DISK RAW OPTION...: all rounds of one way; RAW prints the name of a raw file with the content.
kills() {
	local name=$1 disk=$2 content=$3 acknowledged=0 why round
	shift 3
	for round in $(seq $rounds); do
		rm -f "$TMP/disk"
		make_disk
		one "$disk" "$@"
		why=
		if [ -s "$TMP/err" ]; then why=$(head -n 1 "$TMP/err"); fi
		[ -n "$why" ] || why=$($content)
		if [ -z "$why" ] && [ "$last" -ge 0 ]; then
			why=$(complete "$TMP/raw" "$last")
			acknowledged=$((acknowledged + last + 1))
		fi
		if [ -n "$why" ]; then
			not_ok "native-durable-$name" "kill $round of $rounds, $last acknowledged: $why"
			return
		fi
	done
	if [ $acknowledged -gt 0 ]; then
		ok "native-durable-$name"
		echo "# $acknowledged numbers acknowledged, $rounds kills" >&2
	else
		not_ok "native-durable-$name" "no number was ever acknowledged"
	fi
}

make_disk() { truncate -s $((sectors * 512)) "$TMP/disk"; }
itself() { ln -f "$TMP/disk" "$TMP/raw"; }
victims=
kills raw "$TMP/disk" itself
kills sync "$TMP/disk" itself -a sync
kills many "$TMP/disk" itself -a many
if dd if=/dev/zero of="$TMP/direct" bs=4096 count=1 oflag=direct 2>/dev/null; then
	kills direct "$TMP/disk,direct" itself
else
	skip native-durable-direct "the file system of $TMP has no direct I/O"
fi
make_disk
run hello -m 64M --io-uring -d "$TMP/disk"
if [ "$status" = 0 ]; then
	kills io-uring "$TMP/disk" itself --io-uring
else
	skip native-durable-io-uring "$(head -n 1 "$TMP/err")"
fi

# qcow2: the image is looked at when its server is gone too. checked STATUS...: as qemu-img check may end.
gone() { for _ in $(seq 6000); do storage_daemons "$TMP/disk" >/dev/null || return 0; sleep 0.01; done; return 1; }
checked() {
	local got=0
	gone || { echo 'the storage daemon does not end'; return; }
	qemu-img check -q "$TMP/disk" >"$TMP/check" 2>&1 || got=$?
	case " $* " in *" $got "*) ;; *) echo "qemu-img check: $got: $(tail -n 1 "$TMP/check")"; return ;; esac
	qemu-img convert -f qcow2 -O raw "$TMP/disk" "$TMP/raw" 2>&1
}
clean() { checked 0; }
# 3: clusters that nothing refers to. Whoever kills the daemon itself finds no worse than that.
uncorrupted() { checked 0 3; }
if command -v qemu-storage-daemon >/dev/null && command -v qemu-img >/dev/null; then
	make_disk() { qemu-img create -q -f qcow2 "$TMP/disk" $((sectors * 512)); rm -f "$TMP/raw"; }
	kills qcow2 "$TMP/disk,format=qcow2" clean
	server() { storage_daemons "$TMP/disk"; }
	victims=server
	kills qcow2-and-its-server "$TMP/disk,format=qcow2" uncorrupted
else
	skip native-durable-qcow2 "qemu-storage-daemon or qemu-img is not installed"
fi

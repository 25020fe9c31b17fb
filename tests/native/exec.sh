#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# hvrun exec on this machine's KVM with a guest that speaks as exec's init does: streams, statuses, ends. What a
# kernel of Linux makes of it is tested in the rig (tests/rig/test-exec.sh).
. "$(dirname "$0")/common"
need_guests
PATH=$PATH:/usr/sbin:/sbin

mkdir -p "$TMP/root/etc" && echo name >"$TMP/root/etc/name"

# in_guest OPTIONS...: as run, with a copied root (which needs no virtiofsd).
copied=(--root "$TMP/root,copy")
in_guest() {
	status=0
	timeout -k 5 "$LIMIT" "$HVRUN" exec -k "$GUESTS/command.elf" -m 64M "$@" </dev/null \
		>"$TMP/out" 2>"$TMP/err" || status=$?
	tr -d '\r' <"$TMP/out" >"$TMP/out.lines"
}
is() { # NAME GOT WANTED
	[ "$2" = "$3" ] && ok "$1" || not_ok "$1" "'$2' is not '$3'; $(last_words)"
}

if ! command -v mke2fs >/dev/null; then
	skip exec-copy 'there is no mke2fs here'
else
	in_guest "${copied[@]}" -a status=7 -- true
	is exec-status "$status" 7
	is exec-stdout "$(cat "$TMP/out")" 'on standard output'
	is exec-stderr "$(cat "$TMP/err")" "hvrun: exec: the root is a copy of $TMP/root (1 MiB): as you wish
on standard error"
	in_guest "${copied[@]}" -q -a 'status=255 silent' -- true
	is exec-quiet "$status $(cat "$TMP/out" "$TMP/err")" '255 '
	in_guest "${copied[@]}" -q -a error -- true
	is exec-error "$status $(grep -c '^hvrun: exec: the guest cannot run the command: cannot mount the root: error 19' "$TMP/err")" '71 1'
	in_guest "${copied[@]}" -q -a 'cut silent' -- true
	is exec-no-status "$status $(grep -c '^hvrun: exec: the guest ended before the command did' "$TMP/err")" '71 1'
	# LeakSanitizer looks from a process that it starts, and the one outside can start none when its namespace is gone.
	ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 in_guest "${copied[@]}" -q --pid-namespace -a status=7 -- true
	if grep -q -e '--pid-namespace: the host refuses one' "$TMP/err"; then
		skip exec-pid-namespace 'this host gives no PID namespace'
	else
		is exec-pid-namespace "$status $(cat "$TMP/out")" '7 on standard output'
	fi
	# Whoever starts it may ignore what becomes of children.
	status=0
	timeout -k 5 "$LIMIT" env --ignore-signal=CHLD "$HVRUN" exec -k "$GUESTS/command.elf" -m 64M -q "${copied[@]}" -a status=7 -- true \
		</dev/null >"$TMP/out" 2>"$TMP/err" || status=$?
	is exec-ignored-children "$status $(cat "$TMP/out")" '7 on standard output'
	in_guest "${copied[@]}" -q -v --log "$TMP/log" -- true
	is exec-verbose-and-quiet "$status" 64
	# Silent: what the command says at the same time may come in the middle of a line of the console.
	in_guest "${copied[@]}" -a silent -v --log "$TMP/log" -- true
	is exec-log "$status $(grep -c '^command: runs' "$TMP/log") $(grep -c '^command: runs' "$TMP/err")" '0 1 1'
	in_guest --root "$TMP/root,rw,copy" -- true
	is exec-rw-copy "$status" 64
	HVRUN_VIRTIOFSD=/nowhere in_guest --root "$TMP/root" -- true
	is exec-falls-back "$status $(grep -c 'is a copy of .*: virtiofsd is not installed here' "$TMP/err")" '0 1'
	HVRUN_VIRTIOFSD=/nowhere in_guest --root "$TMP/root,rw" -- true
	is exec-cannot-keep "$status $(grep -c 'cannot be kept' "$TMP/err")" '71 1'
	# A tree as large as that is not copied; its holes cost nothing here.
	truncate -s 5G "$TMP/root/large"
	in_guest "${copied[@]}" -- true
	is exec-too-large "$status $(grep -c 'too much to copy; name a smaller --root' "$TMP/err")" '71 1'
	rm "$TMP/root/large"
	# Modules named by hand: this kernel has none of virtio-fs, and says so by its list.
	mkdir -p "$TMP/modules" && echo kernel/fs/ext4/ext4.ko >"$TMP/modules/modules.builtin"
	in_guest --root "$TMP/root" --modules "$TMP/modules" -- true
	is exec-kernel-lacks-virtio-fs "$status $(grep -c 'copy of .*: this kernel has no virtio-fs' "$TMP/err")" '0 1'
	# Other tests of this moment have such folders, too, for the moment in which a daemon comes to its socket.
	left=$(find /tmp /var/tmp -maxdepth 1 -user "$(id -un)" -newer "$TMP/root/etc/name" -name 'hvrun-??????')
	for name in $left; do
		for _ in $(seq 2000); do [ -e "$name" ] || break; sleep 0.05; done
	done
	is exec-leaves-nothing "$(for name in $left; do [ ! -e "$name" ] || echo "$name"; done)" ''
fi

# By virtiofsd, as by default; the guest does not look at its root.
in_guest --root "$TMP/root" -a 'status=3' -- true
if grep -q 'virtiofsd is not installed\|a user namespace' "$TMP/err"; then
	skip exec-virtiofsd "$(head -n 1 "$TMP/err")"
else
	is exec-virtiofsd "$status $(cat "$TMP/out")" '3 on standard output'
	in_guest -a 'status=4' -- true
	is exec-default-root "$status $(cat "$TMP/out" "$TMP/err")" '4 on standard output
on standard error'
	# The host's mounts are not to be automounts in the guest; of the two programs one has to be told so.
	for knows in '# --no-announce-submounts' '# no such word'; do
		printf '#!/bin/sh\n%s\necho "$@" >%s\n' "$knows" "'$TMP/words'" >"$TMP/fake" && chmod 755 "$TMP/fake"
		HVRUN_VIRTIOFSD=$TMP/fake in_guest --root "$TMP/root" -- true
		is "exec-submounts-${knows##*[ -]}" "$status $(grep -c -- ' --no-announce-submounts$' "$TMP/words")" \
			"71 $(grep -c -- '--no-announce' <<<"$knows")"
	done
fi
run_panic() {
	status=0
	local guest=$1
	shift
	timeout -k 5 "$LIMIT" "$HVRUN" exec -k "$GUESTS/$guest.elf" -m 64M --timeout 200 --root "$TMP/root" "$@" -- true \
		</dev/null >"$TMP/out" 2>"$TMP/err" || status=$?
}
run_panic panic --report "$TMP/report" --core "$TMP/core"
is exec-report "$(sed -n 's/^  "why": "\(.*\)",$/\1/p' "$TMP/report") $(readelf -h "$TMP/core" 2>&1 | grep -c 'CORE')" 'panic 1'
is exec-panic "$status $(grep -c "kernel panicked: made up" "$TMP/err")" '134 1'

# held OPTIONS...: a guest whose command never ends, in the background; its socket is there.
held() {
	: >"$TMP/out"
	timeout -k 5 "$LIMIT" "$HVRUN" exec -k "$GUESTS/spin.elf" -m 64M --root "$TMP/root" -a busy --log "$TMP/log" \
		"$@" -- true </dev/null >"$TMP/out" 2>"$TMP/err" &
	pid=$!
	until { [ -S "$TMP/socket" ] && [ -e "$TMP/log" ]; } || ! kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
}
over() {
	status=0
	wait "$pid" || status=$?
	cp "$TMP/out" "$TMP/out.lines"
}
rm -f "$TMP/log"
held --control "$TMP/socket"
"$HVRUN" ctl "$TMP/socket" status >"$TMP/said" 2>&1
is exec-control-status "$? $(grep -c '"memory_bytes": 67108864' "$TMP/said")" '0 1'
"$HVRUN" ctl "$TMP/socket" core "$TMP/core-now" >"$TMP/said" 2>&1
is exec-control-core "$? $(readelf -h "$TMP/core-now" 2>&1 | grep -c CORE)" '0 1'
"$HVRUN" ctl "$TMP/socket" reset >"$TMP/said" 2>&1
is exec-control-reset "$? $(grep -c 'it runs one command' "$TMP/said")" '71 1'
"$HVRUN" ctl "$TMP/socket" stop >"$TMP/said" 2>&1
is exec-control-stop $? 0
over
is exec-control-stopped "$status $(cat "$TMP/out") $(grep -c '^hvrun: exec: stopped by the control socket before the command ended' "$TMP/err")" '71  1'

# A debugger: held back before the first instruction, on to the command's end, and killed.
if ! command -v gdb-multiarch >/dev/null; then
	skip exec-gdb 'gdb-multiarch is not installed'
elif ! command -v mke2fs >/dev/null; then
	skip exec-gdb 'there is no mke2fs here'
else
	attach() {
		timeout -k 5 "$LIMIT" gdb-multiarch -nx -batch "$1" -ex 'set confirm off' -ex 'set remotetimeout 300' -ex "target remote $TMP/socket" \
			-ex 'hbreak guest_main' -ex 'continue' -ex 'backtrace 1' -ex 'delete' -ex "$2" </dev/null >"$TMP/gdb" 2>&1
	}
	for ends in continue kill; do
		case $ends in continue) wanted='7 1 1' ;; *) wanted='71 1 0' ;; esac
		timeout -k 5 "$LIMIT" "$HVRUN" exec -k "$GUESTS/command.elf" -m 64M "${copied[@]}" -q -a status=7 \
			--gdb "unix:$TMP/socket" -- true </dev/null >"$TMP/out" 2>"$TMP/err" &
		pid=$!
		until [ -S "$TMP/socket" ] || ! kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
		attach "$GUESTS/command.elf" "$ends"
		over
		is exec-gdb-$ends "$status $(grep -c '^#0 .*guest_main ()' "$TMP/gdb") $(grep -c 'exited with code 07' "$TMP/gdb")" "$wanted"
	done
	is exec-gdb-killed-words "$(grep -c '^hvrun: exec: ended by the debugger before the command ended' "$TMP/err")" 1
fi

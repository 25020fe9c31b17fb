#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Network cards by a real driver: a tap in a network namespace of the test's own, passt, and programs that
# only claim to be passt. The peer in each case is a kernel, or passt, that answers ARP.
. "$(dirname "$0")/common"
need_guests

answered="virtio-net: answered after resets, merged too"

# -- A tap ---------------------------------------------------------------------------------------

# in_namespace COMMAND...: as root of a network namespace that has nothing but a tap.
in_namespace() {
	local as=-n
	[ "$(id -u)" = 0 ] || as=-rn
	# shellcheck disable=SC2016
	unshare "$as" sh -c 'ip tuntap add hv0 mode tap && ip addr add 192.168.77.1/24 dev hv0 &&
		ip link set hv0 up && ip tuntap add hv2 mode tap multi_queue && exec "$@"' sh "$@"
}

if ! command -v ip >/dev/null || ! command -v unshare >/dev/null; then
	skip native-net-tap "no ip or unshare (packages iproute2, util-linux)"
elif ! why=$(in_namespace true 2>&1); then
	skip native-net-tap "no tap can be made here: $(head -n 1 <<<"$why")"
else
	hvrun=$HVRUN
	HVRUN=$TMP/in-namespace
	printf '#!/bin/bash\n%s\nin_namespace %q "$@"\n' "$(declare -f in_namespace)" "$hvrun" >"$HVRUN"
	chmod +x "$HVRUN"
	run virtio-net -m 64M --net tap=hv0
	expect native-net-tap 0 "$answered"
	run virtio-net -m 64M --net tap=hv0,mac=52:54:00:11:22:33
	expect native-net-tap-mac 0 "$answered"
	# Many queues offered, a driver that takes one pair; nobody answers there, so it must say so.
	run hello -m 64M --net tap=hv2,queues=4
	expect native-net-tap-queues 0
	run hello -m 64M --net tap=hv2
	expect native-net-tap-one-of-many 0
	run hello -m 64M --net tap=hv0,queues=2
	expect native-net-tap-not-many 71
	says native-net-tap-not-many-said "--net tap=hv0: it is no tap, or was made without multi_queue"
	run hello -m 64M --net tap=hv1
	expect native-net-tap-missing 71
	says native-net-tap-missing-said "--net tap=hv1: there is no such interface; make one with: ip tuntap add hv1"
	run hello -m 64M --net tap=lo
	expect native-net-tap-is-none 71
	says native-net-tap-is-none-said "--net tap=lo: it is no tap"
	run hello -m 64M --net tap=hv0 --net tap=hv0
	expect native-net-tap-busy 71
	says native-net-tap-busy-said "--net tap=hv0: another program has it open"
	HVRUN=$hvrun
fi

# -- Programs that are called passt ---------------------------------------------------------------

mkdir "$TMP/bin"
path=$PATH
# fake SCRIPT: what `passt` does from here on; $fd is its end of the socket.
fake() {
	{ printf '#!/bin/bash\nfd=$2\n'; cat; } >"$TMP/bin/passt"
	chmod +x "$TMP/bin/passt"
	PATH=$TMP/bin:$path
}

fake <<'END'
echo "the network is on fire" >&2
exit 3
END
run hello -m 64M --net user
expect native-net-passt-gives-up 71
says native-net-passt-words "passt: the network is on fire"
says native-net-passt-status "passt gave up with status 3"

fake <<'END'
kill -9 $$
END
run hello -m 64M --net user
expect native-net-passt-killed 71
says native-net-passt-killed-said "passt was killed by signal 9"

# What it gets of ours: its socket, and nothing of what hvrun itself was started with.
fake <<END
readlink /proc/self/fd/* >"$TMP/has" 2>/dev/null
tr '\0' '\n' </proc/\$\$/environ >"$TMP/words"
exit 3
END
export HVRUN_TEST_SECRET=hunter2
run hello -m 64M --net user 9</etc/passwd 8>>"$TMP/stray"
unset HVRUN_TEST_SECRET
expect native-net-passt-bare 71
if grep -q socket "$TMP/has" && ! grep -qE 'passwd|stray' "$TMP/has"; then
	ok native-net-passt-no-strays
else
	not_ok native-net-passt-no-strays "$(tr '\n' ' ' <"$TMP/has")"
fi
if [ -s "$TMP/words" ] && ! grep -q hunter2 "$TMP/words"; then
	ok native-net-passt-no-environment
else
	not_ok native-net-passt-no-environment "$(tr '\n' ' ' <"$TMP/words")"
fi

# A length that is no frame's; the program itself goes on until its socket is closed.
fake <<'END'
printf '\377\377\377\377' >&"$fd"
cat <&"$fd" >/dev/null 2>&1 &
END
run virtio-net -m 64M --net user -a link
expect native-net-junk 13
says native-net-junk-said "passt broke the protocol (a frame of 4294967295 bytes); the guest's network link is down"

# It is ready, and gone.
fake <<'END'
exit 0
END
run virtio-net -m 64M --net user
expect native-net-gone 13
says native-net-gone-said "passt ended; the guest's network link is down"

# It goes when the guest has sent already and waits for the answer.
fake <<'END'
sleep 1 <&"$fd" >/dev/null 2>&1 &
END
run virtio-net -m 64M --net user
expect native-net-gone-later 13
says native-net-gone-later-said "passt ended; the guest's network link is down"
PATH=$path

# -- passt -----------------------------------------------------------------------------------------

# A port tells this test's passt from others on this machine. It is another for each: a passt that is told to end may
# hold it for a moment more.
port=$(free_port 0)
ours() { pgrep -f "^[^ ]*passt --fd .*127.0.0.1/$port:80"; }
no_more() {
	for _ in $(seq 600); do
		ours >/dev/null || return 0
		sleep 0.1
	done
	return 1
}

if ! command -v passt >/dev/null; then
	skip native-net-user "no passt (package passt)"
	exit
fi
run hello -m 64M --net user,fwd=tcp:$port:80
if [ "$status" = 71 ]; then
	skip native-net-user "passt does not start here: $(grep -m1 'passt: ' "$TMP/err")"
	exit
fi
expect native-net-user-starts 0
if no_more; then ok native-net-user-no-orphan; else not_ok native-net-user-no-orphan "passt is still there"; fi
port=$(free_port 1)
run virtio-net -m 64M --net user,fwd=tcp:$port:80,fwd=udp:$port:80,mtu=1400,nohost
expect native-net-user 0 "$answered"

# Killed while the guest runs; hvrun killed while passt runs.
port=$(free_port 2)
run virtio-net -m 64M --net user,fwd=tcp:$port:80 -a link &
guest=$!
until grep -q 'virtio-net: waiting' "$TMP/out" 2>/dev/null || ! kill -0 "$guest" 2>/dev/null; do sleep 0.1; done
# shellcheck disable=SC2046 # of one it may be two
kill -9 $(ours) 2>/dev/null
wait "$guest"
tr -d '\r' <"$TMP/out" >"$TMP/out.lines"
if grep -qx 'virtio-net: the link is down' "$TMP/out.lines" &&
	grep -qx "hvrun: warning: passt ended; the guest's network link is down" "$TMP/err"; then
	ok native-net-user-death
else
	not_ok native-net-user-death "$(last_words)"
fi
port=$(free_port 3)
"$HVRUN" -k "$GUESTS/spin.elf" -m 64M --net user,fwd=tcp:$port:80 -a sleep >"$TMP/spun" 2>&1 </dev/null &
guest=$!
until grep -qs 'spin: for ever' "$TMP/spun" || ! kill -0 "$guest" 2>/dev/null; do sleep 0.1; done
found=$(ours)
kill -9 "$guest"
wait "$guest" 2>/dev/null
if [ -n "$found" ] && no_more; then
	ok native-net-user-hvrun-killed
else
	not_ok native-net-user-hvrun-killed "passt: '$found' before, '$(ours)' after hvrun was killed; it said: $(tail -n 2 "$TMP/spun" | tr '\n' '|')"
fi

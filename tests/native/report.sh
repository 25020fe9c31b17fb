#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# --report: written however the run ends, and what hvrun report makes of it.
. "$(dirname "$0")/common"
need_guests
R=$TMP/report.json

# has NAME REGEX...: each is found in the report with its line ends taken out.
has() {
	local name=$1 regex flat
	shift
	flat=$(tr -d '\n' <"$R" | tr -s ' ')
	for regex; do
		if ! grep -qE -- "$regex" <<<"$flat"; then
			not_ok "$name" "no /$regex/ in: ${flat:0:600}"
			return
		fi
	done
	ok "$name"
}

truncate -s 1M "$TMP/disk"
run virtio-blk -m 64M -c 2 -d "$TMP/disk" --report "$R"
expect report-exit 0
has report-exit-fields '^\{ "report": 1, "hvrun": "[0-9.]+", "why": "exit", "status": 0, "words": "guest ended with status 0", "boots": 1,' \
	'"exits": \{[^}]*"MMIO": [1-9]' '"name": "blk0", "type": "blk", "requests": [1-9][0-9]*, "bytes_from_guest": [1-9][0-9]*, "bytes_to_guest": [1-9]' \
	'"guest_bytes": 67108864, "peak_bytes": [1-9]' '"cpus": 2 \}, "host": \{ "system": "Linux"' '"end": [1-9][0-9]* \}'
run panic -m 64M --report "$R"
has report-panic '"why": "panic", "status": 134, "words": "the guest.s kernel panicked: made up", "panic": "made up"' \
	'"sandbox": [0-9]+, "machine_built": [0-9]+, "kernel_loaded": [0-9]+, "first_instruction": [0-9]+, "first_console_byte": [0-9]+, "init": [0-9]+, "machine_ended": [0-9]+' \
	'"last_lines": \[ "\[ 0.100000\] Run /init'
run spin -m 64M --timeout 1.5 --report "$R"
has report-timeout '"why": "timeout", "status": 124'
run spin -m 64M --until ever --report "$R"
has report-until '"why": "until", "status": 0'
run spin -m 64M --fail-on ever --report "$R"
has report-fail-on '"why": "fail-on", "status": 1,'
run triple -m 64M --report "$R"
has report-crash '"why": "crash", "status": 134'
run hello -m 64M --report "$R"
has report-poweroff '"why": "poweroff", "status": 0'
truncate -s 64K "$TMP/count"
run again -m 64M -d "$TMP/count" -a times=2 --reboot --report "$R"
has report-reboots '"why": "exit", "status": 2' '"boots": 3'

# Runs that fail early leave one too.
run nowhere -m 64M --report "$R"
has report-no-kernel '"why": "failed", "status": 66, "boots": 1'
status=0
"$HVRUN" -k "$TEST_TOP/README.md" --report "$R" >"$TMP/out" 2>"$TMP/err" </dev/null || status=$?
has report-no-image '"why": "failed", "status": 65'
run hello -m 64M -d "$TMP/disk" --report "$TMP/disk"
expect report-over-a-disk 64
if [ "$(stat -c %s "$TMP/disk")" = 1048576 ]; then ok report-disk-untouched; else not_ok report-disk-untouched 'it was cut'; fi

# hvrun report.
run panic -m 64M --report "$R"
shown() { # shown NAME STATUS REGEX ARG...: standard output and error together
	local name=$1 want=$2 regex=$3 got=0
	shift 3
	"$HVRUN" report "$@" >"$TMP/shown" 2>&1 </dev/null || got=$?
	if [ $got = "$want" ] && { [ -z "$regex" ] || grep -qE -- "$regex" "$TMP/shown"; }; then
		ok "$name"
	else
		not_ok "$name" "status $got: $(head -c 300 "$TMP/shown")"
	fi
}
shown report-words 0 '^panic, status 134: the guest' "$R"
shown report-steps 0 '^ +[0-9]+ us  \+[0-9]+ +enter the guest$' "$R"
shown report-timeline 0 '' --timeline "$TMP/t.svg" "$R"
if grep -q '^<svg xmlns="http://www.w3.org/2000/svg"' "$TMP/t.svg" && grep -q '</svg>' "$TMP/t.svg" &&
	[ "$(grep -c '<rect .*<title>' "$TMP/t.svg")" -ge 8 ]; then
	ok report-picture
else
	not_ok report-picture "$(head -c 300 "$TMP/t.svg")"
fi
if command -v rsvg-convert >/dev/null; then
	if rsvg-convert "$TMP/t.svg" -o "$TMP/t.png" 2>"$TMP/err" && [ -s "$TMP/t.png" ]; then
		ok report-picture-opens
	else
		not_ok report-picture-opens "$(head -n 1 "$TMP/err")"
	fi
else
	skip report-picture-opens 'no rsvg-convert here'
fi
shown report-other-file 65 'is not one JSON object' "$TEST_TOP/README.md"
echo '{"a": 1}' >"$TMP/other.json"
shown report-other-json 65 'no report of hvrun' "$TMP/other.json"
echo '{"report": 1, "times_us": {"end": "soon"}}' >"$TMP/other.json"
shown report-bad-time 65 'is not a number' "$TMP/other.json"
printf '{"report": 1, "why": "\\u001b[31m", "guest": {"kernel": "<&>\\u0007"}, "times_us": {"<b>&\\u0001": 5, "end": 0}}' >"$TMP/other.json"
shown report-hostile-words 0 '^\?\[31m, status 0' "$TMP/other.json"
shown report-hostile-picture 0 '' --timeline "$TMP/t.svg" "$TMP/other.json"
if grep -qE '&lt;b&gt;&amp;\?' "$TMP/t.svg" && ! grep -q '<b>' "$TMP/t.svg"; then ok report-picture-is-escaped; else not_ok report-picture-is-escaped "$(cat "$TMP/t.svg")"; fi
shown report-missing 66 'cannot read: No such' "$TMP/none.json"
shown report-no-words 64 'no report is named'
shown report-help 0 '--timeline FILE' --help

#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Console input: 64 KiB through a pipe, no byte lost, doubled or out of order.
. "$(dirname "$0")/common"
need_guests

# Adler-32 (as two sums) of standard input.
sums() {
	od -An -v -tu1 -w1 | awk 'BEGIN { a = 1; b = 0 }
		{ a = (a + $1) % 65521; b = (b + a) % 65521 }
		END { printf "%d bytes, sum %d %d\n", NR, a, b }'
}

seq 1 20000 | head -c 65536 >"$TMP/data"
wanted=$(sums <"$TMP/data")
{ cat "$TMP/data"; printf q; } >"$TMP/typed"

for word in polling irq; do
	INPUT=$TMP/typed
	run echo -m 64M -a $word
	expect "native-input-$word" 0 "echo: $wanted"
done

# Everything sent back: what comes out is what went in.
head -c 4000 "$TMP/data" >"$TMP/part"
{ cat "$TMP/part"; printf q; } >"$TMP/typed"
run echo -m 64M -a "irq loud"
INPUT=
expect native-input-loud 0
tr -d '\r' <"$TMP/out" | sed -e '/^echo: ready$/d' -e 's/echo: [0-9]* bytes.*//' >"$TMP/back"
if [ "$(tr -d '\n' <"$TMP/back")" = "$(tr -d '\n' <"$TMP/part")" ]; then
	ok native-input-echo
else
	not_ok native-input-echo "other bytes came back: $(last_words)"
fi

# In drips, so that each byte is a wake-up of its own.
{
	for c in a b c d e q; do
		sleep 0.02
		printf $c
	done
} | {
	timeout "$LIMIT" "$HVRUN" -k "$GUESTS/echo.elf" -m 64M -a irq >"$TMP/out" 2>"$TMP/err"
	echo $? >"$TMP/status"
}
status=$(cat "$TMP/status")
cp "$TMP/out" "$TMP/out.lines"
expect native-input-drips 0 "echo: $(printf abcde | sums)"

#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# tools/check-fetch finds second fetches and raw pointers in small samples, names their place, and finds
# nothing in samples that look alike and are right, nor in this tree.
. "$TEST_TOP/tests/lib/sh.sh"

command -v python3 >/dev/null || { skip all 'no python3 here'; exit 0; }
tree=$TMPDIR/tree

sample() { # sample TEXT: a tree with that function body in virtio/x.c, from line 4 on
	rm -rf "$tree"
	mkdir -p "$tree/virtio"
	printf '%s\n' 'enum { HEADER = 16, BODY = 2 };' 'static int f(struct dev *d, gpa_t at)' '{' \
		"$1" '}' >"$tree/virtio/x.c"
	run_command 200 tools/check-fetch "$tree"
}

finds() { # finds NAME LINE EXPECT TEXT
	sample "$4"
	if [ "$status" != 1 ]; then
		not_ok "$1" "status $status, not 1: $(cat "$err")"
	elif [ "$(wc -l <"$out")" != 1 ] || ! grep -q "^virtio/x.c:$2: $3" "$out"; then
		not_ok "$1" "not '$3' in line $2 but: $(tr '\n' '|' <"$out")"
	else
		ok "$1"
	fi
}

passes() { # passes NAME TEXT
	sample "$2"
	if [ "$status" = 0 ] && [ ! -s "$out" ]; then ok "$1"; else not_ok "$1" "$(cat "$out" "$err")"; fi
}

# What must be found.
finds same-address 6 'second fetch' '	mem_read(d->mem, at, &len, 4);
	if (len > 8) return -1;
	mem_read(d->mem, at, buf, 4);'
finds judged-then-whole 6 'second fetch' '	mem_load16(d->mem, at, &type);
	if (type > 3) return -1;
	return mem_read(d->mem, at, &header, 64);'
finds across-sizes 5 'second fetch' '	mem_load32(d->mem, gpa_add(at, 4), &a);
	mem_load16(d->mem, gpa_add(at, 6), &b);'
finds inside-a-range 6 'second fetch' '	uint8_t raw[16];
	mem_read(d->mem, at, raw, sizeof(raw));
	mem_load64(d->mem, gpa_add(at, 8), &sector);'
finds chain-header 6 'second fetch' '	uint8_t raw[HEADER];
	vq_chain_read(chain, 0, raw, sizeof(raw));
	vq_chain_read(chain, 8, &sector, 8);'
finds chain-by-constant 5 'second fetch' '	vq_chain_read(chain, BODY, &a, 4);
	vq_chain_read(chain, 4, &b, 4);'
finds in-a-loop 6 'second fetch' '	vq_chain_read(chain, off, &len, 4);
	for (i = 0; i < 4; i++)
		vq_chain_read(chain, off, to[i], len);'
finds after-an-if 6 'second fetch' '	if (fast) { mem_read(d->mem, at, a, 8); n++; }
	n++;
	mem_read(d->mem, at, a, 8);'
finds over-lines 6 'second fetch' '	mem_read(d->mem, at, &len, 4);
	use(len);
	mem_read(d->mem,
		 at, buf, 4);'
finds raw-decode 4 'raw read' '	return le32_load(copy_of(1)) + le32_load(v->iov_base); /* second-fetch: allowed, raw */'
finds raw-segment 4 'raw pointer' '	uint8_t *p = iov[0].iov_base;'
finds raw-registers 4 'raw pointer' '	return mem_registers(d->mem, at);'
finds raw-region 4 'raw pointer' '	return region->host;'

# By way of a function of the same file that hands its parameters on.
helper='static int get(struct dev *d, gpa_t from, void *to)
{
	return mem_read(d->mem, from, to, 8);
}
static int f(struct dev *d, gpa_t at)
{
	get(d, at, &a);
	use(a);
	return OTHER
}'
finds_in_file() { # finds_in_file NAME LINE TEXT: the whole of virtio/x.c
	rm -rf "$tree"
	mkdir -p "$tree/virtio"
	printf '%s\n' "$3" >"$tree/virtio/x.c"
	run_command 200 tools/check-fetch "$tree"
	if [ "$status" = 1 ] && [ "$(wc -l <"$out")" = 1 ] && grep -q "^virtio/x.c:$2: second fetch" "$out"; then
		ok "$1"
	else
		not_ok "$1" "status $status: $(cat "$out" "$err")"
	fi
}
finds_in_file by-a-helper-twice 9 "${helper/OTHER/get(d, at, &b);}"
finds_in_file by-a-helper-and-itself 9 "${helper/OTHER/mem_load16(d->mem, at, &b);}"

# What must not be found.
passes another-place '	mem_read(d->mem, at, &a, 8);
	mem_read(d->mem, gpa_add(at, 8), &b, 8);'
passes another-memory '	mem_read(d->mem, at, &a, 8);
	mem_read(e->mem, at, &b, 8);'
passes behind-the-header '	uint8_t raw[16];
	vq_chain_read(chain, 0, raw, sizeof(raw));
	vq_chain_read(chain, HEADER, data, len);'
passes moved-on '	mem_read(d->mem, at, &a, 8);
	at = gpa_add(at, a);
	mem_read(d->mem, at, &b, 8);'
passes another-chain '	vq_chain_read(chain, 0, raw, 8);
	chain = next(d);
	vq_chain_read(chain, 0, raw, 8);'
passes the-other-branch '	if (wide) mem_read(d->mem, at, a, 8);
	else mem_read(d->mem, at, a, 4);'
passes after-a-return '	if (wide) {
		mem_read(d->mem, at, a, 8);
		return 8;
	}
	return mem_read(d->mem, at, a, 4);'
passes other-case '	switch (size) {
	case 2: return mem_load16(d->mem, at, a);
	default: return mem_load32(d->mem, at, a);
	}'
passes in-words '	mem_read(d->mem, at, a, 8); /* not mem_read(d->mem, at, a, 8) again */
	say("mem_read(d->mem, at, a, 8)");'
passes excused '	mem_read(d->mem, at, a, 8);
	/* second-fetch: allowed, both are judged anew */
	mem_read(d->mem, at, a, 8);'
passes writes '	mem_write(d->mem, at, a, 8);
	mem_write(d->mem, at, a, 8);
	mem_read(d->mem, at, a, 8);'
passes two-functions '	mem_read(d->mem, at, a, 8);
}
static int g(struct dev *d, gpa_t at)
{
	mem_read(d->mem, at, a, 8);'

run_command 200 tools/check-fetch "$TMPDIR/nothing"
if [ "$status" != 0 ]; then ok no-tree; else not_ok no-tree 'status 0'; fi
run_command 200 tools/check-fetch .
if [ "$status" = 0 ]; then ok this-tree; else not_ok this-tree "$(head -n 5 "$out" | tr '\n' '|')"; fi

#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The shells' completions: bash completes on a terminal; zsh and fish read theirs, where they are installed.
. "$TEST_TOP/tests/lib/sh.sh"

for shell in bash zsh fish; do
	if "$TEST_TOP/tools/completions" "$shell" "$HVRUN" >"$TMPDIR/$shell" 2>"$TMPDIR/said" && [ ! -s "$TMPDIR/said" ]; then
		ok "$shell: made"
	else
		not_ok "$shell: made" "$(head -n 1 "$TMPDIR/said")"
	fi
done

# Each option of each command's help is offered, and nothing else, by bash's own function.
complete_words() { # WORDS...: what is offered for the last of them
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
	_hvrun 2>/dev/null
	printf '%s\n' "${COMPREPLY[@]}"
}
# shellcheck disable=SC1091
. "$TMPDIR/bash"
for command in run exec sign verify ctl report backend; do
	want=$("$HVRUN" $command --help | grep -oE '^  (-., |    )--[a-z-]+' | grep -oE -- '--[a-z-]+' | sort)
	got=$(complete_words hvrun $command -- | sort)
	[ -n "$want" ] && [ "$want" = "$got" ] && ok "bash: options of $command" ||
		not_ok "bash: options of $command" "$(diff <(echo "$want") <(echo "$got") | tr '\n' '|')"
done

is() { # NAME GOT WANTED
	[ "$2" = "$3" ] && ok "$1" || not_ok "$1" "'$2' is not '$3'"
}
cd "$TMPDIR" && mkdir -p folder/inner && : >kernel && : >kernel.old
is 'bash: commands' "$(complete_words hvrun e | tr '\n' ' ')" 'exec '
is 'bash: choices' "$(complete_words hvrun --console '' | tr '\n' ' ')" 'serial virtio none '
is 'bash: choices behind =' "$(complete_words hvrun --sandbox = o | tr '\n' ' ')" 'on off '
is 'bash: files' "$(complete_words hvrun exec -k ker | sort | tr '\n' ' ')" 'kernel kernel.old '
is 'bash: folders only' "$(complete_words hvrun exec --root '' | tr '\n' ' ')" 'folder '
is 'bash: a command behind --' "$(complete_words hvrun exec -k kernel -- una | grep -x uname | head -n 1)" 'uname'
is 'bash: its words' "$(complete_words hvrun exec -k kernel -- cat fol | tr '\n' ' ')" 'folder '
is 'bash: ctl' "$(complete_words hvrun ctl socket stat | tr '\n' ' ')" 'status '

# A real bash on a real terminal.
if "${CC:-cc}" -std=gnu17 -D_GNU_SOURCE -O1 -o pty "$TEST_TOP/tests/cli/pty.c" 2>said; then
	if INPUTRC=/dev/null PS1='ready> ' ./pty 'see:ready> ' 'send:. ./bash\x0d' 'see:ready> ' \
		'send:hvrun exec --mod\x09' 'see:hvrun exec --modules ' 'send:fol\x09' 'see:folder/' \
		'send:\x15exit 7\x0d' exit:7 -- sh -c 'exec bash --norc --noprofile -i 2>&1' >said 2>&1; then
		ok 'bash: on a terminal'
	else
		not_ok 'bash: on a terminal' "$(head -c 300 said | tr '\r\n' '||')"
	fi
else
	not_ok 'build of tests/cli/pty.c' "$(head -n 1 said)"
fi
for shell in zsh fish; do
	if ! command -v $shell >/dev/null; then
		skip "$shell: reads it" "there is no $shell here"
	elif $shell -n $shell 2>said; then
		ok "$shell: reads it"
	else
		not_ok "$shell: reads it" "$(head -n 1 said)"
	fi
done
# What they offer for a line, asked as a person asks by TAB.
in_fish() { LINE=$1 HOME=$TMPDIR fish --no-config -c 'source fish; complete -C "$LINE"' 2>/dev/null | cut -f1; }
in_zsh() { timeout 300 zsh -f "$TEST_TOP/tests/cli/complete.zsh" "$TMPDIR/zsh-functions" "$1" 2>/dev/null; }
mkdir -p zsh-functions && cp zsh zsh-functions/_hvrun
asked() { # SHELL
	local ask=in_$1
	is "$1: options" "$($ask 'hvrun --ke' | head -n 1)" --kernel
	is "$1: commands" "$($ask 'hvrun e' | head -n 1)" exec
	is "$1: options of a command" "$($ask 'hvrun exec --mod' | head -n 1)" --modules
	is "$1: choices" "$($ask 'hvrun --console ' | grep -v '^line: ' | sort | tr '\n' ' ')" 'none serial virtio '
	is "$1: choices behind =" "$($ask 'hvrun --console=s' | sed -n '1s/^--console=//p')$($ask 'hvrun --console=s' | sed -n 's/^line: .*=\(.*\) $/\1/p')" 'serial'
	is "$1: files" "$($ask 'hvrun exec -k ker' | grep -v '^line: ' | sort | tr '\n' ' ')" 'kernel kernel.old '
	is "$1: folders only" "$($ask 'hvrun exec --root fol' | head -n 1 | tr -d /) $($ask 'hvrun exec --root ' | grep -c '^kernel')" 'folder 0'
	is "$1: a command behind --" "$($ask 'hvrun exec -k kernel -- una' | grep -x uname)" uname
	is "$1: its words" "$($ask 'hvrun exec -k kernel -- cat fol' | head -n 1 | tr -d /)" folder
	is "$1: ctl" "$($ask 'hvrun ctl kernel stat' | head -n 1)" status
}
for shell in zsh fish; do
	if command -v $shell >/dev/null; then asked $shell; else skip "$shell: completes" "there is no $shell here"; fi
done

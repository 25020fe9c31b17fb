# SPDX-License-Identifier: BSD-2-Clause
# What zsh offers for a line whose end is completed by TAB, one word a line, and what it makes of the line:
#
#   zsh -f complete.zsh FOLDER LINE        FOLDER holds _hvrun
#
# A second zsh runs on a terminal of its own; in it compadd, by which all completions offer their words,
# writes them down first.
zmodload zsh/zpty || exit 2
folder=$1 said=$(mktemp)
setup=$(mktemp)
cat >$setup <<END
fpath=(${(q)folder} \$fpath)
autoload -Uz compinit && compinit -D -u
said=${(q)said}
END
cat >>$setup <<'END'
compadd() {
	local -a offered
	# With -O, -A or -D it fills an array and offers nothing.
	if [[ ${*[1,(i)--]} != *(#b)(-O|-A|-D)* ]]; then
		builtin compadd -O offered "$@"
		(( $#offered )) && print -rl -- $offered >>$said
	fi
	builtin compadd "$@"
}
setopt extendedglob
complete_and_end() {
	zle complete-word
	print -r -- "line: $BUFFER" >>$said
	exit
}
zle -N complete_and_end
bindkey '^I' complete_and_end
END
zpty complete zsh -f -i
zpty -w complete "PROMPT= RPROMPT= TERM=dumb; . $setup; print ready''now"
zpty -r complete shown '*readynow*'
zpty -w -n complete "$2"$'\t'
while zpty -t complete; do zpty -r -t complete shown || sleep 0.05; done
cat $said
rm -f $said $setup

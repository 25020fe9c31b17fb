#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# hvrun exec as people use it: on a stock Debian host (L1), with Debian's stock kernel and its modules where
# the package puts them, by a user who is not root and belongs to the group kvm. Each case is a boot of
# its own; all share one L1. The architecture whose guests boot quickest has all of them, the others
# some, and all with HVRUN_TEST_LONG.
#
#   RIG_ARCHS="riscv" EXEC_CASES="streams root" EXEC_LIMIT=1200 tests/rig/test-exec.sh
cd "$(dirname "$0")/../.." || exit 1
. tests/rig/lib.sh
. tests/rig/report.sh

# As root in L1: a host with a user, where /dev/kvm is the group's.
l1_main() {
	cat <<'L1'
. /rig/lib
say() { echo "$*" >/dev/console; }
mkdir -p /home/user/here /root /etc
chmod 1777 /tmp
cat >/etc/passwd <<'END'
root:x:0:0:root:/root:/bin/sh
user:x:1000:1000:user:/home/user:/bin/sh
END
cat >/etc/group <<'END'
root:x:0:
kvm:x:104:user
user:x:1000:
END
chown root:104 /dev/kvm
chmod 660 /dev/kvm
chown -R 1000:1000 /home/user
# A folder that is a root: busybox and its names.
mkdir -p /home/user/tree/bin /home/user/tree/tmp /home/user/tree/etc
cp /bin/busybox /home/user/tree/bin/
for name in sh cat echo id ls pwd touch wc md5sum grep sleep mount dmesg; do
	ln -s busybox /home/user/tree/bin/$name
done
echo "a root of its own" >/home/user/tree/etc/name
chown -R 1000:1000 /home/user/tree
mkfifo /tmp/said
chmod 666 /tmp/said
cat /tmp/said >/dev/console &
for case in $(cat /job/cases); do
	began=$(cut -d' ' -f1 /proc/uptime)
	case $case in
	as-root-*) CASE=$case sh /job/case 2>&1 ;;
	*) su user -c "CASE=$case sh /job/case" 2>&1 ;;
	esac
	say "RIG-TIME $case from $began to $(cut -d' ' -f1 /proc/uptime) s"
done >/tmp/said
waited=0
while [ -n "$(pidof virtiofsd)" ] && [ $((waited += 1)) -le 600 ]; do sleep 0.1; done
[ -z "$(pidof virtiofsd)" ] && say RIG-CHECK orphans ok || say "RIG-CHECK orphans $(ps | grep virtiofsd)"
exit 0
L1
}

# As the user, or as root: one case.
l1_case() {
	cat <<'L1'
. /job/checks
cd /home/user/here
kernel=$(echo /job/boot/vmlinu[xz]-*)
in_guest() { timeout -s KILL 600 /job/hvrun exec -k "$kernel" --append "$(cat /job/words)" "$@"; }
words() { sed "s/^/$CASE err: /" /tmp/err; }

case_streams() {
	strange=$(printf '\001\002\n\t "$`\\\x27\377\376;*?')
	head -c 150000 /dev/urandom >/tmp/in
	in_guest --env WORD='two words' --env HOME -- /bin/sh -c '
		cat
		echo "cwd $(pwd)" >&2
		echo "user $(id -u) $(id -g) groups $(id -G)" >&2
		echo "args $# $1 $2 $(printf %s "$3" | md5sum)" >&2
		echo "env $WORD $HOME $USER" >&2
		echo again >/dev/stderr
		echo lost >lost && cat lost >&2
		uname -r >&2
		exit 7' name 'a b' "c
d" "$strange" </tmp/in >/tmp/out 2>/tmp/err
	check streams-status is $? 7
	check streams-binary cmp /tmp/in /tmp/out
	check streams-stderr is "$(cat /tmp/err)" "cwd /home/user/here
user 1000 1000 groups 1000 104
args 3 a b c
d $(printf %s "$strange" | md5sum)
env two words $HOME user
again
lost
$(basename "$kernel" | cut -d- -f2-)"
	check streams-writes-vanish [ ! -e lost ]
	words
}
case_pipe() {
	{
		in_guest -- sh -c 'yes | head -c 300000; kill -9 $$' </dev/null
		echo $? >/tmp/status
	} 2>/tmp/err | wc -c >/tmp/count
	check pipe-count is "$(cat /tmp/count)" 300000
	check pipe-signal is "$(cat /tmp/status)" 137
	words
	yes | in_guest -- head -n 1 >/tmp/out 2>/tmp/err
	check pipe-endless-input is "$(cat /tmp/out)" y
	words
}
case_names() {
	in_guest -- no-such-command </dev/null >/tmp/out 2>/tmp/err
	check names-not-found is "$? $(cat /tmp/err)" "127 hvrun: exec: no-such-command: not found"
	in_guest --cwd / -- /etc/passwd </dev/null >/tmp/out 2>/tmp/err
	check names-not-a-program is "$? $(cat /tmp/err)" "126 hvrun: exec: /etc/passwd: may not be executed"
}
case_root() {
	mkdir -p ro rw
	echo "from the host" >ro/file
	in_guest --root /home/user/tree --share ro,ro --share rw --share /tmp -- /bin/sh -c '
		echo "$(pwd) $(cat /etc/name) $(id -u)"
		echo lost >/etc/lost && cat /etc/lost
		cat /home/user/here/ro/file
		echo no 2>/dev/null >/home/user/here/ro/new || echo refused
		echo kept >/home/user/here/rw/new
		echo kept too >/tmp/exec-share
		ls /home/user/here /usr 2>&1; true' </dev/null >/tmp/out 2>/tmp/err
	check root-status is "$?" 0
	check root-output is "$(cat /tmp/out)" "/ a root of its own 1000
lost
from the host
refused
ls: /usr: No such file or directory
/home/user/here:
ro
rw"
	check root-silent is "$(cat /tmp/err)" ""
	check root-vanishes is "$(ls /home/user/tree /home/user/tree/etc | tr '\n' ' ')" "/home/user/tree: bin etc tmp  /home/user/tree/etc: name "
	check root-share-ro is "$(ls ro)" file
	check root-share-rw is "$(cat rw/new /tmp/exec-share | tr '\n' ' ') $(stat -c %u rw/new)" "kept kept too  1000"
	words
}
case_rootrw() {
	in_guest --root /home/user/tree,rw --pid-namespace --cwd /etc -- sh -c 'echo stays >new; pwd; rm /tmp/gone' \
		</dev/null >/tmp/out 2>/tmp/err
	check rootrw-status is "$? $(cat /tmp/out)" "1 /etc"
	check rootrw-stays is "$(cat /home/user/tree/etc/new) $(stat -c %u /home/user/tree/etc/new)" "stays 1000"
	words
}
case_console() {
	in_guest --log /tmp/log -v -- echo out </dev/null >/tmp/out 2>/tmp/err
	check console-status is "$? $(cat /tmp/out)" "0 out"
	check console-log grep -q 'Linux version' /tmp/log
	check console-verbose grep -q 'Linux version' /tmp/err
	check console-times grep -q '^hvrun: .*kernel loaded' /tmp/err
	in_guest --timeout 60 -- sleep 1000 </dev/null >/tmp/out 2>/tmp/err
	check console-timeout is "$? $(grep -c '^hvrun: --timeout: ' /tmp/err)" "124 1"
	words
}
case_many() {
	for n in 1 2; do
		{ in_guest -m 160M -- sh -c "read -r line; echo \$line $n; exit $n" >/tmp/out.$n 2>/tmp/err.$n; echo $? >>/tmp/out.$n; } <<-END &
			line $n
		END
	done
	wait
	check many is "$(cat /tmp/out.[12] | tr '\n' ' ')" "line 1 1 1 line 2 2 2 "
	cat /tmp/err.[12] >/tmp/err
	words
}
case_copy() {
	in_guest --root /home/user/tree,copy -- sh -c '
		echo "$(pwd) $(cat /etc/name) $(id -u) $(ls -ln /etc/name | cut -c1-10) $(grep -c " / ext4 " /proc/mounts)"
		echo lost >/etc/lost && cat /etc/lost' </dev/null >/tmp/out 2>/tmp/err
	check copy-status is "$?" 0
	check copy-output is "$(cat /tmp/out)" "/ a root of its own 1000 -rw-r--r-- 1
lost"
	check copy-said is "$(grep -c '^hvrun: exec: the root is a copy of /home/user/tree' /tmp/err)" 1
	check copy-vanishes [ ! -e /home/user/tree/etc/lost ]
	words
	HVRUN_VIRTIOFSD=/nowhere in_guest --root /home/user/tree -- cat /etc/name </dev/null >/tmp/out 2>/tmp/err
	check copy-without-virtiofsd is "$? $(cat /tmp/out)" "0 a root of its own"
	words
	# A kernel whose list of what is built in has no virtiofs, and no such module.
	cp -R "$(ls -d /usr/lib/modules/*)" /tmp/modules
	find /tmp/modules -name 'virtiofs.ko*' -exec rm {} +
	sed -i /virtiofs/d /tmp/modules/modules.builtin
	in_guest --modules /tmp/modules --root /home/user/tree -- cat /etc/name </dev/null >/tmp/out 2>/tmp/err
	check copy-without-driver is "$? $(cat /tmp/out) $(grep -c 'has no virtio-fs' /tmp/err)" "0 a root of its own 1"
	words
	in_guest --modules /tmp/modules --root /home/user/tree,rw -- true </dev/null >/tmp/out 2>/tmp/err
	check copy-rw-refused is "$? $(grep -c 'cannot be kept' /tmp/err)" "71 1"
	in_guest --modules /tmp/modules -- true </dev/null >/tmp/out 2>/tmp/err
	check copy-whole-host-refused is "$? $(grep -c 'name a smaller --root' /tmp/err)" "71 1"
}
case_bisect() { # the step of tests/examples with a stock kernel that is good, and one that finds no init
	HVRUN=/job/hvrun KERNEL=$kernel BUILD=true HVRUN_OPTIONS='--root /home/user/tree' \
		sh /job/bisect-step sh -c 'test -e /etc/name' >/tmp/out 2>/tmp/err
	check bisect-good is $? 0
	HVRUN=/job/hvrun KERNEL=$kernel BUILD=true HVRUN_OPTIONS='--root /home/user/tree --append rdinit=/nowhere' \
		sh /job/bisect-step sh -c 'test -e /etc/name' >/tmp/out 2>/tmp/err
	check bisect-bad is "$? $(cat /tmp/out)" "1 bisect-step: status 134"
	words
}
case_as_root_panic() {
	: >/tmp/out
	{
		until grep -q 'on its way' /tmp/out || [ -e /tmp/ended ]; do sleep 0.1; done
		echo
	} | {
		in_guest -- sh -c 'echo on its way; read -r come; echo c >/proc/sysrq-trigger' >/tmp/out 2>/tmp/err
		said=$?
		: >/tmp/ended
		exit $said
	}
	check as-root-panic is "$? $(cat /tmp/out) $(grep -c "^hvrun: the guest's kernel panicked" /tmp/err)" "134 on its way 1"
	words
}
case $CASE in as-root-panic) CASE=as_root_panic ;; esac
"case_$CASE"
L1
}

checks() {
	cat <<'L1'
check() {
	name=$1; shift
	if said=$("$@" 2>&1); then echo "RIG-CHECK $name ok"; else
		echo "RIG-CHECK $name failed: $said" | tr '\n' '|'; echo; fi
}
is() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }; }
L1
}

# mke2fs with its libraries, for L1.
host_mke2fs() {
	case $rig_suite in trixie) t=t64 ;; *) t= ;; esac
	rig_job_install "$1" e2fsprogs '*sbin/mke2fs' &&
		rig_job_install "$1" libext2fs2$t '*/libext2fs.so.*' '*/libe2p.so.*' &&
		rig_job_install "$1" libcom-err2 '*/libcom_err.so.*' &&
		rig_job_install "$1" libblkid1 '*/libblkid.so.*' &&
		rig_job_install "$1" libuuid1 '*/libuuid.so.*'
}

run_exec() {
	work=$rig_dir/exec
	job=$work/job
	rm -rf "$work" && mkdir -p "$job"
	rig_l1_root >"$job/run"
	l1_main >"$job/main"
	l1_case >"$job/case"
	checks >"$job/checks"
	cp tests/examples/bisect-step "$job/"
	echo "$cases" >"$job/cases"
	echo "$rig_guest_append" | sed 's/quiet //' >"$job/words"
	cp "$(rig_hvrun)" "$job/hvrun" && rig_job_host "$job" && rig_job_virtiofsd "$job" || return 1
	case " $cases " in *' copy '*) host_mke2fs "$job" || return 1 ;; esac
	run_rig -a "$rig_arch" -n "$rig_smp_one" -m "$rig_exec_memory" -t "${EXEC_LIMIT:-$rig_exec_limit}" -l "$work/log" "$job"
	log=$work/log
	is "$rig_arch-exec-status" "$status" 0
	from_guest_prefix=exec-
	for check in $(expected); do from_guest "$check"; done
	from_guest orphans
	sed -n 's/^RIG-TIME /# &/p' "$log"
}

# The names of the checks of the cases that run here, as the job's script has them.
expected() {
	for case in $cases; do
		function=case_$(echo "$case" | tr - _)
		sed -n "/^$function()/,/^}/s/^.*check \([a-z-]*\) .*/\1/p" "$job/case"
	done
}

prepared() {
	run_exec || not_ok "$rig_arch-exec-prepare" "a part for the run could not be made, see above"
}

all='streams pipe names root rootrw console many copy bisect as-root-panic'
archs='arm64 x86 riscv'
[ -n "${RIG_ARCHS:-}${HVRUN_TEST_LONG:-}" ] || {
	archs=arm64
	skip x86-exec 'in the long form only'
	skip riscv-exec 'in the long form only'
}
for arch in ${RIG_ARCHS:-$archs}; do
	rig_load "$arch"
	why=$(rig_missing)
	if [ -n "$why" ]; then
		skip "$arch-exec" "$why"
		continue
	fi
	cases=$all
	if [ -z "${HVRUN_TEST_LONG:-}" ]; then
		cases=streams
		[ "$arch" != arm64 ] || cases='streams root'
	fi
	cases=${EXEC_CASES:-$cases}
	rig_hvrun >/dev/null || { not_ok "$arch-exec-build" "make static ARCH=$arch failed"; continue; }
	at_once prepared
done
all_done
finish

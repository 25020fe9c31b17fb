#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# hvrun doctor: one fact a line, the line that scripts read at the end, and a status that fits.
. "$TEST_TOP/tests/lib/sh.sh"

hv doctor
last=$(tail -n 1 "$out")
case $last in
'stock-guests: yes' | 'stock-guests: no: '?*) ok 'the last line is for scripts' ;;
*) not_ok 'the last line is for scripts' "\"$last\"" ;;
esac
if grep -qvE '^[^ :][^:]*: .' "$out"; then
	not_ok 'each line is "name: words"' "$(grep -vE '^[^ :][^:]*: .' "$out" | head -n 1)"
else
	ok 'each line is "name: words"'
fi
for name in hvrun host /dev/kvm sandbox memory bare-metal-guests stock-guests; do
	n=$(grep -c "^$name: " "$out")
	if [ "$n" = 1 ]; then ok "says $name once"; else not_ok "says $name once" "$n times"; fi
done

if grep -q '^bare-metal-guests: yes' "$out"; then want=0; else want=69; fi
check 'the status tells whether guests can run' $want

if grep -q '^/dev/kvm: opens' "$out"; then
	if grep -q '^KVM_CAP_IRQFD: ' "$out"; then ok 'lists capabilities'; else not_ok 'lists capabilities' 'no KVM_CAP_IRQFD'; fi
	if [ -d /sys/module/kvm_pvm ] && ! grep -qE '^flags.* (vmx|svm) ' /proc/cpuinfo; then
		if grep -q '^kind of KVM: PVM' "$out" && grep -q '^stock-guests: no' "$out"; then
			ok 'a PVM host is told'
		else
			not_ok 'a PVM host is told' "$(grep -E '^(kind|stock)' "$out" | tr '\n' '|')"
		fi
	else
		skip 'a PVM host is told' 'this host is another kind'
	fi
else
	skip 'lists capabilities' 'there is no usable /dev/kvm here'
fi

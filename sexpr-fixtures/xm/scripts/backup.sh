# A backup: the guest is saved, its disk would be copied, and it is restored.
save() { xm save "$1" "$PWD/$1.save" && echo "saved $1"; }
if xm list web1 >/dev/null 2>&1; then save web1; fi
xm list web1 >/dev/null 2>&1
echo "status $?"
[ -s web1.save ] && xm restore web1.save && echo "restored"
xm domid web1 | grep -Eq '^[0-9]+$' && xm domname "$(xm domid web1)"

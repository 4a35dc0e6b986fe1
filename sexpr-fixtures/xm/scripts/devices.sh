# Hot-plugging by a script that looks for what it has plugged in.
xm block-attach web1 phy:/dev/vg0/data xvdb w || echo "not attached"
xm block-list web1 | awk 'NR > 1 { print $1, $4, $7 }'
for dev in $(xm block-list web1 | sed 1d | awk '{ print $1 }' | tail -1); do
    xm block-detach web1 "$dev" && echo "detached $dev"
done
xm block-list web1 | sed 1d | wc -l
xm network-list web1 | awk 'NR == 2 { print $1, $3, $5 }'
xm network-list nosuch 2>&1 >/dev/null | grep -o "does not exist"

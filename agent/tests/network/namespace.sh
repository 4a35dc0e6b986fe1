#!/bin/sh
# Runs a command where it can change the network, the machine's name, /etc and /var/lib without
# disturbing the machine. To be started by unshare --net --mount --uts.
#
#   namespace.sh ETC WANTED run|serve COMMAND [ARGUMENT ...]
#
# The files in the directory ETC are added to /etc. There are interfaces eth0 and eth1 with the MACs
# of the tests. The command is waited for (run), or ended at the end (serve). Waits then until each
# line of the text WANTED is a part of what `ip` prints, for 10 seconds at most, and prints it.
set -eu
etc=$1
wanted=$2
kind=$3
shift 3

mount -t tmpfs none /run
mount -t tmpfs none /var/lib
# Read-only, so that networkd does not wait for udev.
mount -t sysfs -o ro none /sys
mkdir /run/etc
cp -a /etc/. /run/etc
mount --bind /run/etc /etc
rm -rf /etc/network /etc/systemd/network
cp -a "$etc/." /etc
for directory in if-pre-up.d if-up.d if-down.d if-post-down.d; do
    mkdir -p "/etc/network/$directory"
done
mkdir -p /run/network /run/systemd
install -d -o systemd-network -g systemd-network /run/systemd/netif 2>/dev/null || true

# No address waits until it is known to be unique.
echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
ip link set lo up
ip link add eth0 address 00:16:3e:11:22:33 type veth peer name peer0
ip link add eth1 address 00:16:3e:44:55:66 type veth peer name peer1
ip link set peer0 up
ip link set peer1 up

# Also those that the command starts, and names there.
trap '[ ! -e /run/servers ] || kill $(cat /run/servers) 2>/dev/null' EXIT
case $kind in
run) "$@" ;;
serve)
    "$@" >/run/log 2>&1 &
    echo "$!" >>/run/servers
    ;;
esac

show() {
    ip -o addr show scope global
    ip -4 route show
    ip -6 route show
}

# Whether a line of `wanted` is missing.
is_missing() {
    shown=$(show)
    echo "$wanted" | while read -r line; do
        case $shown in
        *"$line "*) ;;
        *) echo "$line" ;;
        esac
    done | grep -q .
}

tries=100
while [ "$tries" -gt 0 ] && is_missing; do
    sleep 0.1
    tries=$((tries - 1))
done
show
# What a server says of our files, but for the fact that it uses them.
if [ "$kind" = serve ]; then
    grep xend /run/log | grep -v Configuring >&2 || true
fi

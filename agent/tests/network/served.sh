#!/bin/sh
# Runs a command while NetworkManager or networkd serves, with a bus of its own. For namespace.sh,
# which ends both.
#
#   served.sh network-manager|networkd TOOLS COMMAND [ARGUMENT ...]
#
# TOOLS is the directory into which fetch-tools has put NetworkManager and the bus.
set -eu
kind=$1
tools=$2
shift 2

with_libraries() {
    LD_LIBRARY_PATH=$(echo "$tools"/usr/lib/*-linux-gnu*) exec "$@"
}

# Waits, 10 seconds at most, until a command succeeds.
wait_until() {
    tries=100
    until "$@" 2>/dev/null; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ]
        sleep 0.1
    done
}

mkdir -p /run/dbus
cat >/run/bus.conf <<'END'
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
END
(with_libraries "$tools/usr/bin/dbus-daemon" --config-file=/run/bus.conf --nofork >/run/bus.log 2>&1) &
echo "$!" >>/run/servers
wait_until test -S /run/dbus/system_bus_socket

# Until eth0 is as its old file says.
case $kind in
network-manager)
    cat >/etc/NetworkManager/NetworkManager.conf <<'END'
[main]
plugins=keyfile
no-auto-default=*
auth-polkit=false
hostname-mode=none
END
    chmod 600 /etc/NetworkManager/system-connections/*
    (with_libraries "$tools/usr/sbin/NetworkManager" --no-daemon >/run/manager.log 2>&1) &
    echo "$!" >>/run/servers
    is_ready() {
        (with_libraries "$tools/usr/bin/nmcli" -t -f DEVICE,STATE device) | grep -q '^eth0:connected$'
    }
    ;;
networkd)
    /lib/systemd/systemd-networkd >/run/networkd.log 2>&1 &
    echo "$!" >>/run/servers
    is_ready() { networkctl list | grep -q 'eth0.*configured'; }
    ;;
esac
wait_until is_ready

"$@"

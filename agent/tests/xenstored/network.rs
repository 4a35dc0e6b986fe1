//! `resetnetwork`, with what the host may write into `vm-data`, and with a kernel whose addresses
//! change.

use crate::guest::Guest;
use crate::machine::{failure, success};
use crate::namespace::Namespace;
use xend_xenstore::Nodes;

const MAC: &str = "00:16:3e:11:22:33";
const NODE: &str = "vm-data/networking/00163E112233";

/// Gives the agent its own `/etc` ($1), programs ($2), kernel's interfaces and other directories,
/// so that it can be at home in `/`.
const SETUP: &str = "mount --bind \"$1\" /etc
    mount --bind \"$2\" /usr/local/sbin
    mount -t sysfs none /sys
    mount -t tmpfs none /run
    mount -t tmpfs none /var/lib
    ip link set lo up
    ip link add eth0 address 00:16:3e:11:22:33 type veth peer name peer0
    ip link set peer0 up
    shift 2
    exec \"$@\"";

/// ifupdown, as far as this test needs it.
const IFUP: &str = "ip link set \"$1\" up
    while read -r key value; do
        case $key in
        iface) name=${value%% *} ;;
        address) address=$value ;;
        netmask) [ \"$name\" != \"$1\" ] || ip addr add \"$address/$value\" dev \"$1\" ;;
        gateway) [ \"$name\" != \"$1\" ] || ip route add default via \"$value\" ;;
        esac
    done </etc/network/interfaces";

fn settings(ip: &str) -> String {
    format!(
        "{{\"label\":\"public\",\"mac\":\"{MAC}\",\"gateway\":\"203.0.113.1\",\"broadcast\":null,\
         \"ips\":[{{\"ip\":\"{ip}\",\"netmask\":\"255.255.255.0\",\"enabled\":\"1\"}}],\
         \"routes\":[],\"dns\":[\"192.0.2.53\"]}}"
    )
}

#[test]
fn the_kernel_gets_the_addresses_of_the_host() {
    let Some(mut guest) = Guest::new() else { return };
    let kinds = ["--net", "--mount", "--uts"];
    let Some(namespace) = Namespace::new(&kinds, SETUP) else { return };
    guest.write(
        "/etc/network/interfaces",
        "auto lo\niface lo inet loopback\n\nauto eth0\n\
        iface eth0 inet dhcp\n",
    );
    guest.write("/etc/resolv.conf", "nameserver 192.0.2.1\n");
    guest.script("/programs/ifup", IFUP);
    guest.script("/programs/ifdown", "ip addr flush dev \"$1\"");
    guest.script("/programs/systemctl", "exit 1");
    let directories = ["/etc", "/programs"].map(|path| guest.path(path).display().to_string());
    let mut command = namespace.command(&guest, &[&directories[0], &directories[1]]);
    command.args(["--root", "/"]);
    guest.start_command(command);
    guest.check();

    for (ip, name) in [("203.0.113.10", "web1"), ("203.0.113.11", "web2")] {
        guest.write_node(NODE, &settings(ip));
        guest.write_node("vm-data/hostname", name);
        assert_eq!(guest.ask("resetnetwork", ""), success());
        let shown = namespace.ip(&guest, "-o -4 addr show dev eth0");
        assert!(shown.contains(&format!("inet {ip}/24")), "{shown}");
        assert_eq!(shown.lines().count(), 1, "{shown}");
        let routes = namespace.ip(&guest, "route show");
        assert!(routes.contains("default via 203.0.113.1"), "{routes}");
        let file = guest.read("/etc/network/interfaces");
        assert!(file.contains(ip) && file.contains("iface lo inet loopback"), "{file}");
        assert_eq!(guest.read("/etc/hostname"), format!("{name}\n"));
        let kernel = namespace.run(&guest, &["uname", "-n"]);
        assert_eq!(kernel.stdout, format!("{name}\n").into_bytes());
    }
    // Nothing is done half: the interface is there, and another one is not.
    let files = || {
        let names = ["/etc/network/interfaces", "/etc/resolv.conf", "/etc/hostname"];
        names.map(|path| guest.read(path))
    };
    let before = files();
    let other = settings("203.0.113.12").replace(MAC, "00:16:3e:99:99:99");
    let mut host = guest.xenstored.client();
    let path = format!("{}/vm-data/networking/00163E999999", crate::guest::HOME);
    host.write(&path, other.as_bytes()).unwrap();
    assert_eq!(files(), before);
    let (code, reason) = guest.ask("resetnetwork", "");
    assert_eq!(code, "500");
    assert!(reason.to_lowercase().ends_with("00:16:3e:99:99:99"), "{reason}");
    let shown = namespace.ip(&guest, "-o -4 addr show dev eth0");
    assert!(shown.contains("203.0.113.11/24"), "{shown}");
}

#[test]
fn settings_that_are_none_change_nothing() {
    let Some(mut guest) = Guest::new() else { return };
    guest.write("/sys/class/net/eth0/address", format!("{MAC}\n"));
    guest.write("/sys/class/net/eth0/ifindex", "2\n");
    guest.write("/proc/sys/kernel/hostname", "image\n");
    guest.write("/etc/hostname", "image\n");
    guest.start();
    guest.check();
    let names: [&[u8]; 7] = [b"", b"\xff", b"a b", b"a\nb", b"-a", b"a\0", &[b'a'; 3000]];
    for name in names {
        let path = format!("{}/vm-data/hostname", crate::guest::HOME);
        guest.host.write(&path, name).unwrap();
        let (code, reason) = guest.ask("resetnetwork", "");
        // An empty name is none, and then there is nothing to set.
        assert_eq!(code, "500", "{name:?}: {reason}");
        assert_eq!(reason.starts_with("vm-data has neither"), name.is_empty(), "{reason}");
        assert_eq!(guest.read("/etc/hostname"), "image\n");
    }
    guest.remove_node("vm-data/hostname");
    let deep = "[".repeat(3000);
    let many = format!("{{\"mac\":\"{MAC}\",\"ips\":[{}]}}", "0,".repeat(1500));
    let texts: [&[u8]; 8] = [
        b"\xff",
        b"[]",
        b"null",
        b"{}",
        b"{\"mac\":\"00:16:3e:11:22:33\",\"ips\":1}",
        b"{\"mac\":\"x\",\"ips\":[]}",
        deep.as_bytes(),
        many.as_bytes(),
    ];
    for text in texts {
        let path = format!("{}/{NODE}", crate::guest::HOME);
        guest.host.write(&path, text).unwrap();
        let (code, reason) = guest.ask("resetnetwork", "");
        assert_eq!(code, "500", "{}: {reason}", String::from_utf8_lossy(text));
    }
    guest.write_node(NODE, &format!("{{\"mac\":\"{MAC}\",\"ips\":[],\"ip6s\":[]}}"));
    assert_eq!(guest.ask("resetnetwork", ""), failure("No IPs found for interface"));
    guest.write_node(NODE, "");
    assert_eq!(guest.ask("resetnetwork", ""), failure(&format!("{NODE} is empty")));
    guest.remove_node(NODE);
    // The names of these do not fit into one message of XenStore's.
    for number in 0..400 {
        let settings = settings("203.0.113.10").replace(MAC, "");
        guest.write_node(&format!("vm-data/networking/00163E000{number:03}"), &settings);
    }
    let (code, reason) = guest.ask("resetnetwork", "");
    assert!(code == "500" && reason.contains("64"), "{reason}");
    guest.remove_node("vm-data");
    let nothing = "vm-data has neither networking nor hostname: there is nothing to set";
    assert_eq!(guest.ask("resetnetwork", ""), failure(nothing));
    assert!(guest.litter().is_empty());
}

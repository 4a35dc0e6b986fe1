//! Whether the distributions' own tools understand what is written: those that set addresses do so
//! in network namespaces, and the kernel has what the host wanted. Tools that are missing, or
//! namespaces that are not allowed, are skipped visibly; `tests/fetch-tools` fetches the tools.

use crate::files;
use crate::guest::{Guest, Kind};
use crate::vm_data::VmData;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use xend_guest_protocol::network::{Address, Interface, Mac};
use xend_guest_protocol::response::Response;

#[test]
fn networkd_sets_what_the_host_wants() {
    let Some(networkd) = networkd() else { return };
    each_example("networkd", |guest, data| {
        check(data, &in_namespace(guest, data, &["serve", &networkd]));
    });
}

#[test]
fn netplan_makes_networkd_set_what_the_host_wants() {
    let Some(networkd) = networkd() else { return };
    let Some(generate) = tool("netplan", "usr/libexec/netplan/generate") else { return };
    each_example("netplan", |guest, data| {
        let old = guest.path("/etc/netplan/50-cloud-init.yaml");
        fs::set_permissions(old, fs::Permissions::from_mode(0o600)).unwrap();
        let mut command = Command::new(&generate);
        command.env("LD_LIBRARY_PATH", libraries("netplan")).arg("--root-dir").arg(guest.root());
        let output = command.output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let mut made = files::read(&guest.path("/run/systemd/network"));
        assert!(!made.is_empty());
        for text in made.values_mut() {
            // The interfaces of the tests have no permanent address, and networkd says so if it
            // ignores the scope that netplan asks for.
            *text = text.replace("PermanentMACAddress=", "MACAddress=");
            *text = text.replace("/128\nScope=link\n", "/128\n");
        }
        files::write(&guest.path("/etc/systemd/network"), &made);
        check(data, &in_namespace(guest, data, &["serve", &networkd]));
    });
}

#[test]
fn ifupdown_sets_what_the_host_wants() {
    let Some(ifup) = tool("ifupdown", "sbin/ifup") else { return };
    for kind in ["ifupdown", "ifupdown-sourced", "alpine"] {
        each_example(kind, |guest, data| {
            without_others_commands(guest);
            check(data, &in_namespace(guest, data, &ifup_all(&ifup, data)));
        });
    }
}

#[test]
fn ifupdown_ng_sets_what_the_host_wants() {
    let Some(ifup) = tool("ifupdown-ng", "sbin/ifup") else { return };
    let executors = directory("ifupdown-ng").join("usr/libexec/ifupdown-ng");
    let ifup = format!("{ifup} -S /run/ifstate -E {}", executors.display());
    each_example("alpine", |guest, data| {
        check(data, &in_namespace(guest, data, &ifup_all(&ifup, data)));
    });
}

#[test]
fn busybox_sets_what_the_host_wants() {
    if !runs(&["busybox", "ifup", "--help"]) {
        skip("there is no busybox with ifup");
        return;
    }
    each_example("alpine", |guest, data| {
        check(data, &in_namespace(guest, data, &ifup_all("busybox ifup", data)));
    });
}

#[test]
fn ifquery_reads_every_line() {
    let Some(ifquery) = tool("ifupdown", "sbin/ifquery") else { return };
    for kind in ["ifupdown", "alpine"] {
        each_example(kind, |guest, _| {
            let file = guest.path("/etc/network/interfaces");
            let output = Command::new(&ifquery).arg("-i").arg(&file).arg("eth0").output().unwrap();
            assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
            let read = String::from_utf8(output.stdout).unwrap();
            for line in guest.read("/etc/network/interfaces").unwrap().lines() {
                if let Some(address) = line.trim().strip_prefix("address ") {
                    let is_of_eth1 = address.starts_with("10.177.");
                    assert!(
                        is_of_eth1 || read.contains(&format!("address: {address}\n")),
                        "{read}"
                    );
                }
            }
        });
    }
}

#[test]
fn nmcli_reads_every_line() {
    let Some(nmcli) = tool("network-manager", "usr/bin/nmcli") else { return };
    each_example("network-manager", |guest, data| {
        for interface in data.interfaces() {
            let path = "/etc/NetworkManager/system-connections/xend-";
            let text = guest.read(&format!("{path}{}.nmconnection", name(interface.mac))).unwrap();
            // Reads a connection, changes what is there already, and prints it. What it does not
            // know it leaves out.
            let mut command = Command::new(&nmcli);
            command.args(["--offline", "connection", "modify", "connection.autoconnect", "yes"]);
            command.env("LD_LIBRARY_PATH", libraries("network-manager"));
            let output = output_with_input(&mut command, &text);
            assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
            let printed = String::from_utf8(output.stdout).unwrap().to_lowercase();
            let printed: BTreeSet<&str> = printed.lines().collect();
            for line in text.lines().filter(|line| !line.starts_with('#')) {
                assert!(printed.contains(line.to_lowercase().as_str()), "{line}: {printed:?}");
            }
        }
    });
}

/// There is no package of these network scripts: a shell reads the files as they do.
#[test]
fn a_shell_reads_what_the_host_wants_from_ifcfg_files() {
    each_example("ifcfg", |guest, data| {
        for interface in data.interfaces() {
            let name = name(interface.mac);
            let script = "for i in '' 1 2; do eval echo \\$IPADDR$i \\$NETMASK$i; done
                for a in $IPV6ADDR $IPV6ADDR_SECONDARIES; do echo $a; done
                echo $DEVICE $HWADDR $ONBOOT $BOOTPROTO";
            let file = format!("/etc/sysconfig/network-scripts/ifcfg-{name}");
            let (v4, v6) = addresses(&interface, |address| match address.ip {
                IpAddr::V4(ip) => format!("{ip} {}", address.netmask()),
                IpAddr::V6(ip) => format!("{ip}/{}", address.prefix),
            });
            let mut expected = [v4, v6].concat();
            expected.push(format!("{name} {} yes none", interface.mac));
            assert_eq!(sourced(guest, &file, script), expected);
        }
    });
}

#[test]
fn a_shell_reads_what_the_host_wants_from_suses_files() {
    each_example("suse", |guest, data| {
        for interface in data.interfaces() {
            let name = name(interface.mac);
            // Quotes of `set` differ from shell to shell; the values need none.
            let script = "set | grep ^IPADDR | tr -d \"'\" | cut -d= -f2
                echo $STARTMODE $BOOTPROTO";
            let file = format!("/etc/sysconfig/network/ifcfg-{name}");
            let (v4, v6) =
                addresses(&interface, |address| format!("{}/{}", address.ip, address.prefix));
            let mut expected = [v4, v6].concat();
            expected.push("auto static".to_owned());
            assert_eq!(sourced(guest, &file, script), expected);
        }
    });
}

#[test]
fn a_shell_reads_what_the_host_wants_from_gentoos_file() {
    each_example("gentoo", |guest, data| {
        for interface in data.interfaces() {
            let name = name(interface.mac);
            let script = format!("echo \"$config_{name}\"\necho \"$routes_{name}\"");
            let (v4, v6) =
                addresses(&interface, |address| format!("{}/{}", address.ip, address.prefix));
            let read = sourced(guest, "/etc/conf.d/net", &script);
            let expected = [v4, v6].concat();
            assert_eq!(read.get(..expected.len()), Some(expected.as_slice()));
            for (_, route) in routes(&interface) {
                assert!(read.iter().any(|line| line.starts_with(&route)), "{route}: {read:?}");
            }
        }
    });
}

/// Resets the network of a guest for each example.
fn each_example(kind: &str, test: impl Fn(&Guest, &VmData)) {
    for example in VmData::examples() {
        let guest = Guest::new(Kind::named(kind));
        eprintln!("{example}");
        let data = VmData::example(&example);
        assert_eq!(guest.reset(&data), Response::ok(""));
        test(&guest, &data);
    }
}

/// What the kernel has after a program has run, or while it serves, with the guest's `/etc`.
/// `command` begins with `run` or `serve`.
pub(crate) fn in_namespace(guest: &Guest, data: &VmData, command: &[&str]) -> String {
    let interfaces = data.interfaces();
    let wanted: Vec<String> = interfaces
        .iter()
        .flat_map(|interface| {
            let addresses = interface.addresses.iter();
            let addresses = addresses.map(|address| format!("{}/{}", address.ip, address.prefix));
            addresses.chain(routes(interface).into_iter().map(|(_, route)| route))
        })
        .collect();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/network/namespace.sh");
    let mut unshare = Command::new("unshare");
    unshare.args(["--net", "--mount", "--uts", "sh"]).arg(script);
    let output = unshare.arg(guest.path("/etc")).arg(wanted.join("\n")).args(command).output();
    let output = output.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let serves = command.first() == Some(&"serve");
    assert!(!serves || errors.is_empty(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Compares what `ip` has printed with what the host wants.
pub(crate) fn check(data: &VmData, printed: &str) {
    let mut expected_addresses = BTreeSet::new();
    let mut expected_defaults = BTreeSet::new();
    for interface in data.interfaces() {
        let name = name(interface.mac);
        for address in &interface.addresses {
            expected_addresses.insert(format!("{name} {}/{}", address.ip, address.prefix));
        }
        for (destination, route) in routes(&interface) {
            let is_there = printed.lines().any(|line| {
                line.starts_with(&format!("{route} ")) && line.contains(&format!("dev {name}"))
            });
            assert!(is_there, "{route} is missing:\n{printed}");
            if destination == "default" {
                expected_defaults.insert(route);
            }
        }
    }
    let words = printed.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let mut addresses = BTreeSet::new();
    let mut defaults = BTreeSet::new();
    for words in words {
        match words.as_slice() {
            [_, name, "inet" | "inet6", address, ..] => {
                addresses.insert(format!("{name} {address}"));
            }
            ["default", "via", gateway, ..] => {
                defaults.insert(format!("default via {gateway}"));
            }
            _ => {}
        }
    }
    assert_eq!(addresses, expected_addresses, "{printed}");
    assert_eq!(defaults, expected_defaults, "{printed}");
}

/// The routes that the host wants, in the words of `ip`, with their destinations.
fn routes(interface: &Interface) -> Vec<(String, String)> {
    let has = |is_ipv4| interface.addresses.iter().any(|a| a.ip.is_ipv4() == is_ipv4);
    let mut routes = Vec::new();
    if let Some(gateway) = interface.gateway.filter(|_| has(true)) {
        routes.push(("default".to_owned(), format!("default via {gateway}")));
    }
    if let Some(gateway) = interface.gateway_v6.filter(|_| has(false)) {
        routes.push(("default".to_owned(), format!("default via {gateway}")));
    }
    for route in interface.routes.iter().filter(|route| has(route.destination.is_ipv4())) {
        let destination = format!("{}/{}", route.destination, route.prefix);
        let gateway = route.gateway.unwrap();
        routes.push((destination.clone(), format!("{destination} via {gateway}")));
    }
    routes
}

/// The addresses of both families in a file's words.
fn addresses(
    interface: &Interface,
    print: impl Fn(&Address) -> String,
) -> (Vec<String>, Vec<String>) {
    let of = |is_ipv4| {
        let addresses = interface.addresses.iter().filter(move |a| a.ip.is_ipv4() == is_ipv4);
        addresses.map(&print).collect()
    };
    (of(true), of(false))
}

/// The name of the guest's interface with this MAC.
fn name(mac: Mac) -> &'static str {
    match mac.node_name().as_str() {
        "00163E112233" => "eth0",
        "00163E445566" => "eth1",
        other => panic!("{other}"),
    }
}

/// What a script prints that has sourced a file of the guest, without empty lines.
fn sourced(guest: &Guest, path: &str, script: &str) -> Vec<String> {
    let mut command = Command::new("sh");
    command.env_clear().env("PATH", "/usr/bin:/bin").arg("-eu").arg("-c");
    command.arg(format!("set +u\n. {}\n{script}", guest.path(path).display()));
    let output = command.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// The command line that brings the interfaces up one after the other, as the agent does.
fn ifup_all<'a>(ifup: &str, data: &VmData) -> [&'a str; 4] {
    let names = data.interfaces().into_iter().map(|interface| name(interface.mac));
    let lines: Vec<String> = names.map(|name| format!("{ifup} {name}")).collect();
    ["run", "sh", "-ec", Box::leak(lines.join("\n").into_boxed_str())]
}

/// Takes out what calls programs that this machine does not have.
fn without_others_commands(guest: &Guest) {
    let path = "/etc/network/interfaces";
    let text = guest.read(path).unwrap();
    let text =
        text.replace("    pre-up /usr/local/sbin/firewall \\\n        --interface eth0\n", "");
    guest.write(path, &text.replace("    up ip route add 10.0.0.0/8 via 192.0.2.2 table 7\n", ""));
}

/// systemd's networkd; `None` if it cannot be tried.
pub(crate) fn networkd() -> Option<String> {
    let networkd = "/lib/systemd/systemd-networkd";
    if !Path::new(networkd).exists() {
        skip("there is no systemd-networkd");
        return None;
    }
    can_unshare().then(|| networkd.to_owned())
}

/// A tool that `fetch-tools` has fetched, and that can be tried here.
pub(crate) fn tool(folder: &str, path: &str) -> Option<String> {
    let tool = directory(folder).join(path);
    if !tool.exists() {
        skip(&format!("{} is missing: agent/tests/fetch-tools fetches it", tool.display()));
        return None;
    }
    can_unshare().then(|| tool.display().to_string())
}

pub(crate) fn directory(folder: &str) -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/network-tools");
    std::env::var_os("XEND_NETWORK_TOOLS").map_or(default, PathBuf::from).join(folder)
}

/// Where the libraries are that a tool has brought with it.
pub(crate) fn libraries(folder: &str) -> String {
    let usr = directory(folder).join("usr/lib");
    let triplets = fs::read_dir(usr).unwrap().map(|entry| entry.unwrap().path());
    let paths = triplets.map(|path| path.display().to_string());
    paths.collect::<Vec<_>>().join(":")
}

fn can_unshare() -> bool {
    let can = runs(&["unshare", "--net", "--mount", "--uts", "ip", "link"]);
    if !can {
        skip("there are no network namespaces, or no ip");
    }
    can
}

fn runs(command: &[&str]) -> bool {
    let mut run = Command::new(command[0]);
    run.args(&command[1..]).stdout(Stdio::null()).stderr(Stdio::null());
    run.status().is_ok_and(|status| status.success())
}

fn skip(reason: &str) {
    eprintln!("SKIPPED: {reason}");
}

pub(crate) fn output_with_input(command: &mut Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

//! The built agent resets a real network in a network namespace: with the distributions' own tools,
//! and by the addresses that the kernel has.

use crate::guest::{Guest, Kind};
use crate::tools::{check, directory, in_namespace, libraries, networkd, tool};
use crate::vm_data::VmData;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const AGENT: &str = env!("CARGO_BIN_EXE_xend-guest-agent");

/// What is tried.
struct Trial<'a> {
    data: &'a VmData,
    /// What the guest has in the end.
    wanted: &'a VmData,
    /// The beginning of the script that stands for the tool that sets addresses.
    script: &'a str,
}

/// What happened.
struct Outcome {
    /// The agent's response, and the machine's name afterwards.
    lines: Vec<String>,
    /// What `ip` prints then.
    state: String,
}

#[test]
fn each_example_is_applied_by_ifupdown() {
    for example in VmData::examples() {
        eprintln!("{example}");
        let data = VmData::example(&example);
        let trial = Trial { data: &data, wanted: &data, script: "" };
        let Some(outcome) = trial.with_ifupdown() else { return };
        check_success(&example, &data, &outcome);
    }
}

#[test]
fn each_example_is_applied_by_network_manager() {
    for example in VmData::examples() {
        eprintln!("{example}");
        let data = VmData::example(&example);
        let trial = Trial { data: &data, wanted: &data, script: "" };
        let Some(outcome) = trial.with_network_manager() else { return };
        check_success(&example, &data, &outcome);
    }
}

#[test]
fn each_example_is_applied_by_networkd() {
    for example in VmData::examples() {
        eprintln!("{example}");
        let data = VmData::example(&example);
        let trial = Trial { data: &data, wanted: &data, script: "" };
        let Some(outcome) = trial.with_networkd() else { return };
        check_success(&example, &data, &outcome);
    }
}

#[test]
fn the_old_addresses_are_back_if_networkd_fails() {
    let trial = Trial {
        data: &VmData::example("two-interfaces"),
        wanted: &old(),
        // Unless the new files are gone again.
        script: "test -e /etc/systemd/network/05-xend-eth0.network && exit 3",
    };
    if let Some(outcome) = trial.with_networkd() {
        check_failure("1 (systemctl restart systemd-networkd)", &outcome);
    }
}

#[test]
fn the_old_addresses_are_back_if_ifupdown_fails() {
    let trial = Trial {
        data: &VmData::example("two-interfaces"),
        wanted: &old(),
        script: "if grep -q 203.0.113.10 /etc/network/interfaces; then exit 7; fi",
    };
    if let Some(outcome) = trial.with_ifupdown() {
        check_failure("7 (ifup eth0)", &outcome);
    }
}

#[test]
fn the_old_addresses_are_back_when_an_agent_starts_after_one_that_was_killed() {
    let trial = Trial {
        data: &VmData::example("two-interfaces"),
        wanted: &old(),
        // Kills the first agent.
        script: "if grep -q 203.0.113.10 /etc/network/interfaces; then
            touch /run/killed
            kill -9 $PPID
            exit
        fi",
    };
    if let Some(outcome) = trial.with_ifupdown() {
        assert_eq!(outcome.lines, ["image"]);
        check(&old(), &outcome.state);
    }
}

#[test]
fn the_old_addresses_are_back_if_network_manager_fails() {
    let trial = Trial {
        data: &VmData::example("two-interfaces"),
        wanted: &old(),
        // After the first of the interfaces is changed.
        script: "case \"$*\" in *xend-eth1) exit 4 ;; esac",
    };
    if let Some(outcome) = trial.with_network_manager() {
        check_failure("4 (nmcli connection up id xend-eth1)", &outcome);
    }
}

/// What the guests have before.
fn old() -> VmData {
    let json = r#"{"ips":[{"ip":"192.0.2.7","netmask":"24"}]}"#;
    VmData::default().with("networking/00163E112233", json)
}

fn check_success(example: &str, data: &VmData, outcome: &Outcome) {
    let name = match example {
        "two-interfaces" => "web1.example.org",
        "hostile-label" => "web1",
        _ => "image",
    };
    let success = r#"{"returncode":"0","message":""}"#;
    assert_eq!(outcome.lines, [success, name], "{example}");
    check(data, &outcome.state);
}

fn check_failure(reason: &str, outcome: &Outcome) {
    let message = format!("Couldn't restart network: {reason}. The old network is back");
    let response = format!(r#"{{"returncode":"500","message":"{message}"}}"#);
    assert_eq!(outcome.lines, [response.as_str(), "image"]);
    check(&old(), &outcome.state);
}

/// The command line that runs another one while a server of this kind runs.
fn server(kind: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/network/served.sh");
    format!("sh {} {kind} {}", script.display(), directory("network-manager").display())
}

impl Trial<'_> {
    /// `None` if ifupdown cannot be tried here.
    fn with_ifupdown(&self) -> Option<Outcome> {
        let ifup = tool("ifupdown", "sbin/ifup")?;
        let ifdown = tool("ifupdown", "sbin/ifdown")?;
        let guest = Guest::new(Kind::named("alpine"));
        let path = "/etc/network/interfaces";
        let interfaces = guest.read(path).unwrap();
        let old = "iface eth0 inet static\n    address 192.0.2.7/24\n";
        let interfaces = interfaces.replace("iface eth0 inet dhcp\n\thostname image\n", old);
        guest.write(path, &interfaces);
        let tools = [("ifup", ifup.as_str(), self.script), ("ifdown", &ifdown, "")];
        Some(self.run(&guest, &tools, "", "ifup eth0"))
    }

    /// `None` if NetworkManager cannot be tried here.
    fn with_network_manager(&self) -> Option<Outcome> {
        let nmcli = tool("network-manager", "usr/bin/nmcli")?;
        let guest = Guest::new(Kind::named("network-manager"));
        let path = "/etc/NetworkManager/system-connections/eth0.nmconnection";
        let connection = guest.read(path).unwrap();
        let old = connection.replace("method=auto", "method=manual\naddress1=192.0.2.7/24");
        guest.write(path, &old);
        let nmcli = format!("env LD_LIBRARY_PATH={} {nmcli}", libraries("network-manager"));
        let tools = [("nmcli", nmcli.as_str(), self.script)];
        Some(self.run(&guest, &tools, &server("network-manager"), ":"))
    }

    /// `None` if networkd cannot be tried here.
    fn with_networkd(&self) -> Option<Outcome> {
        networkd()?;
        // It comes with the bus.
        tool("network-manager", "usr/bin/dbus-daemon")?;
        let guest = Guest::new(Kind::named("networkd"));
        let old = "[Match]\nName=eth0\n[Network]\nAddress=192.0.2.7/24\nIPv6AcceptRA=no\n";
        guest.write("/etc/systemd/network/80-dhcp.network", old);
        // Of systemd itself there is nothing: networkd runs, and nothing else.
        let systemctl = "test \"$3\" = systemd-networkd && exec true";
        let tools =
            [("networkctl", "/usr/bin/networkctl", self.script), ("systemctl", "false", systemctl)];
        Some(self.run(&guest, &tools, &server("networkd"), ":"))
    }

    /// Resets the network. The guest has `tools` (names, command lines, beginnings of the scripts
    /// that stand for them); all is done by `server`, a program that runs another one, after
    /// `before`.
    fn run(
        &self,
        guest: &Guest,
        tools: &[(&str, &str, &str)],
        server: &str,
        before: &str,
    ) -> Outcome {
        let outside = tempfile::tempdir().unwrap();
        let outside = outside.path();
        for (name, tool, begin) in tools {
            let path = outside.join(name);
            fs::write(&path, format!("#!/bin/sh\n{begin}\nexec {tool} \"$@\"\n")).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        self.data.write(outside);
        let pair = format!("[[pair]]\nexchange = \"stdio\"\npath = \"{}\"\n", outside.display());
        guest.write("/etc/xend-guest-agent.conf", &pair);
        let script = format!(
            "mount --bind {} /usr/local/sbin
            hostname image
            {before}
            echo '{{\"name\":\"resetnetwork\",\"value\":\"\"}}' | {AGENT}
            [ ! -e /run/killed ] || {AGENT} </dev/null
            hostname
            echo",
            outside.display()
        );
        let mut command = vec!["run"];
        command.extend(server.split_ascii_whitespace());
        command.extend(["sh", "-c", &script]);
        let printed = in_namespace(guest, self.wanted, &command);
        let (lines, state) = printed.split_once("\n\n").unwrap();
        Outcome { lines: lines.lines().map(ToOwned::to_owned).collect(), state: state.to_owned() }
    }
}

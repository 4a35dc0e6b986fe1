//! The commands of the Argo protocol: what each shows and does, and for whom.

use crate::argo_support::{ArgoHost, GENEROUS, account, nobody, operator};
use crate::sim_support::{disk, vif};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;
use xend::core::caller::Caller;
use xend::core::journal::EventKind;
use xend::core::model::{Device, DomainConfig, DomainRef};
use xend::core::op::{Change, GuestOp};
use xend::core::rights::Right;

/// The commands about an instance.
const ON_INSTANCE: [&str; 12] = [
    "image", "info", "ip", "mac", "pause", "reboot", "rx", "start", "stop", "tx", "unpause",
    "uptime",
];

/// A network interface with an address and a bridge.
fn vif_with(ip: &str) -> Device {
    let Device::Vif(mut device) = vif() else { unreachable!() };
    device.mac = Some("00:16:3e:01:02:03".parse().unwrap());
    device.bridge = Some("xenbr0".into());
    device.ip = Some(ip.into());
    Device::Vif(device)
}

/// Steve has all rights on `lj` and `lj-file`; `hidden` and `hidden-file` are nobody's.
async fn host() -> ArgoHost {
    let host = ArgoHost::with_options(|_| ()).await;
    host.write_file("lj-file", "lj-file");
    host.write_file("hidden-file", "hidden-file");
    host.run("lj", |config| {
        config.devices.push(vif_with("10.0.0.7 2001:db8::7/64"));
        config.devices.push(vif());
    })
    .await;
    host.run("hidden", |_| ()).await;
    let steve = account("steve", &["lj", "lj-file"], &Right::ALL);
    let viewer = account("viewer", &["lj", "lj-file"], &[Right::See]);
    host.accounts.replace(vec![steve, viewer, operator("root")], None);
    host
}

#[tokio::test]
async fn a_hidden_instance_is_an_unknown_one() {
    let host = host().await;
    let mut steve = host.log_in("steve").await;
    let mut nobody = host.connect().await;
    for command in ON_INSTANCE {
        for name in ["hidden", "hidden-file", "nosuch", "0", "Domain-0", "*", "", "'"] {
            let name = format!("\"{name}\"");
            let answer = steve.ask(&format!("{command} {name}")).await;
            assert_eq!(answer, "400 NO SUCH INSTANCE\n", "{command} {name}");
            let answer = nobody.ask(&format!("{command} {name}")).await;
            assert_eq!(answer, "400 NOT AUTHENTICATED\n", "{command} {name}");
        }
    }
    assert_eq!(host.state("hidden").await, Some("running"));
    assert_eq!(host.state("hidden-file").await, None);
    assert_eq!(steve.output("list running").await, ["lj"]);
    assert_eq!(steve.output("list available").await, ["lj", "lj-file"]);
}

#[tokio::test]
async fn a_viewer_sees_and_changes_nothing() {
    let host = host().await;
    let mut viewer = host.log_in("viewer").await;
    for name in ["lj", "lj-file"] {
        for command in ["pause", "unpause", "start", "stop", "reboot"] {
            let answer = viewer.ask(&format!("{command} {name}")).await;
            assert_eq!(answer, "400 NOT ALLOWED\n", "{command} {name}");
        }
        for command in ["info", "mac", "ip"] {
            let answer = viewer.ask(&format!("{command} {name}")).await;
            assert!(!answer.starts_with("400 NO"), "{command} {name}: {answer}");
        }
    }
    assert_eq!(host.state("lj").await, Some("running"));
    assert_eq!(host.state("lj-file").await, None);
}

#[tokio::test]
async fn power_commands_change_the_state() {
    let host = host().await;
    let mut steve = host.log_in("steve").await;
    let done = "200 OK\n300 DONE\n";
    for (line, answer, state) in [
        ("pause lj", done, "paused"),
        ("pause lj", done, "paused"),
        ("unpause lj", done, "running"),
        ("start lj", "400 Cannot start domain lj: it is running\n", "running"),
    ] {
        assert_eq!(steve.ask(line).await, answer, "{line}");
        assert_eq!(host.state("lj").await, Some(state), "{line}");
    }
    assert_eq!(steve.ask("stop lj").await, done);
    while host.state("lj").await != Some("halted") {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let refused = "400 Domain 'lj' is not started\n";
    for command in ["stop", "reboot", "pause", "unpause", "rx", "tx", "uptime"] {
        assert_eq!(steve.ask(&format!("{command} lj")).await, refused, "{command}");
    }
    assert_eq!(steve.output("list running").await, Vec::<String>::new());
    assert_eq!(steve.output("list available").await, ["lj", "lj-file"]);
    assert_eq!(steve.ask("start lj").await, done);
    assert_eq!(host.state("lj").await, Some("running"));
}

/// The configuration is the operator's: the right to start a domain of the name suffices.
#[tokio::test]
async fn an_instance_that_is_only_a_file_is_started_from_it() {
    let host = host().await;
    let starter = account("starter", &["lj-file"], &[Right::Power]);
    host.accounts.replace(vec![starter], None);
    let mut starter = host.log_in("starter").await;
    assert_eq!(starter.output("list available").await, ["lj-file"]);
    let info = starter.output("info lj-file").await;
    assert_eq!(info, ["name: lj-file", "state: halted", "memory: 64 MiB", "vcpus: 1", "type: pv"]);
    for command in ["stop", "pause", "image", "rx", "uptime"] {
        let answer = starter.ask(&format!("{command} lj-file")).await;
        assert_eq!(answer, "400 Domain 'lj-file' is not started\n", "{command}");
    }
    assert_eq!(starter.ask("start lj-file").await, "200 OK\n300 DONE\n");
    assert_eq!(host.state("lj-file").await, Some("running"));
    assert_eq!(starter.output("list running").await, ["lj-file"]);
    let answer = starter.ask("start lj-file").await;
    assert_eq!(answer, "400 Cannot start domain lj-file: it is running\n");

    let view = host.engine.view(&Caller::internal());
    let events = view.events_after(0, 1000).events;
    let by_starter = events.iter().find_map(|event| match &event.what {
        EventKind::Done { op: "start", caller } if event.name == "lj-file" => {
            Some(caller.text.clone())
        }
        _ => None,
    });
    let by_starter = by_starter.expect("the journal has the start");
    assert!(by_starter.starts_with("starter at 127.0.0.1:"), "{by_starter}");
}

#[tokio::test]
async fn a_file_of_others_is_no_instance() {
    let host = host().await;
    let path = host.write_file("open", "lj");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let mut root = host.log_in("root").await;
    let available = root.output("list available").await;
    assert_eq!(available, ["hidden", "hidden-file", "lj", "lj-file"]);
}

#[tokio::test]
async fn facts_are_shown() {
    let host = host().await;
    let mut steve = host.log_in("steve").await;
    let info = steve.output("info lj").await;
    let keys: Vec<&str> = info.iter().map(|line| line.split_once(": ").unwrap().0).collect();
    let expected = [
        "name", "uuid", "state", "id", "cpu-time", "uptime", "memory", "vcpus", "type", "vif",
        "vif",
    ];
    assert_eq!(keys, expected);
    for line in ["state: running", "memory: 64 MiB", "vif: vif0 00:16:3e:01:02:03 xenbr0"] {
        assert!(info.contains(&line.to_owned()), "{line}: {info:?}");
    }
    let uptime = steve.output("uptime lj").await;
    assert!(uptime[0].ends_with("second") || uptime[0].ends_with("seconds"), "{uptime:?}");
    let macs = steve.output("mac lj").await;
    assert_eq!((macs.len(), macs[0].as_str()), (2, "00:16:3e:01:02:03"));
    assert_eq!(steve.output("ip lj").await, ["10.0.0.7", "2001:db8::7"]);
    for command in ["rx", "tx"] {
        let traffic = steve.output(&format!("{command} lj")).await;
        let counters: Vec<_> = traffic.iter().map(|line| line.split_once(' ').unwrap()).collect();
        assert_eq!((counters[0].0, counters[1].0), ("vif0", "vif1"));
        assert!(counters.iter().all(|(_, bytes)| bytes.parse::<u64>().is_ok()), "{traffic:?}");
    }
    let load = steve.output("load").await;
    let keys: Vec<&str> = load.iter().map(|line| line.split_once(": ").unwrap().0).collect();
    assert_eq!(keys, ["load", "cpu", "memory"]);
    assert_eq!(steve.ask("dmesg").await, "400 NOT ALLOWED\n");
}

/// The addresses that a guest reports come before those of its configuration.
#[tokio::test]
async fn a_guest_tells_its_addresses() {
    let host = host().await;
    let with_ip = |config: &mut DomainConfig| config.devices.push(vif_with("203.0.113.5"));
    host.run("web1", with_ip).await;
    host.run("web2-agentabsent", with_ip).await;
    host.define("web3", with_ip).await;
    let mut root = host.log_in("root").await;
    let op = GuestOp::ResetNetwork {
        interfaces: vec![(
            "00163E010203".to_owned(),
            r#"{"ips":[{"ip":"203.0.113.7","netmask":"255.255.255.0"}],
                "ip6s":[{"ip":"2001:db8::7","netmask":64}]}"#
                .to_owned(),
        )],
        host_name: None,
    };
    let domain = DomainRef::new("web1");
    host.change(Change::Guest { domain, op, limit: GENEROUS }).await;
    let reported = async {
        // Its link-local address is of no use to others.
        while root.output("ip web1").await != ["203.0.113.7", "2001:db8::7"] {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(GENEROUS, reported).await.unwrap();
    for name in ["web2-agentabsent", "web3"] {
        assert_eq!(root.output(&format!("ip {name}")).await, ["203.0.113.5"], "{name}");
    }
}

#[tokio::test]
async fn the_resolver_is_asked_for_an_address() {
    let host = host().await;
    host.define("localhost", |_| ()).await;
    host.define("no-such-host.invalid", |_| ()).await;
    let mut root = host.log_in("root").await;
    let addresses = root.output("ip localhost").await;
    assert!(addresses.contains(&"127.0.0.1".to_owned()), "{addresses:?}");
    let unknown = root.ask("ip no-such-host.invalid").await;
    assert_eq!(unknown, "400 The address is not known\n");
}

#[tokio::test]
async fn disks_are_shown_with_what_they_hold() {
    let host = host().await;
    let image = |name: &str, at: usize, mark: &[u8]| {
        let path = host.path().join(name);
        let mut bytes = vec![0; 128 << 10];
        bytes[at..at + mark.len()].copy_from_slice(mark);
        fs::write(&path, bytes).unwrap();
        path
    };
    let xfs = image("xfs.img", 0, b"XFSB");
    let swap = image("swap space.img", 4086, b"SWAPSPACE2");
    let missing = host.path().join("missing.img");
    let sparse = host.path().join("sparse.img");
    File::create(&sparse).unwrap().set_len(1 << 20).unwrap();
    let uname = |kind: &str, path: &Path| format!("{kind}:{}", path.display());
    host.define("disks", |config: &mut DomainConfig| {
        config.devices.push(disk("xvda", &uname("file", &xfs)));
        config.devices.push(disk("xvdb", &uname("tap:aio", &swap)));
        config.devices.push(disk("xvdc", &uname("file", &missing)));
        config.devices.push(disk("xvdd", &uname("file", &sparse)));
    })
    .await;
    let mut root = host.log_in("root").await;
    let used =
        |path: &Path| std::os::unix::fs::MetadataExt::blocks(&fs::metadata(path).unwrap()) * 512;
    let expected = [
        format!("xvda loopback {} 131072 {} xfs", xfs.display(), used(&xfs)),
        format!("xvdb file \"{}\" 131072 {} swap", swap.display(), used(&swap)),
        format!("xvdc missing {} - - -", missing.display()),
        format!("xvdd loopback {} 1048576 0 empty", sparse.display()),
    ];
    assert_eq!(root.output("image disks").await, expected);
}

/// Installs a program in `dir`. A shell writes it: see `plugins/directory.rs`.
fn install(dir: &Path, name: &str, script: &str) {
    let install = "printf %s \"$1\" > \"$2\" && chmod 755 \"$2\"";
    let path = dir.join(name);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", install, "sh", script]).arg(path);
    assert!(shell.status().unwrap().success());
}

#[tokio::test]
async fn programs_are_commands_with_rights() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let commands = dir.path().to_owned();
    let host = ArgoHost::with_options(|options| options.commands = Some(commands)).await;
    host.run("lj", |_| ()).await;
    host.run("hidden", |_| ()).await;
    host.write_file("lj-file", "lj-file");
    let steve = account("steve", &["lj", "lj-file"], &[Right::Console]);
    let viewer = account("viewer", &["lj"], &[Right::See]);
    host.accounts.replace(vec![steve, viewer, operator("root")], None);
    let say = r#"#!/bin/sh
if [ "$1" = --describe ]; then
    echo 'arguments: NAME [WORD]'
    echo 'right: console'
    echo 'help: Say it.'
    exit
fi
echo "$# $1 $2"
env | grep -E '^(ARGO_COMMAND|ARGO_USER|XEND_[A-Z]+|XEND_MEMORY_MIB)=' | sort
"#;
    install(dir.path(), "say", say);
    install(dir.path(), "sweep", "#!/bin/sh\necho 'help: Sweep the host.'\n");
    install(dir.path(), "pause", say);

    let mut steve = host.log_in("steve").await;
    let said = steve.output("say lj 'two words'").await;
    let expected = [
        "2 lj two words",
        "ARGO_COMMAND=say",
        "ARGO_USER=steve",
        "XEND_DOMAIN=lj",
        "XEND_DOMID=1",
        "XEND_MEMORY_MIB=64",
        "XEND_STATE=running",
        "XEND_VCPUS=1",
    ];
    assert_eq!(said, expected);
    assert_eq!(steve.output("say 1").await[0], "1 lj ", "the domid stands for the name");
    let of_file = steve.output("say lj-file").await;
    assert!(of_file.contains(&"XEND_STATE=halted".to_owned()), "{of_file:?}");
    assert!(of_file.contains(&"XEND_DOMID=".to_owned()), "{of_file:?}");
    for (line, answer) in [
        ("say hidden", "400 NO SUCH INSTANCE\n"),
        ("say", "400 USAGE: say NAME [WORD]\n"),
        ("say lj --describe", "400 USAGE: say NAME [WORD]\n"),
        ("sweep", "400 NOT ALLOWED\n"),
        ("pause lj", "400 NOT ALLOWED\n"),
        ("../say lj", "400 UNKNOWN COMMAND\n"),
    ] {
        assert_eq!(steve.ask(line).await, answer, "{line}");
    }
    let mut viewer = host.log_in("viewer").await;
    assert_eq!(viewer.ask("say lj").await, "400 NOT ALLOWED\n");
    let mut nobody = host.connect_as(nobody(), 4096);
    assert_eq!(nobody.ask("say lj").await, "400 UNKNOWN COMMAND\n");
    let mut root = host.log_in("root").await;
    assert_eq!(root.output("sweep").await, ["help: Sweep the host."]);
    let help = root.output("help").await;
    assert!(help.contains(&"say NAME [WORD]          Say it.".to_owned()), "{help:?}");
    assert_eq!(help.len(), 19 + 2);
    let help = steve.output("help").await;
    assert!(help.contains(&"say NAME [WORD]          Say it.".to_owned()), "{help:?}");
    assert_eq!(help.len(), 19 + 1);
    assert_eq!(viewer.output("help").await.len(), 19);
}

/// Before a login, programs do not exist: none is run, and nobody can guess their names.
#[tokio::test]
async fn programs_are_for_those_who_have_logged_in() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let marks = tempfile::tempdir().unwrap();
    fs::set_permissions(marks.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let commands = dir.path().to_owned();
    let host = ArgoHost::with_options(|options| options.commands = Some(commands)).await;
    host.run("lj", |_| ()).await;
    let anonymous = account("anonymous", &["lj"], &[Right::See]);
    host.accounts.replace(vec![operator("root")], Some(anonymous));
    let mark = format!("#!/bin/sh\nmktemp -p {} > /dev/null\n", marks.path().display());
    install(dir.path(), "hello", &format!("{mark}echo 'help: Hello.'\necho 'right: anyone'\n"));
    install(dir.path(), "sweep", &format!("{mark}echo 'help: Sweep the host.'\n"));
    let count = || fs::read_dir(marks.path()).unwrap().count();

    let mut client = host.connect().await;
    for line in ["hello", "sweep", "sweep the host", "no-such-command"] {
        assert_eq!(client.ask(line).await, "400 UNKNOWN COMMAND\n", "{line}");
    }
    assert_eq!(client.output("help").await.len(), 19);
    assert_eq!(count(), 0);
    assert_eq!(client.ask("auth root root").await, "200 OK\n300 DONE\n");
    assert_eq!(client.output("help").await.len(), 19 + 2);
    assert_eq!(client.output("hello").await, ["help: Hello.", "right: anyone"]);
    assert_eq!(count(), 3);
}

/// The example beside the documentation.
#[tokio::test]
async fn the_example_is_a_command() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    install(dir.path(), "ping", include_str!("../../dist/argo.d/ping"));
    let commands = dir.path().to_owned();
    let host = ArgoHost::with_options(|options| options.commands = Some(commands)).await;
    host.accounts.replace(vec![operator("root")], None);
    let mut root = host.log_in("root").await;
    let help = root.output("help").await;
    let line = "ping NAME                Ask an instance for an answer to ping.";
    assert!(help.contains(&line.to_owned()), "{help:?}");
}

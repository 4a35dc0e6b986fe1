//! Our xm: the exit status of every command when the domain does not exist, when xend does not run,
//! and when the command line is wrong. xm 4.1 had 3 for the first, and 1 for the others.

use crate::http_support::Daemon;
use crate::xm_support::{Printed, Xm, program};
use std::collections::BTreeSet;
use std::process::Command;

/// Commands for a domain, as they are used.
const OF_A_DOMAIN: [&str; 63] = [
    "list DOMAIN",
    "vcpu-list DOMAIN",
    "start DOMAIN",
    "delete DOMAIN",
    "suspend DOMAIN",
    "resume DOMAIN",
    "pause DOMAIN",
    "unpause DOMAIN",
    "destroy DOMAIN",
    "reset DOMAIN",
    "shutdown DOMAIN",
    "shutdown -w -H DOMAIN",
    "reboot DOMAIN",
    "save DOMAIN WORK/file",
    "save -c DOMAIN WORK/file",
    "migrate DOMAIN host",
    "dump-core DOMAIN WORK/file",
    "domid DOMAIN",
    "domname DOMAIN",
    "domstate DOMAIN",
    "dominfo DOMAIN",
    "rename DOMAIN new",
    "sysrq DOMAIN s",
    "trigger DOMAIN nmi",
    "uptime DOMAIN",
    "console DOMAIN",
    "vncviewer DOMAIN",
    "vcpu-pin DOMAIN all 0",
    "vcpu-set DOMAIN 1",
    "mem-set DOMAIN 64",
    "mem-max DOMAIN 64",
    "sched-credit -d DOMAIN",
    "sched-credit -d DOMAIN -w 300",
    "sched-sedf DOMAIN",
    "sched-sedf DOMAIN -p 20",
    "cpupool-migrate DOMAIN Pool-0",
    "block-attach DOMAIN phy:/dev/x xvda w",
    "block-detach DOMAIN xvda",
    "block-list DOMAIN",
    "block-list -l DOMAIN",
    "block-configure DOMAIN phy:/dev/x hdc r",
    "vtpm-list DOMAIN",
    "network-attach DOMAIN",
    "network-detach DOMAIN 0",
    "network-detach DOMAIN 00:16:3e:00:00:01",
    "network-list DOMAIN",
    "pci-attach DOMAIN 05:00.0",
    "pci-detach DOMAIN 05:00.0",
    "pci-detach DOMAIN 05:00.*",
    "pci-list DOMAIN",
    "scsi-detach DOMAIN 0:0:0:0",
    "scsi-list DOMAIN",
    "usb-attach DOMAIN 0 1 1-1",
    "usb-detach DOMAIN 0 1",
    "usb-list DOMAIN",
    "usb-hc-create DOMAIN 2 4",
    "usb-hc-destroy DOMAIN 0",
    "usb-add DOMAIN host:1.1",
    "usb-del DOMAIN host:1.1",
    "change-vnc-passwd DOMAIN",
    "event-monitor DOMAIN",
    "list --json DOMAIN",
    "uptime --json DOMAIN",
];

/// Commands that ask xend, and need no domain.
const OF_THE_HOST: [&str; 32] = [
    "list",
    "vcpu-list",
    "create guest.cfg",
    "create -F guest.sxp",
    "new guest.cfg",
    "restore WORK/file",
    "uptime",
    "info",
    "dmesg",
    "log",
    "debug-keys q",
    "shutdown -a",
    "sched-credit",
    "sched-credit2",
    "sched-sedf",
    "cpupool-list",
    "cpupool-create pool.cfg",
    "cpupool-new pool.cfg",
    "cpupool-start pool",
    "cpupool-destroy pool",
    "cpupool-delete pool",
    "cpupool-cpu-add pool 1",
    "cpupool-cpu-remove pool 1",
    "pci-list-assignable-devices",
    "vnet-list",
    "vnet-create vnet",
    "vnet-delete 1",
    "top -b -i 1",
    "serve",
    "event-monitor",
    "xendomains start --config WORK/xendomains --lockfile WORK/lock",
    "scsi-attach 0 sda 0:0:0:0",
];

/// Commands that ask nothing of xend, refused ones and those of security modules included.
const OF_NOTHING: [&str; 26] = [
    "help",
    "version",
    "shell",
    "dry-run",
    "usb-list-assignable-devices",
    "tmem-list",
    "tmem-thaw",
    "tmem-freeze",
    "tmem-destroy",
    "tmem-set",
    "tmem-shared-auth",
    "network2-attach",
    "network2-detach",
    "network2-list",
    "addlabel",
    "rmlabel",
    "getlabel",
    "dumppolicy",
    "labels",
    "resources",
    "getpolicy",
    "setpolicy",
    "resetpolicy",
    "getenforce",
    "setenforce",
    "activatepolicy",
];

fn first_word(line: &str) -> &str {
    line.split(' ').next().unwrap()
}

/// The names in the full list of commands.
fn listed() -> BTreeSet<String> {
    let help = Command::new(program()).arg("help").output().unwrap();
    let help = Printed::of(&help).good();
    let is_entry = |line: &&str| line.starts_with(' ') && !line.starts_with("  ");
    let names = help.lines().filter(is_entry).filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

fn write_files(xm: &Xm<'_>) {
    xm.write("guest.cfg", "kernel = '/k'\nname = 'guest'\nmemory = 64\n");
    xm.write("guest.sxp", "(vm (name guest) (memory 64) (image (linux (kernel /k))))");
    xm.write("pool.cfg", "name = 'pool'\nsched = 'credit'\n");
    xm.write("vnet", "(vnet (id 7) (vnetif v7))");
    xm.write("xendomains", "XENDOMAINS_RESTORE=false\n");
}

#[test]
fn every_command_has_its_place_here() {
    let known: BTreeSet<&str> = [&OF_A_DOMAIN[..], &OF_THE_HOST, &OF_NOTHING]
        .concat()
        .into_iter()
        .map(first_word)
        .collect();
    let missing: Vec<String> =
        listed().into_iter().filter(|name| !known.contains(name.as_str())).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn a_domain_that_does_not_exist_is_status_3() {
    let daemon = Daemon::start(&[]);
    let xm = Xm(&daemon);
    let mut wrong = Vec::new();
    for line in OF_A_DOMAIN.map(|line| line.replace("DOMAIN", "nosuch")) {
        let printed = xm.run(&line);
        if (printed.status, printed.err.as_str()) != (3, "Error: Domain 'nosuch' does not exist.\n")
        {
            wrong.push(format!("{line}: {printed:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_empty_name_is_no_domain() {
    let daemon = Daemon::start(&[]);
    let xm = Xm(&daemon);
    let work = daemon.dir.path().to_str().unwrap();
    let more = ["list -l DOMAIN", "reboot -w DOMAIN", "uptime -s DOMAIN"];
    let mut wrong = Vec::new();
    for line in OF_A_DOMAIN.iter().chain(&more) {
        let words = line.split(' ').map(|word| match word {
            "DOMAIN" => String::new(),
            other => other.replace("WORK", work),
        });
        let printed = Printed::of(&xm.command("").args(words).output().unwrap());
        if (printed.status, printed.err.as_str()) != (3, "Error: Domain '' does not exist.\n") {
            wrong.push(format!("{line}: {printed:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_xend_that_does_not_run_is_status_1() {
    let daemon = Daemon::start(&[]);
    let xm = Xm(&daemon);
    write_files(&xm);
    let socket = daemon.dir.path().join("none");
    let mut wrong = Vec::new();
    let lines = OF_A_DOMAIN.iter().map(|line| line.replace("DOMAIN", "guest"));
    for line in lines.chain(OF_THE_HOST.iter().map(|line| (*line).to_owned())) {
        let mut command = xm.command(&line);
        command.env("XM_SERVER", format!("unix:{}", socket.display()));
        let printed = Printed::of(&command.output().unwrap());
        let error = "Error: Unable to connect to xend: No such file or directory. Is xend running?";
        let is_local =
            line.starts_with("scsi-attach") && printed.err.contains("Cannot find device");
        if printed.status != 1 || !(printed.err.contains(error) || is_local) {
            wrong.push(format!("{line}: {printed:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!daemon.dir.path().join("lock").exists());
}

#[test]
fn a_wrong_command_line_is_status_1() {
    let daemon = Daemon::start(&[]);
    let xm = Xm(&daemon);
    let mut wrong = Vec::new();
    for name in listed() {
        let printed = xm.run(&format!("{name} --nosuchoption"));
        let usage = format!("Usage: xm {name}");
        let named = printed.err.starts_with("Error: option --nosuchoption not recognized. ");
        if printed.status != 1 || !named || !printed.err.contains(&usage) {
            wrong.push(format!("{name}: {printed:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // As many words as no command takes fewer than.
    for (line, mistake) in [
        ("pause", "'xm pause' requires 1 argument"),
        ("pause a b", "'xm pause' requires 1 argument"),
        ("save a", "'xm save' requires 2 arguments"),
        ("info a", "'xm info' takes no arguments"),
        ("block-attach a", "'xm block-attach' requires between 4 and 5 arguments"),
        ("xendomains", "'xm xendomains' requires 1 argument"),
    ] {
        let said = xm.fail(line, 1);
        assert!(said.starts_with(mistake), "{line}: {said}");
    }
}

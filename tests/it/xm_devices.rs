//! Our xm: SCSI, USB and PCI devices. What the machine has is a `/sys` of the test's own, which
//! only xm sees.

use crate::http_support::Daemon;
use crate::xm_support::{Printed, Xm};
use rustix::process::geteuid;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

fn host() -> Daemon {
    let daemon = Daemon::start(&[]);
    let xm = Xm(&daemon);
    xm.write("guest.cfg", "kernel = '/k'\nname = 'guest'\nmemory = 64\n");
    xm.good("create -q guest.cfg");
    daemon
}

/// Two adapters with three units, and a device with three functions that guests may get.
fn write_sys(sys: &Path) {
    for (address, name) in [("1:0:0:0", "sdb"), ("1:0:1:0", "sdc"), ("2:0:0:0", "sda")] {
        fs::create_dir_all(sys.join(format!("bus/scsi/devices/{address}/block/{name}"))).unwrap();
        let class = sys.join("class/block").join(name);
        fs::create_dir_all(&class).unwrap();
        symlink(format!("../../../{address}"), class.join("device")).unwrap();
    }
    for (folder, file) in [("bus/pci/devices", ""), ("bus/pci/drivers/pciback", "new_slot")] {
        for function in 0..3 {
            fs::create_dir_all(sys.join(folder).join(format!("0000:05:00.{function}"))).unwrap();
        }
        if !file.is_empty() {
            fs::write(sys.join(folder).join(file), "").unwrap();
        }
    }
}

/// Runs xm, which sees another `/sys`; `None` where nothing can be mounted.
fn with_sys(xm: &Xm<'_>, line: &str) -> Option<Printed> {
    let sys = xm.0.dir.path().join("sys");
    if !sys.exists() {
        write_sys(&sys);
    }
    let namespaces: &[&str] =
        if geteuid().is_root() { &["--mount"] } else { &["--map-root-user", "--mount"] };
    let mount = format!("mount --bind '{}' /sys && exec \"$@\"", sys.display());
    let run = |words: &[&std::ffi::OsStr]| {
        let mut command = Command::new("unshare");
        command.args(namespaces).args(["sh", "-c", &mount, "sh"]).args(words);
        command
    };
    let tried = run(&["true".as_ref()]).output();
    if !tried.is_ok_and(|tried| tried.status.success()) {
        println!("Skipped: nothing can be mounted here");
        return None;
    }
    let plain = xm.command(line);
    let words: Vec<&std::ffi::OsStr> =
        std::iter::once(plain.get_program()).chain(plain.get_args()).collect();
    let mut command = run(&words);
    for (name, value) in plain.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.current_dir(plain.get_current_dir().unwrap());
    Some(Printed::of(&command.output().unwrap()))
}

/// Addresses in the guest, with the host's addresses and names.
fn units(xm: &Xm<'_>) -> Vec<[String; 3]> {
    let listed: Value = serde_json::from_str(&xm.good("scsi-list --json guest")).unwrap();
    let text = |unit: &Value, key: &str| unit[key].as_str().unwrap().to_owned();
    let listed = listed.as_array().unwrap().iter();
    listed.map(|unit| ["v_dev", "p_dev", "p_devname"].map(|key| text(unit, key))).collect()
}

#[test]
fn scsi_devices_come_and_go() {
    let daemon = host();
    let xm = Xm(&daemon);
    for (line, error) in [
        ("scsi-attach guest nosuch 0:0:0:0", "Cannot find device 'nosuch'"),
        ("scsi-attach guest 99:0:0:0 0:0:0:0", "Cannot find device '99:0:0:0'"),
        (
            "scsi-detach guest 0:0:0",
            "Invalid argument: 0:0:0 (HOST:CHANNEL:TARGET:LUN is expected)",
        ),
        ("scsi-detach guest 0:0:0:0", ""),
    ] {
        assert!(xm.fail(line, 1).starts_with(error), "{line}");
    }
    let Some(attached) = with_sys(&xm, "scsi-attach guest /dev/sdb 0:0:0:0") else { return };
    attached.good();
    with_sys(&xm, "scsi-attach guest 1:0:1:0 0:0:1:0").unwrap().good();
    let unit = |at: &str, physical: &str, name: &str| [at, physical, name].map(str::to_owned);
    let both = [unit("0:0:0:0", "1:0:0:0", "sdb"), unit("0:0:1:0", "1:0:1:0", "sdc")];
    assert_eq!(units(&xm), both);
    let listed = xm.good("scsi-list guest");
    assert!(listed.starts_with("Idx BE  state host  phy-hctl   phy   vir-hctl   devstate\n"));
    assert!(xm.good("scsi-list --long guest").starts_with("(0\n"));
    let twice = with_sys(&xm, "scsi-attach guest sdb 0:0:0:0").unwrap();
    assert!(twice.status == 1 && twice.err.contains("already defined"), "{twice:?}");
    let wrong = with_sys(&xm, "scsi-attach guest sdb 0:0:0").unwrap();
    assert!(wrong.status == 1 && wrong.err.contains("HOST:CHANNEL:TARGET:LUN"), "{wrong:?}");
    xm.good("scsi-detach guest 0:0:0:0");
    assert_eq!(units(&xm), both[1..]);
    xm.good("scsi-detach guest 0:0:1:0");
    assert_eq!(xm.good("scsi-list guest"), "");
}

#[test]
fn a_whole_scsi_adapter_comes_with_its_units() {
    let daemon = host();
    let xm = Xm(&daemon);
    let Some(attached) = with_sys(&xm, "scsi-attach guest sdc host") else { return };
    attached.good();
    let units = units(&xm);
    let addresses: Vec<&str> = units.iter().map(|unit| unit[0].as_str()).collect();
    assert_eq!(addresses, ["1:0:0:0", "1:0:1:0"]);
    assert!(units.iter().all(|[guest, physical, _]| guest == physical));
    let listed: Value = serde_json::from_str(&xm.good("scsi-list --json guest")).unwrap();
    assert_eq!(listed[0]["feature_host"], 1);
    let elsewhere = xm.fail("-H http://xen.example.org scsi-attach guest sdc host", 4);
    assert!(elsewhere.starts_with("The adapter of another host is not known here"), "{elsewhere}");
}

#[test]
fn usb_devices_come_and_go() {
    let daemon = host();
    let xm = Xm(&daemon);
    xm.good("usb-hc-create guest 2 2");
    xm.good("usb-attach guest 0 1 1-8");
    assert!(xm.good("usb-list guest").ends_with("port 1: 1-8\nport 2: \n"));
    let listed: Value = serde_json::from_str(&xm.good("usb-list --json guest")).unwrap();
    assert_eq!(listed[0]["ports"][0], serde_json::json!({"port": 1, "bus": "1-8"}));
    xm.good("usb-detach guest 0 1");
    assert!(xm.good("usb-list guest").ends_with("port 1: \nport 2: \n"));
    for (line, error) in [
        ("usb-attach guest 0 3 1-8", "vusb port: 1 to 2 is expected"),
        (
            "usb-attach guest 0 x 1-8",
            "Invalid argument: <PortNumber> is the number of a port, not 'x'.",
        ),
        ("usb-attach guest 7 1 1-8", ""),
        (
            "usb-hc-create guest 2 32",
            "Invalid argument: <NumberOfPorts> is a number of ports from 1 to 31, not '32'.",
        ),
        ("usb-hc-destroy guest 7", ""),
    ] {
        let said = xm.fail(line, 1);
        assert!(said.starts_with(error), "{line}: {said}");
    }
    for line in ["usb-add guest host:1.2", "usb-del guest host:1.2"] {
        let said = xm.fail(line, 4);
        assert!(said.contains("use xm usb-attach"), "{line}: {said}");
    }
    xm.good("usb-hc-destroy guest 0");
    assert_eq!(xm.good("usb-list guest"), "");
}

#[test]
fn several_pci_functions_come_and_go_at_once() {
    let daemon = host();
    let xm = Xm(&daemon);
    let listed = |functions: &[&str]| {
        functions.iter().fold("Device\n".to_owned(), |all, one| all + "0000:05:00." + one + "\n")
    };
    xm.good("pci-attach guest 05:00.0,2-3");
    assert_eq!(xm.good("pci-list guest"), listed(&["0", "2", "3"]));
    // All of a change, or nothing.
    assert!(xm.fail("pci-attach guest 05:00.1,2", 1).contains("already defined"));
    assert_eq!(xm.good("pci-list guest"), listed(&["0", "2", "3"]));
    xm.good("pci-detach guest 05:00.2");
    xm.good("pci-detach guest 05:00.*");
    assert_eq!(xm.good("pci-list guest"), "");
    for (line, error) in [
        ("pci-detach guest 05:00.*", "Domain 'guest' has no function of 05:00.*"),
        ("pci-attach guest 05:00.8", "'05:00.8' is not a PCI device: 0000:03:1a.1 is one"),
        ("pci-attach guest 05:00.1,1", "'05:00.1,1': a function is named twice"),
        ("pci-attach guest 05:00.1=2", "'05:00.1=2': no function is function 0 in the guest"),
        ("pci-attach guest ffff:ff:1f.*", "'ffff:ff:1f.*': this machine has no such PCI device"),
        ("pci-attach -o x guest 05:00.1", "Invalid pci attach option: x"),
    ] {
        let said = xm.fail(line, 1);
        assert!(said.starts_with(error), "{line}: {said}");
    }
    let Some(attached) = with_sys(&xm, "pci-attach guest 05:00.* 6") else { return };
    attached.good();
    assert_eq!(
        xm.good("pci-list guest"),
        "Vdev Device\n06.0 0000:05:00.0\n06.1 0000:05:00.1\n06.2 0000:05:00.2\n"
    );
    xm.good("pci-detach guest 05:00.1");
    let free = with_sys(&xm, "pci-list-assignable-devices").unwrap().good();
    assert_eq!(free, "0000:05:00.1\n");
    let free = with_sys(&xm, "pci-list-assignable-devices --json").unwrap().good();
    assert_eq!(serde_json::from_str::<Value>(&free).unwrap(), serde_json::json!(["0000:05:00.1"]));
    let usb = with_sys(&xm, "usb-list-assignable-devices --json").unwrap().good();
    assert!(serde_json::from_str::<Value>(&usb).unwrap().is_array(), "{usb}");
}

//! Our xm: the files that its command line names.

use crate::http_support::Daemon;
use crate::xm_support::{PV, Printed, Xm};
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::process::Stdio;

#[test]
fn a_configuration_comes_from_whatever_exists() {
    let daemon = Daemon::start(&[]);
    let xm = Xm(&daemon);
    let made = xm.good("create /dev/null kernel=/boot/vmlinuz name=none memory=64");
    assert_eq!(made, "Using config file \"/dev/null\".\nStarted domain none (id=1)\n");
    let mut command = xm.command("create -p -q /dev/stdin");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(PV.as_bytes()).unwrap();
    Printed::of(&child.wait_with_output().unwrap()).good();
    assert_eq!(daemon.value("oldvm", "state"), "--p---");
    for (line, error) in [
        ("create WORK", "Unable to open config file: WORK: it is a directory"),
        ("create -F WORK", "Unable to read WORK: Is a directory"),
        ("vnet-create WORK", "Unable to read WORK: Is a directory"),
        ("cpupool-create WORK", "Unable to open config file: WORK: it is a directory"),
        ("create /dev/zero", "Unable to read /dev/zero: it is longer than 1 MiB"),
    ] {
        let error = error.replace("WORK", daemon.dir.path().to_str().unwrap());
        assert_eq!(xm.fail(line, 1), error, "{line}");
    }
}

#[test]
fn a_configuration_of_the_other_form_is_told_by_a_hint() {
    let daemon = Daemon::start(&[]);
    let xm = Xm(&daemon);
    xm.write("web.sxp", "(vm (name web) (memory 64) (image (linux (kernel /k))))");
    xm.write("web.cfg", "name = 'web'\nkernel = '/k'\n");
    let hint = xm.fail("create -q web.sxp", 1);
    assert_eq!(hint, "web.sxp is an S-expression: name it with -F");
    for line in ["create -n -F web.cfg", "create -F web.cfg", "new -F web.cfg"] {
        let hint = xm.fail(line, 1);
        assert!(hint.starts_with("web.cfg is not the S-expression of a domain"), "{line}: {hint}");
    }
}

#[test]
fn names_that_are_not_utf_8_are_kept() {
    let daemon = Daemon::start(&[]);
    let xm = Xm(&daemon);
    let name = |text: &[u8]| daemon.dir.path().join(OsStr::from_bytes(text));
    fs::write(name(b"b\xfcro.cfg"), PV).unwrap();
    let run = |line: &str, file: &[u8]| {
        Printed::of(&xm.command(line).arg(OsStr::from_bytes(file)).output().unwrap())
    };
    run("create -q", b"b\xfcro.cfg").good();
    run("save oldvm", b"b\xfcro.save").good();
    assert!(name(b"b\xfcro.save").exists());
    run("restore", b"b\xfcro.save").good();
    for (line, file) in [("save -c oldvm", &b"b\xfc"[..]), ("rename oldvm", b"b\xfc")] {
        let refused = run(line, file);
        assert!(refused.status == 1 && refused.err.contains("is not UTF-8"), "{refused:?}");
    }
    assert_eq!(
        fs::read_dir(daemon.dir.path())
            .unwrap()
            .filter(|entry| {
                entry.as_ref().unwrap().file_name().to_string_lossy().contains('\u{fffd}')
            })
            .count(),
        2
    );
}

#[test]
fn a_saved_domain_is_replaced_by_force_alone() {
    let daemon = Daemon::start(&[]);
    let xm = Xm(&daemon);
    xm.write("pv.cfg", PV);
    xm.good("create -q pv.cfg");
    xm.write("kept", "kept");
    for line in ["save oldvm WORK/kept", "save -c oldvm WORK/kept"] {
        let refused = xm.fail(line, 1);
        assert!(refused.contains("/kept exists: ") && refused.contains("xm save -f"), "{refused}");
    }
    assert_eq!(fs::read(daemon.dir.path().join("kept")).unwrap(), b"kept");
    assert_eq!(daemon.value("oldvm", "domid"), "1");
    xm.good("save -c -f oldvm WORK/kept");
    xm.good("save -f oldvm WORK/kept");
    xm.good("restore WORK/kept");
    // Older clients send no `force`.
    let file = daemon.dir.path().join("kept");
    let saved = daemon.post("/xend/domain/oldvm", &format!("op=save&file={}", file.display()));
    assert!((200..300).contains(&saved.code), "{saved:?}");
}

#[test]
fn a_link_stands_for_its_file() {
    let daemon = Daemon::start(&[]);
    let xm = Xm(&daemon);
    xm.write("pv.cfg", PV);
    xm.good("create -q pv.cfg");
    let at = |name: &str| daemon.dir.path().join(name);
    fs::create_dir(at("disk")).unwrap();
    symlink("disk/saved", at("link")).unwrap();
    xm.good("save -c oldvm WORK/link");
    xm.good("save -f oldvm WORK/link");
    assert!(at("link").is_symlink() && at("disk/saved").is_file());
    xm.good("restore WORK/link");
}

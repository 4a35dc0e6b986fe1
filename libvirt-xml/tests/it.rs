//! Files of libvirt and the S-expressions that they become.
//!
//! `sexpr-fixtures/libvirt/NAME.xml` is a file, `NAME.sxp` what it becomes. The pairs of libvirt's
//! own tests, `NAME.xml` and `NAME.sexpr` of its folder `tests/xml2sexprdata`, are read from
//! `XEND_LIBVIRT_TESTS`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use xend_libvirt_xml::{Conversion, convert};
use xend_sxp::{Limits, Sxp, pretty, read_one};

/// Differences from the S-expressions of libvirt's tests: the beginning of an item that one of both
/// has and the other has not, and the reason.
const DIFFERENCES: &[(&str, &str)] = &[
    ("image: (cdrom ", "Xen 3.0.2 has the CD-ROM drive in the image"),
    ("device: (vbd (dev hdc:cdrom)", "Xen 3.0.2 has the CD-ROM drive in the image"),
    ("image: (vncunused ", "Xen 3.0.2 has (vnc 1) alone"),
    ("image: (vncdisplay ", "Xen 3.0.2 has (vnc 1) alone"),
    ("image: (vnclisten ", "Xen 3.0.2 has (vnc 1) alone"),
    ("image: (vncpasswd ", "Xen 3.0.2 has (vnc 1) alone"),
    ("image: (keymap ", "Xen 3.0.2 has (vnc 1) alone"),
    ("image: (localtime ", "since Xen 3.1 the clock is in the image of an HVM guest"),
    ("image: (rtc_timeoffset ", "since Xen 3.1 the clock is in the image of an HVM guest"),
    ("(image (linux))", "the image is spelt out beside a boot loader"),
];

fn read(path: &Path) -> (Conversion, Sxp) {
    let name = path.display();
    let text = fs::read(path).unwrap();
    let converted = convert(&text).unwrap_or_else(|error| panic!("{name}: {error:#}"));
    let expected = ["sxp", "sexpr"].map(|extension| path.with_extension(extension));
    let expected = expected.iter().find(|path| path.exists()).unwrap();
    (converted, read_one(&fs::read(expected).unwrap(), &Limits::default()).unwrap())
}

/// The files of XML in a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "xml"));
    files.sort();
    files
}

#[test]
fn each_kind_of_guest_becomes_an_expression() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sexpr-fixtures/libvirt");
    let mut warnings = Vec::new();
    let files = files(&folder);
    assert_eq!(files.len(), 4);
    for path in files {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let (converted, wanted) = read(&path);
        assert_eq!(converted.config, wanted, "{name}: {}", pretty(&converted.config, 80));
        warnings.extend(converted.warnings.iter().map(|warning| format!("{name}: {warning:#}")));
    }
    assert_eq!(
        warnings,
        [
            "hvm: line 18, column 5: timer: only hpet and tsc have an effect",
            "hvm: line 61, column 5: graphics: only vnc and sdl are supported, the screen is left out",
            "pv: line 39, column 5: disk: only files and block devices are supported, the disk is left \
             out",
            "pv: line 52, column 5: interface: the bridge of the network is not known here: add \
             (bridge NAME)",
            "pv: line 64, column 5: hostdev: only PCI functions are passed through",
            "pv: line 69, column 3: <cputune> of <domain> is left out",
        ]
    );
}

#[test]
fn mistakes_are_refused_at_their_place() {
    let domain =
        |inner: &str| format!("<domain type='xen'>\n<memory>1024</memory>{inner}</domain>");
    for (text, wanted) in [
        ("<network/>".to_owned(), "line 1, column 1: <domain> is expected"),
        ("<domain/>".to_owned(), "line 1, column 1: <memory> is expected"),
        (domain("<uuid>secret</uuid>"), "line 2, column 22: uuid: a UUID is expected"),
        (domain("<vcpu>secret</vcpu>"), "line 2, column 22: vcpu: a number is expected"),
        (domain("<vcpu current='3'>2</vcpu>"), "line 2, column 22: vcpu: 1 to 128 are possible"),
        (domain("<vcpu>129</vcpu>"), "line 2, column 22: vcpu: 1 to 128 are possible"),
        (
            domain("<os><type>exe</type></os>"),
            "line 2, column 26: type: hvm, xen, linux or xenpvh is expected",
        ),
        (
            domain("<devices><disk/></devices>"),
            "line 2, column 31: disk: <target dev='...'/> is expected",
        ),
        (
            domain("<devices><interface type='user'/></devices>"),
            "line 2, column 31: interface: only the types bridge, ethernet and network are supported",
        ),
        (
            domain("<devices><hostdev type='pci'/></devices>"),
            "line 2, column 31: hostdev: <source><address/></source> is expected",
        ),
        (
            domain("<devices><graphics type='vnc' port='80'/></devices>"),
            "line 2, column 31: graphics: the port is below 5900",
        ),
        (
            domain(
                "<os><type>hvm</type></os><devices><serial type='pty'><target port='9'/></serial>\
                 </devices>",
            ),
            "line 2, column 56: serial: there are more than 8 ports",
        ),
    ] {
        let error = convert(text.as_bytes()).err().map(|error| format!("{error:#}"));
        assert_eq!(error.as_deref(), Some(wanted), "{text}");
    }
    let other = convert(domain("").replace("xen", "kvm").as_bytes()).unwrap();
    let warnings: Vec<String> = other.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings, ["the domain is for kvm, not for Xen"]);
}

/// The items of an expression, those of the image one by one. Devices have no prefix or suffix of
/// old versions: `ioemu:hda` of Xen 3.0.2 and `hda:disk` of 3.0.3 are `hda`.
fn items(config: &Sxp) -> Vec<String> {
    let mut found = Vec::new();
    for item in config.tail() {
        match (item.head(), item.tail().first()) {
            (Some("image"), Some(image)) if !image.tail().is_empty() => {
                found.push(format!("image: {}", image.head().unwrap()));
                found.extend(image.tail().iter().map(|item| format!("image: {item}")));
            }
            (Some("device"), Some(device)) => {
                let device = device.to_string().replace("(dev ioemu:", "(dev ");
                found.push(format!("device: {}", device.replace(":disk)", ")")));
            }
            _ => found.push(item.to_string()),
        }
    }
    found
}

#[test]
fn libvirts_own_files_become_what_libvirt_made_of_them() {
    let Some(folder) = env::var_os("XEND_LIBVIRT_TESTS").map(PathBuf::from) else {
        eprintln!("SKIPPED: XEND_LIBVIRT_TESTS does not name the folder of libvirt's tests");
        return;
    };
    let files = files(&folder);
    assert!(!files.is_empty(), "there is no XML in {}", folder.display());
    for path in files.iter().filter(|path| path.with_extension("sexpr").exists()) {
        let (converted, wanted) = read(path);
        let ours = items(&converted.config);
        let theirs = items(&wanted);
        let only_in = |one: &[String], other: &[String]| -> Vec<String> {
            one.iter().filter(|item| !other.contains(item)).cloned().collect()
        };
        let mut differences = only_in(&ours, &theirs);
        differences.extend(only_in(&theirs, &ours));
        differences.retain(|item| !DIFFERENCES.iter().any(|(known, _)| item.starts_with(known)));
        assert!(differences.is_empty(), "{}: {differences:#?}", path.display());
    }
}

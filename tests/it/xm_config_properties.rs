//! Properties of every text that is read as a configuration file of xm or xl.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::str;
use xend::sxp::{Limits, position, read_one};
use xend::xm_file::{read_domain, read_name};
use xend::xmconfig::{Data, Defaults, convert, read_variables};

const DEFAULTS: Defaults<'_> = Defaults {
    name: Some("web.cfg"),
    directory: Some("/etc/xen"),
    display: Some(":0"),
    xauthority: Some("/root/.Xauthority"),
    console: false,
};

/// Words of the language in any order.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    #[rustfmt::skip]
    let words = [
        "a", "b", "disk", "=", "=", "+=", "[", "]", "(", ")", "{", "}", ",", ":", ";", "\n", "\n",
        "\\\n", "+", "-", "*", "/", "//", "%", "'x'", "'%s%5d%%'", "\"y\"", "'''", "u'\\u00e9'",
        "r'\\'", "1", "0", "7L", "0x1f", "1e9", ".5", "999999999999", "None", "True", "str(",
        "int(", "import", "if", "#", ".", "\\", "\u{e9}", "\0", " ", "if 1:", "elif a:", "else:", "\n ",
        "\n  ", "\n\t", "not", "and", "or", " in ", " is ", "==", "<", "else", "len(", ".split(", ".join(",
        ".append(", "[0]", "[1:]", "os", "re.search(", "os.uname()[4]", "pass",
    ];
    vec(select(words.to_vec()), 0..40).prop_map(|words| words.concat().into_bytes())
}

/// Settings with strings of the characters that separate their parts.
fn settings() -> impl Strategy<Value = Vec<u8>> {
    #[rustfmt::skip]
    let names = [
        "disk", "vif", "vif2", "vfb", "pci", "vscsi", "vusb", "ioports", "irq", "vtpm", "cpuid",
        "cpus", "vcpus", "maxvcpus", "nics", "memory", "access_control", "builder", "type", "kernel",
        "firmware", "ip", "nfs_root", "nfs_server", "viridian", "serial", "usbdevice", "uuid",
    ];
    #[rustfmt::skip]
    let parts = [
        "phy:", "/a", "tap2:", ",", ",", "=", ":", ":", "-", ".", "@", "*", "0", "1", "7", "31", "r",
        "w", "hvm", "hdc:cdrom", "format", "raw", "target=", "vdev=", "script=block-x", "mac",
        "bridge", "type=vnc", "usbver", "numports", "port_1", "eax", "0x", "host", " ", "\u{e9}",
        "policy", "label", "instance", "msitranslate",
    ];
    let text = vec(select(parts.to_vec()), 0..8).prop_map(|parts| parts.concat());
    let value = prop_oneof![
        vec(text.clone(), 0..4).prop_map(|items| format!("{items:?}")),
        text.prop_map(|text| format!("{text:?}")),
        any::<i64>().prop_map(|number| number.to_string()),
        Just("[{'1': [('x',), 2.5, None]}]".to_owned()),
    ];
    let line =
        (select(names.to_vec()), value).prop_map(|(name, value)| format!("{name}={value}\n"));
    vec(line, 0..6).prop_map(|lines| lines.concat().into_bytes())
}

/// A string as Python writes it.
fn literal(bytes: &[u8]) -> String {
    let escaped: Vec<String> = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    format!("'{}'", escaped.concat())
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(
        text in prop_oneof![vec(any::<u8>(), 0..200), noise(), settings()],
    ) {
        let variables = read_variables(&text);
        let converted = convert(&text, &DEFAULTS);
        let read = read_domain(&text, &DEFAULTS);
        for error in [variables.as_ref().err(), converted.as_ref().err(), read.as_ref().err()] {
            let Some(error) = error else { continue };
            let lines = position(&text, text.len()).0;
            prop_assert!((1..=lines).contains(&error.line()) && error.column() >= 1);
            prop_assert!(!error.to_string().is_empty());
        }
        prop_assert!(variables.is_ok() || converted.is_err());
        prop_assert!(converted.is_ok() || read.is_err());
        prop_assert!(variables.is_ok() || read_name(&text, "a").is_err());
        if let Ok(converted) = converted {
            let printed = converted.config.to_bytes();
            prop_assert_eq!(read_one(&printed, &Limits::DEFAULT), Ok(converted.config));
        }
    }

    #[test]
    fn strings_and_numbers_have_their_values(
        texts in vec(vec(any::<u8>(), 0..20), 0..5),
        number in 0..i64::MAX,
    ) {
        let items: Vec<String> = texts.iter().map(|text| literal(text)).collect();
        let file = format!("a = [{}]\nb = -{number}\nc = '%d' % b", items.join(", "));
        let variables = read_variables(file.as_bytes()).unwrap();
        let data = |name: &str| &variables.get(name).unwrap().value().data;
        let Data::List(items) = data("a") else { panic!("no list") };
        let read: Vec<_> = items.iter().map(|item| match &item.data {
            Data::Text(text) => text.clone(),
            _ => panic!("no string"),
        }).collect();
        prop_assert_eq!(read, texts);
        prop_assert!(*data("b") == Data::Int(-number));
        prop_assert!(*data("c") == Data::Text((-number).to_string().into_bytes()));
    }
}

//! Devices over `xend.*`: each class in the format that xm 4.1.6 reads.

use crate::http_support::guest;
use crate::legacy_support::{LegacyClient, array, device, field, fields, text, vm};
use std::collections::HashMap;
use xend::wire::xmlrpc::Value;

/// A change of the PCI bus, as xm 4.x sends it.
fn pci(slot: &str, state: &str) -> Value {
    let address = [
        ("domain", "0x0000"),
        ("bus", "0x02"),
        ("slot", slot),
        ("func", "0x0"),
        ("vdevfn", "0x100"),
    ];
    let mut dev = vec![text("dev")];
    dev.extend(address.map(|(key, value)| field(key, text(value))));
    dev.push(field("key", text(&format!("02:{}.0", &slot[2..]))));
    dev.push(field("opts", array([text("msitranslate"), text("1")])));
    array([text("pci"), array(dev), field("state", text(state))])
}

#[test]
fn pci_functions_are_structs_and_the_first_creates_the_bus() {
    let client = LegacyClient::new(&[]);
    let list = |name: &str| client.call("xend.domain.getDeviceSxprs", &[text(name), text("pci")]);
    let configure =
        |name: &str, config| client.call("xend.domain.device_configure", &[text(name), config]);
    client.call("xend.domain.create", &[vm("runs", [])]).unwrap();
    client.call("xend.domain.new", &[vm("halted", [])]).unwrap();
    for name in ["runs", "halted"] {
        assert_eq!(list(name), Ok(array([])));
        let fault = configure(name, pci("0x1a", "Closing")).unwrap_err();
        assert_eq!(fault, (2, "Device 0 not connected: the domain has no pci".to_owned()));
        assert_eq!(configure(name, pci("0x1a", "Initialising")), Ok(Value::Bool(true)));
        assert_eq!(configure(name, pci("0x1b", "Initialising")), Ok(Value::Bool(true)));
        let function = |slot: &str| {
            let member = |key: &str, value: &str| (key.to_owned(), text(value));
            let opts = array([array([text("msitranslate"), text("1")])]);
            Value::Struct(vec![
                member("domain", "0x0000"),
                member("bus", "0x02"),
                member("slot", slot),
                member("func", "0x0"),
                member("vdevfn", "0x100"),
                member("key", &format!("02:{}.0", &slot[2..])),
                ("opts".to_owned(), opts),
            ])
        };
        assert_eq!(list(name), Ok(array([function("0x1a"), function("0x1b")])), "{name}");
        assert_eq!(configure(name, pci("0x1a", "Closing")), Ok(Value::Bool(true)));
        assert_eq!(configure(name, pci("0x1b", "Closing")), Ok(Value::Bool(true)));
        assert_eq!(list(name), Ok(array([])));
    }
    // Missing fields have xend's defaults.
    let bare = [("bus", "0x3"), ("slot", "0x4"), ("func", "0x1")]
        .map(|(key, value)| field(key, text(value)));
    let bare = device([text("pci"), array([text("dev")].into_iter().chain(bare))]);
    client.call("xend.domain.new", &[vm("bare", [bare])]).unwrap();
    let Ok(Value::Array(functions)) = list("bare") else { panic!() };
    let [Value::Struct(members)] = functions.as_slice() else { panic!("{functions:?}") };
    let members: HashMap<_, _> = members.iter().cloned().collect();
    assert_eq!((&members["key"], &members["vdevfn"]), (&text("03:04.1"), &text("0x100")));
    assert!(!members.contains_key("opts"));
}

#[test]
fn a_pci_function_needs_an_address_and_is_passed_through_once() {
    let client = LegacyClient::new(&[]);
    let configure =
        |name: &str, config| client.call("xend.domain.device_configure", &[text(name), config]);
    for name in ["a", "b"] {
        client.call("xend.domain.create", &[vm(name, [])]).unwrap();
    }
    client.call("xend.domain.new", &[vm("halted", [])]).unwrap();
    let state = || field("state", text("Initialising"));
    let bare = |keys: &[(&str, &str)]| {
        let keys = keys.iter().map(|(key, value)| field(key, text(value)));
        array([text("pci"), array([text("dev")].into_iter().chain(keys)), state()])
    };
    for (config, missing) in [
        (bare(&[]), "pci dev bus: missing"),
        (bare(&[("domain", "0x0"), ("bus", "0x2")]), "pci dev slot: missing"),
        (
            array([text("pci"), field("uuid", text("11111111-2222-3333-4444-555555555555"))]),
            "not connected",
        ),
    ] {
        let (_, message) = configure("a", config).unwrap_err();
        assert!(message.contains(missing), "{message}");
    }
    let empty = "op=device_create&config=(device (pci (backend 0)))";
    let answer = client.daemon.post("/xend/domain/a", empty);
    assert!(answer.code >= 400 && answer.text().contains("pci dev: missing"), "{}", answer.text());
    let none = client.call("xend.domain.create", &[vm("c", [device([text("pci")])])]).unwrap_err();
    assert!(none.1.contains("pci dev: missing"), "{none:?}");

    assert_eq!(configure("a", pci("0x1a", "Initialising")), Ok(Value::Bool(true)));
    assert_eq!(configure("b", pci("0x1b", "Initialising")), Ok(Value::Bool(true)));
    let again = configure("a", pci("0x1a", "Initialising")).unwrap_err();
    assert!(again.1.contains("already defined"), "{again:?}");
    // First with a bus in place, then without.
    for _ in 0..2 {
        let other = configure("b", pci("0x1a", "Initialising")).unwrap_err();
        assert!(other.1.contains("0000:02:1a.0 is handed through to a already"), "{other:?}");
        configure("b", pci("0x1b", "Closing")).ok();
    }
    let function = "(device (pci (dev (domain 0x0) (bus 0x2) (slot 0x1a) (func 0x0))))";
    let plug = |name: &str| {
        client
            .daemon
            .post(&format!("/xend/domain/{name}"), &format!("op=device_create&config={function}"))
    };
    for (name, reason) in [("a", "already defined"), ("b", "handed through to a already")] {
        let answer = plug(name);
        assert!(answer.code >= 400 && answer.text().contains(reason), "{}", answer.text());
    }
    // A definition may name a function that another domain has. It starts once that is free.
    assert_eq!(configure("halted", pci("0x1a", "Initialising")), Ok(Value::Bool(true)));
    let start = || client.call("xend.domain.start", &[text("halted"), Value::Bool(false)]);
    assert!(start().unwrap_err().1.contains("handed through to a already"));
    let taken = client.daemon.create(&guest("new", function));
    assert!(
        taken.code >= 400 && taken.text().contains("handed through to a already"),
        "{}",
        taken.text()
    );
    let twice = client.daemon.create(&guest("twice", &function.repeat(2).replace("0x1a", "0x1c")));
    assert!(twice.code >= 400 && twice.text().contains("already defined"), "{}", twice.text());
    assert_eq!(configure("a", pci("0x1a", "Closing")), Ok(Value::Bool(true)));
    start().unwrap();
}

#[test]
fn scsi_and_usb_devices_list_units_and_ports() {
    let client = LegacyClient::new(&[]);
    let list = |name: &str, class: &str| {
        let Ok(Value::Array(all)) =
            client.call("xend.domain.getDeviceSxprs", &[text(name), text(class)])
        else {
            panic!()
        };
        let [Value::Array(one)] = all.as_slice() else { panic!("{all:?}") };
        let [Value::Int(0), parts] = one.as_slice() else { panic!("{one:?}") };
        parts.clone()
    };
    let usb = |ports: &[(&str, &str)]| {
        let ports = ports.iter().map(|(port, bus)| array([text(port), text(bus)]));
        array([text("port")].into_iter().chain(ports))
    };
    let controller = |ports| {
        array([text("vusb"), field("usb-ver", text("1")), field("num-ports", text("2")), ports])
    };
    let unit = |number: &str, state: i64| {
        let line = [
            ("p-dev", format!("1:0:0:{number}")),
            ("p-devname", "sdb".into()),
            ("v-dev", format!("2:0:0:{number}")),
        ];
        let mut dev =
            vec![text("dev"), field("state", Value::Int(state)), field("devid", Value::Int(2))];
        dev.extend(line.map(|(key, value)| field(key, text(&value))));
        array([text("vscsi"), field("feature-host", Value::Int(0)), array(dev)])
    };
    client.call("xend.domain.create", &[vm("runs", [])]).unwrap();
    client.call("xend.domain.unpause", &[text("runs")]).unwrap();
    client.call("xend.domain.new", &[vm("halted", [])]).unwrap();
    for name in ["runs", "halted"] {
        let configure = |config, more: &[Value]| {
            client.call("xend.domain.device_configure", &[&[text(name), config], more].concat())
        };
        client
            .call(
                "xend.domain.device_create",
                &[text(name), controller(usb(&[("1", ""), ("2", "")]))],
            )
            .unwrap();
        let change = array([text("vusb"), usb(&[("2", "1-1")])]);
        assert_eq!(configure(change, &[text("0")]), Ok(Value::Bool(true)));
        let beyond = array([text("vusb"), usb(&[("3", "1-1")])]);
        assert_eq!(configure(beyond, &[text("0")]).unwrap_err().1, "vusb port: 1 to 2 is expected");
        let shown = list(name, "vusb");
        let shown = fields(&shown);
        assert_eq!((shown["usb-ver"], shown["num-ports"]), (&text("1"), &text("2")), "{name}");
        assert_eq!(shown["port"], &array([text("1"), text("")]));
        let port = client.call("xend.domain.getDeviceSxprs", &[text(name), text("vusb")]).unwrap();
        assert!(
            format!("{port:?}").contains(&format!("{:?}", usb(&[("1", ""), ("2", "1-1")]))),
            "{port:?}"
        );
        assert_eq!(shown.contains_key("backend"), name == "runs");

        // The first unit creates the adapter, the removal of the last one removes it.
        assert_eq!(configure(unit("1", 1), &[]), Ok(Value::Bool(true)));
        assert_eq!(configure(unit("2", 1), &[]), Ok(Value::Bool(true)));
        assert!(configure(unit("2", 1), &[]).unwrap_err().1.contains("already defined"));
        let shown = list(name, "vscsi");
        let shown = fields(&shown);
        assert_eq!(shown["feature-host"], &text("0"));
        let Value::Array(lines) = shown["devs"] else { panic!() };
        assert_eq!(lines.len(), 2);
        let line = fields(&lines[1]);
        assert_eq!((line["devid"], line["p-dev"]), (&text("2"), &text("1:0:0:2")));
        assert_eq!((line["p-devname"], line["v-dev"]), (&text("sdb"), &text("2:0:0:2")));
        // A domain that does not run has no frontend.
        assert_eq!(line["frontstate"] == &Value::Nil, name == "halted", "{line:?}");
        assert_eq!(
            line["state"],
            &if name == "runs" { line["frontstate"].clone() } else { text("1") }
        );
        assert_eq!(configure(unit("1", 5), &[]), Ok(Value::Bool(true)));
        assert_eq!(configure(unit("2", 5), &[]), Ok(Value::Bool(true)));
        let none = client.call("xend.domain.getDeviceSxprs", &[text(name), text("vscsi")]);
        assert_eq!(none, Ok(array([])));
        assert!(configure(unit("2", 5), &[]).unwrap_err().1.contains("not connected"));
    }
}

#[test]
fn device_numbers_of_a_running_domain_are_strings() {
    let client = LegacyClient::new(&[]);
    let disk =
        || device([text("vbd"), field("uname", text("phy:/dev/a")), field("dev", text("sda1"))]);
    let disks = |name: &str| {
        let list = client.call("xend.domain.getDeviceSxprs", &[text(name), text("vbd")]).unwrap();
        let Value::Array(list) = list else { panic!() };
        let [Value::Array(one)] = list.as_slice() else { panic!("{list:?}") };
        one[0].clone()
    };
    client.call("xend.domain.create", &[vm("runs", [disk()])]).unwrap();
    client.call("xend.domain.new", &[vm("halted", [disk()])]).unwrap();
    assert_eq!((disks("runs"), disks("halted")), (text("2049"), Value::Int(2049)));
}

#[test]
fn consoles_have_the_location_of_their_screen() {
    let client = LegacyClient::new(&[]);
    let screen = |more: &[(&str, &str)]| {
        let more = more.iter().map(|(key, value)| field(key, text(value)));
        device([text("vfb"), field("vnc", text("1"))].into_iter().chain(more))
    };
    let location = |name: &str, class: &str| {
        let shown = client.call("xend.domain", &[text(name), Value::Int(1)]).unwrap();
        let Value::Array(shown) = shown else { panic!() };
        let of_class = |field: &Value| match field {
            Value::Array(field) => match field.as_slice() {
                [Value::Text(key), Value::Array(device)]
                    if key == "device" && device[0] == text(class) =>
                {
                    fields(&Value::Array(device.clone()))
                        .get("location")
                        .map(|value| (*value).clone())
                }
                _ => None,
            },
            _ => None,
        };
        shown.iter().find_map(of_class)
    };
    for (name, more, wanted) in [
        ("first", &[][..], "127.0.0.1:5900"),
        ("second", &[("vncunused", "1")], "127.0.0.1:5901"),
        ("third", &[("vncdisplay", "7"), ("vnclisten", "0.0.0.0")], "0.0.0.0:5907"),
        ("fourth", &[("vncdisplay", "7"), ("vncunused", "1")], "127.0.0.1:5908"),
    ] {
        client.call("xend.domain.create", &[vm(name, [screen(more)])]).unwrap();
        assert_eq!(location(name, "vfb"), Some(text(wanted)), "{name}");
        assert_eq!(location(name, "console"), Some(text("2")), "{name}");
    }
    // A display number is used or fails, unless `vncunused` allows another one.
    let taken = vm("late", [screen(&[("vncdisplay", "7")])]);
    client.call("xend.domain.create", &[taken]).unwrap();
    assert_eq!(location("late", "vfb"), None);
    let (_, message) = client.call("xend.domain.waitForDevices", &[text("late")]).unwrap_err();
    assert!(
        message.contains("(vfb) could not be connected")
            && message.contains("127.0.0.1:5907 is in use"),
        "{message}"
    );
    // A port is free once its domain has gone, and the domain's as long as it runs.
    assert_eq!(client.call("xend.domain.destroy", &[text("first")]), Ok(Value::Nil));
    client.call("xend.domain.create", &[vm("fifth", [screen(&[])])]).unwrap();
    assert_eq!(location("fifth", "vfb"), Some(text("127.0.0.1:5900")));
    assert_eq!(location("second", "vfb"), Some(text("127.0.0.1:5901")));
    // A screen without VNC has no location, nor has one of a halted domain.
    client
        .call("xend.domain.create", &[vm("sdl", [device([text("vfb"), field("sdl", text("1"))])])])
        .unwrap();
    client.call("xend.domain.new", &[vm("halted", [screen(&[])])]).unwrap();
    assert_eq!((location("sdl", "vfb"), location("halted", "vfb")), (None, None));
}

//! Devices over the legacy calls: each class in the form that xm 4.1.6 reads.

use crate::http_support::guest;
use crate::legacy_support::{Caller, array, device, field, fields, text, vm};
use std::collections::HashMap;
use xend::wire::xmlrpc::Value;

/// A PCI bus as xm 4.x sends it to change it.
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
fn pci_functions_are_structs_and_the_first_one_makes_the_bus() {
    let caller = Caller::new(&[]);
    let list = |name: &str| caller.call("xend.domain.getDeviceSxprs", &[text(name), text("pci")]);
    let configure =
        |name: &str, config| caller.call("xend.domain.device_configure", &[text(name), config]);
    caller.call("xend.domain.create", &[vm("runs", [])]).unwrap();
    caller.call("xend.domain.new", &[vm("halted", [])]).unwrap();
    for name in ["runs", "halted"] {
        assert_eq!(list(name), Ok(array([])));
        let told = configure(name, pci("0x1a", "Closing")).unwrap_err();
        assert_eq!(told, (2, "Device 0 not connected".to_owned()));
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
    // What nobody said is told as xend filled it in.
    let bare = [("bus", "0x3"), ("slot", "0x4"), ("func", "0x1")]
        .map(|(key, value)| field(key, text(value)));
    let bare = device([text("pci"), array([text("dev")].into_iter().chain(bare))]);
    caller.call("xend.domain.new", &[vm("bare", [bare])]).unwrap();
    let Ok(Value::Array(functions)) = list("bare") else { panic!() };
    let [Value::Struct(members)] = functions.as_slice() else { panic!("{functions:?}") };
    let members: HashMap<_, _> = members.iter().cloned().collect();
    assert_eq!((&members["key"], &members["vdevfn"]), (&text("03:04.1"), &text("0x100")));
    assert!(!members.contains_key("opts"));
}

/// A PCI function has an address, and is handed through once.
#[test]
fn a_pci_function_is_given_once() {
    let caller = Caller::new(&[]);
    let configure =
        |name: &str, config| caller.call("xend.domain.device_configure", &[text(name), config]);
    for name in ["a", "b"] {
        caller.call("xend.domain.create", &[vm(name, [])]).unwrap();
    }
    caller.call("xend.domain.new", &[vm("halted", [])]).unwrap();
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
        let (_, told) = configure("a", config).unwrap_err();
        assert!(told.contains(missing), "{told}");
    }
    let empty = "op=device_create&config=(device (pci (backend 0)))";
    let answer = caller.daemon.post("/xend/domain/a", empty);
    assert!(answer.code >= 400 && answer.text().contains("pci dev: missing"), "{}", answer.text());
    let none = caller.call("xend.domain.create", &[vm("c", [device([text("pci")])])]).unwrap_err();
    assert!(none.1.contains("pci dev: missing"), "{none:?}");

    assert_eq!(configure("a", pci("0x1a", "Initialising")), Ok(Value::Bool(true)));
    assert_eq!(configure("b", pci("0x1b", "Initialising")), Ok(Value::Bool(true)));
    let again = configure("a", pci("0x1a", "Initialising")).unwrap_err();
    assert!(again.1.contains("already defined"), "{again:?}");
    // To a bus that is there, and to one that is to be.
    for _ in 0..2 {
        let other = configure("b", pci("0x1a", "Initialising")).unwrap_err();
        assert!(other.1.contains("0000:02:1a.0 is handed through to a already"), "{other:?}");
        configure("b", pci("0x1b", "Closing")).ok();
    }
    let function = "(device (pci (dev (domain 0x0) (bus 0x2) (slot 0x1a) (func 0x0))))";
    let plug = |name: &str| {
        caller
            .daemon
            .post(&format!("/xend/domain/{name}"), &format!("op=device_create&config={function}"))
    };
    for (name, reason) in [("a", "already defined"), ("b", "handed through to a already")] {
        let answer = plug(name);
        assert!(answer.code >= 400 && answer.text().contains(reason), "{}", answer.text());
    }
    // A definition can have what another domain has now, and starts when it is free.
    assert_eq!(configure("halted", pci("0x1a", "Initialising")), Ok(Value::Bool(true)));
    let start = || caller.call("xend.domain.start", &[text("halted"), Value::Bool(false)]);
    assert!(start().unwrap_err().1.contains("handed through to a already"));
    let taken = caller.daemon.create(&guest("new", function));
    assert!(
        taken.code >= 400 && taken.text().contains("handed through to a already"),
        "{}",
        taken.text()
    );
    let twice = caller.daemon.create(&guest("twice", &function.repeat(2).replace("0x1a", "0x1c")));
    assert!(twice.code >= 400 && twice.text().contains("already defined"), "{}", twice.text());
    assert_eq!(configure("a", pci("0x1a", "Closing")), Ok(Value::Bool(true)));
    start().unwrap();
}

#[test]
fn scsi_and_usb_devices_have_their_parts() {
    let caller = Caller::new(&[]);
    let list = |name: &str, class: &str| {
        let Ok(Value::Array(all)) =
            caller.call("xend.domain.getDeviceSxprs", &[text(name), text(class)])
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
    caller.call("xend.domain.create", &[vm("runs", [])]).unwrap();
    caller.call("xend.domain.unpause", &[text("runs")]).unwrap();
    caller.call("xend.domain.new", &[vm("halted", [])]).unwrap();
    for name in ["runs", "halted"] {
        let configure = |config, more: &[Value]| {
            caller.call("xend.domain.device_configure", &[&[text(name), config], more].concat())
        };
        caller
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
        let port = caller.call("xend.domain.getDeviceSxprs", &[text(name), text("vusb")]).unwrap();
        assert!(
            format!("{port:?}").contains(&format!("{:?}", usb(&[("1", ""), ("2", "1-1")]))),
            "{port:?}"
        );
        assert_eq!(shown.contains_key("backend"), name == "runs");

        // The first unit makes the adapter, the last one takes it along.
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
        let none = caller.call("xend.domain.getDeviceSxprs", &[text(name), text("vscsi")]);
        assert_eq!(none, Ok(array([])));
        assert!(configure(unit("2", 5), &[]).unwrap_err().1.contains("not connected"));
    }
}

#[test]
fn numbers_of_devices_are_strings_while_a_domain_runs() {
    let caller = Caller::new(&[]);
    let disk =
        || device([text("vbd"), field("uname", text("phy:/dev/a")), field("dev", text("sda1"))]);
    let disks = |name: &str| {
        let list = caller.call("xend.domain.getDeviceSxprs", &[text(name), text("vbd")]).unwrap();
        let Value::Array(list) = list else { panic!() };
        let [Value::Array(one)] = list.as_slice() else { panic!("{list:?}") };
        one[0].clone()
    };
    caller.call("xend.domain.create", &[vm("runs", [disk()])]).unwrap();
    caller.call("xend.domain.new", &[vm("halted", [disk()])]).unwrap();
    assert_eq!((disks("runs"), disks("halted")), (text("2049"), Value::Int(2049)));
}

#[test]
fn consoles_are_where_they_can_be_reached() {
    let caller = Caller::new(&[]);
    let screen = |more: &[(&str, &str)]| {
        let more = more.iter().map(|(key, value)| field(key, text(value)));
        device([text("vfb"), field("vnc", text("1"))].into_iter().chain(more))
    };
    let location = |name: &str, class: &str| {
        let shown = caller.call("xend.domain", &[text(name), Value::Int(1)]).unwrap();
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
        caller.call("xend.domain.create", &[vm(name, [screen(more)])]).unwrap();
        assert_eq!(location(name, "vfb"), Some(text(wanted)), "{name}");
        assert_eq!(location(name, "console"), Some(text("2")), "{name}");
    }
    // A display that somebody named is that one or none, unless another one will do.
    let taken = vm("late", [screen(&[("vncdisplay", "7")])]);
    caller.call("xend.domain.create", &[taken]).unwrap();
    assert_eq!(location("late", "vfb"), None);
    let (_, told) = caller.call("xend.domain.waitForDevices", &[text("late")]).unwrap_err();
    assert!(
        told.contains("(vfb) could not be connected") && told.contains("127.0.0.1:5907 is in use"),
        "{told}"
    );
    // A port is free again when its domain has gone, and stays the domain's as long as it runs.
    assert_eq!(caller.call("xend.domain.destroy", &[text("first")]), Ok(Value::Nil));
    caller.call("xend.domain.create", &[vm("fifth", [screen(&[])])]).unwrap();
    assert_eq!(location("fifth", "vfb"), Some(text("127.0.0.1:5900")));
    assert_eq!(location("second", "vfb"), Some(text("127.0.0.1:5901")));
    // One that is not seen over VNC is nowhere, nor is one that does not run.
    caller
        .call("xend.domain.create", &[vm("sdl", [device([text("vfb"), field("sdl", text("1"))])])])
        .unwrap();
    caller.call("xend.domain.new", &[vm("halted", [screen(&[])])]).unwrap();
    assert_eq!((location("sdl", "vfb"), location("halted", "vfb")), (None, None));
}

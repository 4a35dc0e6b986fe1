//! Every way in which hosts are known to write the settings of an interface.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use xend_guest_protocol::network::{Address, BadInterface, Interface, Mac, Route};

const MAC: Mac = Mac([0x00, 0x16, 0x3e, 0x11, 0x22, 0x33]);

/// Like what nova writes: two addresses, IPv6, a route, a name server.
const FULL: &str = r#"{
    "label": "public", "mac": "00:16:3e:11:22:33",
    "gateway": "203.0.113.1", "broadcast": "203.0.113.255",
    "ips": [
        {"ip": "203.0.113.10", "netmask": "255.255.255.0", "enabled": "1",
         "gateway": "203.0.113.1"},
        {"ip": "203.0.113.11", "netmask": "255.255.255.0", "enabled": "1",
         "gateway": "203.0.113.1"}
    ],
    "gateway_v6": "2001:db8::1",
    "ip6s": [{"ip": "2001:db8::10", "netmask": 64, "enabled": "1", "gateway": "2001:db8::1"}],
    "routes": [{"route": "10.176.0.0", "netmask": "255.240.0.0", "gateway": "203.0.113.2"}],
    "dns": ["192.0.2.53"]
}"#;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn address(text: &str, prefix: u8) -> Address {
    Address { ip: ip(text), prefix }
}

fn route(destination: &str, prefix: u8, gateway: Option<&str>) -> Route {
    Route { destination: ip(destination), prefix, gateway: gateway.map(ip) }
}

fn full() -> Interface {
    Interface {
        mac: MAC,
        label: "public".to_owned(),
        gateway: Some(Ipv4Addr::new(203, 0, 113, 1)),
        gateway_v6: Some("2001:db8::1".parse().unwrap()),
        addresses: vec![
            address("203.0.113.10", 24),
            address("203.0.113.11", 24),
            address("2001:db8::10", 64),
        ],
        routes: vec![route("10.176.0.0", 12, Some("203.0.113.2"))],
        dns: vec![ip("192.0.2.53")],
    }
}

/// Reads fields beside a MAC.
fn parse(fields: &Value) -> Result<Interface, BadInterface> {
    let mut fields = fields.clone();
    let object = fields.as_object_mut().unwrap();
    object.entry("mac").or_insert_with(|| json!("00:16:3e:11:22:33"));
    Interface::parse(fields.to_string().as_bytes())
}

fn read(fields: &Value) -> Interface {
    parse(fields).unwrap_or_else(|bad| panic!("{fields}: {bad}"))
}

/// The error of fields that must be refused.
fn refusal(fields: &Value) -> String {
    parse(fields).map_or_else(|bad| bad.to_string(), |read| panic!("{fields}: {read:?}"))
}

#[test]
fn everything_at_once() {
    assert_eq!(Interface::parse(FULL.as_bytes()), Ok(full()));
}

#[test]
fn what_is_written_is_what_old_agents_read() {
    let expected: Value = serde_json::from_str(FULL).unwrap();
    let written: Value = serde_json::from_str(&full().to_json()).unwrap();
    assert_eq!(written, expected);
}

#[test]
fn keys_may_lack_and_be_null() {
    let empty = Interface::new(MAC);
    assert_eq!(read(&json!({})), empty);
    let nulls = json!({
        "label": null, "gateway": null, "broadcast": null, "ips": null, "gateway_v6": null,
        "gateway6": null, "ip6s": null, "routes": null, "dns": [null, ""],
    });
    assert_eq!(read(&nulls), empty);
    assert_eq!(read(&json!({ "label": "", "gateway": "", "gateway_v6": " ", "ips": [] })), empty);
}

#[test]
fn an_interface_may_have_no_gateway() {
    let fields = json!({
        "gateway": null,
        "ips": [{ "ip": "10.0.0.2", "netmask": "255.0.0.0", "enabled": "1", "gateway": null }],
    });
    let interface = read(&fields);
    assert_eq!((interface.gateway, interface.gateway_v6), (None, None));
    assert_eq!(interface.addresses, [address("10.0.0.2", 8)]);
    let written: Value = serde_json::from_str(&interface.to_json()).unwrap();
    let expected = json!({
        "label": "", "mac": "00:16:3e:11:22:33", "gateway": null, "broadcast": "10.255.255.255",
        "ips": [{ "ip": "10.0.0.2", "netmask": "255.0.0.0", "enabled": "1", "gateway": null }],
    });
    assert_eq!(written, expected);
}

#[test]
fn netmasks_are_masks_numbers_and_their_texts() {
    for netmask in [json!("255.255.240.0"), json!(20), json!("20"), json!(" 20 ")] {
        let fields = json!({ "ips": [{ "ip": "192.0.2.1", "netmask": netmask }] });
        assert_eq!(read(&fields).addresses, [address("192.0.2.1", 20)], "{fields}");
    }
    for netmask in [json!(64), json!("64"), json!("ffff:ffff:ffff:ffff::")] {
        let fields = json!({ "ip6s": [{ "ip": "2001:db8::1", "netmask": netmask }] });
        assert_eq!(read(&fields).addresses, [address("2001:db8::1", 64)], "{fields}");
    }
    for (netmask, prefix) in [("255.255.255.255", 32), ("128.0.0.0", 1)] {
        let fields = json!({ "ips": [{ "ip": "192.0.2.1", "netmask": netmask }] });
        assert_eq!(read(&fields).addresses, [address("192.0.2.1", prefix)]);
    }
}

#[test]
fn netmasks_that_are_none_are_refused() {
    let bad = [
        (json!(null), "is missing"),
        (json!(""), "is missing"),
        (json!("255.0.255.0"), "has ones after zeros"),
        (json!("0.0.0.255"), "has ones after zeros"),
        (json!(33), "has more bits than an address"),
        (json!("999999"), "has more bits than an address"),
        (json!(0), "is that of a default route"),
        (json!("0.0.0.0"), "is that of a default route"),
        (json!(-1), "is no netmask"),
        (json!(24.5), "is no netmask"),
        (json!("24/"), "is no netmask"),
        (json!("ffff::"), "is no netmask of the address's family"),
        (json!(true), "is not a text"),
    ];
    for (netmask, problem) in bad {
        let ips = json!([
            { "ip": "192.0.2.1", "netmask": 24 },
            { "ip": "192.0.2.2", "netmask": netmask },
        ]);
        assert_eq!(refusal(&json!({ "ips": ips })), format!("ips[1].netmask {problem}"));
    }
    let fields = json!({ "ip6s": [{ "ip": "2001:db8::1", "netmask": 129 }] });
    assert_eq!(refusal(&fields), "ip6s[0].netmask has more bits than an address");
}

#[test]
fn enabled_is_a_number_a_text_or_a_boolean_and_yes_if_it_lacks() {
    let with = |enabled: Value| {
        let address = json!({ "ip": "192.0.2.1", "netmask": 24, "enabled": enabled });
        json!({ "ips": [address] })
    };
    for enabled in
        [json!("1"), json!(1), json!(true), json!("true"), json!("True"), json!(null), json!("")]
    {
        assert_eq!(read(&with(enabled)).addresses, [address("192.0.2.1", 24)]);
    }
    for enabled in [json!("0"), json!(0), json!(false), json!("False")] {
        assert_eq!(read(&with(enabled)).addresses, []);
    }
    for enabled in [json!("2"), json!(-1), json!(0.5), json!("yes")] {
        assert_eq!(refusal(&with(enabled)), "ips[0].enabled is neither 0 nor 1");
    }
    assert_eq!(refusal(&with(json!([]))), "ips[0].enabled is not a text");
}

#[test]
fn a_disabled_address_counts_for_nothing() {
    let fields = json!({ "ips": [
        { "ip": null, "enabled": 0, "gateway": "192.0.2.254" },
        { "ip": "192.0.2.1", "netmask": 24, "gateway": "192.0.2.253" },
    ]});
    let interface = read(&fields);
    assert_eq!(interface.addresses, [address("192.0.2.1", 24)]);
    assert_eq!(interface.gateway, Some(Ipv4Addr::new(192, 0, 2, 253)));
}

#[test]
fn an_address_is_called_ip_or_address() {
    let fields = json!({
        "ips": [{ "address": "192.0.2.1", "netmask": 24 }],
        "ip6s": [
            { "address": "2001:db8::1", "netmask": "64" },
            { "ip": "2001:db8::2", "address": "2001:db8::3", "netmask": 64 },
        ],
    });
    let expected =
        [address("192.0.2.1", 24), address("2001:db8::1", 64), address("2001:db8::2", 64)];
    assert_eq!(read(&fields).addresses, expected);
    let fields = json!({ "ips": [{ "netmask": 24 }] });
    assert_eq!(refusal(&fields), "ips[0].ip is missing");
}

#[test]
fn the_gateway_of_ipv6_has_three_names() {
    let one: Ipv6Addr = "fe80::1".parse().unwrap();
    let with = |fields: Value| read(&fields).gateway_v6;
    let ip6s = |gateway: Value| {
        json!([
            { "ip": "2001:db8::1", "netmask": 64, "gateway": null },
            { "ip": "2001:db8::2", "netmask": 64, "gateway": gateway },
        ])
    };
    assert_eq!(with(json!({ "gateway_v6": "fe80::1" })), Some(one));
    assert_eq!(with(json!({ "gateway6": "fe80::1" })), Some(one));
    assert_eq!(with(json!({ "gateway_v6": null, "gateway6": "fe80::1" })), Some(one));
    assert_eq!(with(json!({ "ip6s": ip6s(json!("fe80::1")) })), Some(one));
    assert_eq!(with(json!({ "gateway_v6": null, "ip6s": ip6s(json!("fe80::1")) })), Some(one));
    let all =
        json!({ "gateway_v6": "fe80::1", "gateway6": "fe80::2", "ip6s": ip6s(json!("fe80::3")) });
    assert_eq!(with(all), Some(one));
    assert_eq!(with(json!({ "ip6s": ip6s(json!(null)) })), None);
}

#[test]
fn the_gateway_of_ipv4_is_that_of_an_address_only_without_its_own_key() {
    let ips = json!([{ "ip": "192.0.2.1", "netmask": 24, "gateway": "192.0.2.254" }]);
    let gateway = Some(Ipv4Addr::new(192, 0, 2, 254));
    assert_eq!(read(&json!({ "ips": ips })).gateway, gateway);
    // The first of several networks has none: no agent takes another one's.
    assert_eq!(read(&json!({ "gateway": null, "ips": ips })).gateway, None);
}

#[test]
fn routes_may_be_ipv6_and_without_gateway() {
    let fields = json!({ "routes": [
        { "route": "2001:db8:1::", "netmask": "ffff:ffff:ffff::", "gateway": "fe80::1" },
        { "route": "2001:db8:2::", "netmask": 48, "gateway": null },
        { "route": "10.1.2.3", "netmask": "255.0.0.0", "gateway": "192.0.2.254" },
        { "route": "10.0.0.0", "netmask": 8, "gateway": "192.0.2.254" },
    ]});
    let routes = [
        route("2001:db8:1::", 48, Some("fe80::1")),
        route("2001:db8:2::", 48, None),
        route("10.0.0.0", 8, Some("192.0.2.254")),
    ];
    let interface = read(&fields);
    assert_eq!(interface.routes, routes);
    let written: Value = serde_json::from_str(&interface.to_json()).unwrap();
    let first =
        json!({ "route": "2001:db8:1::", "netmask": "ffff:ffff:ffff::", "gateway": "fe80::1" });
    assert_eq!(written["routes"][0], first);
}

#[test]
fn routes_may_repeat_the_default() {
    let defaults = json!([
        { "route": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "192.0.2.254" },
        { "route": "::", "netmask": "::", "gateway": "fe80::1" },
        { "route": "10.0.0.0", "netmask": "255.0.0.0", "gateway": "192.0.2.253" },
    ]);
    let fields = json!({
        "gateway": "192.0.2.254", "gateway_v6": "fe80::1", "routes": defaults,
    });
    let interface = read(&fields);
    assert_eq!(interface.routes, [route("10.0.0.0", 8, Some("192.0.2.253"))]);
    // Without gateways the routes are where they are told.
    assert_eq!(read(&json!({ "routes": defaults })), interface);
    let other = json!({ "gateway": "192.0.2.1", "gateway_v6": "fe80::2", "routes": defaults });
    assert_eq!(read(&other).gateway, Some(Ipv4Addr::new(192, 0, 2, 1)));
    assert_eq!(read(&other).routes, interface.routes);
}

#[test]
fn what_is_listed_twice_counts_once() {
    let fields = json!({
        "ips": [{ "ip": "192.0.2.1", "netmask": 24 }, { "ip": "192.0.2.1", "netmask": "24" }],
        "dns": ["192.0.2.53", "2001:db8::53", "192.0.2.53", "127.0.0.53"],
    });
    let interface = read(&fields);
    assert_eq!(interface.addresses.len(), 1);
    assert_eq!(interface.dns, [ip("192.0.2.53"), ip("2001:db8::53"), ip("127.0.0.53")]);
}

#[test]
fn the_node_names_the_mac() {
    let parse = |name: &str, json: &str| Interface::parse_node(name, json.as_bytes());
    for name in ["00163e112233", "00163E112233"] {
        assert_eq!(parse(name, "{}"), Ok(Interface::new(MAC)));
        assert_eq!(parse(name, FULL), Ok(full()));
    }
    let other = parse("00163e112234", FULL).unwrap_err();
    assert_eq!(other.to_string(), "mac is another one than the node's name");
    assert_eq!(parse("eth0", FULL).unwrap_err().to_string(), "The node's name is not a MAC");
    assert_eq!(Interface::parse(b"{}").unwrap_err().to_string(), "mac is missing");
}

#[test]
fn labels_without_control_characters_are_kept() {
    assert_eq!(read(&json!({ "label": "public \u{fc}\"#" })).label, "public \u{fc}\"#");
    let label = "label has a control character";
    for text in ["a\nup rm -rf /", "a\tb", "a\0b", "a\u{7f}b", "a\u{85}b"] {
        assert_eq!(refusal(&json!({ "label": text })), label);
    }
    let raw = b"{\"mac\":\"00163e112233\",\"label\":\"a\nb\"}";
    assert_eq!(Interface::parse(raw).unwrap_err().to_string(), label);
    assert_eq!(refusal(&json!({ "label": "a".repeat(256) })), "label is longer than 255 bytes");
}

#[test]
fn a_written_interface_is_ascii() {
    let interface = Interface { label: "\u{fc}\u{1f600}".to_owned(), ..full() };
    let json = interface.to_json();
    assert!(json.is_ascii());
    assert_eq!(Interface::parse(json.as_bytes()), Ok(interface));
}

#[test]
fn errors_name_the_field() {
    let address = |ip: &str| json!({ "ips": [{ "ip": ip, "netmask": 24 }] });
    let to = |route: &str, gateway: Value| {
        let route = json!({ "route": route, "netmask": 8, "gateway": gateway });
        json!({ "routes": [route] })
    };
    let bad = [
        (json!({ "mac": "eth0" }), "mac is not a MAC"),
        (json!({ "mac": 7 }), "mac is not a text"),
        (json!({ "label": 7 }), "label is not a text"),
        (json!({ "gateway": "192.0.2" }), "gateway is no IPv4 address"),
        (json!({ "gateway": "fe80::1" }), "gateway is no IPv4 address"),
        (json!({ "gateway": "None" }), "gateway is no IPv4 address"),
        (json!({ "gateway": "0.0.0.0" }), "gateway is the unspecified address"),
        (json!({ "gateway_v6": "192.0.2.1" }), "gateway_v6 is no IPv6 address"),
        (json!({ "gateway6": 7 }), "gateway6 is not a text"),
        (json!({ "gateway_v6": "ff02::1" }), "gateway_v6 is a multicast address"),
        (json!({ "ips": {} }), "ips is not a list"),
        (json!({ "ips": ["192.0.2.1"] }), "ips[0].ip is missing"),
        (address("2001:db8::1"), "ips[0].ip is no IPv4 address"),
        (address("192.0.2.1\nup x"), "ips[0].ip is no IPv4 address"),
        (address("127.0.0.1"), "ips[0].ip is a loopback address"),
        (address("255.255.255.255"), "ips[0].ip is the broadcast address"),
        (address("224.0.0.1"), "ips[0].ip is a multicast address"),
        (json!({ "ip6s": [{ "ip": "192.0.2.1" }] }), "ip6s[0].ip is no IPv6 address"),
        (
            json!({ "ip6s": [{ "ip": "::", "netmask": 64 }] }),
            "ip6s[0].ip is the unspecified address",
        ),
        (json!({ "routes": [{}] }), "routes[0].route is missing"),
        (json!({ "routes": [{ "route": "10.0.0.0" }] }), "routes[0].netmask is missing"),
        (to("10", json!(null)), "routes[0].route is no IP address"),
        (to("10.0.0.0", json!("fe80::1")), "routes[0].gateway is no IPv4 address"),
        (to("2001:db8::", json!("192.0.2.1")), "routes[0].gateway is no IPv6 address"),
        (to("10.0.0.0", json!("127.0.0.1")), "routes[0].gateway is a loopback address"),
        (json!({ "dns": "192.0.2.53" }), "dns is not a list"),
        (json!({ "dns": ["192.0.2.53", "ns1"] }), "dns[1] is no IP address"),
        (json!({ "dns": ["0.0.0.0"] }), "dns[0] is the unspecified address"),
    ];
    for (fields, error) in bad {
        assert_eq!(refusal(&fields), error, "{fields}");
    }
    for text in ["", "[]", "null", "{", "{\"mac\":\"\\ud800\"}"] {
        let bad = Interface::parse(text.as_bytes()).unwrap_err();
        assert_eq!(bad.to_string(), "The interface is no JSON object", "{text}");
    }
    let deep = format!(r#"{{"label":{}{}}}"#, "[".repeat(40), "]".repeat(40));
    let bad = Interface::parse(deep.as_bytes()).unwrap_err();
    assert_eq!(bad.to_string(), "The interface is nested too deep");
}

/// Fields that are left out count, so that the error names the one that the host has written.
#[test]
fn errors_name_the_field_by_its_place_in_the_json() {
    let fields = json!({ "ips": [
        { "ip": "192.0.2.1", "netmask": 24, "enabled": 0 },
        { "ip": "192.0.2.1", "netmask": 24 },
        { "ip": "192.0.2.1", "netmask": 24 },
        { "ip": "127.0.0.1", "netmask": 8 },
    ]});
    assert_eq!(refusal(&fields), "ips[3].ip is a loopback address");
    let default = json!({ "route": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "192.0.2.254" });
    let route = json!({ "route": "10.0.0.0", "netmask": 8, "gateway": "127.0.0.1" });
    let fields = json!({ "routes": [default, default, route] });
    assert_eq!(refusal(&fields), "routes[2].gateway is a loopback address");
    let fields = json!({ "dns": [null, "192.0.2.53", "192.0.2.53", "224.0.0.1"] });
    assert_eq!(refusal(&fields), "dns[3] is a multicast address");
}

#[test]
fn addresses_that_no_host_of_their_network_has_are_refused() {
    let address = |ip: &str, netmask: u8| json!({ "ips": [{ "ip": ip, "netmask": netmask }] });
    let itself = "ips[0].ip is the address of its network, not of a host";
    let broadcast = "ips[0].ip is the broadcast address of its network";
    for (ip, netmask, error) in [
        ("192.0.2.0", 24, itself),
        ("192.0.2.255", 24, broadcast),
        ("10.0.0.0", 8, itself),
        ("192.0.2.4", 30, itself),
        ("192.0.2.7", 30, broadcast),
        ("0.1.2.3", 8, "ips[0].ip is in 0.0.0.0/8, which no host has"),
    ] {
        assert_eq!(refusal(&address(ip, netmask)), error);
    }
    // Networks of one and two addresses, and everything in IPv6.
    for (ip, netmask) in
        [("192.0.2.0", 32), ("192.0.2.255", 32), ("192.0.2.4", 31), ("192.0.2.5", 31)]
    {
        assert_eq!(read(&address(ip, netmask)).addresses.len(), 1);
    }
    for (ip, netmask) in [("10.0.1.0", 16), ("10.0.1.255", 16), ("169.254.7.7", 16)] {
        assert_eq!(read(&address(ip, netmask)).addresses.len(), 1);
    }
    let ip6s = json!([
        { "ip": "2001:db8::", "netmask": 64 },
        { "ip": "2001:db8::ffff:ffff:ffff:ffff", "netmask": 64 },
        { "ip": "2001:db8::2", "netmask": 127 },
    ]);
    assert_eq!(read(&json!({ "ip6s": ip6s })).addresses.len(), 3);
}

#[test]
fn gateways_are_other_hosts() {
    let with = |ip: &str, netmask: u8, gateway: &str| {
        let list = if ip.contains(':') { "ip6s" } else { "ips" };
        let key = if gateway.contains(':') { "gateway_v6" } else { "gateway" };
        json!({ list: [{ "ip": ip, "netmask": netmask }], key: gateway })
    };
    for (ip, netmask, gateway, error) in [
        ("192.0.2.7", 24, "192.0.2.7", "gateway is an address of the interface itself"),
        ("192.0.2.7", 32, "192.0.2.7", "gateway is an address of the interface itself"),
        ("192.0.2.7", 24, "192.0.2.0", "gateway is the address of its network, not of a host"),
        ("192.0.2.7", 24, "192.0.2.255", "gateway is the broadcast address of its network"),
    ] {
        assert_eq!(refusal(&with(ip, netmask, gateway)), error, "{ip}/{netmask} {gateway}");
    }
    for (ip, netmask, gateway) in [
        ("192.0.2.7", 24, "192.0.2.1"),
        ("192.0.2.6", 31, "192.0.2.7"),
        ("192.0.2.7", 32, "198.51.100.1"),
        ("192.0.2.7", 24, "169.254.1.1"),
        ("2001:db8::7", 64, "2001:db8::1"),
        ("2001:db8::7", 64, "fe80::1"),
        ("2001:db8::7", 128, "2001:db8:1::1"),
        // Outside of the network, as providers have it.
        ("192.0.2.7", 24, "198.51.100.1"),
        ("192.0.2.7", 31, "192.0.2.8"),
        ("2001:db8:0:7::7", 64, "2001:db8::1"),
        // Nothing of its family.
        ("192.0.2.7", 24, "2001:db8::1"),
        ("2001:db8::7", 64, "192.0.2.1"),
    ] {
        read(&with(ip, netmask, gateway));
    }
    let ips = json!([{ "ip": "192.0.2.7", "netmask": 24 }, { "ip": "10.0.0.7", "netmask": 8 }]);
    read(&json!({ "ips": ips, "gateway": "10.0.0.1" }));
    let routes =
        |gateway: &str| json!([{ "route": "172.16.0.0", "netmask": 12, "gateway": gateway }]);
    read(&json!({ "ips": ips, "routes": routes("203.0.113.1") }));
    let error = "routes[0].gateway is an address of the interface itself";
    assert_eq!(refusal(&json!({ "ips": ips, "routes": routes("10.0.0.7") })), error);
    let error = "routes[0].gateway is the broadcast address of its network";
    assert_eq!(refusal(&json!({ "ips": ips, "routes": routes("10.255.255.255") })), error);
}

#[test]
fn what_a_program_has_put_together_is_checked() {
    assert_eq!(full().check(), Ok(()));
    let check = |interface: Interface| interface.check().unwrap_err().to_string();
    let with = |route: Route| Interface { routes: vec![route], ..full() };
    let addresses = vec![address("2001:db8::1", 64), address("192.0.2.1", 33)];
    assert_eq!(
        check(Interface { addresses, ..full() }),
        "ips[0].netmask has more bits than an address"
    );
    assert_eq!(
        check(with(route("10.0.0.1", 8, None))),
        "routes[0].route has bits beyond its netmask"
    );
    assert_eq!(
        check(with(route("10.0.0.0", 8, Some("fe80::1")))),
        "routes[0].gateway is not of the route's family"
    );
    assert_eq!(
        check(with(route("0.0.0.0", 0, Some("192.0.2.1")))),
        "routes[0].netmask is that of a default route"
    );
    assert_eq!(
        check(Interface { label: "a\nb".to_owned(), ..full() }),
        "label has a control character"
    );
}

#[test]
fn prefixes_are_shown_as_netmasks() {
    assert_eq!(address("192.0.2.1", 20).netmask(), ip("255.255.240.0"));
    assert_eq!(route("2001:db8::", 32, None).netmask(), ip("ffff:ffff::"));
}

/// None of these is the address of a network, or that of its broadcasts.
fn ipv4() -> impl Strategy<Value = IpAddr> {
    let ip = |(a, [b, c, d]): (u8, [u8; 3])| Ipv4Addr::new(a, b, c, d & !3 | 1).into();
    (1_u8..127, any::<[u8; 3]>()).prop_map(ip)
}

fn ipv6() -> impl Strategy<Value = IpAddr> {
    any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits >> 3 | 1 << 125).into())
}

/// The first one is alone in its network, so that gateways may be anywhere.
fn addresses(ip: impl Strategy<Value = IpAddr>, bits: u8) -> impl Strategy<Value = Vec<Address>> {
    let address = (ip, 1..=bits).prop_map(|(ip, prefix)| Address { ip, prefix });
    vec(address, 0..4).prop_map(move |mut addresses| {
        addresses.iter_mut().take(1).for_each(|first| first.prefix = bits);
        addresses
    })
}

fn routes() -> impl Strategy<Value = Vec<Route>> {
    let ipv4 = (any::<u32>(), 1_u8..=32, proptest::option::of(ipv4())).prop_map(
        |(bits, prefix, gateway)| {
            let destination = Ipv4Addr::from_bits(bits & u32::MAX << (32 - prefix)).into();
            Route { destination, prefix, gateway }
        },
    );
    let ipv6 = (any::<u128>(), 1_u8..=128, proptest::option::of(ipv6())).prop_map(
        |(bits, prefix, gateway)| {
            let destination = Ipv6Addr::from_bits(bits & u128::MAX << (128 - prefix)).into();
            Route { destination, prefix, gateway }
        },
    );
    vec(prop_oneof![ipv4, ipv6], 0..4)
}

prop_compose! {
    fn interfaces()(
        mac: [u8; 6],
        label in "[^\\pC\\s]([^\\pC]{0,20}[^\\pC\\s])?",
        gateway in proptest::option::of(ipv4()),
        gateway_v6 in proptest::option::of(ipv6()),
        ipv4_addresses in addresses(ipv4(), 32),
        ipv6_addresses in addresses(ipv6(), 128),
        routes in routes(),
        dns in vec(prop_oneof![ipv4(), ipv6()], 0..4),
    ) -> Interface {
        let as_v4 = |ip: IpAddr| if let IpAddr::V4(ip) = ip { Some(ip) } else { None };
        let as_v6 = |ip: IpAddr| if let IpAddr::V6(ip) = ip { Some(ip) } else { None };
        Interface {
            mac: Mac(mac),
            label,
            gateway: gateway.and_then(as_v4),
            gateway_v6: gateway_v6.and_then(as_v6),
            addresses: [ipv4_addresses, ipv6_addresses].concat(),
            routes,
            dns,
        }
    }
}

proptest! {
    #[test]
    fn interfaces_come_back(interface in interfaces()) {
        prop_assert_eq!(interface.check(), Ok(()));
        let read = Interface::parse(interface.to_json().as_bytes()).unwrap();
        // What is there twice counts once.
        let twice = |interface: &Interface| {
            let mut routes = interface.routes.clone();
            routes.dedup();
            (routes.len(), interface.addresses.len(), interface.dns.len())
        };
        prop_assume!(twice(&read) == twice(&interface));
        prop_assert_eq!(read, interface);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, name: String) {
        let _ = Interface::parse(&bytes);
        let _ = Interface::parse_node(&name, &bytes);
    }

    #[test]
    fn whatever_is_read_is_valid_and_comes_back(
        key in "gateway|gateway_v6|label|mac|dns|routes|ips",
        value in r#"null|0|-1|"1"|"::1"|"10.0.0.1"|\[\]|\{\}|"\\u0000"|["\[\]{},:.0-9a-f]{0,9}"#,
    ) {
        let json = format!(r#"{{"mac":"00163e112233","{key}":{value}}}"#);
        if let Ok(interface) = Interface::parse(json.as_bytes()) {
            prop_assert_eq!(interface.check(), Ok(()));
            prop_assert_eq!(Interface::parse(interface.to_json().as_bytes()), Ok(interface));
        }
    }
}

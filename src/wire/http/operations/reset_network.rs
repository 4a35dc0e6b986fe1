//! `reset_network`: network settings for the guest, which its agent applies.

use super::guest::{TIMEOUT, ask, timeout, utf8};
use super::network_keys::unknown_key;
use crate::core::model::{Device, Invalid, Vif};
use crate::core::op::GuestOp;
use crate::core::rights::OpKind;
use crate::wire::http::operation::{
    AnswerType, GUEST, Operation, OperationRequest, Param, ParamKind, Success, optional,
};
use crate::wire::http::params::bad_value;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;
use xend_guest_protocol::hostname::Hostname;
use xend_guest_protocol::limits::MAX_PAYLOAD;
use xend_guest_protocol::network::{Address, Interface, Mac};

/// Writing files and starting the network takes longer than other requests.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// The most interfaces of one request, and the most addresses of one parameter.
const MOST: usize = 32;

/// The longest JSON, in bytes, with room for blanks. Read, it takes many times its text.
const MAX_JSON: usize = 2 * MOST * MAX_PAYLOAD;

const EXAMPLE: &str =
    r#"{"ips": [{"ip": "203.0.113.10", "netmask": "255.255.255.0"}], "gateway": "203.0.113.1"}"#;

pub(super) static RESET_NETWORK: Operation = Operation {
    name: "reset_network",
    label: "Set network",
    about: "Writes network settings for the guest into XenStore, and has its agent apply them: \
            for one interface as address, gateway and dns, or as JSON for several. Interfaces \
            that are left out keep theirs; settings of interfaces that the domain no longer has \
            are removed. Without any settings, the agent applies those that are there.",
    kinds: &[OpKind::ResetGuestNetwork],
    stages: &GUEST,
    data_loss: None,
    params: &[
        optional("vif", ParamKind::Number("vif"), "0", "Number of the interface", "0"),
        optional(
            "address",
            ParamKind::Text("with its prefix, several with blanks between"),
            "none",
            "Addresses of the interface",
            "203.0.113.10/24 2001:db8::10/64",
        ),
        optional(
            "gateway",
            ParamKind::Text("one for IPv4, one for IPv6"),
            "none",
            "Default gateways",
            "203.0.113.1",
        ),
        optional(
            "dns",
            ParamKind::Text("addresses with blanks between"),
            "none",
            "Name servers",
            "192.0.2.53",
        ),
        optional(
            "hostname",
            ParamKind::Text("letters, digits and - _ ."),
            "the guest keeps its name",
            "Name of the guest",
            "web1",
        ),
        optional(
            "network",
            ParamKind::Json("an interface, or a list of several"),
            "none",
            "Settings in place of address, gateway and dns; without mac for the vif",
            EXAMPLE,
        ),
        Param { default: Some("60"), ..TIMEOUT },
    ],
    success: Success::Answer(AnswerType::Agent),
    build: |request| {
        let json = request.params.optional_bytes("network")?;
        let fields: ResetNetwork = request.params.parse()?;
        let interfaces = match json {
            Some(_) if fields.describes_interface() => {
                let reason = "give network, or else address, gateway and dns";
                return Err(bad_value("network", reason));
            }
            Some(json) => from_json(utf8("network", &json)?, request, fields.vif)?,
            None => from_fields(&fields, request)?.into_iter().collect(),
        };
        let host_name = fields.hostname.as_deref().map(Hostname::new).transpose();
        let host_name = host_name.map_err(|reason| bad_value("hostname", reason))?;
        let op = GuestOp::ResetNetwork {
            interfaces: interfaces.iter().map(|one| (one.mac.node_name(), one.to_json())).collect(),
            host_name: host_name.map(|name| name.as_str().to_owned()),
        };
        ask(request, op, fields.timeout)
    },
};

#[derive(Debug, Deserialize)]
struct ResetNetwork {
    #[serde(default, deserialize_with = "vif_number")]
    vif: u32,
    address: Option<String>,
    gateway: Option<String>,
    dns: Option<String>,
    hostname: Option<String>,
    #[serde(default = "default_timeout", deserialize_with = "timeout")]
    timeout: Duration,
}

impl ResetNetwork {
    /// Whether a field has settings of an interface. `vif` alone has none: forms always send it.
    fn describes_interface(&self) -> bool {
        self.address.is_some() || self.gateway.is_some() || self.dns.is_some()
    }
}

/// Deserializes the number of an interface, or its name: `0` or `vif0`.
fn vif_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    let number = text.trim();
    number.strip_prefix("vif").unwrap_or(number).parse().map_err(|_| {
        D::Error::custom(format!("'{text}' is not the number of a vif, like 0 or vif0"))
    })
}

fn default_timeout() -> Duration {
    DEFAULT_TIMEOUT
}

fn devices<'a>(request: &OperationRequest<'a>) -> &'a [Device] {
    request.view.map_or(&[][..], |view| &view.config.devices)
}

fn vifs<'a>(request: &OperationRequest<'a>) -> impl Iterator<Item = &'a Vif> {
    devices(request).iter().filter_map(Device::as_vif)
}

fn mac(vif: &Vif) -> Option<Mac> {
    Some(Mac(vif.mac?.octets()))
}

/// The MAC of the vif with this number.
fn mac_of_vif(request: &OperationRequest<'_>, number: u32) -> Result<Mac, Invalid> {
    let found = vifs(request).find(|vif| vif.id == Some(number)).and_then(mac);
    found.ok_or_else(|| bad_value("vif", format!("the domain has no vif {number}")))
}

/// Refuses an interface that the guest does not have: with its settings in XenStore, the agent
/// would refuse all others as well.
fn check_mac(request: &OperationRequest<'_>, interface: Mac) -> Result<(), Invalid> {
    let is_of_vif = vifs(request).any(|vif| mac(vif) == Some(interface));
    // A PCI device can be a network card with an address of its own.
    if is_of_vif || devices(request).iter().any(|device| device.as_pci().is_some()) {
        return Ok(());
    }
    Err(bad_value("network", format!("no vif of the domain has the MAC {interface}")))
}

/// The settings in JSON, of one interface or of several.
fn from_json(
    json: &str,
    request: &OperationRequest<'_>,
    vif: u32,
) -> Result<Vec<Interface>, Invalid> {
    if json.len() > MAX_JSON {
        return Err(bad_value("network", format!("it is longer than {MAX_JSON} bytes")));
    }
    let value: Value = serde_json::from_str(json).map_err(|error| {
        let error = error.to_string();
        // serde_json has no kind of error for it.
        if error.starts_with("recursion limit exceeded") {
            return bad_value("network", "it is nested too deep");
        }
        bad_value("network", format!("it is not JSON: {error}"))
    })?;
    let several = value.is_array();
    let objects = match value {
        Value::Array(objects) => objects,
        object => vec![object],
    };
    if objects.is_empty() || objects.len() > MOST {
        return Err(bad_value("network", format!("a list has 1 to {MOST} interfaces")));
    }
    let mut interfaces: Vec<Interface> = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        let refuse = |reason: String| {
            let place = if several { format!("[{index}]: ") } else { String::new() };
            bad_value("network", place + &reason)
        };
        let text = object.to_string();
        if text.len() > MAX_PAYLOAD {
            return Err(refuse(format!("{} bytes are too many for XenStore", text.len())));
        }
        if let Some(reason) = unknown_key(object) {
            return Err(refuse(reason));
        }
        let lacks_mac = object.get("mac").is_none_or(Value::is_null);
        let interface = if lacks_mac && object.is_object() && !several {
            Interface::parse_node(&mac_of_vif(request, vif)?.node_name(), text.as_bytes())
        } else {
            Interface::parse(text.as_bytes())
        };
        let interface = interface.map_err(|bad| refuse(bad.to_string()))?;
        check_mac(request, interface.mac)?;
        // An agent would refuse it, and the settings of all other interfaces with it.
        if interface.addresses.is_empty() {
            return Err(refuse("the interface has no address".to_owned()));
        }
        if interfaces.iter().any(|other| other.mac == interface.mac) {
            return Err(refuse(format!("{} is there twice", interface.mac)));
        }
        interfaces.push(interface);
    }
    Ok(interfaces)
}

/// The settings of one vif; `None` if there are none.
fn from_fields(
    fields: &ResetNetwork,
    request: &OperationRequest<'_>,
) -> Result<Option<Interface>, Invalid> {
    if !fields.describes_interface() {
        return Ok(None);
    }
    let Some(address) = &fields.address else {
        return Err(Invalid::missing("address"));
    };
    let mut interface = Interface::new(mac_of_vif(request, fields.vif)?);
    read_words(&mut interface, "address", address, add_address)?;
    if let Some(gateway) = &fields.gateway {
        read_words(&mut interface, "gateway", gateway, add_gateway)?;
    }
    if let Some(dns) = &fields.dns {
        read_words(&mut interface, "dns", dns, add_name_server)?;
    }
    Ok(Some(interface))
}

/// Adds the words of a parameter to an interface. An error names the word.
fn read_words(
    interface: &mut Interface,
    param: &str,
    text: &str,
    add: fn(&mut Interface, &str) -> Result<(), &'static str>,
) -> Result<(), Invalid> {
    let words: Vec<&str> = text.split_whitespace().take(MOST + 1).collect();
    if words.is_empty() || words.len() > MOST {
        return Err(bad_value(param, format!("give 1 to {MOST} addresses")));
    }
    for word in words {
        add(interface, word)
            .and_then(|()| interface.check().map_err(|bad| bad.problem))
            .map_err(|problem| bad_value(param, format!("'{word}' {problem}")))?;
    }
    Ok(())
}

fn parse_ip(word: &str) -> Result<IpAddr, &'static str> {
    word.parse().map_err(|_| "is no IP address")
}

fn add_address(interface: &mut Interface, word: &str) -> Result<(), &'static str> {
    let (ip, prefix) = word.split_once('/').ok_or("has no prefix, as in 203.0.113.10/24")?;
    let ip = parse_ip(ip)?;
    let prefix = prefix.parse().map_err(|_| "has no number of bits after the slash")?;
    if interface.addresses.iter().any(|address| address.ip == ip) {
        return Err("is there twice");
    }
    interface.addresses.push(Address { ip, prefix });
    Ok(())
}

fn add_gateway(interface: &mut Interface, word: &str) -> Result<(), &'static str> {
    let is_second = match parse_ip(word)? {
        IpAddr::V4(ip) => interface.gateway.replace(ip).is_some(),
        IpAddr::V6(ip) => interface.gateway_v6.replace(ip).is_some(),
    };
    if is_second { Err("is the second gateway of its family") } else { Ok(()) }
}

fn add_name_server(interface: &mut Interface, word: &str) -> Result<(), &'static str> {
    interface.dns.push(parse_ip(word)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::op::Change;
    use crate::wire::http::engine_request::EngineRequest;
    use crate::wire::http::operation::build_from_form;

    /// The nodes and the host's name that a form is made into.
    fn written(form: &str) -> (Vec<(String, Value)>, Option<String>) {
        let Ok(EngineRequest::Change(change)) = build_from_form(&RESET_NETWORK, form) else {
            panic!("{form}: {:?}", build_from_form(&RESET_NETWORK, form))
        };
        let Change::Guest { op: GuestOp::ResetNetwork { interfaces, host_name }, .. } = change
        else {
            panic!("{form}: {change:?}")
        };
        let json = |(node, text): (String, String)| (node, serde_json::from_str(&text).unwrap());
        (interfaces.into_iter().map(json).collect(), host_name)
    }

    fn network(json: &str) -> String {
        form_urlencoded::Serializer::new(String::new()).append_pair("network", json).finish()
    }

    fn refused(form: &str) -> String {
        build_from_form(&RESET_NETWORK, form).unwrap_err().to_string()
    }

    #[test]
    fn fields_are_settings_of_one_vif() {
        let (nodes, host_name) = written(
            "vif=0&address=203.0.113.10/24+203.0.113.11/24+2001:db8::10/64\
             &gateway=203.0.113.1+fe80::1&dns=192.0.2.53&hostname=web1",
        );
        assert_eq!(host_name.as_deref(), Some("web1"));
        let [(node, settings)] = nodes.as_slice() else { panic!("{nodes:?}") };
        assert_eq!(node, "00163E112233");
        assert_eq!(settings["mac"], "00:16:3e:11:22:33");
        assert_eq!(settings["ips"][0]["netmask"], "255.255.255.0");
        assert_eq!(settings["ips"][1]["ip"], "203.0.113.11");
        assert_eq!(settings["ip6s"][0]["netmask"], 64);
        assert_eq!(settings["gateway"], "203.0.113.1");
        assert_eq!(settings["gateway_v6"], "fe80::1");
        assert_eq!(settings["dns"][0], "192.0.2.53");
    }

    #[test]
    fn json_is_read_and_written_anew() {
        let json = r#"{"label":"public","mac":"00-16-3E-11-22-33",
            "ips":[{"address":"203.0.113.10","netmask":24},{"ip":"203.0.113.9","enabled":"0"}]}"#;
        for json in [json.to_owned(), format!("[{json}]")] {
            let (nodes, host_name) = written(&network(&json));
            assert_eq!((nodes.len(), host_name), (1, None));
            assert_eq!(nodes[0].0, "00163E112233");
            assert_eq!(nodes[0].1["label"], "public");
            assert_eq!(nodes[0].1["ips"].as_array().unwrap().len(), 1);
            assert_eq!(nodes[0].1["ips"][0]["netmask"], "255.255.255.0");
        }
        // Without a MAC they are those of the vif.
        assert_eq!(written(&network(EXAMPLE)).0[0].0, "00163E112233");
    }

    #[test]
    fn settings_can_be_there_already() {
        assert_eq!(written(""), (vec![], None));
        assert_eq!(written("vif=0&hostname=web1"), (vec![], Some("web1".to_owned())));
        assert_eq!(written("vif=vif0&hostname=web1"), written("vif=0&hostname=web1"));
    }

    /// A gateway that is left out by mistake would leave the guest without one.
    #[test]
    fn unknown_names_are_refused() {
        assert_eq!(
            refused("address=10.0.0.1/8&adress=x"),
            "Unknown parameter adress: did you mean address?"
        );
        let address = r#""ip":"10.0.0.2","netmask":8"#;
        let interface = |more: &str| network(&format!(r#"{{"ips":[{{{address}}}],{more}}}"#));
        for (form, message) in [
            (interface(r#""Gateway":"10.0.0.1""#), "Gateway is unknown, did you mean gateway?"),
            (interface(r#""folder":1"#), "folder is unknown"),
            (
                interface(r#""ip6s":[{"ip":"2001:db8::1","netmaks":64}]"#),
                "ip6s[0].netmaks is unknown, did you mean netmask?",
            ),
            (
                interface(r#""routes":[{"route":"10.0.0.0","netmask":8,"gatway":"10.0.0.1"}]"#),
                "routes[0].gatway is unknown, did you mean gateway?",
            ),
            (
                network(&format!(r#"[{{"ips":[{{{address}}}],"mca":"00:16:3e:11:22:33"}}]"#)),
                "[0]: mca is unknown, did you mean mac?",
            ),
        ] {
            assert_eq!(refused(&form), format!("Invalid value for network: {message}"), "{form}");
        }
        // All that hosts are known to write.
        written(&network(
            r#"{"label":"public","mac":"00:16:3e:11:22:33","gateway":"203.0.113.1",
            "broadcast":"203.0.113.255","dns":["192.0.2.53"],"gateway_v6":"2001:db8::1",
            "gateway6":"2001:db8::1",
            "ips":[{"ip":"203.0.113.10","netmask":24,"enabled":"1","gateway":"203.0.113.1"}],
            "ip6s":[{"address":"2001:db8::10","netmask":64,"enabled":"1","gateway":"2001:db8::1"}],
            "routes":[{"route":"10.1.0.0","netmask":"255.255.0.0","gateway":"203.0.113.2"}]}"#,
        ));
    }

    /// The shortest value and the comma after it have two bytes, and a list has room for twice its
    /// values at most.
    #[test]
    fn json_takes_at_most_8_mib() {
        assert!(MAX_JSON / 2 * 2 * size_of::<Value>() <= 8 << 20);
    }

    #[test]
    fn errors_name_the_parameter() {
        let other = r#"{"mac":"00:16:3e:00:00:01"}"#;
        let own = r#"{"mac":"00:16:3e:11:22:33","ips":[{"ip":"10.0.0.1","netmask":8}]}"#;
        let many = format!("[{}]", vec![own; MOST + 1].join(","));
        let large = format!(r#"{{"label":"{}"}}"#, "x".repeat(MAX_PAYLOAD));
        let nested = |depth| format!(r#"{{"label":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        for (form, message) in [
            ("gateway=203.0.113.1".to_owned(), "Missing parameter: address"),
            ("dns=203.0.113.1".to_owned(), "Missing parameter: address"),
            ("address=203.0.113.10".into(), "address: '203.0.113.10' has no prefix"),
            ("address=203.0.113.10/x".into(), "address: '203.0.113.10/x' has no number of bits"),
            ("address=203.0.113.10/33".into(), "address: '203.0.113.10/33' has more bits"),
            ("address=127.0.0.1/8".into(), "address: '127.0.0.1/8' is a loopback address"),
            ("address=10.0.0.1/8+10.0.0.1/8".into(), "address: '10.0.0.1/8' is there twice"),
            (format!("address={}", "1.1.1.1/8+".repeat(MOST + 1)), "address: give 1 to 32"),
            ("address=10.0.0.1/8&gateway=x".into(), "gateway: 'x' is no IP address"),
            (
                "address=10.0.0.1/8&gateway=10.0.0.2+10.0.0.3".into(),
                "gateway: '10.0.0.3' is the second",
            ),
            (
                "address=10.0.0.1/8&gateway=10.0.0.1".into(),
                "gateway: '10.0.0.1' is an address of the interface itself",
            ),
            ("address=10.0.0.0/8".into(), "address: '10.0.0.0/8' is the address of its network"),
            ("address=10.0.0.1/8&dns=0.0.0.0".into(), "dns: '0.0.0.0' is the unspecified"),
            ("address=10.0.0.1/8&vif=1".into(), "vif: the domain has no vif 1"),
            ("vif=eth0".into(), "vif: 'eth0' is not the number of a vif, like 0 or vif0"),
            ("hostname=a_b%0Ac".into(), "hostname: The host name has other characters"),
            (network("{"), "network: it is not JSON"),
            (network("[]"), "network: a list has 1 to 32 interfaces"),
            (network(&many), "network: a list has 1 to 32 interfaces"),
            (network("1"), "network: The interface is no JSON object"),
            (network(r#"[{"ips":[]}]"#), "network: [0]: mac is missing"),
            (network(other), "network: no vif of the domain has the MAC 00:16:3e:00:00:01"),
            (network(&format!("[{own},{own}]")), "network: [1]: 00:16:3e:11:22:33 is there twice"),
            (network(r#"{"dns":["10.0.0.1"]}"#), "network: the interface has no address"),
            (network(r#"{"ips":[{"ip":"x"}]}"#), "network: ips[0].ip is no IPv4 address"),
            (network(&large), "network: 41"),
            (network(&" ".repeat(MAX_JSON + 1)), "network: it is longer than 262144 bytes"),
            (network(&nested(40)), "network: The interface is nested too deep"),
            (network(&nested(400)), "network: it is nested too deep"),
            ("network=%FF".into(), "network: it is not UTF-8"),
            (format!("{}&dns=1.1.1.1", network(own)), "network: give network, or else"),
        ] {
            let refused = refused(&form);
            let refused = refused.strip_prefix("Invalid value for ").unwrap_or(&refused);
            assert!(refused.starts_with(message), "{form}: {refused}");
        }
    }
}

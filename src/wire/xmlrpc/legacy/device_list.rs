//! `xend.domain.getDeviceSxprs`: the devices of a class. Each class has a format of its own, which
//! xm reads field by field.

use super::function::{Plan, Refusal, domain};
use super::record;
use crate::core::model::{self, Device, DeviceFacts, Generic, PciFunction, Property};
use crate::core::snapshot::DomainView;
use crate::core::view::DomainDevices;
use crate::shape;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use std::collections::HashMap;

/// Ports of a USB controller at most.
const MAX_PORTS: usize = 31;

/// About how many bytes the text of a device has.
const DEVICE: usize = 512;

/// xend's `AUTO_PHP_SLOT`: the device model chooses the slot.
const ANY_SLOT: &str = "0x100";

/// The devices of the class that the second parameter names.
pub(super) fn list(args: &Args<'_>) -> Result<Plan, Refusal> {
    let class = args.text(1)?;
    match class.as_str() {
        "pci" => Plan::with_domain(args, |domain| Value::Array(pci_functions(domain))),
        "vscsi" | "vusb" => {
            let domain = domain(args)?;
            Ok(Plan::new(|engine, view| async move {
                let found = view.domain(&domain).await?;
                let devices = view.devices(&domain, &class).await?;
                Ok(engine.print(found.config.text_size(), || combined(&found, &devices)).await)
            }))
        }
        // xm asks for vif2 as well, which no released Xen ever had.
        _ if !Device::is_class(&class) => Plan::with_domain(args, |_| Value::Array(vec![])),
        _ => {
            let domain = domain(args)?;
            Ok(Plan::new(|engine, view| async move {
                let devices = view.devices(&domain, &class).await?;
                Ok(engine.print(devices.count() * DEVICE, || all(&devices)).await)
            }))
        }
    }
}

/// All devices of a class.
fn all(devices: &DomainDevices) -> Value {
    match devices {
        DomainDevices::Connected(devices) => {
            with_text_numbers(record::written(|sink| shape::devices(sink, devices)))
        }
        DomainDevices::Defined(devices) => {
            record::written(|sink| shape::defined_devices(sink, devices))
        }
    }
}

/// Turns device numbers into strings: those of a running domain come from XenStore.
fn with_text_numbers(devices: Value) -> Value {
    let Value::Array(devices) = devices else { return devices };
    let with_text_number = |device| match device {
        Value::Array(mut parts) => {
            if let Some(Value::Int(number)) = parts.first() {
                parts[0] = Value::text(number.to_string());
            }
            Value::Array(parts)
        }
        other => other,
    };
    Value::Array(devices.into_iter().map(with_text_number).collect())
}

fn pair(key: &str, value: Value) -> Value {
    Value::Array(vec![Value::text(key), value])
}

fn as_value(value: &model::Value) -> Value {
    match value {
        model::Value::Text(text) => Value::text(text.to_string()),
        model::Value::List(items) => Value::Array(items.iter().map(as_value).collect()),
    }
}

fn property(properties: &[Property], key: &str) -> Option<String> {
    let found = properties.iter().find(|property| property.key == key);
    found.and_then(Property::text).map(ToString::to_string)
}

/// A XenStore node of a device; empty without one.
fn node(facts: &DeviceFacts, key: &str) -> Value {
    pair(key, Value::text(property(&facts.nodes, key).unwrap_or_default()))
}

/// The PCI functions, a struct each. A domain has one PCI bus, which xm does not ask for.
fn pci_functions(view: &DomainView) -> Vec<Value> {
    let buses = view.config.devices.iter().filter_map(|device| match device {
        Device::Pci(pci) => Some(&pci.functions),
        _ => None,
    });
    buses.flatten().map(pci_function).collect()
}

fn pci_function(function: &PciFunction) -> Value {
    let address = function.address;
    let mut members: Vec<(String, Value)> = Vec::new();
    let mut member =
        |name: &str, value: String| members.push((name.to_owned(), Value::text(value)));
    for (name, number) in address.words() {
        member(name, number);
    }
    member("vdevfn", virtual_function(&function.rest));
    let default_key = || format!("{:02x}:{:02x}.{:x}", address.bus, address.slot, address.func);
    member("key", property(&function.rest, "key").unwrap_or_else(default_key));
    let options = options(&function.rest);
    if !options.is_empty() {
        members.push(("opts".to_owned(), Value::Array(options)));
    }
    Value::Struct(members)
}

/// The slot and function that the guest sees. libvirt and the Xen-API name the slot alone.
fn virtual_function(rest: &[Property]) -> String {
    let slot = || {
        let text = property(rest, "vslot")?;
        let slot = u8::from_str_radix(text.strip_prefix("0x").unwrap_or(&text), 16).ok()?;
        (slot < 32).then(|| format!("{:#04x}", slot << 3))
    };
    property(rest, "vdevfn").or_else(slot).unwrap_or_else(|| ANY_SLOT.to_owned())
}

/// `[[msitranslate, 1], ...]`, from lists or from `msitranslate=1,...`.
fn options(rest: &[Property]) -> Vec<Value> {
    let mut options = Vec::new();
    for value in
        rest.iter().filter(|property| property.key == "opts").flat_map(|property| &property.values)
    {
        match value {
            model::Value::List(_) => options.push(as_value(value)),
            model::Value::Text(text) => {
                let text = text.to_string();
                let pairs = text.split(',').filter_map(|one| one.split_once('='));
                options.extend(pairs.map(|(key, value)| pair(key, Value::text(value))));
            }
        }
    }
    options
}

/// Devices in a format that combines the configuration with XenStore.
fn combined(domain: &DomainView, devices: &DomainDevices) -> Value {
    let all = match devices {
        DomainDevices::Connected(devices) => {
            let generics = generics(&domain.config.devices);
            let by_number = generics.map(|one| ((one.class.as_str(), one.id), one));
            let by_number: HashMap<_, _> = by_number.collect();
            let one = |facts: &DeviceFacts| {
                let generic = by_number.get(&(facts.class.as_str(), Some(facts.number)))?;
                Some(running_device(generic, facts))
            };
            devices.iter().filter_map(one).collect()
        }
        DomainDevices::Defined(devices) => generics(devices).map(defined_device).collect(),
    };
    Value::Array(all)
}

fn generics(devices: &[Device]) -> impl Iterator<Item = &Generic> {
    devices.iter().filter_map(|device| match device {
        Device::Generic(generic) => Some(generic),
        _ => None,
    })
}

fn running_device(device: &Generic, facts: &DeviceFacts) -> Value {
    let fields = if device.class == "vscsi" {
        let state = property(&facts.nodes, "state").unwrap_or_default();
        let line = |line: Vec<Property>| scsi_unit(&line, facts.number, Some(&state));
        vec![
            pair("devs", Value::Array(scsi_units(device).into_iter().map(line).collect())),
            node(facts, "state"),
            feature_host(device),
            node(facts, "backend-id"),
            node(facts, "backend"),
        ]
    } else {
        let [version, count, ports] = usb_controller(device);
        vec![
            node(facts, "backend-id"),
            node(facts, "state"),
            node(facts, "backend"),
            version,
            count,
            ports,
        ]
    };
    Value::Array(vec![Value::Int(facts.number.into()), Value::Array(fields)])
}

fn defined_device(device: &Generic) -> Value {
    let id = device.id.unwrap_or_default();
    let fields = if device.class == "vscsi" {
        let lines = scsi_units(device).into_iter().map(|line| scsi_unit(&line, id, None));
        vec![pair("devs", Value::Array(lines.collect())), feature_host(device)]
    } else {
        let mut fields = vec![Value::text("vusb")];
        fields.extend(usb_controller(device));
        fields
    };
    Value::Array(vec![Value::Int(id.into()), Value::Array(fields)])
}

/// Whether the guest gets the whole adapter.
fn feature_host(device: &Generic) -> Value {
    pair(
        "feature-host",
        Value::text(property(&device.rest, "feature-host").unwrap_or_else(|| "0".to_owned())),
    )
}

/// The properties of each unit of an adapter. They are in `(dev (p-dev 1:0:0:0) ...)`, or are the
/// device's own: the Xen-API makes adapters with one unit.
fn scsi_units(device: &Generic) -> Vec<Vec<Property>> {
    let listed = device.rest.iter().filter(|property| property.key == "dev");
    let listed: Vec<Vec<Property>> =
        listed.map(|dev| dev.values.iter().filter_map(as_property).collect()).collect();
    if listed.is_empty() && property(&device.rest, "v-dev").is_some() {
        vec![device.rest.clone()]
    } else {
        listed
    }
}

fn as_property(value: &model::Value) -> Option<Property> {
    let model::Value::List(items) = value else { return None };
    let (key, values) = items.split_first()?;
    Some(Property { key: key.as_text()?.clone(), values: values.to_vec() })
}

/// One unit, in xend's order. A domain that does not run has no frontend and no state in it.
fn scsi_unit(line: &[Property], id: u32, state: Option<&str>) -> Value {
    let text = |key: &str| Value::text(property(line, key).unwrap_or_default());
    let backend = state.map_or_else(|| text("state"), Value::text);
    let number = Value::text(property(line, "devid").unwrap_or_else(|| id.to_string()));
    Value::Array(vec![
        Value::text("dev"),
        pair("state", backend),
        pair("devid", number),
        pair("p-dev", text("p-dev")),
        pair("p-devname", text("p-devname")),
        pair("v-dev", text("v-dev")),
        pair("frontstate", state.map_or(Value::Nil, Value::text)),
    ])
}

/// `[usb-ver, 2]`, `[num-ports, 8]` and `[port, [1, 1-1], [2, ""], ...]` with every port.
fn usb_controller(device: &Generic) -> [Value; 3] {
    let text = |key: &str, otherwise: &str| {
        property(&device.rest, key).unwrap_or_else(|| otherwise.to_owned())
    };
    let version = text("usb-ver", "2");
    let count = text("num-ports", "8");
    let ports = device.rest.iter().find(|property| property.key == "port");
    let bus = |number: usize| {
        let port = ports.iter().flat_map(|ports| &ports.values).filter_map(as_property);
        let number = number.to_string();
        port.into_iter()
            .find(|port| port.key == number.as_str())
            .and_then(|port| port.text().map(ToString::to_string))
    };
    let all = (1..=count.trim().parse().unwrap_or(0).min(MAX_PORTS))
        .map(|number| pair(&number.to_string(), Value::text(bus(number).unwrap_or_default())));
    let ports = Value::Array(std::iter::once(Value::text("port")).chain(all).collect());
    [pair("usb-ver", Value::text(version)), pair("num-ports", Value::text(count)), ports]
}

//! Tests of the whole table of classes, on hosts that are made up.

use super::classes::table::CLASSES;
use super::failure::Failure;
use super::fetched::Fetched;
use super::host_view::HostView;
use super::method::Method;
use super::read_field::read_field;
use super::schema::{Class, Field};
use crate::core::model::{
    Block, Console, Device, DomName, DomainConfig, Generic, Hardware, PciAddress, PciDevice,
    PciFunction, Property, Uuid, Vif,
};
use crate::core::ports::StorageFacts;
use crate::core::snapshot::fixtures::{running, snapshot, with_domains};
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// The UUID of one of the devices of the VM with this number.
fn device_uuid(vm: u32, device: u32) -> Uuid {
    Uuid::from_u128(u128::from(vm) << 32 | u128::from(device))
}

fn generic(vm: u32, device: u32, class: &str, key: &str) -> Device {
    let rest = vec![Property::new(key, "0")];
    let uuid = Some(device_uuid(vm, device));
    Device::Generic(Generic { class: class.to_owned(), id: Some(0), uuid, rest })
}

/// A VM with a device of each class.
pub(super) fn config(vm: u32) -> DomainConfig {
    let mut config = DomainConfig::new(DomName::adopted(&format!("d{vm}")), 64);
    let disk =
        Block { uuid: Some(device_uuid(vm, 1)), ..Block::disk("xvda", format!("phy:/dev/d{vm}")) };
    let bridge = Some(format!("br{vm}").into());
    let vif = Vif { bridge, uuid: Some(device_uuid(vm, 2)), ..Vif::default() };
    let rest = vec![];
    let console =
        Console { protocol: "vt100".into(), id: Some(0), uuid: Some(device_uuid(vm, 3)), rest };
    let address = PciAddress { domain: 0, bus: 0, slot: 0x1f, func: 2 };
    let function = PciFunction { address, rest: vec![] };
    let functions = vec![function];
    let pci = PciDevice { functions, uuid: Some(device_uuid(vm, 4)), ..PciDevice::default() };
    config.devices = vec![
        Device::Block(disk),
        Device::Vif(vif),
        Device::Console(console),
        Device::Pci(pci),
        generic(vm, 5, "vtpm", "backend"),
        generic(vm, 6, "vscsi", "p-dev"),
        generic(vm, 7, "vscsi", "feature-host"),
    ];
    config
}

fn host(vms: u32) -> HostView {
    let vms = (1..=vms).map(|vm| running(vm, config(vm)));
    HostView::of(with_domains(snapshot(&[]), vms))
}

/// The same with everything fetched of VM 7.
fn fetched_host(vms: u32) -> HostView {
    let mut host = host(vms);
    let vm = Uuid::from_u128(7);
    host.fetched = Fetched {
        vcpus: Some(HashMap::from([(vm, Arc::default())])),
        devices: Some(HashMap::from([(vm, Arc::default())])),
        interfaces: Some(vec![]),
        pools: Some(Arc::default()),
        hardware: Some(Hardware::default()),
        storage: Some(StorageFacts { dir: "/".into(), size: 0, used: 0, free: 0 }),
        image_sizes: Some(HashMap::from([("phy:/dev/d7".into(), None)])),
    };
    host
}

/// The object of a class that belongs to VM 7, or else its first object.
fn object(class: &Class, host: &HostView) -> Option<Uuid> {
    let all = (class.all)(host).unwrap_or_default();
    let of_vm = |uuid: &&Uuid| {
        host.vm_of_object(**uuid).is_some_and(|vm| vm.uuid == Uuid::from_u128(7))
            || host.index.uname_of_implied_vdi(**uuid).is_some_and(|uname| uname == "phy:/dev/d7")
    };
    all.iter().find(of_vm).or(all.first()).copied()
}

/// The number of VMs that a getter visits.
fn visited(class: &'static Class, field: &'static Field, host: &HostView, uuid: Uuid) -> usize {
    host.take_visited();
    (class.check)(host, uuid).unwrap();
    let reference = Value::text(uuid.to_string());
    let args = Args { names: &["session", "self"], values: &[Value::text(""), reference] };
    assert!(Method::Get(field).make(class, host, Some(uuid), &args).is_ok(), "{}", field.name);
    host.take_visited()
}

/// Fields that list VMs.
const LISTS: [(&str, &str); 1] = [("host", "resident_VMs")];

#[test]
fn a_getter_visits_no_other_vms() {
    let mut count = 0;
    for vms in [10, 1_000] {
        let host = fetched_host(vms);
        for class in CLASSES {
            let Some(uuid) = object(class, &host) else { continue };
            for field in class.fields {
                if !LISTS.contains(&(class.name, field.name)) {
                    let visited = visited(class, field, &host, uuid);
                    assert_eq!(visited, 0, "{}.get_{} of {vms} VMs", class.name, field.name);
                    count += 1;
                }
            }
        }
    }
    assert!(count > 300, "{count}");
}

#[test]
fn a_vm_is_found_by_its_label_among_any_number() {
    let host = host(1_000);
    let class = CLASSES.into_iter().find(|class| class.name == "VM").unwrap();
    let args = Args { names: &["session", "label"], values: &[Value::text(""), Value::text("d7")] };
    host.take_visited();
    assert!(Method::GetByNameLabel.make(class, &host, None, &args).is_ok());
    assert_eq!(host.take_visited(), 0);
}

/// The need that a getter failed for.
fn missing_need(read: Result<Value, Failure>) -> Option<String> {
    match read {
        Err(Failure::Code("INTERNAL_ERROR", params)) => {
            params[0].strip_suffix(" was not fetched").map(str::to_owned)
        }
        _ => None,
    }
}

#[test]
fn every_getter_declares_the_facts_that_it_reads() {
    let host = host(7);
    for class in CLASSES {
        let needs = class.needs;
        let Some(uuid) = object(class, &host) else {
            assert!((class.all)(&host).is_ok() || !needs.is_empty(), "{}", class.name);
            continue;
        };
        for field in class.fields {
            if let Some(missing) = missing_need(read_field(class, field, &host, uuid)) {
                let mut declared = needs.iter().chain(field.needs).map(|need| format!("{need:?}"));
                let is_declared = declared.any(|need| need == missing);
                assert!(is_declared, "{}.get_{} needs {missing}", class.name, field.name);
            }
        }
    }
}

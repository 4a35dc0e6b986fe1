//! Records show nothing but their inputs: whatever changes on a host, a record with the inputs of
//! before is the record of before.

use crate::core::inventory::Inventory;
use crate::core::model::{
    ClientData, ClientValue, CpuSet, Device, DeviceFacts, DomId, DomainConfig, DomainFacts,
    GuestMemory, GuestReport, Hardware, Interface, InterfaceKind, Item, ObjectKind, PoolFacts,
    Property, Scheduler, ShutdownReason, Uuid, VcpuFacts, Vdi, VdiKind, VirtualDevice, completed,
};
use crate::core::ports::{DiskUsage, StorageFacts};
use crate::core::snapshot::DomainView;
use crate::core::snapshot::fixtures::{running, snapshot, with_domains};
use crate::core::transfer::Progress;
use crate::wire::xmlrpc::xenapi::classes::table::CLASSES;
use crate::wire::xmlrpc::xenapi::fetched::{DeviceTable, Fetched, PoolTable};
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::indices::VdiIndex;
use crate::wire::xmlrpc::xenapi::inputs::{Inputs, KeptInputs, VmInputs};
use crate::wire::xmlrpc::xenapi::read_field::read_record;
use crate::wire::xmlrpc::xenapi::schema::Class;
use crate::wire::xmlrpc::xenapi::tests::config;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

const VMS: u32 = 3;

/// The VM that changes.
const CHANGED: Uuid = Uuid::from_u128(2);

/// A host with all facts, as one call sees it.
struct Host {
    vms: Vec<Arc<DomainView>>,
    items: Vec<Arc<Item>>,
    devices: Vec<DeviceFacts>,
    vcpus: Vec<VcpuFacts>,
    pools: Vec<PoolFacts>,
    interfaces: Vec<Interface>,
    image: DiskUsage,
    /// Seconds since the first sweep.
    seconds: u64,
}

/// The time of the first sweep.
static FIRST_SWEEP: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The VMs, whose parts all hosts share that do not change them.
static VIEWS: LazyLock<Vec<Arc<DomainView>>> =
    LazyLock::new(|| (1..=VMS).map(|number| running(number, config(number))).collect());

/// The images, as far as no host changes them.
static ITEMS: LazyLock<Vec<Arc<Item>>> = LazyLock::new(|| vec![image(0xd1, "phy:/dev/d1")]);

fn image(uuid: u128, location: &str) -> Arc<Item> {
    let kind = VdiKind::User;
    let location = location.into();
    let vdi = Vdi { location, size: 0, kind, own: false, sharable: false, read_only: false };
    let client_data = ClientData::default();
    Arc::new(Item { uuid: Uuid::from_u128(uuid), kind: ObjectKind::Vdi(vdi), client_data })
}

fn bridge(name: &str) -> Interface {
    Interface {
        name: name.to_owned(),
        kind: InterfaceKind::Bridge,
        mac: None,
        mtu: 1500,
        bridge: None,
        io: (0, 0),
    }
}

impl Host {
    fn new() -> Self {
        let device = |class: &str, number| DeviceFacts {
            class: class.to_owned(),
            number,
            nodes: vec![Property::new("state", "4")],
            io: Some((1, 2)),
        };
        let vcpu = VcpuFacts {
            number: 0,
            online: true,
            blocked: false,
            running: false,
            cpu_time: Duration::from_secs(1),
            cpu: Some(0),
            affinity: CpuSet::first(4),
        };
        let pool = |name: &str, domains| PoolFacts {
            name: name.to_owned(),
            scheduler: Scheduler::Credit,
            cpus: CpuSet::first(2),
            domains,
        };
        Self {
            vms: VIEWS.clone(),
            items: ITEMS.clone(),
            devices: vec![device("vbd", 51712), device("vif", 0)],
            vcpus: vec![vcpu],
            pools: vec![pool("Pool-0", (1..=VMS).map(DomId).collect()), pool("other", vec![])],
            interfaces: vec![bridge("xenbr0")],
            image: DiskUsage { size: 7, used: 3 },
            seconds: 0,
        }
    }

    fn changed(change: impl FnOnce(&mut Self)) -> HostView {
        let mut host = Self::new();
        change(&mut host);
        host.view()
    }

    fn vm(&mut self) -> &mut DomainView {
        Arc::make_mut(self.vms.iter_mut().find(|view| view.uuid == CHANGED).unwrap())
    }

    fn facts(&mut self) -> &mut DomainFacts {
        self.vm().facts.as_mut().unwrap()
    }

    fn reconfigure(&mut self, change: impl FnOnce(&mut DomainConfig)) {
        let view = self.vm();
        let mut config = DomainConfig::clone(&view.config);
        change(&mut config);
        let config = Arc::new(completed(config));
        view.definition = Some(config.clone());
        view.config = config;
    }

    /// An hour later, after another sweep.
    fn later(&mut self) {
        self.seconds += 3600;
    }

    fn view(self) -> HostView {
        let mut host = HostView::of(with_domains(snapshot(&[]), self.vms.iter().cloned()));
        let inventory = Arc::new(Inventory::of(self.items));
        host.vdi_index = Arc::new(VdiIndex::new(inventory.clone()));
        host.inventory = inventory;
        host.now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + self.seconds);
        host.version.swept = Some(*FIRST_SWEEP + Duration::from_secs(self.seconds));
        let devices = Arc::new(DeviceTable::new(self.devices));
        let vcpus: Arc<[VcpuFacts]> = self.vcpus.into();
        let uuids = self.vms.iter().map(|view| view.uuid);
        let unames = (1..=VMS).map(|vm| format!("phy:/dev/d{vm}").as_str().into());
        let moved = ["phy:/dev/new".into(), "phy:/dev/data".into()];
        host.fetched = Fetched {
            vcpus: Some(uuids.clone().map(|uuid| (uuid, vcpus.clone())).collect()),
            devices: Some(uuids.map(|uuid| (uuid, devices.clone())).collect()),
            interfaces: Some(self.interfaces),
            pools: Some(Arc::new(PoolTable::new(self.pools))),
            hardware: Some(Hardware::default()),
            storage: Some(StorageFacts::default()),
            image_sizes: Some(unames.chain(moved).map(|name| (name, Some(self.image))).collect()),
        };
        host
    }
}

fn report(host_name: &str) -> Arc<GuestReport> {
    Arc::new(GuestReport {
        host_name: Some(host_name.to_owned()),
        os: BTreeMap::new(),
        agent_version: BTreeMap::new(),
        addresses: vec![],
        memory: Some(GuestMemory { total_kib: 7, free_kib: 3 }),
        other: BTreeMap::new(),
        updated: SystemTime::UNIX_EPOCH,
    })
}

type Change = (&'static str, fn(&mut Host));

/// Changes of figures, which all records but those of metrics are the same with.
const FIGURES: [Change; 6] = [
    ("CPU time", |host| host.facts().cpu_time = Duration::from_secs(77)),
    ("memory", |host| host.facts().memory_kib = 77),
    ("VCPUs", |host| host.facts().online_vcpus = 77),
    ("running", |host| host.facts().flags.running = true),
    ("blocked", |host| host.facts().flags.blocked = true),
    ("traffic", |host| {
        host.later();
        host.devices[0].io = Some((1 << 20, 2 << 20));
    }),
];

const OTHERS: [Change; 27] = [
    ("a sweep", Host::later),
    ("VCPU facts", |host| {
        host.later();
        host.vcpus[0].cpu = Some(3);
    }),
    ("paused", |host| host.facts().flags.paused = true),
    ("crashed", |host| host.facts().flags.shutdown = Some(ShutdownReason::Crash)),
    ("dying", |host| host.facts().flags.dying = true),
    ("domid", |host| host.facts().domid = DomId(99)),
    ("start time", |host| host.facts().start_time = Some(SystemTime::UNIX_EPOCH)),
    ("screen", |host| host.facts().vnc_port = Some(5907)),
    ("console", |host| host.facts().console_port = Some(7)),
    ("notes", |host| host.facts().notes = Arc::new([Property::new("GUEST_OS", "linux")])),
    ("off the host", |host| host.vm().facts = None),
    ("suspended", |host| {
        host.vm().facts = None;
        host.vm().suspended = true;
    }),
    ("progress", |host| {
        host.vm().progress = Some(Progress { what: "Saving", done: 1, total: 2 });
    }),
    ("an agent", |host| host.vm().report = Some(report("a"))),
    ("another report", |host| host.vm().report = Some(report("b"))),
    ("name", |host| host.reconfigure(|config| config.description = "new".into())),
    ("memory setting", |host| host.reconfigure(|config| config.memory = 32)),
    ("no disk", |host| host.reconfigure(|config| drop(config.devices.remove(0)))),
    ("another disk", |host| {
        host.reconfigure(|config| {
            if let Device::Block(block) = &mut config.devices[0] {
                block.uname = "phy:/dev/new".into();
            }
        });
    }),
    ("default bridge", |host| {
        host.reconfigure(|config| {
            if let Device::Vif(vif) = &mut config.devices[1] {
                vif.bridge = None;
            }
        });
    }),
    ("not managed", |host| host.vm().definition = None),
    ("XenStore", |host| host.devices[0].nodes = vec![Property::new("state", "6")]),
    ("disconnected", |host| {
        host.later();
        host.devices.remove(1);
    }),
    ("pool", |host| {
        host.pools[0].domains.retain(|domid| *domid != DomId(2));
        host.pools[1].domains.push(DomId(2));
    }),
    ("bridges", |host| host.interfaces = vec![bridge("br-other")]),
    ("image", |host| host.image.used = 5),
    ("images", |host| {
        host.items.push(image(0xd2, "phy:/dev/d2"));
        let label = Some(ClientValue::Text("label".to_owned()));
        let item = Arc::make_mut(&mut host.items[0]);
        item.client_data.set("name_label", label).unwrap();
    }),
];

/// The classes whose records are kept.
fn kept() -> impl Iterator<Item = &'static Class> {
    CLASSES.into_iter().filter(|class| class.inputs.is_some())
}

/// The objects of a class on both hosts: whether their inputs are equal, and their records.
fn compared(class: &Class, before: &HostView, after: &HostView) -> Vec<(bool, bool)> {
    let inputs = class.inputs.unwrap();
    let all = (class.all)(before).unwrap().into_iter();
    let common = all.filter(|object| (class.check)(after, *object).is_ok());
    let compared = common.map(|object| {
        let kept = KeptInputs::of(&inputs(before, object).unwrap());
        let same_inputs = kept.are(&inputs(after, object).unwrap());
        let records = [before, after].map(|host| read_record(class, host, object).unwrap());
        (same_inputs, records[0] == records[1])
    });
    compared.collect()
}

#[test]
fn records_with_equal_inputs_are_equal() {
    let mut same = 0;
    let mut others = 0;
    let unchanged: Change = ("", |_| ());
    let with_bridge: Change = ("", |host| {
        host.reconfigure(|config| {
            if let Device::Vif(vif) = &mut config.devices[1] {
                vif.bridge = None;
            }
        });
    });
    let with_report: Change = ("", |host| host.vm().report = Some(report("a")));
    let with_image: Change = ("", |host| host.items.push(image(0xd3, "phy:/dev/d3")));
    for (_, base) in [unchanged, with_bridge, with_report, with_image] {
        let mut first = Host::new();
        base(&mut first);
        let before = first.view();
        for (what, change) in FIGURES.into_iter().chain(OTHERS) {
            // What `base` made would be made anew: the parts of the first host are taken.
            let after = Host::changed(|host| {
                host.vms = before.vms().cloned().collect();
                host.items = before.inventory.items().cloned().collect();
                change(host);
            });
            for class in kept() {
                for (same_inputs, same_record) in compared(class, &before, &after) {
                    assert!(same_record || !same_inputs, "{}: {what}", class.name);
                    same += u32::from(same_inputs);
                    others += u32::from(!same_record);
                }
            }
        }
    }
    assert!(same > 1_000 && others > 200, "{same} {others}");
}

#[test]
fn figures_have_only_records_of_metrics_printed_again() {
    let before = Host::new().view();
    for (what, change) in FIGURES {
        let after = Host::changed(change);
        for class in kept().filter(|class| !class.name.ends_with("_metrics")) {
            let compared = compared(class, &before, &after);
            assert!(!compared.is_empty() && compared.iter().all(|(same, _)| *same), "{what}");
        }
    }
}

#[test]
fn a_change_of_one_vm_has_only_its_own_records_printed_again() {
    let before = Host::new().view();
    let after = Host::changed(|host| host.reconfigure(|config| config.memory = 32));
    for class in kept() {
        let compared = compared(class, &before, &after);
        let again = compared.iter().filter(|(same, _)| !same).count();
        let of_changed = compared.len() / VMS as usize;
        assert!(again <= of_changed, "{}: {again} of {}", class.name, compared.len());
    }
}

#[test]
fn what_is_kept_keeps_no_configuration_alive() {
    let config = config(7);
    let vm = running(7, config);
    let config = Arc::downgrade(&vm.config);
    let view = Arc::downgrade(&vm);
    let kept = [
        KeptInputs::of(&Inputs::Vm(vm.clone(), VmInputs::default())),
        KeptInputs::of(&Inputs::Figures(vm.clone(), None)),
    ];
    assert!(kept[0].are(&Inputs::Vm(vm.clone(), VmInputs::default())));
    drop(vm);
    assert!(config.upgrade().is_none() && view.upgrade().is_none());
    // Another one at the same place in memory would still be another one.
    let other = running(7, self::config(7));
    assert!(!kept[0].are(&Inputs::Vm(other.clone(), VmInputs::default())));
    assert!(!kept[1].are(&Inputs::Figures(other, None)));
}

/// The devices of one VM, each of which is looked up for each field of its record.
#[test]
fn a_device_costs_the_same_beside_many_others() {
    let class = kept().find(|class| class.name == "VBD").unwrap();
    let inputs = class.inputs.unwrap();
    for count in [10_u32, 1_000] {
        let mut host = Host::new();
        host.devices.clear();
        host.reconfigure(|config| {
            let disk = config.devices[0].clone();
            config.devices.clear();
            for number in 0..count {
                let mut disk = disk.clone();
                *disk.uuid_mut() = Some(Uuid::from_u128(0xd15_0000 + u128::from(number)));
                if let Device::Block(block) = &mut disk {
                    block.number = VirtualDevice(number);
                    block.dev = format!("xvd{number}");
                    block.uname = format!("phy:/dev/many{number}").as_str().into();
                }
                config.devices.push(disk);
            }
        });
        for number in 0..count {
            let nodes = vec![Property::new("state", "4")];
            host.devices.push(DeviceFacts { class: "vbd".to_owned(), number, nodes, io: None });
        }
        let host = host.view();
        for object in (class.all)(&host).unwrap() {
            inputs(&host, object).unwrap();
            read_record(class, &host, object).unwrap();
        }
        let looked_at = host.fetched.devices(CHANGED).unwrap().looked_at();
        let own = count as usize;
        assert!((own..=4 * own).contains(&looked_at), "{looked_at} facts of {count} devices");
        let walked = host.take_devices_walked();
        assert!((own..=4 * own + 50).contains(&walked), "{walked} devices of {count}");
    }
}

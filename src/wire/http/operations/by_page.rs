//! The operations of each page, in the order of the reference.

use super::{
    create, credit, devices, guest, managed, memory, migrate, node, power, rename, reset_network,
    save, saved, sedf, storage, sysrq, vcpus, vnet,
};
use crate::wire::http::operation::Operation;

pub(crate) static DOMAIN_LIST_OPERATIONS: [&Operation; 4] =
    [&create::CREATE, &create::NEW, &save::RESTORE, &create::LIST];

/// The same on a host in a fleet.
pub(crate) static FLEET_DOMAIN_LIST_OPERATIONS: [&Operation; 4] =
    [&create::CREATE_IN_FLEET, &create::NEW_IN_FLEET, &save::RESTORE, &create::LIST];

pub(crate) static DOMAIN_OPERATIONS: [&Operation; 37] = [
    &power::PAUSE,
    &power::UNPAUSE,
    &power::SHUTDOWN,
    &power::DESTROY,
    &power::RESET,
    &power::WAIT_FOR_DEVICES,
    &managed::START,
    &managed::DELETE,
    &managed::SUSPEND,
    &managed::RESUME,
    &save::SAVE,
    &save::DUMP,
    &migrate::MIGRATE,
    &save::CANCEL,
    &rename::RENAME,
    &memory::MEM_TARGET_SET,
    &memory::MAXMEM_SET,
    &vcpus::SET_VCPUS,
    &vcpus::PINCPU,
    &vcpus::VCPUINFO,
    &sedf::SET,
    &sedf::GET,
    &credit::SET,
    &credit::GET,
    &credit::SET2,
    &credit::GET2,
    &devices::DEVICES,
    &devices::CREATE,
    &devices::CONFIGURE,
    &devices::DESTROY,
    &sysrq::SYSRQ,
    &sysrq::SEND_TRIGGER,
    &guest::VERSION,
    &guest::FEATURES,
    &guest::SET_PASSWORD,
    &guest::INJECT_FILE,
    &reset_network::RESET_NETWORK,
];

/// The same on a host in a fleet.
pub(crate) static FLEET_DOMAIN_OPERATIONS: [&Operation; DOMAIN_OPERATIONS.len()] = {
    let mut operations = DOMAIN_OPERATIONS;
    operations[MIGRATE_AT] = &migrate::IN_FLEET;
    operations
};

/// Where `migrate` is among the operations of a domain.
const MIGRATE_AT: usize = 12;

/// The operations of a domain.
pub(crate) fn domain_operations(in_fleet: bool) -> &'static [&'static Operation] {
    if in_fleet { &FLEET_DOMAIN_OPERATIONS } else { &DOMAIN_OPERATIONS }
}

pub(crate) static NODE_OPERATIONS: [&Operation; 2] = [&node::SHUTDOWN, &node::REBOOT];

/// The same on a host in a fleet.
pub(crate) static FLEET_NODE_OPERATIONS: [&Operation; 4] =
    [&node::SHUTDOWN, &node::REBOOT, &node::AWAY, &node::BACK];

pub(crate) static DMESG_OPERATIONS: [&Operation; 1] = [&node::CLEAR];

pub(crate) static STORAGE_OPERATIONS: [&Operation; 1] = [&storage::CREATE];

pub(crate) static IMAGE_OPERATIONS: [&Operation; 3] =
    [&storage::CLONE, &storage::RESIZE, &storage::DELETE];

pub(crate) static SAVED_OPERATIONS: [&Operation; 1] = [&saved::DELETE];

pub(crate) static VNET_LIST_OPERATIONS: [&Operation; 1] = [&vnet::CREATE];

pub(crate) static VNET_OPERATIONS: [&Operation; 1] = [&vnet::DELETE];

/// A page: its path, and its operations.
type Entry = (&'static str, &'static [&'static Operation]);

fn pages() -> [Entry; 9] {
    [
        ("/xend/domain", &DOMAIN_LIST_OPERATIONS),
        ("/xend/domain/NAME", &DOMAIN_OPERATIONS),
        ("/xend/node", &NODE_OPERATIONS),
        ("/xend/node/dmesg", &DMESG_OPERATIONS),
        ("/xend/node/storage", &STORAGE_OPERATIONS),
        ("/xend/node/storage/UUID", &IMAGE_OPERATIONS),
        ("/xend/saved", &SAVED_OPERATIONS),
        ("/xend/vnet", &VNET_LIST_OPERATIONS),
        ("/xend/vnet/ID", &VNET_OPERATIONS),
    ]
}

/// The path of the first page that has an operation with this name.
pub(crate) fn path_of(op: &str) -> Option<&'static str> {
    let has_it = |operations: &[&Operation]| operations.iter().any(|one| one.name == op);
    pages().into_iter().find(|(_, operations)| has_it(operations)).map(|(path, _)| path)
}

/// The operation with this name on the page with this path, or on a page below it.
pub(crate) fn operation_on(path: &str, op: &str) -> Option<&'static Operation> {
    let path = path.trim_end_matches('/');
    let is_it = |pattern: &str| match pattern.rsplit_once('/') {
        Some((parent, "NAME" | "UUID" | "ID")) => {
            path.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/'))
        }
        _ => path == pattern,
    };
    let found = pages().into_iter().filter(|(pattern, _)| is_it(pattern));
    found.flat_map(|(_, operations)| operations).copied().find(|one| one.name == op)
}

/// What the operation of events is called on pages: `mem_target_set` is "Set memory".
pub(crate) fn label_of(op: &str) -> String {
    // Operations of several pages have words of their own in events.
    let known = match op {
        "create" | "new" | "restore" => operation_on("/xend/domain", op),
        _ => operation_on("/xend/domain/NAME", op),
    };
    let text = match op {
        "saved delete" => "Delete saved domain",
        "dmesg clear" => "Clear Xen messages",
        "node shutdown" => "Shut down the host",
        "node reboot" => "Reboot the host",
        "vnet create" => "Create virtual network",
        "vnet delete" => "Delete virtual network",
        "vdi create" => "Create image",
        "vdi set" => "Change image",
        "vdi destroy" => "Delete image",
        "device_plug" => "Attach device",
        "receive" => "Receive",
        _ => known.map_or(op, |operation| operation.label),
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_has_the_same_operations() {
        for (one, of_fleet) in DOMAIN_OPERATIONS.iter().zip(FLEET_DOMAIN_OPERATIONS) {
            assert_eq!(one.name, of_fleet.name);
            assert_eq!(one.about != of_fleet.about, one.name == "migrate", "{}", one.name);
        }
        for (one, of_fleet) in DOMAIN_LIST_OPERATIONS.iter().zip(FLEET_DOMAIN_LIST_OPERATIONS) {
            assert_eq!((one.name, one.about), (of_fleet.name, of_fleet.about));
            let more = of_fleet.params.iter().skip(one.params.len()).map(|param| param.name);
            let is_placed = ["create", "new"].contains(&one.name);
            assert_eq!(more.collect::<Vec<_>>() == ["host"], is_placed, "{}", one.name);
        }
    }

    #[test]
    fn an_operation_is_that_of_its_page() {
        for (path, op, label) in [
            ("/xend/domain/web1", "delete", Some("Delete")),
            ("/xend/domain/web1/confirm", "destroy", Some("Destroy")),
            ("/xend/domain", "create", Some("Create")),
            ("/xend/node/storage", "create", Some("Create an image")),
            ("/xend/node/storage/1", "resize", Some("Grow")),
            ("/xend/node", "shutdown", Some("Shut down")),
            ("/xend/selection", "selection", None),
            ("/xend/domain/web1", "create", None),
            ("/xend/domains/web1", "delete", None),
        ] {
            assert_eq!(operation_on(path, op).map(|one| one.label), label, "{path} {op}");
        }
        assert_eq!(label_of("mem_target_set"), "Set memory");
        assert_eq!(label_of("saved delete"), "Delete saved domain");
        assert_eq!(label_of("create"), "Create");
    }
}

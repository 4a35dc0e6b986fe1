//! The operations of each page, in the order of the reference.

use super::{
    create, credit, devices, guest, managed, memory, migrate, node, power, rename, reset_network,
    save, saved, sedf, storage, sysrq, vcpus, vnet,
};
use crate::wire::http::operation::Operation;

pub(crate) static DOMAIN_LIST_OPERATIONS: [&Operation; 4] =
    [&create::CREATE, &create::NEW, &save::RESTORE, &create::LIST];

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

pub(crate) static NODE_OPERATIONS: [&Operation; 2] = [&node::SHUTDOWN, &node::REBOOT];

pub(crate) static DMESG_OPERATIONS: [&Operation; 1] = [&node::CLEAR];

pub(crate) static STORAGE_OPERATIONS: [&Operation; 1] = [&storage::CREATE];

pub(crate) static IMAGE_OPERATIONS: [&Operation; 3] =
    [&storage::CLONE, &storage::RESIZE, &storage::DELETE];

pub(crate) static SAVED_OPERATIONS: [&Operation; 1] = [&saved::DELETE];

pub(crate) static VNET_LIST_OPERATIONS: [&Operation; 1] = [&vnet::CREATE];

pub(crate) static VNET_OPERATIONS: [&Operation; 1] = [&vnet::DELETE];

/// The path of the first page that has an operation with this name.
pub(crate) fn path_of(op: &str) -> Option<&'static str> {
    let pages: [(&str, &[&Operation]); 9] = [
        ("/xend/domain", &DOMAIN_LIST_OPERATIONS),
        ("/xend/domain/NAME", &DOMAIN_OPERATIONS),
        ("/xend/node", &NODE_OPERATIONS),
        ("/xend/node/dmesg", &DMESG_OPERATIONS),
        ("/xend/node/storage", &STORAGE_OPERATIONS),
        ("/xend/node/storage/UUID", &IMAGE_OPERATIONS),
        ("/xend/saved", &SAVED_OPERATIONS),
        ("/xend/vnet", &VNET_LIST_OPERATIONS),
        ("/xend/vnet/ID", &VNET_OPERATIONS),
    ];
    let has_it = |operations: &[&Operation]| operations.iter().any(|one| one.name == op);
    pages.into_iter().find(|(_, operations)| has_it(operations)).map(|(path, _)| path)
}

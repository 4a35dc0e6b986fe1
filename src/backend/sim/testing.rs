//! Shared by the unit tests.

use super::record::Record;
use super::settings::SimSettings;
use crate::core::model::{
    Block, Device, DomId, DomName, DomainConfig, GuestKind, Image, Uuid, Vif,
};
use crate::shape;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A PV guest without devices.
pub(super) fn config(name: &str, memory: u64) -> DomainConfig {
    let mut config = DomainConfig::new(DomName::new(name).unwrap(), memory);
    config.uuid = Some(Uuid::from_u128(memory.into()));
    config.image = Some(Image {
        kind: GuestKind::Pv,
        builder: "linux".into(),
        kernel: "/boot/vmlinuz".into(),
        ramdisk: None,
        args: "root=/dev/sda1 ro".into(),
        loader: None,
        device_model: None,
        rest: vec![],
    });
    config
}

/// A disk.
pub(super) fn block(dev: &str, uname: &str) -> Device {
    Device::Block(Block::disk(dev, uname))
}

/// A network interface.
pub(super) fn vif() -> Device {
    Device::Vif(Vif::default())
}

/// A network interface with a number and a MAC address.
pub(super) fn vif_with(number: u32, mac: &str) -> Device {
    Device::Vif(Vif { id: Some(number), mac: Some(mac.parse().unwrap()), ..Vif::default() })
}

/// A configuration as it is read back from a record, which has explicit defaults.
pub(super) fn as_stored(config: &DomainConfig) -> DomainConfig {
    shape::read_stored(&shape::stored_config(config)).unwrap()
}

/// A moment after the start of a test.
pub(super) fn at(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_170_000) + Duration::from_millis(millis)
}

/// The record of domain 3, which is built and unpaused at the start of the test.
pub(super) fn running(name: &str, change: impl FnOnce(&mut DomainConfig)) -> Record {
    let mut config = config(name, 64);
    change(&mut config);
    let mut record = Record::new(DomId(3), Uuid::nil(), config, at(0), &SimSettings::default());
    record.guest.paused = false;
    record
}

//! What the unit tests share.

use crate::core::model::{
    Block, BlockClass, BlockKind, BlockMode, Device, DomName, DomainConfig, GuestKind, Image, Uuid,
    Vif, VirtualDevice,
};

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
    Device::Block(Block {
        class: BlockClass::Vbd,
        uname: uname.into(),
        dev: dev.into(),
        number: VirtualDevice::parse(dev).unwrap(),
        kind: BlockKind::Disk,
        mode: BlockMode::ReadWrite,
        bootable: None,
        backend: None,
        vdi: None,
        uuid: None,
        rest: vec![],
    })
}

/// A network interface.
pub(super) fn vif() -> Device {
    Device::Vif(Vif::default())
}

/// A configuration as a record gives it back, which is with what was left open spelt out.
pub(super) fn as_stored(config: &DomainConfig) -> DomainConfig {
    crate::shape::read_stored(&crate::shape::stored_config(config)).unwrap()
}

//! The devices of a configuration together: their numbers, and what no two of them can share.
//!
//! Clients send as many as they like, so everything here looks at each device once.

use super::block::{Block, BlockMode};
use super::device::Device;
use super::invalid::Invalid;
use super::pci::PciDevice;
use super::text::Text;
use bstr::BStr;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// Refuses devices that a domain cannot have together. The error names the device at fault.
pub(super) fn check(devices: &[Device]) -> Result<(), Invalid> {
    let mut functions = HashSet::new();
    for pci in devices.iter().filter_map(Device::as_pci) {
        pci.check()?;
        if let Some(address) = pci.addresses().find(|address| !functions.insert(*address)) {
            return Err(defined_already(&address));
        }
    }
    PciDevice::check_count(functions.len())?;
    let blocks = devices.iter().filter_map(Device::as_block);
    match first_repeated(blocks, |block| block.number) {
        Some(block) => Err(defined_already(&block.dev)),
        None => Ok(()),
    }
}

/// Refuses what two devices of a domain would spoil for each other: an image that one of two disks
/// writes, and a MAC address. The error names it.
pub(super) fn check_shared(devices: &[Device]) -> Result<(), Invalid> {
    let mut images: HashMap<&Text, &Block> = HashMap::new();
    for block in devices.iter().filter_map(Device::as_block) {
        match images.entry(&block.uname) {
            Entry::Vacant(image) => {
                image.insert(block);
            }
            Entry::Occupied(image) if collide(block, image.get()) => {
                return Err(used_already(block));
            }
            Entry::Occupied(_) => {}
        }
    }
    let macs = devices.iter().filter_map(Device::as_vif).filter_map(|vif| vif.mac);
    first_repeated(macs, |mac| *mac).map_or(Ok(()), |mac| Err(defined_already(&mac)))
}

/// Whether two disks have one image, and one of them writes it. Disks without an image, and those
/// that are shared by the mode `w!`, have nothing to spoil.
pub(super) fn collide(one: &Block, other: &Block) -> bool {
    let writes = [one, other].iter().any(|block| block.mode == BlockMode::ReadWrite);
    writes && !one.uname.is_empty() && one.uname == other.uname
}

/// The error for a disk whose image another disk has.
pub(super) fn used_already(block: &Block) -> Invalid {
    Invalid::new(format!("The file \"{}\" is already used", BStr::new(block.path())))
}

/// The error for a device that the configuration has already.
pub(super) fn defined_already(name: &dyn std::fmt::Display) -> Invalid {
    Invalid::new(format!("The device \"{name}\" is already defined"))
}

/// Assigns a number within its class to each device that has none.
pub(super) fn assign_numbers(devices: &mut [Device]) {
    let numbered = devices.iter().filter_map(|device| Some((device.class(), device.id()?)));
    let mut numbers = NextNumbers::after(numbered);
    let assigned: Vec<Option<u32>> = devices
        .iter()
        .map(|device| device.id().is_none().then(|| numbers.take(device.class())))
        .collect();
    for (device, number) in devices.iter_mut().zip(assigned) {
        if let Some(number) = number {
            device.set_id(number);
        }
    }
}

/// The number that the next device of each class gets: one more than the highest.
struct NextNumbers<C>(HashMap<C, u32>);

impl<C: Eq + Hash> NextNumbers<C> {
    /// The numbers that follow those that are taken.
    fn after(taken: impl Iterator<Item = (C, u32)>) -> Self {
        let mut next = HashMap::new();
        for (class, number) in taken {
            let next = next.entry(class).or_insert(0);
            *next = number.saturating_add(1).max(*next);
        }
        Self(next)
    }

    fn take(&mut self, class: C) -> u32 {
        let next = self.0.entry(class).or_insert(0);
        let number = *next;
        *next = number.saturating_add(1);
        number
    }
}

/// The first value that has the key of an earlier one.
pub(super) fn first_repeated<T, K: Eq + Hash>(
    mut values: impl Iterator<Item = T>,
    key: impl Fn(&T) -> K,
) -> Option<T> {
    let mut known = HashSet::new();
    values.find(|value| !known.insert(key(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{Mac, Vif};
    use std::cell::Cell;
    use std::hash::Hasher;

    thread_local! {
        /// How often a [`Counted`] key was hashed or compared.
        static WORK: Cell<usize> = const { Cell::new(0) };
    }

    /// A key that counts what is done with it.
    struct Counted(u32);

    fn count() {
        WORK.set(WORK.get() + 1);
    }

    impl Hash for Counted {
        fn hash<H: Hasher>(&self, state: &mut H) {
            count();
            self.0.hash(state);
        }
    }

    impl PartialEq for Counted {
        fn eq(&self, other: &Self) -> bool {
            count();
            self.0 == other.0
        }
    }

    impl Eq for Counted {}

    /// Twice as many devices are twice the work: a hash for each, those of a table that grows, and
    /// few comparisons. A scan for each device would be four times the work.
    fn assert_linear(work: impl Fn(u32)) {
        let work_of = |devices| {
            WORK.set(0);
            work(devices);
            WORK.get()
        };
        let once = work_of(512);
        let twice = work_of(1024);
        assert!((512..4 * 512).contains(&once), "{once}");
        assert!(twice <= 2 * once + once / 4, "{once}, {twice}");
    }

    #[test]
    fn two_disks_do_not_write_one_image_and_no_two_interfaces_have_one_address() {
        let disk =
            |dev: &str, uname: &str, mode| Device::Block(Block { mode, ..Block::disk(dev, uname) });
        let refusal = |devices: &[Device]| check_shared(devices).map_err(|error| error.to_string());
        let used = Err("The file \"/dev/a\" is already used".to_owned());
        let (w, r, shared) = (BlockMode::ReadWrite, BlockMode::ReadOnly, BlockMode::Shared);
        for (modes, expected) in [
            ([w, w], &used),
            ([w, r], &used),
            ([r, w], &used),
            ([w, shared], &used),
            ([r, r], &Ok(())),
            ([shared, r], &Ok(())),
        ] {
            let disks =
                [disk("xvda", "phy:/dev/a", modes[0]), disk("xvdb", "phy:/dev/a", modes[1])];
            assert_eq!(&refusal(&disks), expected, "{modes:?}");
        }
        assert_eq!(refusal(&[disk("hdc", "", w), disk("hdd", "", w)]), Ok(()));
        assert_eq!(refusal(&[disk("xvda", "phy:/a", w), disk("xvdb", "phy:/b", w)]), Ok(()));
        let vif = |mac: Option<Mac>| Device::Vif(Vif { mac, ..Vif::default() });
        let mac: Mac = "00:16:3e:00:00:01".parse().unwrap();
        let other: Mac = "00:16:3e:00:00:02".parse().unwrap();
        let twice = "The device \"00:16:3e:00:00:01\" is already defined".to_owned();
        assert_eq!(refusal(&[vif(Some(mac)), vif(None), vif(Some(mac))]), Err(twice));
        assert_eq!(refusal(&[vif(Some(mac)), vif(None), vif(None), vif(Some(other))]), Ok(()));
    }

    #[test]
    fn the_work_of_finding_duplicates_grows_with_the_devices() {
        assert_linear(|devices| {
            assert!(first_repeated(0..devices, |number| Counted(*number)).is_none());
        });
        assert_eq!(first_repeated([3, 1, 4, 1, 3].into_iter(), |number| *number), Some(1));
    }

    #[test]
    fn the_work_of_numbering_grows_with_the_devices() {
        // The fewer devices share a class, the more there is to look up.
        assert_linear(|devices| {
            let mut numbers = NextNumbers::after((0..devices / 2).map(|n| (Counted(n), n)));
            for class in devices / 2..devices {
                assert_eq!(numbers.take(Counted(class)), 0);
            }
        });
    }

    #[test]
    fn numbers_follow_the_highest_of_their_class() {
        let mut numbers =
            NextNumbers::after([("vif", 0), ("vif", 4), ("irq", u32::MAX)].into_iter());
        let taken = ["vif", "vif", "vkbd", "irq"].map(|class| numbers.take(class));
        assert_eq!(taken, [5, 6, 0, u32::MAX]);
    }
}

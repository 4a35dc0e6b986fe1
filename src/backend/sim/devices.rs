//! How a domain's devices get connected.
//!
//! A backend's hotplug script starts when the domain is built and takes its time; the guest has no
//! part in that. So a device's fate is settled at once, and comes true later.

use super::settings::SimSettings;
use crate::core::error::Error;
use crate::core::model::{Backend, Block, Device, DomainConfig, Text, Vfb};
use std::time::{Duration, SystemTime};

/// The class of what is waited for like a device and is none that the guest knows.
pub(super) const DEVICE_MODEL: &str = "device-model";

/// The class of screens.
const VFB: &str = "vfb";

/// What becomes of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It gets connected.
    Connects,
    /// What is behind it is not there.
    Missing,
    /// What is behind it is in use.
    Busy,
    /// Nothing is heard of its hotplug script.
    Lost,
}

impl Fate {
    const ALL: [Self; 4] = [Self::Connects, Self::Missing, Self::Busy, Self::Lost];

    /// The word in a domain's record.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Connects => "connects",
            Self::Missing => "missing",
            Self::Busy => "busy",
            Self::Lost => "lost",
        }
    }

    /// The fate of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fate| fate.name() == name)
    }

    /// The fate that a disk's path asks for.
    fn of(block: &Block) -> Self {
        let path = String::from_utf8_lossy(block.path());
        [("hotplugerror", Self::Missing), ("hotplugbusy", Self::Busy), ("hotpluglost", Self::Lost)]
            .into_iter()
            .find(|(word, _)| path.contains(word))
            .map_or(Self::Connects, |(_, fate)| fate)
    }
}

/// A device on its way to being connected, or beyond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// xend's class of device.
    pub class: String,
    /// The number by which the guest's XenStore knows it: a block device's own, the others count
    /// from 0 by class.
    pub number: u32,
    /// When its hotplug script started.
    pub since: SystemTime,
    /// How long that takes.
    pub takes: Duration,
    /// What comes of it.
    pub fate: Fate,
    /// What is behind it.
    pub path: Text,
}

impl Link {
    /// How long somebody who starts waiting now has to wait before the outcome is known. `patience`
    /// is how long a script that is not heard of is waited for.
    pub(super) fn remaining(&self, now: SystemTime, patience: Duration) -> Duration {
        match self.fate {
            Fate::Lost => patience,
            Fate::Connects | Fate::Missing | Fate::Busy => {
                self.takes.saturating_sub(now.duration_since(self.since).unwrap_or_default())
            }
        }
    }

    /// Its `XenbusState`: `Initialising` (1) and `InitWait` (2) are the backend's, Connected (4)
    /// needs a guest that runs.
    pub(super) fn state(&self, now: SystemTime, guest_runs: bool) -> u8 {
        let ready = self.fate == Fate::Connects && self.remaining(now, Duration::MAX).is_zero();
        match (ready, guest_runs) {
            (false, _) => 1,
            (true, false) => 2,
            (true, true) => 4,
        }
    }

    /// The outcome, for somebody who has waited.
    pub(super) fn outcome(&self) -> Result<(), Error> {
        let path = &self.path;
        let reason = match self.fate {
            Fate::Connects => return Ok(()),
            Fate::Missing => format!("{path} does not exist."),
            Fate::Busy if self.class == VFB => format!("VNC's {path} is in use."),
            Fate::Busy => {
                format!("Device {path} is mounted or used elsewhere, and the guest cannot have it.")
            }
            Fate::Lost => "Hotplug scripts not working.".to_owned(),
        };
        Err(Error::Device { device: self.number, class: self.class.clone(), reason })
    }
}

/// A device that is plugged in now.
pub(super) fn link(device: &Device, now: SystemTime, settings: &SimSettings) -> Link {
    let (takes, fate, path) = match device {
        Device::Block(block) => (settings.block_connect, Fate::of(block), block.path().into()),
        Device::Vif(_) => (settings.vif_connect, Fate::Connects, Text::default()),
        _ => (settings.other_connect, Fate::Connects, Text::default()),
    };
    Link {
        class: device.class().to_owned(),
        number: device.id().unwrap_or_default(),
        since: now,
        takes,
        fate,
        path,
    }
}

/// The devices of a new domain, in the order in which they are waited for. They have their numbers.
pub(super) fn links(config: &DomainConfig, now: SystemTime, settings: &SimSettings) -> Vec<Link> {
    let mut links: Vec<Link> =
        config.devices.iter().map(|device| link(device, now, settings)).collect();
    if config.is_hvm() {
        links.push(Link {
            class: DEVICE_MODEL.to_owned(),
            number: 0,
            since: now,
            takes: settings.device_model,
            fate: Fate::Connects,
            path: Text::default(),
        });
    }
    links
}

/// The frame buffer that can be seen over VNC: a domain has one screen.
pub(super) fn screen(config: &DomainConfig) -> Option<&Vfb> {
    let first = config.devices.iter().find_map(|device| match device {
        Device::Vfb(vfb) => Some(vfb),
        _ => None,
    });
    first.filter(|vfb| vfb.is_vnc())
}

/// The TCP port on which a new screen is served: the one that it asks for, or the next that no
/// other domain has if it takes another one. `None` if there is none: the screen does not connect.
pub(super) fn vnc_port(screen: &Vfb, in_use: &[u16]) -> Option<u16> {
    let wanted = screen.wanted_port().unwrap_or(Vfb::FIRST_PORT);
    let last = if screen.takes_unused_port() { u16::MAX } else { wanted };
    (wanted..=last).find(|port| !in_use.contains(port))
}

/// Makes the screen one that does not connect, as its port is in use.
pub(super) fn port_is_taken(screen: &Vfb, links: &mut [Link]) {
    let number = screen.id.unwrap_or_default();
    for link in links.iter_mut().filter(|link| link.class == VFB && link.number == number) {
        let port = screen.wanted_port().unwrap_or(Vfb::FIRST_PORT);
        link.fate = Fate::Busy;
        link.path = format!("{}:{port}", screen.vnc_listen()).into();
    }
}

/// The domains that are to serve devices of this configuration, as they were named.
pub(super) fn backends<'a>(
    devices: impl IntoIterator<Item = &'a Device>,
) -> impl Iterator<Item = &'a Backend> {
    devices.into_iter().filter_map(|device| match device {
        Device::Block(d) => d.backend.as_ref(),
        Device::Vif(d) => d.backend.as_ref(),
        Device::Vkbd(d) => d.backend.as_ref(),
        Device::Pci(d) => d.backend.as_ref(),
        Device::Vfb(_) | Device::Console(_) | Device::Generic(_) => None,
    })
}

/// Whether building the domain takes long.
pub(super) fn is_slow(config: &DomainConfig) -> bool {
    let slow = |block: &Block| String::from_utf8_lossy(block.path()).contains("hotplugslow");
    config.devices.iter().filter_map(Device::as_block).any(slow)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{block, config, vif};
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn block_devices_have_their_own_numbers_and_the_others_count() {
        let mut config = config("a", 64);
        config.devices =
            vec![vif(), block("sda1", "phy:/dev/a"), vif(), block("sdb", "tap:aio:/hotplugbusy/b")];
        config.number_devices();
        let links = links(&config, UNIX_EPOCH, &SimSettings::default());
        let seen: Vec<_> = links.iter().map(|l| (l.class.as_str(), l.number, l.fate)).collect();
        let connects = Fate::Connects;
        assert_eq!(
            seen,
            [
                ("vif", 0, connects),
                ("vbd", 2049, connects),
                ("vif", 1, connects),
                ("vbd", 2064, Fate::Busy)
            ]
        );
        assert!(
            links[3]
                .outcome()
                .unwrap_err()
                .to_string()
                .contains("Device /hotplugbusy/b is mounted")
        );
    }

    #[test]
    fn what_is_waited_for_shrinks_with_time_unless_it_is_lost() {
        let mut config = config("a", 64);
        config.devices = vec![block("sda", "phy:/dev/a"), block("sdb", "phy:/dev/hotpluglost")];
        let links = links(&config, UNIX_EPOCH, &SimSettings::default());
        let left = |n: usize, ms| {
            links[n].remaining(UNIX_EPOCH + Duration::from_millis(ms), Duration::from_secs(10))
        };
        assert_eq!(
            (left(0, 0), left(0, 70), left(0, 700)),
            (Duration::from_millis(100), Duration::from_millis(30), Duration::ZERO)
        );
        assert_eq!(left(1, 3_600_000), Duration::from_secs(10));
    }
}

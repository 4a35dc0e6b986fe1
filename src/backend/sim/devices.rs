//! The links between devices and their backends.
//!
//! A backend's hotplug script starts when the domain is built and takes some time, independent of
//! the guest. So the outcome is known from the start, and takes effect later.

use super::settings::SimSettings;
use crate::core::error::Error;
use crate::core::model::{Backend, Block, Device, DomainConfig, Text, Vfb};
use std::collections::HashSet;
use std::time::{Duration, SystemTime};

/// The class of the link for the device model, which is waited for like a device.
pub(super) const DEVICE_MODEL: &str = "device-model";

/// The class of frame buffers.
const VFB: &str = "vfb";

/// The outcome of a hotplug script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HotplugOutcome {
    Connects,
    /// The path does not exist.
    Missing,
    /// The path is in use.
    Busy,
    /// The script never ends.
    Lost,
}

impl HotplugOutcome {
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

    /// The outcome that has this word.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// The outcome that a disk's path asks for.
    fn of(block: &Block) -> Self {
        let path = String::from_utf8_lossy(block.path());
        [("hotplugerror", Self::Missing), ("hotplugbusy", Self::Busy), ("hotpluglost", Self::Lost)]
            .into_iter()
            .find(|(word, _)| path.contains(word))
            .map_or(Self::Connects, |(_, outcome)| outcome)
    }
}

/// The link between a device and its backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// xend's class of the device.
    pub(super) class: String,
    /// The number of the device in the guest's XenStore: a block device has its own, the others
    /// count from 0 in their class.
    pub(super) number: u32,
    /// When the hotplug script started.
    pub(super) started: SystemTime,
    /// How long the script takes.
    pub(super) delay: Duration,
    pub(super) outcome: HotplugOutcome,
    /// The path of a block device, or the address of a screen whose port is in use.
    pub(super) path: Text,
}

impl Link {
    /// How long to wait until the outcome is known. `hotplug_timeout` is the wait for a script that
    /// never ends.
    pub(super) fn remaining(&self, now: SystemTime, hotplug_timeout: Duration) -> Duration {
        match self.outcome {
            HotplugOutcome::Lost => hotplug_timeout,
            HotplugOutcome::Connects | HotplugOutcome::Missing | HotplugOutcome::Busy => {
                self.delay.saturating_sub(now.duration_since(self.started).unwrap_or_default())
            }
        }
    }

    /// The link's `XenbusState`. The backend alone gets to `Initialising` (1) and `InitWait` (2),
    /// `Connected` (4) needs a guest that runs.
    pub(super) fn state(&self, now: SystemTime, guest_runs: bool) -> u8 {
        let is_done = self.remaining(now, Duration::MAX).is_zero();
        match (self.outcome == HotplugOutcome::Connects && is_done, guest_runs) {
            (false, _) => 1,
            (true, false) => 2,
            (true, true) => 4,
        }
    }

    /// The outcome, after the wait.
    pub(super) fn result(&self) -> Result<(), Error> {
        let path = &self.path;
        let reason = match self.outcome {
            HotplugOutcome::Connects => return Ok(()),
            HotplugOutcome::Missing => format!("{path} does not exist."),
            HotplugOutcome::Busy if self.class == VFB => format!("VNC's {path} is in use."),
            HotplugOutcome::Busy => {
                format!("Device {path} is mounted or used elsewhere, and the guest cannot have it.")
            }
            HotplugOutcome::Lost => "Hotplug scripts not working.".to_owned(),
        };
        Err(Error::Device { device: self.number, class: self.class.clone(), reason })
    }
}

/// The link of a device that is plugged in now.
pub(super) fn link(device: &Device, now: SystemTime, settings: &SimSettings) -> Link {
    let link = |delay: Duration| Link {
        class: device.class().to_owned(),
        number: device.id().unwrap_or_default(),
        started: now,
        delay,
        outcome: HotplugOutcome::Connects,
        path: Text::default(),
    };
    match device {
        Device::Block(block) => Link {
            outcome: HotplugOutcome::of(block),
            path: block.path().into(),
            ..link(settings.block_connect)
        },
        Device::Vif(_) => link(settings.vif_connect),
        _ => link(settings.other_connect),
    }
}

/// The links of a new domain, in the order in which they are waited for. The devices have numbers.
pub(super) fn links(config: &DomainConfig, now: SystemTime, settings: &SimSettings) -> Vec<Link> {
    let mut links: Vec<Link> =
        config.devices.iter().map(|device| link(device, now, settings)).collect();
    if config.is_hvm() {
        links.push(Link {
            class: DEVICE_MODEL.to_owned(),
            number: 0,
            started: now,
            delay: settings.device_model,
            outcome: HotplugOutcome::Connects,
            path: Text::default(),
        });
    }
    links
}

/// The frame buffer that is the domain's screen, if it is seen over VNC: only the first one can be.
pub(super) fn screen(config: &DomainConfig) -> Option<&Vfb> {
    config.frame_buffer().filter(|vfb| vfb.is_vnc())
}

/// The TCP port of a new screen: the port that it asks for or, if it takes an unused one, the next
/// that no other domain has. `None` if no port is free.
pub(super) fn vnc_port(screen: &Vfb, in_use: &HashSet<u16>) -> Option<u16> {
    let wanted = screen.requested_port().unwrap_or(Vfb::FIRST_PORT);
    let last = if screen.may_use_any_port() { u16::MAX } else { wanted };
    (wanted..=last).find(|port| !in_use.contains(port))
}

/// Makes the screen's link fail, because its port is in use.
pub(super) fn set_port_in_use(screen: &Vfb, links: &mut [Link]) {
    let number = screen.id.unwrap_or_default();
    for link in links.iter_mut().filter(|link| link.class == VFB && link.number == number) {
        let port = screen.requested_port().unwrap_or(Vfb::FIRST_PORT);
        link.outcome = HotplugOutcome::Busy;
        link.path = format!("{}:{port}", screen.vnc_listen()).into();
    }
}

/// The backend domains that the devices name.
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

/// Whether a disk's path asks for a slow build.
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
    fn block_devices_have_numbers_of_their_own_and_the_others_count() {
        let mut config = config("a", 64);
        config.devices =
            vec![vif(), block("sda1", "phy:/dev/a"), vif(), block("sdb", "tap:aio:/hotplugbusy/b")];
        config.number_devices();
        let links = links(&config, UNIX_EPOCH, &SimSettings::default());
        let seen: Vec<_> = links.iter().map(|l| (l.class.as_str(), l.number, l.outcome)).collect();
        let connects = HotplugOutcome::Connects;
        assert_eq!(
            seen,
            [
                ("vif", 0, connects),
                ("vbd", 2049, connects),
                ("vif", 1, connects),
                ("vbd", 2064, HotplugOutcome::Busy)
            ]
        );
        assert!(
            links[3].result().unwrap_err().to_string().contains("Device /hotplugbusy/b is mounted")
        );
    }

    #[test]
    fn the_wait_shrinks_unless_the_script_is_lost() {
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

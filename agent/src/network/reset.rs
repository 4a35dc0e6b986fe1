//! The reset of the network, from reading the settings to taking back what does not work.

use super::change::Change;
use super::error::ResetError;
use super::interfaces::Interfaces;
use super::kernel::{Kernel, Wanted};
use super::plan::{Interface, Subnet};
use super::rollback::{forget, recover_within, take_back};
use super::schedule::Part;
use super::settings::Settings;
use super::undo::{Network, Undo};
use super::writer::{Guest, Writer};
use crate::exchange::GuestData;
use crate::paths::NETWORK_CHANGE;
use crate::root::Root;
use crate::system::System;
use std::time::Duration;

/// Configures the guest's interfaces, and its name, as `data` says. An error leaves the guest as it
/// was, and says so if the network was down in between.
pub fn reset(
    system: &System,
    data: &mut dyn GuestData,
    kernel: &dyn Kernel,
) -> Result<(), ResetError> {
    let settings = Settings::read(data)?;
    let interfaces = plan(&system.root, &settings)?;
    let guest = Guest::new(system, kernel);
    let was_interrupted = recover_within(&guest)?;
    // The time for questions is used up: the network is not taken down without time to bring it up.
    if was_interrupted && guest.time_left().is_zero() {
        return Err(ResetError::RecoveryTookLong);
    }
    let change = Change::new(&guest, &settings, &interfaces)?;
    // A network that is as it is to be already is not disturbed.
    let has_changed = was_interrupted || change.is_of_network;
    let restarts = has_changed || missing(kernel, &interfaces, Duration::ZERO)?.is_some();
    let writer = change.writer.filter(|_| restarts);
    if writer.is_none() && change.files.is_empty() && change.new_name.is_none() {
        return Ok(());
    }
    change.check(&guest, writer)?;
    let undo = record(guest.root, &change, writer, &interfaces)?;
    // Before the network is down: an agent that may not do it has changed nothing.
    if let Err(error) = change.rename(&guest) {
        return forget(undo).and(Err(error));
    }
    let done = make(&guest, &change, writer, &interfaces).and_then(|()| match writer {
        Some(writer) => start(&guest, writer, &interfaces, has_changed),
        None => Ok(()),
    });
    let Err(error) = done else { return forget(undo) };
    let error = Box::new(error);
    let what = if writer.is_some() { "network" } else { "host name" };
    Err(match take_back(&guest, writer, &interfaces, undo) {
        Ok(()) => ResetError::TakenBack { error, what },
        Err(rollback) => ResetError::RollbackFailed { error, what, rollback: Box::new(rollback) },
    })
}

/// What each interface is to have. An interface that the guest does not have is an error.
fn plan(root: &Root, settings: &Settings) -> Result<Vec<Interface>, ResetError> {
    let present = Interfaces::read(root).map_err(ResetError::Read)?;
    let wanted = settings.interfaces.iter();
    let named: Result<Vec<_>, _> =
        wanted.map(|wanted| Ok((present.name(wanted.mac)?, wanted))).collect();
    let plan = |(name, wanted)| Interface::new(name, wanted).ok_or(ResetError::NoAddresses);
    named?.into_iter().map(plan).collect()
}

/// Records what is there before it is changed.
fn record<'a>(
    root: &'a Root,
    change: &Change,
    writer: Option<&dyn Writer>,
    interfaces: &[Interface],
) -> Result<Undo<'a>, ResetError> {
    let network = writer.map(|writer| Network::new(writer.name(), interfaces));
    let failed = |error| ResetError::Write { path: NETWORK_CHANGE.to_owned(), error };
    Undo::save(root, &change.files, change.old_name.clone(), network).map_err(failed)
}

/// Writes the files, while the interfaces are down.
fn make(
    guest: &Guest<'_>,
    change: &Change,
    writer: Option<&dyn Writer>,
    interfaces: &[Interface],
) -> Result<(), ResetError> {
    if let Some(writer) = writer {
        writer.take_down(&guest.within(Part::TakeDown), interfaces);
    }
    change.write(guest.root)
}

/// Has the files take effect, and waits for the addresses.
fn start(
    guest: &Guest<'_>,
    writer: &dyn Writer,
    interfaces: &[Interface],
    has_changed: bool,
) -> Result<(), ResetError> {
    let applying = guest.within(Part::Apply);
    let applied = if has_changed {
        writer.apply(&applying, interfaces)
    } else {
        writer.apply_again(&applying, interfaces)
    };
    applied.map_err(ResetError::Restart)?;
    let limit = guest.within(Part::Addresses).time_left();
    match missing(guest.kernel, interfaces, limit)? {
        None => Ok(()),
        Some((interface, address)) => Err(ResetError::Missing { interface, address }),
    }
}

/// Waits for the addresses. The first one that does not come, with the name of its interface.
fn missing(
    kernel: &dyn Kernel,
    interfaces: &[Interface],
    limit: Duration,
) -> Result<Option<(String, Subnet)>, ResetError> {
    let wanted = interfaces.iter().flat_map(|interface| {
        interface.addresses().map(|address| Wanted { mac: interface.mac, address })
    });
    let wanted: Vec<Wanted> = wanted.collect();
    if wanted.is_empty() {
        return Ok(None);
    }
    let missing = kernel.missing(&wanted, limit).map_err(ResetError::Kernel)?;
    let Some(first) = missing.first() else { return Ok(None) };
    let interface = interfaces.iter().find(|interface| interface.mac == first.mac);
    let name = interface.map(|interface| interface.name.clone()).unwrap_or_default();
    Ok(Some((name, first.address)))
}

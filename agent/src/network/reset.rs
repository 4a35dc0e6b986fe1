//! The reset of the network, from reading the settings to taking back what does not work.

use super::addresses::{Addresses, Wanted};
use super::choice::choose;
use super::cloud_init;
use super::error::ResetError;
use super::files::NewFile;
use super::hostname;
use super::interfaces::Interfaces;
use super::plan::Interface;
use super::settings::Settings;
use super::undo::{self, Undo};
use super::writer::{Guest, Writer};
use crate::exchange::GuestData;
use crate::root::Root;
use crate::system::System;
use rustix::fs::FileType;
use std::time::Duration;

/// How long a change may take: less than the 60 s that nova waits for the answer.
const CHANGE_LIMIT: Duration = Duration::from_secs(40);

/// How long addresses are waited for, within [`CHANGE_LIMIT`].
const CHECK: Duration = Duration::from_secs(15);

/// How long it may take to make the old configuration take effect again: that of a guest that goes
/// back to DHCP is slow. Together with [`CHANGE_LIMIT`] it is less than the 90 s that the service
/// files give the agent to end.
const ROLLBACK_LIMIT: Duration = Duration::from_secs(45);

/// Configures the guest's interfaces, and its name, as `data` says. An error leaves the guest as it
/// was.
pub fn reset(
    system: &System,
    data: &mut dyn GuestData,
    addresses: &dyn Addresses,
) -> Result<(), ResetError> {
    let settings = Settings::read(data)?;
    let interfaces = plan(&system.root, &settings)?;
    let root = &system.root;
    let was_interrupted = recover(system)?;
    let guest = Guest::new(system, CHANGE_LIMIT);
    let change = Change::new(&guest, &settings, &interfaces)?;
    let is_there = || Ok(missing(&interfaces, addresses, Duration::ZERO)?.is_empty());
    // A network that is as it is to be already is not disturbed.
    let has_changed = was_interrupted || change.is_of_network;
    let restarts = has_changed || !is_there()?;
    let writer = change.writer.filter(|_| restarts);
    if writer.is_none() && change.files.is_empty() && change.new_name.is_none() {
        return Ok(());
    }
    let not_kept = |error| ResetError::Write { path: undo::PATH.to_owned(), error };
    let undo = Undo::save(root, &change.files, change.old_name.clone()).map_err(not_kept)?;
    let done = change.make(&guest, writer, &interfaces).and_then(|()| match writer {
        Some(writer) => {
            let applied = if has_changed {
                writer.apply(&guest, &interfaces)
            } else {
                writer.apply_again(&guest, &interfaces)
            };
            applied.map_err(ResetError::Restart)?;
            check(&guest, &interfaces, addresses)
        }
        None => Ok(()),
    });
    match done {
        Ok(()) => undo.forget().map_err(not_kept),
        Err(error) => Err(match take_back(system, writer, &interfaces, undo) {
            Ok(()) => error,
            Err(rollback) => {
                ResetError::RollbackFailed { error: Box::new(error), rollback: Box::new(rollback) }
            }
        }),
    }
}

/// Puts the old files back, and the old name, if an agent was killed before it had checked its
/// changes. Tells whether one was. The running network stays as it is: the request, which is still
/// there unless its host has given up, makes it right.
pub fn recover(system: &System) -> Result<bool, ResetError> {
    let Some(undo) = Undo::load(&system.root).map_err(ResetError::Read)? else {
        return Ok(false);
    };
    put_back(&Guest::new(system, ROLLBACK_LIMIT), undo)?;
    Ok(true)
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

/// A change of the guest.
struct Change {
    /// Who writes the interfaces' configuration; `None` if there are no interfaces.
    writer: Option<&'static dyn Writer>,
    /// The files that are different now.
    files: Vec<NewFile>,
    /// Whether some of them are about the network.
    is_of_network: bool,
    /// The name that the running system does not have yet.
    new_name: Option<String>,
    /// The name that it has in place of `new_name`.
    old_name: Option<String>,
}

impl Change {
    fn new(
        guest: &Guest<'_>,
        settings: &Settings,
        interfaces: &[Interface],
    ) -> Result<Self, ResetError> {
        let root = guest.root;
        let mut writer = None;
        let mut files = Vec::new();
        if !interfaces.is_empty() {
            let chosen = choose(guest, interfaces).ok_or(ResetError::NoWriter)?;
            files = chosen.files(guest, interfaces).map_err(ResetError::Read)?;
            files.extend(cloud_init::files(root));
            writer = Some(chosen);
        }
        retain_different(root, &mut files)?;
        let is_of_network = !files.is_empty();
        let (mut new_name, mut old_name) = (None, None);
        if let Some(name) = &settings.hostname {
            let mut of_name = hostname::files(root, name).map_err(ResetError::Read)?;
            retain_different(root, &mut of_name)?;
            files.extend(of_name);
            let current = hostname::current(root);
            if current.as_deref() != Some(name.as_str()) {
                (new_name, old_name) = (Some(name.as_str().to_owned()), current);
            }
        }
        Ok(Self { writer, files, is_of_network, new_name, old_name })
    }

    /// Writes the files, while the interfaces are down, and renames the running system.
    fn make(
        &self,
        guest: &Guest<'_>,
        writer: Option<&dyn Writer>,
        interfaces: &[Interface],
    ) -> Result<(), ResetError> {
        if let Some(writer) = writer {
            writer.take_down(guest, interfaces);
        }
        for file in &self.files {
            let failed = |error| ResetError::Write { path: file.path.clone(), error };
            file.write(guest.root).map_err(failed)?;
        }
        if let Some(name) = &self.new_name {
            rename(guest, name)?;
        }
        Ok(())
    }
}

/// Keeps the files that are not yet as they are to be. A symbolic link in the place of one is an
/// error: somebody has decided where its content comes from.
fn retain_different(root: &Root, files: &mut Vec<NewFile>) -> Result<(), ResetError> {
    let mut different = Vec::new();
    for file in files.drain(..) {
        if file.is_there(root).map_err(ResetError::Read)? {
            continue;
        }
        if root.file_type(&file.path).map_err(ResetError::Read)? == Some(FileType::Symlink) {
            return Err(ResetError::Link(file.path));
        }
        different.push(file);
    }
    *files = different;
    Ok(())
}

/// Takes a change back that does not work.
fn take_back(
    system: &System,
    writer: Option<&dyn Writer>,
    interfaces: &[Interface],
    undo: Undo<'_>,
) -> Result<(), ResetError> {
    let guest = Guest::new(system, ROLLBACK_LIMIT);
    if let Some(writer) = writer {
        writer.take_down(&guest, interfaces);
    }
    // What cannot be put back does not keep the rest from taking effect.
    let is_back = put_back(&guest, undo);
    let applied = writer.map_or(Ok(()), |writer| writer.apply(&guest, interfaces));
    is_back.and(applied.map_err(ResetError::Restart))
}

/// Puts the old files back, and the old name.
fn put_back(guest: &Guest<'_>, undo: Undo<'_>) -> Result<(), ResetError> {
    let name = undo.hostname().map(ToOwned::to_owned);
    let result = undo.put_back();
    if let Some(name) = name.filter(|name| hostname::current(guest.root).as_ref() != Some(name)) {
        rename(guest, &name)?;
    }
    result.map_err(|error| ResetError::Write { path: "the old files".to_owned(), error })
}

fn rename(guest: &Guest<'_>, name: &str) -> Result<(), ResetError> {
    hostname::apply(guest, name).map_err(|failed| ResetError::Hostname(failed.to_string()))
}

/// Waits for the addresses.
fn check(
    guest: &Guest<'_>,
    interfaces: &[Interface],
    addresses: &dyn Addresses,
) -> Result<(), ResetError> {
    let limit = guest.time_left().min(CHECK);
    match missing(interfaces, addresses, limit)?.first() {
        None => Ok(()),
        Some(wanted) => Err(ResetError::Missing(wanted.address.ip.to_string())),
    }
}

fn missing(
    interfaces: &[Interface],
    addresses: &dyn Addresses,
    limit: Duration,
) -> Result<Vec<Wanted>, ResetError> {
    let wanted = interfaces.iter().flat_map(|interface| {
        interface.addresses().map(|address| Wanted { mac: interface.mac, address })
    });
    let wanted: Vec<Wanted> = wanted.collect();
    if wanted.is_empty() {
        return Ok(wanted);
    }
    addresses.missing(&wanted, limit).map_err(ResetError::Kernel)
}

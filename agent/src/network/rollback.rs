//! Taking a change back: one that does not work, and one in which an agent was killed.

use super::choice;
use super::error::ResetError;
use super::hostname;
use super::kernel::Kernel;
use super::plan::Interface;
use super::schedule::Part;
use super::undo::{Network, Undo};
use super::writer::{Guest, Writer};
use crate::log;
use crate::paths::NETWORK_CHANGE;
use crate::system::System;

/// Takes a change back that does not work: puts the old files and the old name back, and has
/// `writer` make the running network be as the old files are.
pub(super) fn take_back(
    guest: &Guest<'_>,
    writer: Option<&dyn Writer>,
    interfaces: &[Interface],
    undo: Undo<'_>,
) -> Result<(), ResetError> {
    if let Some(writer) = writer {
        writer.take_down(&guest.within(Part::TakeDownAgain), interfaces);
    }
    // What cannot be put back does not keep the rest from taking effect.
    let files = undo.put_back().map_err(ResetError::PutBack);
    let name = undo.hostname().map_or(Ok(()), |name| hostname::set(guest, name));
    let restored =
        writer.map_or(Ok(()), |writer| writer.restore(&guest.within(Part::ApplyAgain), interfaces));
    // The next start tries again to put files back.
    files.and_then(|()| forget(undo))?;
    name.map_err(ResetError::Rename)?;
    restored.map_err(ResetError::Restart)
}

/// Removes the record of a change.
pub(super) fn forget(undo: Undo<'_>) -> Result<(), ResetError> {
    let failed = |error| ResetError::Write { path: NETWORK_CHANGE.to_owned(), error };
    undo.forget().map_err(failed)
}

/// Takes back what an agent has begun that was killed before it had checked its change. Tells
/// whether one was. The running network becomes again what the old files say. If files cannot be
/// put back, nothing is touched.
pub fn recover(system: &System, kernel: &dyn Kernel) -> Result<bool, ResetError> {
    recover_within(&Guest::new(system, kernel))
}

/// The same as a part of what `guest` has the time for.
pub(super) fn recover_within(guest: &Guest<'_>) -> Result<bool, ResetError> {
    let Some(undo) = Undo::load(guest.root).map_err(ResetError::Read)? else {
        return Ok(false);
    };
    let failed = |error| ResetError::Recovery(Box::new(error));
    let is_changed = undo.check().map_err(|error| failed(ResetError::PutBack(error)))?;
    // Old files that were there in time for a later boot have taken effect in it.
    let is_applied = !is_changed && !undo.is_of_this_boot();
    let network = undo.network().filter(|_| !is_applied);
    let writer = network.and_then(|network| choice::named(&network.writer));
    let interfaces = network.map(Network::interfaces).unwrap_or_default();
    take_back(guest, writer, &interfaces, undo).map_err(failed)?;
    let applied = match writer {
        Some(writer) => format!("and applied them with {}", writer.name()),
        None => "which need not be applied".to_owned(),
    };
    log::line(format_args!(
        "An agent was killed while it changed the network: put the old files back, {applied}"
    ));
    Ok(true)
}

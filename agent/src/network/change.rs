//! A change of the guest: what is to be different, and whether that is possible.

use super::choice::choose;
use super::cloud_init;
use super::error::ResetError;
use super::files::{NewFile, file_type};
use super::hostname;
use super::plan::Interface;
use super::settings::Settings;
use super::writer::{Guest, Writer};
use crate::root::Root;
use rustix::fs::FileType;

/// A change of the guest.
pub(super) struct Change {
    /// Who writes the interfaces' configuration; `None` if there are no interfaces.
    pub(super) writer: Option<&'static dyn Writer>,
    /// The files that are different now.
    pub(super) files: Vec<NewFile>,
    /// Whether some of them are about the network.
    pub(super) is_of_network: bool,
    /// The name that the running system does not have yet.
    pub(super) new_name: Option<String>,
    /// The name that it has in place of `new_name`.
    pub(super) old_name: Option<String>,
}

impl Change {
    /// What is to be changed so that the guest is as the settings say.
    pub(super) fn new(
        guest: &Guest<'_>,
        settings: &Settings,
        interfaces: &[Interface],
    ) -> Result<Self, ResetError> {
        let root = guest.root;
        let mut writer = None;
        let mut files = Vec::new();
        if !interfaces.is_empty() {
            let chosen = choose(guest, interfaces).map_err(ResetError::NoAnswer)?;
            let chosen = chosen.ok_or(ResetError::NoWriter)?;
            files = chosen.files(guest, interfaces).map_err(ResetError::Read)?;
            files.extend(cloud_init::files(root));
            writer = Some(chosen);
        }
        retain_different(root, &mut files)?;
        let is_of_network = !files.is_empty();
        let mut change = Self { writer, files, is_of_network, new_name: None, old_name: None };
        if let Some(name) = &settings.hostname {
            let mut of_name = hostname::files(root, name).map_err(ResetError::Read)?;
            retain_different(root, &mut of_name)?;
            change.files.extend(of_name);
            let current = hostname::current(root);
            if current.as_deref() != Some(name.as_str()) {
                change.new_name = Some(name.as_str().to_owned());
                change.old_name = current;
            }
        }
        Ok(change)
    }

    /// Whether the change is possible, as far as that can be told before anything is changed:
    /// whether `writer`'s programs are there, and whether the files can be written.
    pub(super) fn check(
        &self,
        guest: &Guest<'_>,
        writer: Option<&dyn Writer>,
    ) -> Result<(), ResetError> {
        let programs = writer.map_or(&[][..], |writer| writer.programs(guest));
        if let Some(program) = programs.iter().find(|program| !guest.has(program)) {
            return Err(ResetError::NoProgram(program));
        }
        for file in &self.files {
            let failed = |error| ResetError::Write { path: file.path.clone(), error };
            file.check(guest.root).map_err(failed)?;
        }
        Ok(())
    }

    /// Renames the running system.
    pub(super) fn rename(&self, guest: &Guest<'_>) -> Result<(), ResetError> {
        let renamed = self.new_name.as_ref().map_or(Ok(()), |name| hostname::set(guest, name));
        renamed.map_err(ResetError::Rename)
    }

    /// Writes the files.
    pub(super) fn write(&self, root: &Root) -> Result<(), ResetError> {
        for file in &self.files {
            let failed = |error| ResetError::Write { path: file.path.clone(), error };
            file.write(root).map_err(failed)?;
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
        if file_type(root, &file.path).map_err(ResetError::Read)? == Some(FileType::Symlink) {
            return Err(ResetError::Link(file.path));
        }
        different.push(file);
    }
    *files = different;
    Ok(())
}

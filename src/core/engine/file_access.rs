//! Files on the host that callers name.

use crate::core::caller::Caller;
use crate::core::context::Core;
use crate::core::error::Error;
use crate::core::op::{Change, DomainOp};
use crate::core::rights::is_below;
use std::path::{Path, PathBuf};

impl Core {
    /// Checks the paths of files on the host. Root on a unix socket names any file.
    pub(super) async fn check_files(&self, caller: &Caller, change: &Change) -> Result<(), Error> {
        let file: Option<&Path> = match change {
            Change::Restore { file, .. }
            | Change::RemoveSaved(file)
            | Change::Domain(_, DomainOp::Save { file, .. }) => Some(file),
            Change::Domain(_, DomainOp::Dump { file, .. }) => file.as_deref(),
            _ => return Ok(()),
        };
        self.check_file(caller, file).await
    }

    /// Checks the path of a file on the host; `None` for a file in the directory of core dumps.
    pub(in crate::core) async fn check_file(
        &self,
        caller: &Caller,
        file: Option<&Path>,
    ) -> Result<(), Error> {
        if caller.is_root() {
            return Ok(());
        }
        let access = caller.access();
        let policy = self.policy();
        let dirs = policy.file_dirs.as_slice();
        let Some(file) = file else {
            return if access.operator {
                Ok(())
            } else {
                Err(Error::BeyondLimits(
                    "file: missing, a file of the account is expected".to_owned(),
                ))
            };
        };
        if access.operator && dirs.is_empty() {
            return Ok(());
        }
        let outside = || {
            Error::BeyondLimits(format!("file: {} is in no directory for files", file.display()))
        };
        let mut bounds: Vec<&[PathBuf]> = Vec::new();
        if !access.operator {
            bounds.push(&access.limits.files);
        }
        if !dirs.is_empty() {
            bounds.push(dirs);
        }
        for dirs in bounds {
            // The file system is asked last: nobody learns of files elsewhere.
            let looked_up = self.store.is_within(file, dirs);
            let within = is_below(file, dirs)
                && self.storage_question("Looking up the file", looked_up).await?;
            if !within {
                return Err(outside());
            }
        }
        Ok(())
    }
}

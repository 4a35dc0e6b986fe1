//! Domains that were saved to files.

use super::View;
use crate::core::error::Error;
use crate::core::model::DomName;
use crate::core::ports::SavedFiles;
use crate::core::rights::OpKind;
use std::path::{Path, PathBuf};

/// Where `xm` and `xendomains` save, if the operator names no directories.
const USUAL_DIR: &str = "/var/lib/xen/save";

/// The most files of one list.
const MAX_FILES: usize = 1000;

impl View {
    /// The directories in which the caller's saved domains are looked for.
    pub fn saved_dirs(&self) -> Vec<PathBuf> {
        let access = self.caller.access();
        if !access.operator {
            return access.limits.files.clone();
        }
        let policy = self.policy();
        match policy.file_dirs.as_slice() {
            [] => vec![PathBuf::from(USUAL_DIR)],
            dirs => dirs.to_vec(),
        }
    }

    /// The name of the domain in a file, which the caller may delete. Fails for any other file.
    pub async fn saved_domain(&self, file: &Path) -> Result<DomName, Error> {
        self.require(OpKind::RemoveSaved, "delete")?;
        self.core.check_file(&self.caller, Some(file)).await?;
        let config = self.core.saved_domain(&self.caller, file).await?;
        Ok(config.name.clone())
    }

    /// The files of saved domains that the caller may restore, the newest first.
    pub async fn saved_files(&self) -> Result<SavedFiles, Error> {
        self.require(OpKind::ReadSavedConfig, "saved domains")?;
        let read = self.core.store.saved_files(self.saved_dirs(), MAX_FILES);
        let found = self.core.storage_question("Reading the saved domains", read).await?;
        let access = self.caller.access();
        if access.operator {
            return Ok(found);
        }
        let mut own = SavedFiles { are_left_out: found.are_left_out, ..SavedFiles::default() };
        for saved in found.files {
            let is_own = !access.rights_on(saved.uuid, saved.name.as_str()).is_empty();
            if is_own && self.core.check_file(&self.caller, Some(&saved.path)).await.is_ok() {
                own.files.push(saved);
            }
        }
        Ok(own)
    }
}

//! Files with saved domains.

use crate::core::caller::Caller;
use crate::core::context::Core;
use crate::core::error::Error;
use crate::core::model::CompleteConfig;
use crate::core::rights::Right;
use std::path::Path;

impl Core {
    /// Deletes the file of a saved domain, and no other file. A user needs the right to create or
    /// to save the domain in it.
    pub(super) async fn remove_saved(&self, caller: &Caller, file: &Path) -> Result<(), Error> {
        self.saved_domain(caller, file).await?;
        self.limited("Removing the file", self.store.discard(file)).await
    }

    /// The configuration of the domain in a file, if the caller may delete the file.
    pub(in crate::core) async fn saved_domain(
        &self,
        caller: &Caller,
        file: &Path,
    ) -> Result<CompleteConfig, Error> {
        let (config, _) = self.limited("Opening the file", self.store.open(file)).await?;
        let rights = caller.access().rights_on(Some(config.uuid()), config.name.as_str());
        if !rights.has(Right::Create) && !rights.has(Right::Save) {
            return Err(Error::BeyondLimits("file: it has no domain of the account".to_owned()));
        }
        Ok(config)
    }
}

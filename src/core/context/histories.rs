//! Histories of use end with the definitions of their domains.

use crate::core::context::Core;
use crate::core::model::Uuid;
use tracing::warn;

impl Core {
    /// Removes the history of a domain whose definition is deleted.
    pub(in crate::core) async fn remove_history(&self, uuid: Uuid) {
        let removed = self.limited("Removing the history", self.store.remove_usage(uuid)).await;
        if let Err(error) = removed {
            warn!(%uuid, %error, "The history of a deleted domain stays");
        }
    }
}

//! The read of the fence.

use crate::core::fleet::HostName;
use crate::core::guard::{Found, READ_PERIOD};
use crate::core::model::Uuid;
use crate::fleet::keys::Keys;
use crate::fleet::kv::{Kv, KvError};
use crate::fleet::records::HostRecord;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long a read takes at most. It is over when the next one is due.
pub const READ_LIMIT: Duration = Duration::from_millis(1_500);
const _: () = assert!(READ_LIMIT.as_millis() < READ_PERIOD.as_millis());

/// Reads the fence of a host. `kv` gives calls up within [`READ_LIMIT`], so that the next read asks
/// another server than one that hangs.
pub struct FenceReader {
    pub kv: Arc<dyn Kv>,
    pub keys: Keys,
    /// This host.
    pub host: HostName,
    pub uuid: Uuid,
    /// The kernel's boot id.
    pub boot_id: Uuid,
}

impl FenceReader {
    /// Whether the fence of an epoch is there, or that of the host's, if `epoch` is not known.
    pub(super) async fn read(&self, epoch: Option<u64>) -> Found {
        let read = timeout(READ_LIMIT, self.try_to_read(epoch)).await;
        match read {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                tracing::warn!("The fence cannot be read: {error}");
                Found::Failed
            }
            Err(_) => {
                tracing::warn!("The fence cannot be read: etcd has not answered in time");
                Found::Failed
            }
        }
    }

    async fn try_to_read(&self, epoch: Option<u64>) -> Result<Found, KvError> {
        let epoch = match epoch {
            Some(epoch) => epoch,
            None => match self.epoch().await? {
                Some(epoch) => epoch,
                None => return Ok(Found::NoEpoch),
            },
        };
        let fence = self.kv.get(&self.keys.fence(&self.host, epoch)).await?;
        Ok(if fence.is_some() { Found::Present { epoch } } else { Found::Absent { epoch } })
    }

    /// The epoch that the daemon has taken since the machine booted.
    async fn epoch(&self) -> Result<Option<u64>, KvError> {
        let entry = self.kv.get(&self.keys.host(&self.host)).await?;
        let record = entry.and_then(|entry| HostRecord::decode(&entry.value).ok());
        let is_own = |record: &HostRecord| {
            record.uuid == self.uuid && record.boot_id == Some(self.boot_id) && record.epoch > 0
        };
        Ok(record.filter(is_own).map(|record| record.epoch))
    }
}

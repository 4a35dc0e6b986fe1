//! What the parts of a membership share.

use crate::core::fingerprint::Fingerprint;
use crate::fleet::keys::Keys;
use crate::fleet::kv::{Committed, Compare, Kv, KvError, Op, Revision, Txn};
use crate::fleet::membership::{Ended, Membership};
use crate::fleet::noted::Noted;
use crate::fleet::own_host::OwnHost;
use crate::fleet::owner::Owner;
use std::future::pending;
use std::sync::Arc;
use tokio::sync::watch;

/// This host in its fleet.
pub(in crate::fleet) struct Seat {
    pub(in crate::fleet) kv: Noted,
    pub(in crate::fleet) keys: Keys,
    pub(in crate::fleet) own: OwnHost,
    /// The certificate that the host shows to other hosts.
    pub(in crate::fleet) certificate: watch::Receiver<Option<Fingerprint>>,
    /// The domains of this host.
    pub(in crate::fleet) owner: Arc<Owner>,
}

/// Why something was not written.
pub(in crate::fleet) enum Unwritten {
    /// The membership has ended.
    Ended(Ended),
    /// It has not happened, and can be tried again.
    Failed(KvError),
}

impl From<KvError> for Unwritten {
    fn from(error: KvError) -> Self {
        Self::Failed(error)
    }
}

impl Seat {
    /// Waits until the host has another certificate than its record says.
    pub(super) async fn certificate_changed(&self, membership: Membership) -> Ended {
        let mut current = self.certificate.clone();
        let is_other = |current: &Option<Fingerprint>| *current != membership.certificate;
        let has_changed = current.wait_for(is_other).await.is_ok();
        if !has_changed {
            // Nobody reads the file again: it stays as it is.
            pending::<()>().await;
        }
        Ended::Changed
    }

    /// What each write of a membership compares.
    pub(in crate::fleet) fn compare(&self, membership: Membership) -> Compare {
        Compare::Modified(self.keys.host(&self.own.name), membership.revision)
    }

    /// Carries out a transaction. Its membership ends if etcd was restored from a backup, in which
    /// the record of the host may be the same, and its domains are others.
    pub(in crate::fleet) async fn commit(&self, txn: Txn) -> Result<Committed, Unwritten> {
        let before = self.owner.told.highest();
        match self.kv.commit(txn).await {
            Ok(Committed::Yes(now)) if self.owner.told.has_gone_back(before, now) => {
                self.owner.etcd_was_restored();
                Err(Unwritten::Ended(Ended::Changed))
            }
            Ok(committed) => Ok(committed),
            Err(KvError::InDoubt(_)) => Err(Unwritten::Ended(Ended::InDoubt)),
            Err(error) => Err(Unwritten::Failed(error)),
        }
    }

    /// Writes, as long as the membership lasts.
    pub(in crate::fleet) async fn write(
        &self,
        membership: Membership,
        ops: Vec<Op>,
    ) -> Result<Revision, Unwritten> {
        let compares = vec![self.compare(membership)];
        match self.commit(Txn { compares, ops }).await? {
            Committed::Yes(revision) => Ok(revision),
            Committed::No => Err(Unwritten::Ended(Ended::Changed)),
        }
    }
}

//! A host's membership in its fleet.

use super::kv::Revision;
use crate::core::fingerprint::Fingerprint;

/// A membership, as long as the host's record is that of this revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Membership {
    pub(super) epoch: u64,
    pub(super) revision: Revision,
    /// The certificate of the record.
    pub(super) certificate: Option<Fingerprint>,
}

/// Why a membership has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The record has changed or gone, or what is in etcd may be from a backup.
    Changed,
    /// A write may have happened, or may happen as long as the record is the same.
    InDoubt,
}

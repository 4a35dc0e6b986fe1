//! The sign that the host is alive: a key with a lease.

use super::seat::{Seat, Unwritten};
use crate::fleet::backoff::Backoff;
use crate::fleet::kv::{Committed, Compare, Kv, KvError, Lease, Op, Revision, Txn};
use crate::fleet::membership::{Ended, Membership};
use crate::fleet::records::AliveRecord;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

/// How long others take the host for alive after it was heard of last.
const TTL: Duration = Duration::from_secs(15);
/// How often the lease is renewed: two renewals may be lost.
const RENEWAL: Duration = Duration::from_secs(5);
/// The wait before a renewal that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How long a daemon that stops waits for etcd.
const LAST_WORD: Duration = Duration::from_secs(1);

/// The host's lease, which outlives a membership.
#[derive(Debug, Default)]
pub(super) struct Presence {
    lease: Option<Lease>,
    backoff: Backoff,
}

impl Presence {
    /// Shows that the host is alive, as long as the membership lasts.
    pub(super) async fn keep(&mut self, seat: &Seat, membership: Membership) -> Ended {
        let mut is_refused = false;
        loop {
            let error = match self.show(seat, membership).await {
                Ok((lease, written)) => {
                    is_refused = false;
                    self.backoff.reset();
                    if let Some(ended) = self.renew(seat, membership, lease, written).await {
                        return ended;
                    }
                    continue;
                }
                Err(Unwritten::Ended(ended)) => return ended,
                Err(Unwritten::Failed(KvError::Unreachable(_))) => return Ended::Changed,
                Err(Unwritten::Failed(error)) => error,
            };
            if error == KvError::NoLease {
                self.lease = None;
            }
            if matches!(error, KvError::Refused(_)) && !is_refused {
                is_refused = true;
                warn!(%error, "This host cannot show the fleet that it is alive");
            }
            self.backoff.wait().await;
        }
    }

    /// Writes the key with a lease.
    async fn show(
        &mut self,
        seat: &Seat,
        membership: Membership,
    ) -> Result<(Lease, Revision), Unwritten> {
        let lease = match self.lease {
            Some(lease) => lease,
            None => *self.lease.insert(seat.kv.grant(TTL).await?),
        };
        let record = AliveRecord { epoch: membership.epoch, boot_id: seat.own.boot_id };
        let key = seat.keys.alive(&seat.own.name);
        let put = Op::Put { key, value: record.encode(), lease: Some(lease) };
        Ok((lease, seat.write(membership, vec![put]).await?))
    }

    /// Renews the lease until it is gone, or the key or the host's record are not what was written.
    ///
    /// If etcd has not answered meanwhile, the membership ends: it may have been restored from a
    /// backup, with the same record of the host and other domains.
    async fn renew(
        &mut self,
        seat: &Seat,
        membership: Membership,
        lease: Lease,
        written: Revision,
    ) -> Option<Ended> {
        let mut wait = RENEWAL;
        let mut ended = None;
        loop {
            sleep(wait).await;
            wait = RENEWAL;
            match seat.kv.keep_alive(lease).await {
                Ok(()) => {}
                Err(KvError::NoLease) => {
                    debug!("etcd has lost the lease of this host");
                    self.lease = None;
                    return ended;
                }
                Err(_) => {
                    ended = Some(Ended::Changed);
                    wait = RETRY;
                    continue;
                }
            }
            // It changes nothing: it asks for both keys at once.
            let key = seat.keys.alive(&seat.own.name);
            let compares = vec![seat.compare(membership), Compare::Modified(key, written)];
            match seat.commit(Txn { compares, ops: vec![] }).await {
                Ok(Committed::No) => return ended,
                Ok(Committed::Yes(_)) if ended.is_some() => return ended,
                Ok(Committed::Yes(_)) => {}
                Err(Unwritten::Ended(Ended::Changed)) => return Some(Ended::Changed),
                Err(_) => ended = Some(Ended::Changed),
            }
        }
    }

    /// Ends the lease. If etcd does not answer at once, it ends by itself.
    pub(super) async fn end(self, seat: &Seat) {
        if let Some(lease) = self.lease {
            timeout(LAST_WORD, seat.kv.revoke(lease)).await.ok();
        }
    }
}

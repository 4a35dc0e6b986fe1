//! Taking the host's place in the fleet: its record, and its epoch.

use super::seat::Seat;
use crate::core::model::Uuid;
use crate::fleet::backoff::Backoff;
use crate::fleet::kv::{Committed, Compare, Kv, KvError, Op, Revision, Txn};
use crate::fleet::membership::{Ended, Membership};
use crate::fleet::records::{
    ForgottenRecord, HostFacts, HostRecord, SCHEMAS, SchemaRecord, Unreadable,
};
use std::io;
use std::mem::{Discriminant, discriminant};
use std::sync::Arc;
use tokio::task::spawn_blocking;
use tracing::{error, info, warn};

/// Why the host has no place in the fleet yet.
#[derive(Debug, thiserror::Error)]
pub(super) enum Obstacle {
    #[error("there is no fleet of this name in etcd: type xend fleet init on its first host")]
    NoFleet,
    #[error("the fleet has schema {0}, which this version of xend does not know")]
    Schema(u32),
    #[error("this host has not joined: type xend fleet join")]
    NotJoined,
    #[error("this host has been forgotten on {by}: type xend fleet join")]
    Forgotten { by: String },
    #[error(
        "the fleet has another host of this name, with UUID {0}: type xend fleet leave there, or \
         give this host another name"
    )]
    OtherHost(Uuid),
    #[error(
        "another machine takes part as this host, with the same name and UUID: remove host-uuid \
         from the state directory of the copy, let it join by a name of its own, and start xend \
         here again"
    )]
    Copied,
    #[error("the value of {key} is strange: {reason}")]
    Unreadable { key: String, reason: Unreadable },
    /// Its record has been changed while it was read.
    #[error("the record of this host changes")]
    Changed,
    #[error(transparent)]
    Etcd(#[from] KvError),
}

/// What was before.
#[derive(Debug)]
pub(super) struct Before {
    /// Whether the host was a member, in this run of the daemon or an earlier one.
    was_member: bool,
    /// What the log has said last, which it does not repeat.
    told: Option<Told>,
    /// The revision of the last membership's record; `None` if there was none in this run.
    revision: Option<Revision>,
}

impl Before {
    /// What is known of earlier runs.
    pub(super) async fn of(seat: &Seat) -> Self {
        let mark = Arc::clone(&seat.own.mark);
        let was_member = spawn_blocking(move || mark.is_set()).await.unwrap_or(true);
        Self { was_member, told: None, revision: None }
    }

    /// The host is a member now.
    async fn entered(&mut self, seat: &Seat, membership: Membership) {
        self.revision = Some(membership.revision);
        if !self.was_member {
            self.was_member = true;
            let mark = Arc::clone(&seat.own.mark);
            let marked = spawn_blocking(move || mark.set()).await;
            if let Err(error) = marked.unwrap_or_else(|error| Err(io::Error::other(error))) {
                warn!(
                    %error,
                    "The state directory does not say that this host is in the fleet: if etcd loses \
                     the fleet, a later start of xend does not notice"
                );
            }
        }
        if self.told.replace(Told::Member) != Some(Told::Member) {
            let fleet = seat.keys.cluster();
            let host = &seat.own.name;
            let epoch = membership.epoch;
            info!(%fleet, %host, epoch, "This host takes part in the fleet");
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Told {
    Member,
    Obstacle(Discriminant<Obstacle>),
}

/// Waits until the host has joined, and takes its epoch. The record has another revision than that
/// of the membership before, and of a write in doubt: what compares an earlier one fails.
pub(super) async fn enter(seat: &Seat, ended: Ended, before: &mut Before) -> Membership {
    let mut backoff = Backoff::default();
    loop {
        match try_to_enter(seat, ended, before.revision).await {
            Ok(membership) => {
                before.entered(seat, membership).await;
                return membership;
            }
            Err(obstacle) if obstacle.is_passing() => obstacle.place(seat, before.was_member),
            Err(obstacle) => {
                obstacle.place(seat, before.was_member);
                let kind = discriminant(&obstacle);
                if before.told.replace(Told::Obstacle(kind)) != Some(Told::Obstacle(kind)) {
                    obstacle.log(seat);
                }
            }
        }
        backoff.wait().await;
    }
}

async fn try_to_enter(
    seat: &Seat,
    ended: Ended,
    before: Option<Revision>,
) -> Result<Membership, Obstacle> {
    let unreadable = |key: &str, reason| Obstacle::Unreadable { key: key.to_owned(), reason };
    let key = seat.keys.schema();
    let schema = seat.kv.get(&key).await?.ok_or(Obstacle::NoFleet)?;
    let schema = SchemaRecord::decode(&schema.value).map_err(|reason| unreadable(&key, reason))?;
    if !SCHEMAS.contains(schema.schema) {
        return Err(Obstacle::Schema(schema.schema));
    }
    let key = seat.keys.host(&seat.own.name);
    let Some(found) = seat.kv.get(&key).await? else { return Err(not_joined(seat).await?) };
    let record = HostRecord::decode(&found.value).map_err(|reason| unreadable(&key, reason))?;
    if record.uuid != seat.own.uuid {
        return Err(Obstacle::OtherHost(record.uuid));
    }
    let is_same_boot = record.boot_id == Some(seat.own.boot_id);
    // The machine has not booted since. A record without a boot is that of a host that joins anew.
    if before.is_some() && !is_same_boot && record.boot_id.is_some() {
        return Err(Obstacle::Copied);
    }
    let is_new = !is_same_boot || is_over(seat, record.epoch).await?;
    let epoch = record.epoch.saturating_add(u64::from(is_new));
    let boot_id = Some(seat.own.boot_id);
    let certificate = *seat.certificate.borrow();
    let fingerprint = certificate.map(|fingerprint| fingerprint.to_string());
    let facts = HostFacts { fingerprint, ..seat.own.facts.clone() };
    let renewed = HostRecord { epoch, boot_id, facts, ..record.clone() };
    if renewed == record && ended == Ended::Changed && before != Some(found.modified) {
        return Ok(Membership { epoch, revision: found.modified, certificate });
    }
    let compares = vec![Compare::Modified(key.clone(), found.modified)];
    let ops = vec![Op::put(key, renewed.encode())];
    // In doubt it is read and written again: of two writes that compare the same revision, one
    // happens at most.
    match seat.kv.commit(Txn { compares, ops }).await? {
        Committed::Yes(revision) => Ok(Membership { epoch, revision, certificate }),
        Committed::No => Err(Obstacle::Changed),
    }
}

/// Whether an epoch is fenced, and has ended without a boot: the guard has nothing any more. What
/// is not protected goes on in the next epoch.
async fn is_over(seat: &Seat, epoch: u64) -> Result<bool, KvError> {
    let fence = seat.kv.get(&seat.keys.fence(&seat.own.name, epoch)).await?;
    Ok(fence.is_some() && seat.owner.guards_nothing().await)
}

/// Why this host has no record.
async fn not_joined(seat: &Seat) -> Result<Obstacle, KvError> {
    let note = seat.kv.get(&seat.keys.forgotten(&seat.own.name)).await?;
    Ok(match ForgottenRecord::about(seat.own.uuid, note.as_ref()) {
        Some(ForgottenRecord { by, .. }) => Obstacle::Forgotten { by },
        None => Obstacle::NotJoined,
    })
}

impl Obstacle {
    /// Whether it needs nobody's attention, or the log has it already.
    fn is_passing(&self) -> bool {
        matches!(self, Self::Changed | Self::Etcd(KvError::Unreachable(_) | KvError::InDoubt(_)))
    }

    /// Says what this means for operations on domains. A host that was a member is none only when
    /// somebody says so: else etcd may have lost the fleet, and its domains run on other hosts.
    fn place(&self, seat: &Seat, was_member: bool) {
        let fleet = seat.keys.cluster();
        match self {
            Self::NoFleet | Self::NotJoined if was_member => seat.owner.bar(format!(
                "This host is not in fleet {fleet} any more (let it join again, or remove \
                 (xend-fleet {fleet}) from its configuration and restart xend)"
            )),
            // Its name may have been given to another machine, together with its domains.
            Self::OtherHost(_) if was_member => {
                seat.owner.bar(format!("This host is not in fleet {fleet} any more ({self})"));
            }
            Self::NoFleet | Self::NotJoined | Self::OtherHost(_) => seat.owner.stay_outside(),
            Self::Schema(_) | Self::Copied | Self::Forgotten { .. } | Self::Unreadable { .. } => {
                seat.owner.bar(format!("This host cannot take part in the fleet ({self})"));
            }
            Self::Etcd(error) => seat.owner.explain(format!("The fleet's {error}")),
            Self::Changed => {}
        }
    }

    fn log(&self, seat: &Seat) {
        let fleet = seat.keys.cluster();
        let host = &seat.own.name;
        match self {
            Self::NotJoined => {
                warn!(%host, "This host has not joined fleet {fleet}: type xend fleet join");
            }
            Self::Forgotten { by } => {
                warn!(
                    %host,
                    "This host has been forgotten on {by} and is not in fleet {fleet} any more: type \
                     xend fleet join"
                );
            }
            obstacle => {
                error!(%fleet, %host, "This host cannot take part in the fleet: {obstacle}");
            }
        }
    }
}

//! A host's part in its fleet.

mod enter;
mod presence;
mod publisher;
mod seat;

use super::backoff::Backoff;
use super::keys::Keys;
use super::kv::Kv;
use super::membership::Ended;
use super::noted::Noted;
use super::own_host::OwnHost;
use super::owner::Owner;
use super::taker::TakerTask;
use crate::core::engine::Engine;
use crate::core::fingerprint::Fingerprint;
use enter::{Before, enter};
use presence::Presence;
use publisher::publish;
pub(super) use seat::{Seat, Unwritten};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A membership that lasted this long was no failure.
const STABLE: Duration = Duration::from_secs(60);

/// Keeps the host in its fleet until `stopping`: waits until the host has joined, takes its epoch,
/// shows that it is alive, publishes its domains, and tells `owner` the host's place. Without etcd,
/// domains go on as they are.
///
/// All that it writes compares the revision of `host/H`. A write whose answer is lost may happen
/// later, when the domain is in another state or the host has left: so after one the record is
/// written anew, which makes the late write fail.
///
/// At a stop of the daemon the host goes away on purpose if it guards domains. Then it ends its
/// lease, so that others see at once that nobody publishes its domains. That says nothing about the
/// domains, as no end of a lease does: they may run.
///
/// `certificate` is the one that the host shows to other hosts; the record is written anew when it
/// changes.
pub async fn take_part(
    kv: Arc<dyn Kv>,
    keys: Keys,
    own: OwnHost,
    certificate: watch::Receiver<Option<Fingerprint>>,
    engine: Engine,
    owner: Arc<Owner>,
    stopping: CancellationToken,
) {
    let taker = TakerTask::new(Arc::clone(&kv), keys.clone(), own.name.clone());
    let kv = Noted::new(kv, keys.cluster().clone());
    let seat = Seat { kv, keys, own, certificate, owner };
    let mut presence = Presence::default();
    let part = Box::pin(stay(&seat, &mut presence, taker, &engine));
    stopping.run_until_cancelled(part).await;
    seat.owner.leave_for_stop(engine.now()).await;
    presence.end(&seat).await;
}

async fn stay(
    seat: &Seat,
    presence: &mut Presence,
    mut taker: TakerTask,
    engine: &Engine,
) -> Infallible {
    // A write of an earlier run may be on its way.
    let mut ended = Ended::InDoubt;
    let mut before = Before::of(seat).await;
    let mut backoff = Backoff::default();
    let now = || engine.now();
    loop {
        let membership = enter(seat, ended, &mut before).await;
        let entered = Instant::now();
        seat.owner.enter(membership);
        ended = tokio::select! {
            ended = presence.keep(seat, membership) => ended,
            ended = publish(seat, engine, membership) => ended,
            ended = seat.certificate_changed(membership) => ended,
            ended = seat.owner.keep(membership, engine) => ended,
            ended = taker.keep(seat, engine, membership) => ended,
            never = seat.owner.keep_absence(membership, &now) => match never {},
        };
        seat.owner.end(membership, ended);
        if entered.elapsed() >= STABLE {
            backoff.reset();
        }
        backoff.wait().await;
    }
}

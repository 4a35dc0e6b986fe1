//! What the fleet is told later: of domains that have left while etcd was away, that were here
//! before the host joined, or that a daemon was killed with.

use super::locals::Stage;
use super::state::Owner;
use super::step::{Failed, read};
use crate::core::model::Uuid;
use crate::core::ownership::Step;
use crate::fleet::backoff::Backoff;
use crate::fleet::kv::KvError;
use crate::fleet::membership::{Ended, Membership};
use std::convert::Infallible;
use tracing::{debug, error, warn};

/// Whether the fleet knows what a domain does.
pub(super) enum Settled {
    Yes,
    NotYet,
    /// etcd does not answer.
    Silence,
}

impl Owner {
    /// Tells the fleet what it does not know yet, as long as the membership lasts.
    pub(in crate::fleet) async fn keep(&self, membership: Membership) -> Ended {
        tokio::select! {
            ended = self.place.ended(membership) => ended,
            never = self.write_for_ever(membership) => match never {},
        }
    }

    async fn write_for_ever(&self, membership: Membership) -> Infallible {
        let mut backoff = Backoff::default();
        let mut is_refused = false;
        loop {
            let compared = self.compare(membership).await;
            if let (Err(error @ KvError::Refused(_)), false) = (&compared, is_refused) {
                is_refused = true;
                warn!(%error, "This host cannot read which domains of the fleet are its own");
            }
            if compared.is_ok() && self.write().await {
                backoff.reset();
                self.news.notified().await;
            } else {
                tokio::select! {
                    () = backoff.wait() => {}
                    () = self.news.notified() => {}
                }
            }
        }
    }

    /// Once an epoch: looks for domains that belong to this host and are not here.
    async fn compare(&self, membership: Membership) -> Result<(), KvError> {
        if self.locals().compared_in == Some(membership.epoch) {
            return Ok(());
        }
        // Before etcd is read, so that what changes meanwhile is compared again.
        self.locals().compared_in = Some(membership.epoch);
        let listed = self.kv.list(&self.keys.owns()).await;
        let listing = listed.inspect_err(|_| self.locals().compared_in = None)?;
        let mut locals = self.locals();
        // What is here was marked when the host took its place.
        for entry in listing.entries {
            let is_own = read(&entry).is_ok_and(|own| own.by.host == self.host);
            if let Some(domain) = self.keys.parse_own(&entry.key).filter(|_| is_own) {
                if locals.stage(domain).is_none() {
                    locals.mark(domain);
                }
            }
        }
        Ok(())
    }

    /// Writes what is not written yet, and tells whether all is.
    async fn write(&self) -> bool {
        let mut is_all = true;
        let unwritten = self.locals().unwritten();
        for domain in unwritten {
            match self.settle(domain).await {
                Settled::Yes => {}
                Settled::NotYet => is_all = false,
                Settled::Silence => return false,
            }
        }
        is_all
    }

    /// Tells the fleet what a domain does now.
    pub(super) async fn settle(&self, domain: Uuid) -> Settled {
        let _turn = self.turn(domain).await;
        let stage = {
            let mut locals = self.locals();
            let stage = locals.stage(domain);
            if matches!(stage, Some(Stage::Starting | Stage::Moving)) {
                // Its driver tells it.
                locals.written(domain);
                return Settled::Yes;
            }
            stage
        };
        let step = if stage.is_some() { Step::Hold } else { Step::Halt };
        let done = self.step(domain, &step).await;
        let mut locals = self.locals();
        let is_same = locals.stage(domain) == stage;
        match done {
            Ok(()) if is_same => {
                locals.written(domain);
                Settled::Yes
            }
            // It has come or gone meanwhile.
            Ok(()) => Settled::NotYet,
            Err(Failed::NotOurs(not_ours)) => {
                if is_same && locals.dispute(domain) {
                    let owner = not_ours.owner.map(|owner| owner.to_string());
                    error!(
                        %domain, owner,
                        "A domain on this host belongs to another one, and may run on both: destroy \
                         one of them"
                    );
                }
                Settled::NotYet
            }
            Err(Failed::Unavailable { reason, is_silent, .. }) => {
                debug!(%domain, reason, "The fleet is told later whether this host has a domain");
                if is_silent { Settled::Silence } else { Settled::NotYet }
            }
        }
    }
}

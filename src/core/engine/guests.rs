//! Requests to agents in guests, and changes of XenStore.

use crate::core::context::Core;
use crate::core::error::Error;
use crate::core::guest::{Patience, Unanswered};
use crate::core::model::{DomId, DomainRef};
use crate::core::op::{GuestAnswer, GuestOp, Outcome, StoreOp};
use crate::core::snapshot::DomainView;
use std::sync::Arc;
use std::time::Duration;

/// How long after a request without an answer a late response is looked for.
const LATE: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(600)];

impl Core {
    /// Has the agent in a guest do something. No request is left behind when the caller hangs up.
    pub(super) async fn ask_guest(
        self: &Arc<Self>,
        domain: &DomainRef,
        op: GuestOp,
        patience: Patience,
    ) -> Result<Outcome, Error> {
        let view = self.snapshot().lookup(domain)?;
        let domid = guest_domid(&view, "ask the agent of")?;
        let core = self.clone();
        let limit = patience.limit.clamp(GuestOp::MIN_LIMIT, GuestOp::MAX_LIMIT);
        let patience = Patience { limit, ..patience };
        let name = view.name().to_string();
        let asked = async move {
            let snapshot = core.snapshot();
            core.turns.retain(|domid| snapshot.by_domid(domid).is_some());
            drop(snapshot);
            let work = async |unanswered: &mut Unanswered| {
                core.carry_out_in_guest(domid, unanswered, op, &patience).await
            };
            let answer = core.turns.take(domid, &name, &patience, work).await;
            if matches!(answer, Err(Error::AgentTimeout { .. } | Error::Cancelled(_))) {
                core.spawn_background(core.clone().clean_up_after(domid, name));
            }
            answer
        };
        let answer: Result<GuestAnswer, Error> =
            self.tasks.spawn(asked).await.unwrap_or(Err(Error::Stopping));
        answer.map(Outcome::Guest)
    }

    /// Removes responses that come late.
    async fn clean_up_after(self: Arc<Self>, domid: DomId, name: String) {
        for pause in LATE {
            tokio::time::sleep(pause).await;
            let work = async |unanswered: &mut Unanswered| {
                self.remove_late_responses(domid, unanswered).await;
                Ok(())
            };
            let patience = Patience::to_clean_up(&self.ending);
            // A later request does the same.
            let _ = self.turns.take(domid, &name, &patience, work).await;
        }
    }

    /// Removes what a run of the daemon that was killed left in XenStore: no agent shall carry out
    /// what nobody waits for.
    pub(super) async fn remove_requests_of_earlier_runs(self: Arc<Self>) {
        let snapshot = self.snapshot();
        for view in snapshot.domains() {
            let Some(domid) = view.domid().filter(|domid| *domid != DomId::ZERO) else { continue };
            let work = async |_: &mut Unanswered| self.remove_own_nodes(domid).await;
            let name = view.name().as_str();
            let patience = Patience::to_clean_up(&self.ending);
            let removed = self.turns.take(domid, name, &patience, work).await;
            if let Err(error) = removed {
                tracing::debug!(%domid, %error, "Requests of an earlier run were not removed");
            }
        }
    }

    pub(super) async fn change_guest_store(
        &self,
        domain: &DomainRef,
        op: StoreOp,
    ) -> Result<(), Error> {
        let view = self.snapshot().lookup(domain)?;
        let domid = guest_domid(&view, "write to the XenStore of")?;
        match op {
            StoreOp::Write { path, value } => {
                self.hypervisor.write_node(domid, &path, &value.0).await
            }
            StoreOp::Remove(path) => self.hypervisor.remove_node(domid, &path).await,
        }
    }
}

/// The domid of a domain that is on the host and not Domain-0.
fn guest_domid(view: &DomainView, verb: &'static str) -> Result<DomId, Error> {
    match view.domid() {
        Some(DomId::ZERO) => Err(Error::Privileged(verb)),
        Some(domid) => Ok(domid),
        None => Err(Error::NotStarted(view.name().to_string())),
    }
}

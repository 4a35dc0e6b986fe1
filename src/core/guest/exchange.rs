//! One request to the agent and its response, as the hosts of the original agent made them: the
//! request is a node below `data/host`, the response a node of the same name below `data/guest`.

use super::turns::{Patience, Unanswered};
use crate::core::context::Core;
use crate::core::error::Error;
use crate::core::model::{DomId, StorePath};
use crate::core::ports::TreeLimits;
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use xend_guest_protocol::nodes::{REQUESTS, RESPONSES};

/// The first pause between two looks for the response, and the longest: the original host's.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// The beginning of the names of this daemon's requests.
const OWN: &str = "xend-";

/// The most requests or responses that are looked through.
const MOST_NODES: usize = 1024;

impl Core {
    /// Writes a request of this name, waits for its response, and removes what is left of both.
    pub(super) async fn exchange(
        &self,
        domid: DomId,
        unanswered: &mut Unanswered,
        id: &str,
        text: &[u8],
        patience: &Patience,
    ) -> Result<Vec<u8>, Error> {
        let request = StorePath::new(format!("{REQUESTS}/{id}"))?;
        let response = StorePath::new(format!("{RESPONSES}/{id}"))?;
        self.remove_late_responses(domid, unanswered).await;
        let answered = async {
            self.hypervisor.write_node(domid, &request, text).await?;
            self.wait_for_response(domid, &response, patience).await
        };
        let answered = answered.await.map_err(|error| gone(domid, error));
        if !matches!(answered, Err(Error::Rebooted(_))) {
            if answered.is_err() {
                unanswered.add(id);
            } else {
                // The agent answers in order: what was late has come now.
                self.remove_late_responses(domid, unanswered).await;
            }
            // The agent has removed its request, unless it is an old one. A write that failed by
            // its time limit may have been done.
            for path in [&request, &response] {
                if let Err(error) = self.hypervisor.remove_node(domid, path).await {
                    tracing::debug!(%domid, %path, %error, "A node in XenStore was not removed");
                }
            }
        }
        answered
    }

    async fn wait_for_response(
        &self,
        domid: DomId,
        response: &StorePath,
        patience: &Patience,
    ) -> Result<Vec<u8>, Error> {
        let limit = patience.limit;
        let end = Instant::now() + limit;
        let (mut pause, longest) = PAUSES;
        let mut ended = pin!(patience.ended());
        loop {
            if let Some(text) = self.hypervisor.read_node(domid, response).await? {
                return Ok(text);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::AgentTimeout { seconds: limit.as_secs() });
            }
            tokio::select! {
                () = sleep(pause.min(left)) => {}
                error = &mut ended => return Err(error),
            }
            pause = (pause * 2).min(longest);
        }
    }

    /// A name for a request. Those of clients are not used: an answer that comes late to one
    /// request could be taken for the answer to another one.
    pub(super) fn request_id(&self) -> String {
        format!("{OWN}{}", self.entropy.uuid())
    }

    /// Removes all requests and responses of this host's daemon.
    pub(in crate::core) async fn remove_own_nodes(&self, domid: DomId) -> Result<(), Error> {
        for directory in [REQUESTS, RESPONSES] {
            let limits = TreeLimits { depth: 1, nodes: MOST_NODES };
            let nodes =
                self.hypervisor.read_tree(domid, &StorePath::new(directory)?, limits).await?;
            for (path, _) in nodes {
                let path = StorePath::new(path)?;
                if path.name().starts_with(OWN) {
                    self.hypervisor.remove_node(domid, &path).await?;
                }
            }
        }
        Ok(())
    }

    /// Removes responses that came after their time. Those that are not there, or cannot be
    /// removed now, are looked for again.
    pub(in crate::core) async fn remove_late_responses(
        &self,
        domid: DomId,
        unanswered: &mut Unanswered,
    ) {
        for id in unanswered.names() {
            let removed = async {
                let path = StorePath::new(format!("{RESPONSES}/{id}"))?;
                if self.hypervisor.read_node(domid, &path).await?.is_none() {
                    return Ok(false);
                }
                self.hypervisor.remove_node(domid, &path).await.map(|()| true)
            };
            match removed.await {
                Ok(true) => unanswered.remove(&id),
                Ok(false) => {}
                // The others would fail for the same reason, and each can take its time.
                Err(error) => {
                    tracing::debug!(%domid, %error, "Late responses were not removed");
                    return;
                }
            }
        }
    }
}

/// A guest that reboots has another domid.
fn gone(domid: DomId, error: Error) -> Error {
    match error {
        Error::Gone(_) | Error::NoSuchDomain(_) => Error::Rebooted(domid),
        error => error,
    }
}

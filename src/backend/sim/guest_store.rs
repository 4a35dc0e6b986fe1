//! The port [`GuestStore`].

use super::handle::Sim;
use super::lock::lock;
use super::nodes::Refusal;
use super::record::Record;
use super::report::has_reported;
use crate::core::error::Error;
use crate::core::model::{DomId, Invalid, Password, StorePath};
use crate::core::op::Content;
use crate::core::ports::{GuestStore, TreeLimits};
use async_trait::async_trait;
use std::sync::Arc;
use tokio::sync::mpsc;
use xend_guest_protocol::limits::max_host_value;
use xend_guest_protocol::nodes::REQUESTS;

#[async_trait]
impl GuestStore for Sim {
    async fn read_node(&self, domid: DomId, path: &StorePath) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.record_with_nodes(domid)?.nodes.read(path.as_str()).map(<[u8]>::to_vec))
    }

    async fn read_tree(
        &self,
        domid: DomId,
        path: &StorePath,
        limits: TreeLimits,
    ) -> Result<Vec<(String, Vec<u8>)>, Error> {
        Ok(self.record_with_nodes(domid)?.nodes.tree(path, limits))
    }

    async fn write_node(&self, domid: DomId, path: &StorePath, value: &[u8]) -> Result<(), Error> {
        let most = max_host_value(&format!("/local/domain/{domid}/{path}"));
        if value.len() > most {
            let reason = format!("{path}: {} bytes are too many, at most {most}", value.len());
            return Err(Invalid::new(reason).into());
        }
        let path = path.clone();
        let value = value.to_vec();
        let written = self.change(domid, move |record, now| {
            let nodes = Arc::make_mut(&mut record.nodes);
            nodes.write(&path, &value).map_err(|refusal| refused(&path, refusal))?;
            if path.starts_with(REQUESTS) {
                record.wake_agent(now);
            }
            Ok(())
        });
        written.await.map_err(gone)
    }

    async fn remove_node(&self, domid: DomId, path: &StorePath) -> Result<(), Error> {
        let path = path.clone();
        let removed = self.change(domid, move |record, _| {
            Arc::make_mut(&mut record.nodes).remove(path.as_str());
            Ok(())
        });
        removed.await.map_err(gone)
    }

    fn subscribe_reports(&self) -> mpsc::UnboundedReceiver<DomId> {
        let reports = &self.host().reports;
        let receiver = reports.subscribe();
        for record in self.host().existing_records() {
            if has_reported(&record.nodes) {
                reports.send(record.domid);
            }
        }
        receiver
    }
}

impl Sim {
    /// The password that the agent in a guest has set for a user, since this host was opened.
    pub fn guest_password(&self, domid: DomId, user: &str) -> Result<Option<Password>, Error> {
        let memory = self.host().agent_memory(domid)?;
        let password = lock(&memory).passwords.get(user).cloned();
        Ok(password)
    }

    /// The contents of a file that the agent in a guest has written.
    pub fn guest_file(&self, domid: DomId, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let record = self.host().required_record(domid)?;
        Ok(record.guest.system.files.get(path).map(|Content(bytes)| bytes.clone()))
    }

    /// The record of a domain that has a directory in XenStore: its destruction has not begun.
    fn record_with_nodes(&self, domid: DomId) -> Result<Arc<Record>, Error> {
        let record = self.host().required_record(domid).map_err(gone)?;
        if record.dying.is_some() { Err(Error::Gone(domid.to_string())) } else { Ok(record) }
    }
}

fn gone(error: Error) -> Error {
    match error {
        Error::NoSuchDomain(domid) => Error::Gone(domid),
        error => error,
    }
}

fn refused(path: &StorePath, refusal: Refusal) -> Error {
    let reason = match refusal {
        Refusal::NoSpace => "the domain has too many nodes",
        Refusal::Access => "the domain may not write it",
    };
    Invalid::new(format!("{path}: {reason}")).into()
}

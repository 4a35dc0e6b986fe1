//! To whom domains belong, against what hosts write of them.

use crate::core::fleet::HostName;
use crate::core::lifecycle::State;
use crate::core::model::Uuid;
use crate::core::ownership::Own;
use crate::fleet::domain::OwnRecord;
use crate::fleet::keys::{HostKey, Keys};
use crate::fleet::kv::Entry;
use crate::fleet::records::ViewRecord;
use std::collections::BTreeMap;

/// The owners of domains.
#[derive(Debug, Default)]
pub(super) struct Owners {
    /// The number of domains that belong to each host.
    pub(super) domains: BTreeMap<HostName, usize>,
    pub(super) disputes: Vec<Dispute>,
}

/// A domain that runs on a host, and belongs to another one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dispute {
    pub(super) domain: Uuid,
    pub(super) name: String,
    pub(super) runs_on: HostName,
    pub(super) owner: HostName,
}

impl Owners {
    pub(super) fn of(keys: &Keys, views: &[Entry], owns: &[Entry]) -> Self {
        let mut domains = BTreeMap::new();
        let mut owners: BTreeMap<Uuid, Own> = BTreeMap::new();
        for entry in owns {
            let own = OwnRecord::decode(&entry.value).ok();
            if let (Some(domain), Some(own)) = (keys.parse_own(&entry.key), own) {
                *domains.entry(own.by.host.clone()).or_default() += 1;
                owners.insert(domain, own);
            }
        }
        let disputes = views.iter().filter_map(|entry| {
            let Some(HostKey::View(host, domain)) = keys.parse(&entry.key) else { return None };
            let owner = &owners.get(&domain)?.by.host;
            let view = ViewRecord::decode(&entry.value).ok()?;
            // One that moves is paused at one end and suspended at the other.
            let is_dispute = view.state == State::Running && *owner != host;
            is_dispute.then(|| Dispute {
                domain,
                name: view.name.to_string(),
                runs_on: host,
                owner: owner.clone(),
            })
        });
        Self { disputes: disputes.collect(), domains }
    }
}

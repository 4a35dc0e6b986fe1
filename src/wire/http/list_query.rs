//! The query of `/xend/domain` for pages and JSON: which domains are listed, and in which order.
//!
//! An invalid value is an error that names its parameter. S-expressions keep xend's behaviour: of
//! these parameters they know `state` alone, and an unknown state lists no domains.

use super::params::Params;
use crate::core::model::Invalid;
use crate::core::samples::SampleRound;
use crate::core::snapshot::{DomainView, Snapshot};
use crate::shape;
use std::cmp::Ordering;
use std::sync::Arc;
use std::time::SystemTime;
use xend_templates::{Column, Sorting};

/// The values of `sort`.
pub(super) const SORT_KEYS: [&str; Column::ALL.len()] = {
    let mut keys = [""; Column::ALL.len()];
    let mut n = 0;
    while n < keys.len() {
        keys[n] = Column::ALL[n].key();
        n += 1;
    }
    keys
};

/// A filter and a sort order for the list of domains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListQuery {
    /// `None` for the domains that are on the host.
    pub(super) state: Option<&'static str>,
    /// A part of the names, in any case.
    pub(super) contains: String,
    /// The name of a single domain: a page's script asks for one row.
    name: Option<String>,
    pub(super) sort: Sorting,
}

impl ListQuery {
    /// Reads the parameters of the list.
    pub(super) fn parse(params: &Params) -> Result<Self, Invalid> {
        let key = params.choice("sort", &SORT_KEYS)?;
        let column = Column::ALL.into_iter().find(|column| Some(column.key()) == key);
        Ok(Self {
            state: params.choice("state", &shape::STATES)?,
            contains: params.text("q")?.unwrap_or_default(),
            name: params.text("name")?,
            sort: Sorting { by: column.unwrap_or(Column::Name), descending: params.flag("desc")? },
        })
    }

    /// The domains that match, in order. `round` has their CPU use.
    pub(super) fn select<'a>(
        &self,
        snapshot: &'a Snapshot,
        round: &SampleRound,
    ) -> Vec<&'a Arc<DomainView>> {
        let mut views: Vec<_> = snapshot.domains().filter(|view| self.matches(view)).collect();
        views.sort_by(|a, b| compare(self.sort, a, b, |view| cpu_percent(round, view)));
        views
    }

    fn matches(&self, view: &DomainView) -> bool {
        let name = view.name().as_str();
        shape::is_in_state(view, self.state)
            && self.name.as_deref().is_none_or(|wanted| wanted == name)
            && name.to_lowercase().contains(&self.contains.trim().to_lowercase())
    }
}

/// A domain's CPU use in percent of one CPU. `None` if there is no sample of it.
pub(super) fn cpu_percent(round: &SampleRound, view: &DomainView) -> Option<f64> {
    round.domains.get(&view.uuid).map(|sample| f64::from(sample.cpu))
}

/// The number of online VCPUs; for a domain that is not on the host, of configured ones.
pub(super) fn vcpu_count(view: &DomainView) -> u32 {
    view.facts.as_ref().map_or(view.config.vcpus, |facts| facts.online_vcpus)
}

/// Domains without a value come last in both directions.
fn compare(
    sort: Sorting,
    a: &DomainView,
    b: &DomainView,
    cpu: impl Fn(&DomainView) -> Option<f64>,
) -> Ordering {
    let directed = |order: Ordering| if sort.descending { order.reverse() } else { order };
    let by_number = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (Some(a), Some(b)) => directed(a.cmp(&b)),
        (a, b) => b.is_some().cmp(&a.is_some()),
    };
    // The earlier a domain started, the longer is its uptime.
    let uptime = |view: &DomainView| {
        let started = view.facts.as_ref()?.start_time?;
        let since = started.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(u64::MAX - since.as_secs())
    };
    match sort.by {
        Column::Name => directed(a.name().cmp(b.name())),
        Column::Id => by_number(a.domid().map(|id| id.0.into()), b.domid().map(|id| id.0.into())),
        Column::State => directed(shape::state_word(a).cmp(shape::state_word(b))),
        Column::Memory => directed(a.config.memory.cmp(&b.config.memory)),
        Column::Vcpus => directed(vcpu_count(a).cmp(&vcpu_count(b))),
        Column::Cpu => match (cpu(a), cpu(b)) {
            (Some(a), Some(b)) => directed(a.total_cmp(&b)),
            (a, b) => b.is_some().cmp(&a.is_some()),
        },
        Column::Uptime => by_number(uptime(a), uptime(b)),
    }
}

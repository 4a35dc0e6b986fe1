//! Which domains a list shows: the query of `/xend/domain` for pages and JSON.
//!
//! A value that means nothing is an error that names its parameter. S-expressions keep xend's ways:
//! they know `state` alone, and of an unknown one there are no domains.

use super::params::Params;
use crate::core::model::Invalid;
use crate::core::samples::Round;
use crate::core::snapshot::{DomainView, Snapshot};
use crate::shape;
use std::cmp::Ordering;
use std::sync::Arc;
use std::time::SystemTime;
use xend_templates::{Column, Sorting};

/// What a query asks of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selection {
    /// In which state domains are to be; `None` for those that have a domid.
    pub(super) state: Option<&'static str>,
    /// What their names are to contain.
    pub(super) contains: String,
    /// The one domain that is wanted: a page's script asks for one row.
    name: Option<String>,
    pub(super) sort: Sorting,
}

impl Selection {
    /// Reads the parameters of a list.
    pub(super) fn of(query: &Params) -> Result<Self, Invalid> {
        let by = query.word("sort", &Column::ALL.map(Column::key))?;
        Ok(Self {
            state: query.word("state", &shape::STATES)?,
            contains: query.optional("q")?.unwrap_or_default(),
            name: query.optional("name")?,
            sort: Sorting {
                by: by
                    .and_then(|key| Column::ALL.into_iter().find(|column| column.key() == key))
                    .unwrap_or(Column::Name),
                descending: query.switch("desc")?,
            },
        })
    }

    /// The domains that are wanted, in order. `round` has the share of a CPU that each one uses.
    pub(super) fn domains<'a>(
        &self,
        snapshot: &'a Snapshot,
        round: &Round,
    ) -> Vec<&'a Arc<DomainView>> {
        let mut views: Vec<_> = snapshot.domains().filter(|view| self.wants(view)).collect();
        views.sort_by(|a, b| ordered(self.sort, a, b, |view| cpu(round, view)));
        views
    }

    fn wants(&self, view: &DomainView) -> bool {
        let name = view.name().as_str();
        shape::is_in_state(view, self.state)
            && self.name.as_deref().is_none_or(|wanted| wanted == name)
            && name.to_lowercase().contains(&self.contains.trim().to_lowercase())
    }
}

/// Percent of one CPU that a domain uses.
pub(super) fn cpu(round: &Round, view: &DomainView) -> Option<f64> {
    round.domains.get(&view.uuid).map(|sample| f64::from(sample.cpu))
}

/// VCPUs that are online; all that it will have if it is not on the host.
pub(super) fn vcpus(view: &DomainView) -> u32 {
    view.facts.as_ref().map_or(view.config.vcpus, |facts| facts.online_vcpus)
}

/// Those that have no such figure come last, whichever way round.
fn ordered(
    sort: Sorting,
    a: &DomainView,
    b: &DomainView,
    cpu: impl Fn(&DomainView) -> Option<f64>,
) -> Ordering {
    let turned = |order: Ordering| if sort.descending { order.reverse() } else { order };
    let known = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (Some(a), Some(b)) => turned(a.cmp(&b)),
        (a, b) => b.is_some().cmp(&a.is_some()),
    };
    let seconds = |view: &DomainView| {
        let started = view.facts.as_ref()?.start_time?;
        let since = started.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(u64::MAX - since.as_secs())
    };
    match sort.by {
        Column::Name => turned(a.name().cmp(b.name())),
        Column::Id => known(a.domid().map(|id| id.0.into()), b.domid().map(|id| id.0.into())),
        Column::State => turned(shape::state_word(a).cmp(shape::state_word(b))),
        Column::Memory => turned(a.config.memory.cmp(&b.config.memory)),
        Column::Vcpus => turned(vcpus(a).cmp(&vcpus(b))),
        Column::Cpu => match (cpu(a), cpu(b)) {
            (Some(a), Some(b)) => turned(a.total_cmp(&b)),
            (a, b) => b.is_some().cmp(&a.is_some()),
        },
        Column::Uptime => known(seconds(a), seconds(b)),
    }
}

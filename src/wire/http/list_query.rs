//! The query of `/xend/domain` for pages and JSON: which domains are listed, and in which order.
//! A page has [`ROWS`] of them.
//!
//! An invalid value is an error that names its parameter. S-expressions keep xend's behaviour: of
//! these parameters they know `state` alone, and an unknown state lists no domains.

use super::list_filter::{Filter, Moment};
use super::list_values::{Listed, cpu_percent};
use super::natural_order::natural_order;
use super::operation::{Param, ParamKind, optional};
use super::params::{Params, bad_value};
use crate::core::model::Invalid;
use crate::core::samples::SampleRound;
use crate::core::snapshot::{DomainView, Snapshot};
use crate::shape;
use std::cmp::Ordering;
use std::sync::Arc;
use std::time::SystemTime;
use xend_templates::{Column, Sorting};

/// The parameters of a list.
pub(super) const QUERY: [Param; 6] = [
    optional("detail", ParamKind::Flag, "0", "Show each domain in full", "1"),
    optional(
        "state",
        ParamKind::Word(&shape::STATES),
        "domains on the host",
        "Show the domains in this state",
        "halted",
    ),
    optional(
        "q",
        ParamKind::Text("part of a name, or COLUMN:VALUE"),
        "all domains",
        "Show the domains that pass this filter (HTML and JSON)",
        "web state:running mem>1G",
    ),
    optional("sort", ParamKind::Word(&SORT_KEYS), "name", "Sort key (HTML and JSON)", "cpu"),
    optional("desc", ParamKind::Flag, "0", "Sort in descending order", "1"),
    optional(
        "page",
        ParamKind::Number("from 1 up"),
        "1",
        "Page of the list, which has 100 domains (HTML)",
        "2",
    ),
];

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

/// The most domains on one page.
pub(super) const ROWS: usize = 100;

/// A filter and a sort order for the list of domains.
#[derive(Debug, Clone)]
pub(super) struct ListQuery {
    /// `None` for the domains that are on the host.
    pub(super) state: Option<&'static str>,
    /// The filter as it was sent.
    pub(super) q: String,
    /// The filter; an error if it makes no sense, which a page shows beside it.
    pub(super) filter: Result<Filter, Invalid>,
    /// The name of a single domain: a page's script asks for one row.
    name: Option<String>,
    pub(super) sort: Sorting,
    /// The number of the page, from 1; `None` if the client does not ask for one.
    pub(super) page: Option<usize>,
}

/// The domains of one page.
pub(super) struct PageOfDomains<'a> {
    /// In order.
    pub(super) views: Vec<&'a Arc<DomainView>>,
    /// The number of the page, from 1. A page beyond the last one is the last one.
    pub(super) page: usize,
    /// The number of all domains that match.
    pub(super) total: usize,
}

impl ListQuery {
    /// Reads the parameters of the list.
    pub(super) fn parse(params: &Params) -> Result<Self, Invalid> {
        let key = params.choice("sort", &SORT_KEYS)?;
        let column = Column::ALL.into_iter().find(|column| Some(column.key()) == key);
        let q = params.text("q")?.unwrap_or_default();
        let page = params.text("page")?;
        let page = page.map(|text| {
            let number = text.trim().parse().ok().filter(|number| *number > 0);
            number.ok_or_else(|| bad_value("page", format!("'{text}' is no number from 1 up")))
        });
        Ok(Self {
            state: params.choice("state", &shape::STATES)?,
            filter: Filter::parse(&q),
            q,
            name: params.text("name")?,
            sort: Sorting { by: column.unwrap_or(Column::Name), descending: params.flag("desc")? },
            page: page.transpose()?,
        })
    }

    /// Whether the list is that of a state in the order of names, as programs ask for it.
    pub(super) fn is_plain(&self) -> bool {
        let by_name = self.sort == Sorting { by: Column::Name, descending: false };
        by_name && self.q.trim().is_empty() && self.name.is_none()
    }

    /// The domains that match, in order; names are sorted by their bytes, as programs expect it.
    /// `round` has their CPU use.
    pub(super) fn select<'a>(
        &self,
        snapshot: &'a Snapshot,
        round: &SampleRound,
        now: SystemTime,
    ) -> Vec<&'a Arc<DomainView>> {
        let mut views = self.matching(snapshot, round, now);
        views.sort_unstable_by(|a, b| self.compare(round, a, b, str::cmp));
        views
    }

    /// One page of the domains that match, with names in natural order. Of the others none are
    /// sorted, so that it costs the same on every page.
    pub(super) fn select_page<'a>(
        &self,
        snapshot: &'a Snapshot,
        round: &SampleRound,
        now: SystemTime,
    ) -> PageOfDomains<'a> {
        let mut views = self.matching(snapshot, round, now);
        let total = views.len();
        let page = self.page.unwrap_or(1).min(total.div_ceil(ROWS)).max(1);
        let compare =
            |a: &&Arc<DomainView>, b: &&Arc<DomainView>| self.compare(round, a, b, natural_order);
        let before = (page - 1) * ROWS;
        if before > 0 {
            views.select_nth_unstable_by(before, compare);
            views.drain(..before);
        }
        if views.len() > ROWS {
            views.select_nth_unstable_by(ROWS, compare);
            views.truncate(ROWS);
        }
        views.sort_unstable_by(compare);
        PageOfDomains { views, page, total }
    }

    fn matching<'a>(
        &self,
        snapshot: &'a Snapshot,
        round: &SampleRound,
        now: SystemTime,
    ) -> Vec<&'a Arc<DomainView>> {
        let passes = |view: &&Arc<DomainView>| {
            self.passes(&***view, || Moment { cpu: cpu_percent(round, view), now })
        };
        snapshot.domains().filter(passes).collect()
    }

    /// Whether a domain matches.
    pub(super) fn passes(&self, domain: &impl Listed, moment: impl FnOnce() -> Moment) -> bool {
        let Ok(filter) = &self.filter else { return false };
        shape::is_state(domain.state(), domain.domid().is_some(), self.state)
            && self.name.as_deref().is_none_or(|wanted| wanted == domain.name())
            && filter.matches(domain, moment)
    }

    fn compare(
        &self,
        round: &SampleRound,
        a: &DomainView,
        b: &DomainView,
        names: fn(&str, &str) -> Ordering,
    ) -> Ordering {
        self.order(a, b, |view| cpu_percent(round, view), names)
    }

    /// The order of two domains, of which those with the same value are sorted by name.
    pub(super) fn order<D: Listed>(
        &self,
        a: &D,
        b: &D,
        cpu: impl Fn(&D) -> Option<f64>,
        names: fn(&str, &str) -> Ordering,
    ) -> Ordering {
        let by_name = names(a.name(), b.name());
        match self.sort.by {
            Column::Name if self.sort.descending => by_name.reverse(),
            Column::Name => by_name,
            _ => compare(self.sort, a, b, cpu).then(by_name),
        }
    }
}

/// Domains without a value come last in both directions.
fn compare<D: Listed>(sort: Sorting, a: &D, b: &D, cpu: impl Fn(&D) -> Option<f64>) -> Ordering {
    let directed = |order: Ordering| if sort.descending { order.reverse() } else { order };
    let by_number = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (Some(a), Some(b)) => directed(a.cmp(&b)),
        (a, b) => b.is_some().cmp(&a.is_some()),
    };
    // The earlier a domain started, the longer is its uptime.
    let uptime = |domain: &D| {
        let since = domain.started()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(u64::MAX - since.as_secs())
    };
    match sort.by {
        Column::Name => Ordering::Equal,
        Column::Id => by_number(a.domid().map(|id| id.0.into()), b.domid().map(|id| id.0.into())),
        Column::State => directed(a.shown_state().cmp(&b.shown_state())),
        Column::Type => directed(a.type_word().cmp(&b.type_word())),
        Column::Memory => directed(a.memory_mib().cmp(&b.memory_mib())),
        Column::Vcpus => directed(a.vcpus().cmp(&b.vcpus())),
        Column::Cpu => match (cpu(a), cpu(b)) {
            (Some(a), Some(b)) => directed(a.total_cmp(&b)),
            (a, b) => b.is_some().cmp(&a.is_some()),
        },
        Column::Uptime => by_number(uptime(a), uptime(b)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{DomName, DomainConfig};
    use crate::core::snapshot::fixtures::{running, snapshot, with_domains};

    fn names(query: &str, count: u32) -> (Vec<String>, usize, usize) {
        let domain = |n: u32| {
            let name = DomName::new(&format!("web{n}")).unwrap();
            running(n + 1, DomainConfig::new(name, 64 + u64::from(n % 3)))
        };
        let snapshot = with_domains(snapshot(&[]), (0..count).map(domain));
        let query = ListQuery::parse(&Params::from_query(query)).unwrap();
        let round = SampleRound::default();
        let found = query.select_page(&snapshot, &round, SystemTime::UNIX_EPOCH);
        let mut all = query.select(&snapshot, &round, SystemTime::UNIX_EPOCH);
        all.sort_by(|a, b| query.compare(&round, a, b, natural_order));
        let before = (found.page - 1) * ROWS;
        let part: Vec<_> = all.iter().skip(before).take(ROWS).map(|view| view.uuid).collect();
        assert_eq!(found.views.iter().map(|view| view.uuid).collect::<Vec<_>>(), part);
        assert_eq!(found.total, all.len());
        let names = found.views.iter().map(|view| view.name().to_string()).collect();
        (names, found.page, found.total)
    }

    #[test]
    fn pages_are_parts_of_the_whole_list() {
        let (first, page, total) = names("", 250);
        assert_eq!((first.len(), page, total), (100, 1, 250));
        assert_eq!(first[..3], ["web0", "web1", "web2"]);
        let (last, page, _) = names("page=3", 250);
        assert_eq!((last.len(), page), (50, 3));
        assert_eq!(last[49], "web249");
        // A page that is not there any more is the last one.
        assert_eq!(names("page=99", 250), names("page=3", 250));
        assert_eq!(names("page=2", 0), (vec![], 1, 0));
        for sort in SORT_KEYS {
            for page in 1..=3 {
                names(&format!("sort={sort}&page={page}&desc={}", page % 2), 250);
            }
        }
        assert_eq!(names("q=web1&page=2", 250).2, 111);
        for page in ["0", "-1", "x", ""] {
            let query = Params::from_form(format!("page={page}").as_bytes());
            let error = ListQuery::parse(&query).unwrap_err().to_string();
            assert!(error.contains("Invalid value for page"), "{error}");
        }
    }

    #[test]
    fn a_filter_that_makes_no_sense_lets_nothing_pass() {
        assert_eq!(names("q=mem>lots", 3), (vec![], 1, 0));
    }
}

//! Domains that were selected in the list, and an operation that is asked for them.

use super::json::problem_kind::ProblemKind;
use super::obstacles::{obstacle, state_in_words};
use super::operation::{DomainStage, Operation};
use super::operations::{managed, power};
use super::params::{Params, bad_value, utf8};
use super::request::RequestInfo;
use crate::core::model::{DomName, Invalid};
use crate::core::snapshot::{DomainView, Snapshot};
use std::sync::Arc;

/// The path of the page.
pub(super) const PATH: &str = "/xend/selection";

/// The names of the operations, for the reference.
pub(super) const NAMES: [&str; 8] =
    ["start", "shutdown", "pause", "unpause", "suspend", "resume", "destroy", "delete"];

/// The most domains of one request.
const MOST: usize = 500;

/// The operations that pages offer on several domains.
pub(super) fn operations() -> impl Iterator<Item = &'static Operation> {
    let all: [&'static Operation; NAMES.len()] = [
        &managed::START,
        &power::SHUTDOWN,
        &power::PAUSE,
        &power::UNPAUSE,
        &managed::SUSPEND,
        &managed::RESUME,
        &power::DESTROY,
        &managed::DELETE,
    ];
    all.into_iter()
}

/// A domain that was selected.
pub(super) enum Selected {
    Domain(Arc<DomainView>),
    /// It is left out, for this reason.
    Skipped {
        name: String,
        reason: NotDone,
    },
}

/// Why nothing is done to a domain.
pub(super) struct NotDone {
    /// For people.
    pub(super) reason: String,
    pub(super) kind: &'static ProblemKind,
}

/// An operation and the domains that it is asked for.
pub(super) struct Selection {
    pub(super) operation: &'static Operation,
    names: Vec<String>,
}

impl Selection {
    /// Reads the parameters of the page.
    pub(super) fn parse(params: &Params) -> Result<Self, Invalid> {
        let op = params.choice("op", &NAMES)?.ok_or_else(|| Invalid::missing("op"))?;
        let operation = operations().find(|operation| operation.name == op);
        let operation = operation.ok_or_else(|| Invalid::missing("op"))?;
        let names = params.values("domain");
        if names.len() > MOST {
            let reason = format!("{} domains are selected, select {MOST} at most", names.len());
            return Err(bad_value("domain", reason));
        }
        let names = names.into_iter().map(|name| utf8("domain", name.into_owned()));
        Ok(Self { operation, names: names.collect::<Result<_, _>>()? })
    }

    /// Refuses a selection without domains.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        if !self.names.is_empty() {
            return Ok(());
        }
        let reason =
            "No domain is selected: name domains by domain=NAME, or select them in the list";
        Err(Invalid::missing("domain").reworded(reason))
    }

    /// The domains, each once, in the order in which they were sent.
    pub(super) fn domains(&self, request: &RequestInfo, snapshot: &Snapshot) -> Vec<Selected> {
        let mut names: Vec<&str> = Vec::new();
        for name in &self.names {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names.into_iter().map(|name| self.select(request, snapshot, name)).collect()
    }

    fn select(&self, request: &RequestInfo, snapshot: &Snapshot, name: &str) -> Selected {
        let skipped = |kind, reason: String| Selected::Skipped {
            name: name.to_owned(),
            reason: NotDone { reason, kind },
        };
        let Some(view) = snapshot.by_name(&DomName::adopted(name)) else {
            return skipped(ProblemKind::NO_SUCH_DOMAIN, "there is no such domain".to_owned());
        };
        if !self.operation.is_offered_on(&request.access(), view) {
            let reason = "the account does not have the right".to_owned();
            return skipped(ProblemKind::NOT_PERMITTED, reason);
        }
        let stage = DomainStage::of(view);
        let fits = self.operation.stages.contains(&stage);
        match obstacle(self.operation.name, view) {
            None if fits => Selected::Domain(view.clone()),
            _ if !fits && stage == DomainStage::Dom0 => {
                skipped(ProblemKind::PRIVILEGED, "it is the host itself".to_owned())
            }
            reason => {
                let reason = reason.unwrap_or_else(|| state_in_words(view));
                skipped(ProblemKind::WRONG_STATE, reason)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_has_a_known_operation_and_a_bounded_number_of_domains() {
        let parse = |query: &str| Selection::parse(&Params::from_query(query));
        for name in NAMES {
            assert_eq!(parse(&format!("op={name}")).unwrap().operation.name, name);
        }
        let selection = parse("op=pause&domain=a&domain=b%2Bc").unwrap();
        assert_eq!(selection.names, ["a", "b+c"]);
        assert!(selection.check().is_ok());
        assert!(parse("op=pause").unwrap().check().unwrap_err().is_missing());
        let many = "&domain=a".repeat(MOST + 1);
        for (query, part) in [
            (String::new(), "Missing parameter: op"),
            ("op=rename".to_owned(), "'rename' is not one of start, shutdown"),
            ("op=pause&domain=%fc".to_owned(), "Invalid value for domain: it is not UTF-8"),
            (format!("op=pause{many}"), "select 500 at most"),
        ] {
            let error = parse(&query).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}

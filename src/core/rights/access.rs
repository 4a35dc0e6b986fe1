//! Access: domains with rights on them, and limits.

use super::glob;
use super::limits::Limits;
use super::need::Need;
use super::op_kind::OpKind;
use super::right::{Right, Rights};
use crate::core::model::{DomName, Invalid, Uuid, parse_uuid};
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

/// A choice of domains, which need not exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DomainPattern {
    /// The domains whose names match; `*` stands for any characters. Domain-0 is only meant by its
    /// full name.
    Name(String),
    /// The domain with this UUID, whatever its name is.
    Uuid(Uuid),
}

impl DomainPattern {
    /// The longest pattern, in bytes.
    const MAX_LEN: usize = 255;

    fn matches(&self, uuid: Option<Uuid>, name: &str) -> bool {
        match self {
            Self::Uuid(own) => uuid == Some(*own),
            Self::Name(pattern) if name == DomName::DOMAIN_0 => pattern == DomName::DOMAIN_0,
            Self::Name(pattern) => glob::matches(pattern, name),
        }
    }
}

impl FromStr for DomainPattern {
    type Err = Invalid;

    /// A text in the form of a UUID is one.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if let Ok(uuid) = parse_uuid(text) {
            return Ok(Self::Uuid(uuid));
        }
        if text.is_empty() || text.len() > Self::MAX_LEN {
            return Err(Invalid::new(format!(
                "A name, a pattern like web* or a UUID of up to {} bytes is expected",
                Self::MAX_LEN
            )));
        }
        Ok(Self::Name(text.to_owned()))
    }
}

impl fmt::Display for DomainPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(pattern) => f.write_str(pattern),
            Self::Uuid(uuid) => uuid.fmt(f),
        }
    }
}

/// Rights on some domains.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grant {
    pub domains: Vec<DomainPattern>,
    pub rights: Rights,
}

impl Grant {
    fn rights_on(&self, uuid: Option<Uuid>, name: &str) -> Rights {
        let applies = self.domains.iter().any(|pattern| pattern.matches(uuid, name));
        if applies { self.rights } else { Rights::NONE }
    }
}

/// What the user of an account may do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    /// Whether the user is an operator of the host, who may do everything.
    pub operator: bool,
    pub grants: Vec<Grant>,
    pub limits: Limits,
}

impl Access {
    /// The access of an operator.
    pub fn operator() -> Self {
        Self { operator: true, ..Self::default() }
    }

    /// Rights on one choice of domains, and no limits.
    pub fn to(domains: impl IntoIterator<Item = DomainPattern>, rights: Rights) -> Self {
        let grant = Grant { domains: domains.into_iter().collect(), rights };
        Self { operator: false, grants: vec![grant], limits: Limits::default() }
    }

    /// The rights on a domain. `uuid` is `None` for a domain that does not exist yet and whose UUID
    /// is not known.
    pub fn rights_on(&self, uuid: Option<Uuid>, name: &str) -> Rights {
        if self.operator {
            return Rights::all();
        }
        let rights = self
            .grants
            .iter()
            .fold(Rights::NONE, |rights, grant| rights.union(grant.rights_on(uuid, name)));
        if is_of_domain(rights) {
            rights.union([Right::See].into_iter().collect())
        } else {
            Rights::NONE
        }
    }

    /// Whether the user has the right on any domain at all, or on the host.
    pub fn has(&self, right: Right) -> bool {
        let has = |rights: Rights| rights.has(right) || right == Right::See && is_of_domain(rights);
        self.operator || self.grants.iter().any(|grant| has(grant.rights))
    }

    /// Whether the user has what is needed, on some domain if it is a right on one.
    pub fn meets(&self, need: Need) -> bool {
        match need {
            Need::Anyone => true,
            Need::Domain(right) => self.has(right),
            Need::Create => self.has(Right::Create),
            Need::HostFacts => self.has(Right::HostFacts),
            Need::Operator => self.operator,
        }
    }

    /// Whether the user has what is needed, with these rights on the domain in question.
    pub fn meets_on(&self, need: Need, rights: Rights) -> bool {
        match need {
            Need::Domain(right) => rights.has(right),
            Need::Anyone | Need::Create | Need::HostFacts | Need::Operator => self.meets(need),
        }
    }

    /// Whether the user may do this to some domain, or to the host. The engine checks each change
    /// itself: pages offer what may succeed.
    pub fn may(&self, kind: OpKind) -> bool {
        self.meets(kind.need())
    }

    /// Whether the user may do this to the domain.
    pub fn may_on(&self, kind: OpKind, uuid: Uuid, name: &str) -> bool {
        self.meets_on(kind.need(), self.rights_on(Some(uuid), name))
    }

    /// Whether the user may name files on the host, to save to and to restore from.
    pub fn may_name_files(&self) -> bool {
        self.operator || !self.limits.files.is_empty()
    }

    /// The single domains of the access: `None` if it has a pattern with a `*`, for which all
    /// domains must be looked at.
    pub(crate) fn named_domains(&self) -> Option<impl Iterator<Item = &DomainPattern>> {
        let domains = self.grants.iter().flat_map(|grant| &grant.domains);
        let is_pattern = |domain: &DomainPattern| match domain {
            DomainPattern::Name(name) => name.contains('*'),
            DomainPattern::Uuid(_) => false,
        };
        let is_open = self.operator || domains.clone().any(is_pattern);
        (!is_open).then_some(domains)
    }
}

/// Whether one of the rights is about domains: it includes [`Right::See`].
fn is_of_domain(rights: Rights) -> bool {
    rights.iter().any(|right| right != Right::HostFacts)
}

/// Number of an access that was in force: no two in the life of the daemon have the same.
pub(super) fn next_version() -> u64 {
    static VERSION: AtomicU64 = AtomicU64::new(1);
    VERSION.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(domains: &[&str], rights: &[Right]) -> Access {
        let domains = domains.iter().map(|domain| domain.parse().unwrap());
        Access::to(domains, rights.iter().copied().collect())
    }

    #[test]
    fn rights_are_those_of_all_grants_that_match() {
        let mut access = access(&["lj", "web*"], &[Right::Power]);
        access.grants.push(Grant {
            domains: vec!["web1".parse().unwrap()],
            rights: [Right::Console].into_iter().collect(),
        });
        let on = |name: &str| access.rights_on(None, name).iter().collect::<Vec<_>>();
        assert_eq!(on("lj"), [Right::See, Right::Power]);
        assert_eq!(on("web1"), [Right::See, Right::Power, Right::Console]);
        assert_eq!(on("Lj"), []);
        assert!(access.has(Right::Console) && !access.has(Right::Create));
        assert!(access.has(Right::See), "every right on a domain includes it");
    }

    #[test]
    fn a_uuid_is_a_domain_under_any_name() {
        let uuid = Uuid::from_u128(7);
        let access = access(&[&uuid.to_string()], &[Right::See]);
        assert!(access.rights_on(Some(uuid), "x").has(Right::See));
        assert!(access.rights_on(None, &uuid.to_string()).is_empty());
        assert_eq!(access.named_domains().map(Iterator::count), Some(1));
    }

    #[test]
    fn a_pattern_does_not_mean_domain_0() {
        let all = access(&["*", "Domain*"], &[Right::Power]);
        assert!(all.rights_on(None, DomName::DOMAIN_0).is_empty());
        assert!(all.named_domains().is_none());
        let dom0 = access(&[DomName::DOMAIN_0], &[Right::See]);
        assert!(dom0.rights_on(None, DomName::DOMAIN_0).has(Right::See));
    }

    #[test]
    fn a_right_to_the_host_shows_no_domain() {
        let host = access(&["*"], &[Right::HostFacts]);
        assert!(host.rights_on(None, "lj").is_empty() && host.has(Right::HostFacts));
        assert!(!host.has(Right::See));
    }

    #[test]
    fn what_is_allowed_depends_on_the_kind() {
        let uuid = Uuid::from_u128(7);
        let access = access(&["lj"], &[Right::Power]);
        assert!(access.may(OpKind::Pause) && access.may(OpKind::ListDomains));
        assert!(access.may_on(OpKind::Pause, uuid, "lj"));
        assert!(access.may_on(OpKind::ListDomains, uuid, "x"));
        for kind in [OpKind::CreateDomain, OpKind::ShowHost, OpKind::Pin, OpKind::Rename] {
            assert!(!access.may(kind) && !access.may_on(kind, uuid, "lj"), "{kind:?}");
            assert!(Access::operator().may_on(kind, uuid, "lj"), "{kind:?}");
        }
        assert!(!access.may_on(OpKind::Pause, uuid, "x") && !access.may_name_files());
    }

    #[test]
    fn an_operator_has_every_right() {
        assert_eq!(Access::operator().rights_on(None, DomName::DOMAIN_0), Rights::all());
    }
}

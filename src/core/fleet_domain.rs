//! What a fleet keeps of a domain, and what may be done with it: pure rules.
//!
//! There are its owner, while it runs or is about to ([`Own`]), and its definition. Both have its
//! name, which no other domain has as long as one of the two is there. A change of any of it is one
//! transaction.
//!
//! The home of a definition is the one host that shows it, keeps a copy of it and changes it. It
//! moves with the domain when that is migrated. Without a home, a definition waits for a host that
//! takes it.

use super::fleet::HostName;
use super::model::{DomName, Uuid};
use super::ownership::{Boot, Next, NotOurs, Own, Phase, Step};
use std::collections::BTreeSet;

/// A definition in the fleet, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defined {
    /// `None` if the host that had it was forgotten, or has given it back.
    pub home: Option<HostName>,
    pub name: DomName,
    /// Which change wrote this.
    pub op: Uuid,
}

/// What a fleet keeps of a domain; both `None` of one that it does not know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FleetDomain {
    pub own: Option<Own>,
    pub defined: Option<Defined>,
}

/// A change of what a fleet keeps of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    pub own: Option<Step>,
    pub definition: Option<DefinitionStep>,
    /// The name that the owner has for the domain; `None` keeps the present one.
    pub name: Option<DomName>,
}

/// A change of a definition. The text that goes with it is not looked at here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefinitionStep {
    /// A client defines the domain on this host, under this name, or changes what it is here.
    Put(DomName),
    /// The fleet learns what this host has. One without a home has it here from then on.
    Keep(DomName),
    /// A definition without a home comes here, as it is.
    Adopt,
    /// The definition comes here from a host that has ended, as it is.
    TakeOver { from: HostName },
    /// It goes back there.
    Return { to: HostName },
    /// The definition comes along with a domain that another host has sent.
    Bring(DomName),
    /// One that came along is the other host's again. It has no home until that host says so.
    GiveBack,
    /// This host has the definition no more.
    Remove,
}

/// Why a host may not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    NotOurs(NotOurs),
    /// The domain is defined on another host, or was on one that was forgotten.
    DefinedAt {
        home: Option<HostName>,
        name: DomName,
    },
    /// Another domain has the name.
    NameTaken {
        name: DomName,
        by: Uuid,
        host: Option<HostName>,
    },
    /// There is no such definition.
    Undefined,
}

impl From<NotOurs> for Refusal {
    fn from(not_ours: NotOurs) -> Self {
        Self::NotOurs(not_ours)
    }
}

impl Act {
    /// A step of ownership alone.
    pub const fn own(step: Step, name: Option<DomName>) -> Self {
        Self { own: Some(step), definition: None, name }
    }

    /// A change of the definition alone.
    pub const fn definition(step: DefinitionStep) -> Self {
        Self { own: None, definition: Some(step), name: None }
    }
}

impl FleetDomain {
    /// The names that no other domain may have.
    pub fn names(&self) -> BTreeSet<&DomName> {
        let own = self.own.as_ref().and_then(|own| own.name.as_ref());
        own.into_iter().chain(self.defined.as_ref().map(|defined| &defined.name)).collect()
    }

    /// The host that has the domain.
    pub fn host(&self) -> Option<&HostName> {
        let home = || self.defined.as_ref().and_then(|defined| defined.home.as_ref());
        self.own.as_ref().map(|own| &own.by.host).or_else(home)
    }

    /// Whether the change `op` wrote this.
    pub fn is_of(&self, op: Uuid) -> bool {
        self.own.as_ref().is_some_and(|own| own.op == op)
            || self.defined.as_ref().is_some_and(|defined| defined.op == op)
    }

    /// What a change of `by` makes of it; the same if there is nothing to change. `op` is the
    /// change, and `guarded` whether the guard of `by` has the domain.
    pub fn after(&self, act: &Act, by: &Boot, op: Uuid, guarded: bool) -> Result<Self, Refusal> {
        if let Some(step) = &act.own {
            self.check_home(step, by)?;
        }
        if act.definition.is_some() && act.own.is_none() {
            self.check_owner(act.definition.as_ref(), by)?;
        }
        let own = match &act.own {
            Some(step) => {
                let name = act.name.as_ref().or_else(|| self.own.as_ref()?.name.as_ref());
                match step.after(self.own.as_ref(), by, op, name, guarded)? {
                    Next::Write(own) => Some(own),
                    Next::Remove => None,
                    Next::Same => self.own.clone(),
                }
            }
            None => self.own.clone(),
        };
        let defined = match &act.definition {
            Some(step) => self.definition_after(step, by, op)?,
            None => self.defined.clone(),
        };
        Ok(Self { own, defined })
    }

    /// A domain that is defined elsewhere is not built here. One that its owner has sent is defined
    /// where that was.
    fn check_home(&self, step: &Step, by: &Boot) -> Result<(), Refusal> {
        let Some(defined) = &self.defined else { return Ok(()) };
        let is_here = defined.home.as_ref() == Some(&by.host);
        let is_sent = matches!(step, Step::Receive { .. })
            && self.own.as_ref().is_some_and(|own| matches!(own.phase, Phase::Moving { .. }));
        match step {
            Step::Claim | Step::Receive { .. } if !is_here && !is_sent && !self.is_of_host(by) => {
                Err(defined.elsewhere())
            }
            _ => Ok(()),
        }
    }

    fn is_of_host(&self, by: &Boot) -> bool {
        self.own.as_ref().is_some_and(|own| own.by.host == by.host)
    }

    /// A domain of another host is not defined here.
    fn check_owner(&self, step: Option<&DefinitionStep>, by: &Boot) -> Result<(), Refusal> {
        let owner = self.own.as_ref().map(|own| &own.by.host);
        let is_free = match step {
            // Whoever runs it may have its own idea of what it is.
            Some(DefinitionStep::Adopt) => owner.is_none(),
            Some(DefinitionStep::Remove) => true,
            _ => owner.is_none_or(|owner| *owner == by.host),
        };
        if is_free { Ok(()) } else { Err(NotOurs { owner: owner.cloned() }.into()) }
    }

    fn definition_after(
        &self,
        step: &DefinitionStep,
        by: &Boot,
        op: Uuid,
    ) -> Result<Option<Defined>, Refusal> {
        let here = |name: &DomName| Defined { home: Some(by.host.clone()), name: name.clone(), op };
        let present = self.defined.as_ref();
        let is_here = present.is_some_and(|defined| defined.home.as_ref() == Some(&by.host));
        match (step, present) {
            (DefinitionStep::Bring(name), _)
            | (DefinitionStep::Put(name) | DefinitionStep::Keep(name), None)
            | (DefinitionStep::Keep(name), Some(Defined { home: None, .. }))
            | (DefinitionStep::Adopt, Some(Defined { home: None, name, .. })) => {
                Ok(Some(here(name)))
            }
            (DefinitionStep::Put(name) | DefinitionStep::Keep(name), Some(_)) if is_here => {
                Ok(Some(here(name)))
            }
            (DefinitionStep::TakeOver { from }, Some(Defined { home, name, .. }))
                if home.as_ref() == Some(from) =>
            {
                Ok(Some(here(name)))
            }
            (DefinitionStep::TakeOver { .. }, Some(_)) if is_here => Ok(self.defined.clone()),
            (DefinitionStep::Return { to }, Some(Defined { name, .. })) if is_here => {
                Ok(Some(Defined { home: Some(to.clone()), name: name.clone(), op }))
            }
            (DefinitionStep::Adopt | DefinitionStep::TakeOver { .. }, None) => {
                Err(Refusal::Undefined)
            }
            (DefinitionStep::GiveBack, Some(Defined { name, .. })) if is_here => {
                Ok(Some(Defined { home: None, name: name.clone(), op }))
            }
            (DefinitionStep::Remove, Some(_)) if is_here => Ok(None),
            (
                DefinitionStep::GiveBack | DefinitionStep::Remove | DefinitionStep::Return { .. },
                _,
            ) => Ok(self.defined.clone()),
            (_, Some(defined)) => Err(defined.elsewhere()),
        }
    }
}

impl Defined {
    fn elsewhere(&self) -> Refusal {
        Refusal::DefinedAt { home: self.home.clone(), name: self.name.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ownership::Sender;

    const OP: Uuid = Uuid::from_u128(7);

    fn host(number: u32) -> HostName {
        format!("xen{number}").parse().unwrap()
    }

    fn boot(number: u32) -> Boot {
        Boot { host: host(number), epoch: 1 }
    }

    fn web() -> DomName {
        DomName::adopted("web")
    }

    fn defined(home: Option<u32>) -> FleetDomain {
        let defined = Defined { home: home.map(host), name: web(), op: Uuid::nil() };
        FleetDomain { own: None, defined: Some(defined) }
    }

    fn owned(number: u32, phase: Phase) -> FleetDomain {
        let own = Own {
            by: boot(number),
            phase,
            guarded: false,
            name: Some(web()),
            op: Uuid::nil(),
            giver: None,
        };
        FleetDomain { own: Some(own), defined: None }
    }

    #[test]
    fn a_definition_is_its_homes() {
        let unknown = FleetDomain::default();
        let name = web();
        for (step, states) in [
            // Unknown, at home here, at home elsewhere, without a home.
            (DefinitionStep::Put(name.clone()), [true, true, false, false]),
            (DefinitionStep::Keep(name.clone()), [true, true, false, true]),
            (DefinitionStep::Adopt, [false, false, false, true]),
            (DefinitionStep::Bring(name), [true, true, true, true]),
            (DefinitionStep::Remove, [true, true, true, true]),
        ] {
            let states = states.into_iter();
            let known = [unknown.clone(), defined(Some(1)), defined(Some(2)), defined(None)];
            for (domain, may) in known.into_iter().zip(states) {
                let after = domain.after(&Act::definition(step.clone()), &boot(1), OP, false);
                assert_eq!(after.is_ok(), may, "{step:?} {domain:?}");
                let Ok(after) = after else { continue };
                if step == DefinitionStep::Remove {
                    let is_kept = domain.host() == Some(&host(2)) || domain == defined(None);
                    assert_eq!(after, if is_kept { domain } else { unknown.clone() });
                } else {
                    assert_eq!((after.host(), after.is_of(OP)), (Some(&host(1)), true));
                }
            }
        }
    }

    #[test]
    fn a_domain_is_defined_and_built_on_one_host() {
        let put = Act::definition(DefinitionStep::Put(web()));
        let running = owned(2, Phase::Running);
        assert!(matches!(running.after(&put, &boot(1), OP, false), Err(Refusal::NotOurs(_))));
        assert!(running.after(&put, &boot(2), OP, false).is_ok());
        let adopt = Act::definition(DefinitionStep::Adopt);
        let orphan = FleetDomain { own: running.own, ..defined(None) };
        assert!(orphan.after(&adopt, &boot(2), OP, false).is_err(), "it runs somewhere");
        let claim = Act::own(Step::Claim, Some(web()));
        for (home, may) in [(Some(1), true), (Some(2), false), (None, false)] {
            assert_eq!(defined(home).after(&claim, &boot(1), OP, false).is_ok(), may);
        }
        let moving = Phase::Moving { to: "xen2:8002".to_owned(), id: OP };
        let sent = FleetDomain { own: owned(1, moving).own, ..defined(Some(1)) };
        let receive = Act {
            own: Some(Step::Receive { id: OP, from: Sender::Member }),
            definition: Some(DefinitionStep::Bring(web())),
            name: Some(web()),
        };
        let taken = sent.after(&receive, &boot(2), OP, false).unwrap();
        assert_eq!(taken.clone().defined.unwrap().home, Some(host(2)));
        assert_eq!(taken.clone().own.unwrap().by, boot(2));
        // It is not taken after all, and may have been.
        let give_back =
            Act { own: Some(Step::Halt), definition: Some(DefinitionStep::GiveBack), name: None };
        let homeless = taken.after(&give_back, &boot(2), Uuid::nil(), false).unwrap();
        assert_eq!(homeless, defined(None));
        assert_eq!(sent.after(&give_back, &boot(2), OP, false).unwrap(), sent);
        let keep = Act::definition(DefinitionStep::Keep(web()));
        assert_eq!(homeless.after(&keep, &boot(1), OP, false).unwrap().host(), Some(&host(1)));
    }

    #[test]
    fn a_takeover_brings_the_definition_and_may_give_it_back() {
        let own = Own { guarded: true, ..owned(1, Phase::Running).own.unwrap() };
        let lost = FleetDomain { own: Some(own), ..defined(Some(1)) };
        let act = Act {
            own: Some(Step::TakeOver { from: boot(1) }),
            definition: Some(DefinitionStep::TakeOver { from: host(1) }),
            name: None,
        };
        let taken = lost.after(&act, &boot(2), OP, true).unwrap();
        assert_eq!(taken.defined.as_ref().unwrap().home, Some(host(2)));
        assert_eq!(taken.host(), Some(&host(2)));
        assert_eq!(taken.names(), lost.names());
        let undefined = FleetDomain { defined: None, ..lost.clone() };
        assert_eq!(undefined.after(&act, &boot(2), OP, true), Err(Refusal::Undefined));
        let act = Act {
            own: Some(Step::Return { to: boot(1) }),
            definition: Some(DefinitionStep::Return { to: host(1) }),
            name: None,
        };
        let back = taken.after(&act, &boot(2), Uuid::nil(), true).unwrap();
        assert_eq!(back.host(), Some(&host(1)));
        assert_eq!(back.defined.unwrap().home, Some(host(1)));
        assert!(back.own.unwrap().guarded, "others may try");
    }

    #[test]
    fn a_name_is_kept_by_owner_and_definition() {
        let both = FleetDomain { own: owned(1, Phase::Running).own, ..defined(Some(1)) };
        let other = DomName::adopted("db");
        let rename = Act {
            own: Some(Step::Hold),
            definition: Some(DefinitionStep::Put(other.clone())),
            name: Some(other.clone()),
        };
        let renamed = both.after(&rename, &boot(1), OP, false).unwrap();
        assert_eq!(renamed.names(), [&other].into());
        let halted = both.after(&Act::own(Step::Halt, None), &boot(1), OP, false).unwrap();
        assert_eq!(halted.names(), [&web()].into(), "it is defined");
        let gone =
            halted.after(&Act::definition(DefinitionStep::Remove), &boot(1), OP, false).unwrap();
        assert_eq!(gone, FleetDomain::default());
        let moved = both.after(
            &Act::own(Step::Move { to: String::new(), id: OP }, None),
            &boot(1),
            OP,
            false,
        );
        assert_eq!(moved.unwrap().names(), [&web()].into());
    }
}

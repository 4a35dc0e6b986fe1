//! Which host may run a domain of a fleet, as a pure state machine.
//!
//! ```text
//!            Claim             Run              Move           Receive, by another host
//!   halted ────────▶ starting ─────▶ running ─────────▶ moving ────────▶ running
//!     ▲                 │               │  ◀───────────   │
//!     └─────────────────┴───────────────┴─── TakeBack ────┘
//!                                  Halt
//! ```
//!
//! A halted domain belongs to nobody: there is no [`Own`] of it. A step is one transaction, which
//! compares that what it was made from is still so; two hosts cannot both claim a domain.
//!
//! A domain that moves and is nobody's was begun anew since, or did not belong to the fleet before.
//! The sender tells which of the two: what has run since must not be followed by an old memory.
//!
//! A domain can be guarded in each of these phases: if its host is taken for dead, another host
//! takes it over (`TakeOver`), and builds it anew. What is not guarded stays the dead host's.

use super::fleet::HostName;
use super::model::{DomName, Uuid};

/// One boot of a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Boot {
    pub host: HostName,
    /// Grows when the machine boots.
    pub epoch: u64,
}

/// That a domain belongs to a host: no other one may build it or let it run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    pub by: Boot,
    pub phase: Phase,
    /// Whether the owner's guard destroys the domain before another host may take it over. The
    /// guard has it before this is written, and lets it go afterwards.
    pub guarded: bool,
    /// The domain's name in the fleet; `None` if another domain has that.
    pub name: Option<DomName>,
    /// Which change wrote this: whoever did not hear the answer to a change finds it here.
    pub op: Uuid,
    /// Who has handed the domain over, until its next change.
    pub giver: Option<Giver>,
}

/// The host that has handed a domain over: it has the domain's memory until it hears that the other
/// host runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Giver {
    pub by: Boot,
    /// Whether its guard has the domain.
    pub guarded: bool,
}

/// How far the owner is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// It builds the domain, which has not run yet.
    Starting,
    /// The domain runs, or may run at any moment.
    Running,
    /// The domain is suspended, and the host that received it may take it.
    Moving {
        /// Where it was sent, for people.
        to: String,
        /// The migration.
        id: Uuid,
    },
}

/// A change of what belongs to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A host is about to build the domain, which is not on it.
    Claim,
    /// The host has built the domain, and is about to let it run.
    Run,
    /// The domain is on the host, whatever led to that.
    Hold,
    /// The domain is suspended, and all of it was sent.
    Move { to: String, id: Uuid },
    /// The other host does not have the domain, which goes on.
    TakeBack { after: Answer },
    /// The host has all of a domain that another one sent, and is about to let it run.
    Receive { id: Uuid, from: Sender },
    /// Another host takes a guarded domain of this boot over, and is about to build it. Whoever
    /// asks for this knows that the domain has ended there.
    TakeOver { from: Boot },
    /// The host could not build a domain that it has taken over: it is the ended boot's again, and
    /// still guarded, so that others may try.
    Return { to: Boot },
    /// The host has never let a domain run that it has received, and never will: it is the giver's
    /// again, which has its memory. Nobody may begin it anew before that host goes on.
    GiveBack { id: Uuid },
    /// The domain is not on the host any more.
    Halt,
}

/// What the host says to which a domain was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It has refused the domain, and never lets it run.
    Refused,
    /// It knows nothing of the migration: it can have had the domain.
    Unknown,
}

/// Where a domain comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// A host of the fleet, in which the domain is moving.
    Member,
    /// A host that names no fleet, or another one.
    Stranger,
}

/// What a step makes of the present owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    Write(Own),
    /// The domain belongs to nobody.
    Remove,
    /// It is so already, or the domain is none of this host's.
    Same,
}

/// The step is not this host's to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotOurs {
    /// Whose the domain is; `None` if it is nobody's.
    pub owner: Option<HostName>,
}

impl Step {
    /// What this step of `by` makes of `own`. `op` is the change, `name` what the domain is called
    /// then, and `guarded` whether the guard of `by` has the domain. A domain that leaves the host
    /// stays what it is.
    pub fn after(
        &self,
        own: Option<&Own>,
        by: &Boot,
        op: Uuid,
        name: Option<&DomName>,
        guarded: bool,
    ) -> Result<Next, NotOurs> {
        let is_as_wanted =
            own.is_some_and(|own| own.name.as_ref() == name && own.guarded == guarded);
        let owned = |phase, op| {
            let by = by.clone();
            Own { by, phase, guarded, name: name.cloned(), op, giver: None }
        };
        let write = |phase| Ok(Next::Write(owned(phase, op)));
        let not_ours = || Err(NotOurs { owner: own.map(|own| own.by.host.clone()) });
        let is_own = own.is_some_and(|own| own.by.host == by.host);
        let is_free = own.is_none();
        match self {
            // What is left of an earlier run, too: the domain is not here.
            Self::Claim if is_free || is_own => write(Phase::Starting),
            Self::Hold
                if is_as_wanted
                    && own.is_some_and(|own| own.by == *by && own.phase == Phase::Running) =>
            {
                Ok(Next::Same)
            }
            // If it is nobody's, it came before the host joined.
            Self::Run | Self::Hold if is_free || is_own => write(Phase::Running),
            Self::Move { to, id } if is_free || is_own => {
                let guarded = own.is_some_and(|own| own.guarded);
                let phase = Phase::Moving { to: to.clone(), id: *id };
                Ok(Next::Write(Own { guarded, ..owned(phase, op) }))
            }
            Self::TakeBack { .. } if is_own => write(Phase::Running),
            // If it is nobody's, the other host may have had it, unless it says no.
            Self::TakeBack { after: Answer::Refused } if is_free => write(Phase::Running),
            Self::Receive { id, from } => {
                // The migration is the change: a host that asks again finds that it has the domain.
                let taken = owned(Phase::Running, *id);
                match own {
                    Some(own) if own.by.host == by.host && own.op == *id => Ok(Next::Same),
                    Some(Own { phase: Phase::Moving { id: sent, .. }, by, guarded, .. })
                        if sent == id =>
                    {
                        let giver = Some(Giver { by: by.clone(), guarded: *guarded });
                        Ok(Next::Write(Own { giver, ..taken }))
                    }
                    None if *from == Sender::Stranger => Ok(Next::Write(taken)),
                    _ => not_ours(),
                }
            }
            Self::TakeOver { from } => match own {
                Some(own) if own.by == *by && own.phase == Phase::Starting && own.guarded => {
                    Ok(Next::Same)
                }
                Some(own) if own.by == *from && own.guarded && guarded => write(Phase::Starting),
                _ => not_ours(),
            },
            Self::Return { to } => match own {
                Some(own) if own.by == *by && own.guarded && own.phase == Phase::Starting => {
                    let phase = Phase::Starting;
                    Ok(Next::Write(Own { by: to.clone(), phase, op, ..own.clone() }))
                }
                Some(own) if own.by == *to => Ok(Next::Same),
                _ => not_ours(),
            },
            Self::GiveBack { id } => match own {
                Some(Own { by: taker, op: received, giver: Some(giver), .. })
                    if taker.host == by.host && received == id =>
                {
                    let Giver { by: giver, guarded } = giver.clone();
                    let phase = Phase::Moving { to: by.host.to_string(), id: *id };
                    Ok(Next::Write(Own { by: giver, guarded, ..owned(phase, op) }))
                }
                _ if is_own => Ok(Next::Remove),
                _ => Ok(Next::Same),
            },
            Self::Halt if is_own => Ok(Next::Remove),
            Self::Halt => Ok(Next::Same),
            Self::Claim | Self::Run | Self::Hold | Self::Move { .. } | Self::TakeBack { .. } => {
                not_ours()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: Uuid = Uuid::from_u128(7);
    const OTHER: Uuid = Uuid::from_u128(8);

    fn boot(host: usize) -> Boot {
        Boot { host: format!("xen{host}").parse().unwrap(), epoch: 1 }
    }

    fn web() -> DomName {
        DomName::adopted("web")
    }

    fn owned(host: usize, phase: Phase) -> Own {
        let by = boot(host);
        Own { by, phase, guarded: false, name: Some(web()), op: Uuid::nil(), giver: None }
    }

    fn moving() -> Phase {
        Phase::Moving { to: "xen2:8002".to_owned(), id: ID }
    }

    #[test]
    fn each_step_is_the_owners_or_of_a_domain_without_one() {
        let sent = Step::Move { to: "xen2:8002".to_owned(), id: ID };
        let receive = |id, from| Step::Receive { id, from };
        let back = |after| Step::TakeBack { after };
        for (step, free, own, foreign, sent_here) in [
            (&Step::Claim, true, true, false, false),
            (&Step::Run, true, true, false, false),
            (&Step::Hold, true, true, false, false),
            (&sent, true, true, false, false),
            (&back(Answer::Refused), true, true, false, false),
            (&back(Answer::Unknown), false, true, false, false),
            (&receive(ID, Sender::Member), false, false, false, true),
            (&receive(ID, Sender::Stranger), true, false, false, true),
            (&receive(Uuid::from_u128(8), Sender::Stranger), true, false, false, false),
            (&Step::Halt, true, true, true, true),
        ] {
            let is_allowed =
                |own: Option<&Own>| step.after(own, &boot(1), ID, Some(&web()), false).is_ok();
            assert_eq!(is_allowed(None), free, "{step:?}");
            assert_eq!(is_allowed(Some(&owned(1, Phase::Running))), own, "{step:?}");
            assert_eq!(is_allowed(Some(&owned(2, Phase::Running))), foreign, "{step:?}");
            assert_eq!(is_allowed(Some(&owned(2, moving()))), sent_here, "{step:?}");
        }
        let foreign = owned(2, Phase::Starting);
        let after =
            |step: Step, own: &Own, by: &Boot| step.after(Some(own), by, ID, Some(&web()), false);
        let refused = after(Step::Claim, &foreign, &boot(1)).unwrap_err();
        assert_eq!(refused.owner, Some(boot(2).host));
        assert_eq!(after(Step::Halt, &foreign, &boot(1)), Ok(Next::Same));
        let before = owned(1, Phase::Running);
        let next_boot = Boot { epoch: 2, ..boot(1) };
        assert!(matches!(after(Step::Hold, &before, &next_boot), Ok(Next::Write(_))));
        assert_eq!(after(Step::Hold, &before, &boot(1)), Ok(Next::Same));
        let unnamed = Own { name: None, ..before };
        assert!(matches!(after(Step::Hold, &unnamed, &boot(1)), Ok(Next::Write(_))));
    }

    #[test]
    fn what_was_received_and_never_ran_is_the_givers_again() {
        let sent = Own { guarded: true, ..owned(1, moving()) };
        let after = |step: Step, own: &Own, by: &Boot, op| {
            step.after(Some(own), by, op, Some(&web()), false)
        };
        let receive = Step::Receive { id: ID, from: Sender::Member };
        let Ok(Next::Write(taken)) = after(receive, &sent, &boot(2), Uuid::nil()) else { panic!() };
        let back = Step::GiveBack { id: ID };
        let Ok(Next::Write(given)) = after(back.clone(), &taken, &boot(2), OTHER) else { panic!() };
        assert_eq!((&given.by, given.guarded), (&boot(1), true));
        assert!(matches!(given.phase, Phase::Moving { id: ID, .. }), "{given:?}");
        assert_eq!(after(back.clone(), &given, &boot(2), OTHER), Ok(Next::Same), "asked again");
        after(Step::Claim, &given, &boot(2), OTHER).unwrap_err();
        let taken_back =
            after(Step::TakeBack { after: Answer::Refused }, &given, &boot(1), OTHER).unwrap();
        assert!(matches!(taken_back, Next::Write(Own { phase: Phase::Running, .. })));
        // What has changed since is another run of it.
        let held = Own { op: OTHER, ..taken };
        assert_eq!(after(back, &held, &boot(2), OTHER), Ok(Next::Remove));
    }

    #[test]
    fn a_host_that_asks_again_finds_what_it_has_received() {
        let receive = Step::Receive { id: ID, from: Sender::Member };
        let sent = owned(1, moving());
        let after = |own: &Own, host: usize| {
            receive.after(Some(own), &boot(host), Uuid::nil(), Some(&web()), false)
        };
        let Ok(Next::Write(taken)) = after(&sent, 2) else { panic!("it was sent") };
        assert_eq!(taken.name, Some(web()));
        assert_eq!(after(&taken, 2), Ok(Next::Same));
        after(&taken, 3).unwrap_err();
        // What has begun anew since is another run of the domain.
        let anew = owned(2, Phase::Running);
        after(&anew, 2).unwrap_err();
    }

    #[test]
    fn what_is_guarded_is_taken_over_from_the_boot_that_has_ended() {
        let after = |own: &Own, from: Boot, by: &Boot, guarded| {
            Step::TakeOver { from }.after(Some(own), by, ID, Some(&web()), guarded)
        };
        for phase in [Phase::Starting, Phase::Running, moving()] {
            let guarded = Own { guarded: true, ..owned(1, phase) };
            let taken = after(&guarded, boot(1), &boot(2), true);
            let Ok(Next::Write(taken)) = taken else { panic!("it is taken over: {taken:?}") };
            assert_eq!(taken, Own { guarded: true, op: ID, ..owned(2, Phase::Starting) });
            assert_eq!(after(&taken, boot(1), &boot(2), true), Ok(Next::Same), "asked again");
            after(&taken, boot(1), &boot(3), true).unwrap_err();
            let next_boot = Boot { epoch: 2, ..boot(1) };
            after(&guarded, next_boot, &boot(2), true).unwrap_err();
            after(&guarded, boot(1), &boot(2), false).unwrap_err();
            let unguarded = Own { guarded: false, ..guarded };
            after(&unguarded, boot(1), &boot(2), true).unwrap_err();
        }
    }

    #[test]
    fn what_could_not_be_built_is_the_ended_hosts_again() {
        let back = Step::Return { to: boot(1) };
        let after = |own: &Own| back.after(Some(own), &boot(2), ID, Some(&web()), true);
        let taken = Own { guarded: true, ..owned(2, Phase::Starting) };
        let given = Own { guarded: true, op: ID, ..owned(1, Phase::Starting) };
        assert_eq!(after(&taken), Ok(Next::Write(given.clone())));
        assert_eq!(after(&given), Ok(Next::Same), "asked again");
        after(&Own { phase: Phase::Running, ..taken.clone() }).unwrap_err();
        after(&Own { guarded: false, ..taken }).unwrap_err();
        after(&Own { guarded: true, ..owned(3, Phase::Starting) }).unwrap_err();
    }

    #[test]
    fn a_domain_that_moves_stays_guarded_and_its_receiver_guards_it_anew() {
        let guarded = Own { guarded: true, ..owned(1, Phase::Running) };
        let after = |step: &Step, own: &Own, by: usize, guarded| {
            step.after(Some(own), &boot(by), ID, Some(&web()), guarded)
        };
        let sent = after(&Step::Move { to: "xen2".to_owned(), id: ID }, &guarded, 1, true);
        let Ok(Next::Write(sent)) = sent else { panic!("{sent:?}") };
        assert!(sent.guarded);
        let receive = Step::Receive { id: ID, from: Sender::Member };
        for here in [true, false] {
            let taken = after(&receive, &sent, 2, here);
            assert!(matches!(taken, Ok(Next::Write(own)) if own.guarded == here));
            let back = after(&Step::TakeBack { after: Answer::Unknown }, &sent, 1, here);
            assert!(matches!(back, Ok(Next::Write(own)) if own.guarded == here));
        }
        // What is guarded no more, or only now, is written.
        assert_eq!(after(&Step::Hold, &guarded, 1, true), Ok(Next::Same));
        assert!(matches!(after(&Step::Hold, &guarded, 1, false), Ok(Next::Write(_))));
    }

    /// The domain on one host.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Here {
        Absent,
        Built,
        Incoming,
        Running,
        Suspended,
        /// Destroyed, and nobody was told yet.
        Destroyed,
    }

    proptest! {
        /// Hosts do at any time whatever the driver of a domain does next, and die or restart in
        /// between: only what was built or suspended is lost then.
        #[test]
        fn a_domain_runs_on_one_host_at_most(
            acts in prop::collection::vec((0..3usize, 0..3usize, any::<bool>()), 0..80),
        ) {
            let mut own: Option<Own> = None;
            let mut hosts = [Here::Absent; 3];
            for (host, to, fails) in acts {
                let by = boot(host);
                let mut step = |step: Step| match step.after(own.as_ref(), &by, ID, None, false) {
                    Ok(Next::Write(next)) => { own = Some(next); true }
                    Ok(Next::Remove) => { own = None; true }
                    Ok(Next::Same) => true,
                    Err(_) => false,
                };
                let to_address = "xen2:8002".to_owned();
                hosts[host] = match hosts[host] {
                    Here::Absent if step(Step::Claim) => Here::Built,
                    Here::Built | Here::Running if fails => Here::Destroyed,
                    Here::Built if step(Step::Run) => Here::Running,
                    Here::Running if hosts[to] == Here::Absent && to != host => {
                        let moved = step(Step::Move { to: to_address, id: ID });
                        prop_assert!(moved);
                        hosts[to] = Here::Incoming;
                        Here::Suspended
                    }
                    Here::Running => Here::Running,
                    Here::Suspended if step(Step::TakeBack { after: Answer::Unknown }) => {
                        Here::Running
                    }
                    Here::Incoming
                        if !fails && step(Step::Receive { id: ID, from: Sender::Member }) =>
                    {
                        Here::Running
                    }
                    Here::Absent | Here::Built | Here::Suspended | Here::Incoming => {
                        Here::Absent
                    },
                    Here::Destroyed => { step(Step::Halt); Here::Absent }
                };
                let running = hosts.iter().filter(|here| **here == Here::Running).count();
                prop_assert!(running <= 1, "{:?}", hosts);
            }
        }
    }
}

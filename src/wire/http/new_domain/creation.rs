//! Domains that are being created from the form: what has been done, what is left, how it ended.

use crate::core::caller::{Caller, Principal};
use crate::core::engine::Engine;
use crate::core::error::Error;
use crate::core::model::{DomainConfig, DomainRef, Uuid, VdiKind};
use crate::core::op::{Change, DomainOp, ImageContent};
use crate::memory_budget::Reservation;
use crate::wire::http::operations::storage::new_image;
use crate::wire::http::params::Params;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// The most creations that are kept. Ended ones make room.
const MOST: usize = 64;
/// The same for each account, which leaves room for operators.
const MOST_OF_USER: usize = 8;

/// A part of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wire::http) enum Step {
    MakeImage,
    Define,
    Build,
    ConnectDevices,
    Start,
}

/// What is made.
pub(super) struct Plan {
    pub(super) config: DomainConfig,
    /// The UUID and the size in bytes of the image that is made before.
    pub(super) image: Option<(Uuid, u64)>,
    pub(super) start: bool,
    pub(super) managed: bool,
}

impl Plan {
    /// The steps in their order.
    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        steps.extend(self.image.map(|_| Step::MakeImage));
        match (self.managed, self.start) {
            (true, false) => steps.push(Step::Define),
            (true, true) => steps.extend([Step::Define, Step::Start]),
            (false, false) => steps.push(Step::Build),
            (false, true) => steps.extend([Step::Build, Step::ConnectDevices, Step::Start]),
        }
        steps
    }
}

/// A creation at one moment.
#[derive(Debug, Clone)]
pub(in crate::wire::http) enum Progress {
    /// The number of the step, from 0.
    At(usize),
    Done,
    Failed {
        step: usize,
        error: Arc<Error>,
        /// Whether the domain exists all the same.
        has_domain: bool,
    },
}

impl Progress {
    /// Whether nothing more happens.
    pub(super) const fn has_ended(&self) -> bool {
        !matches!(self, Self::At(_))
    }
}

/// A domain that is being created.
pub(in crate::wire::http) struct Creation {
    pub(super) id: Uuid,
    owner: Principal,
    /// The domain's name.
    pub(in crate::wire::http) name: String,
    pub(in crate::wire::http) steps: Vec<Step>,
    progress: watch::Sender<Progress>,
    /// The form, which is shown again if it fails.
    pub(super) form: Params,
    _memory: Reservation,
}

impl Creation {
    /// How far it is.
    pub(in crate::wire::http) fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// How far it is when it has ended, or after this time.
    pub(super) async fn wait(&self, limit: Duration) -> Progress {
        let mut progress = self.progress.subscribe();
        let ended = progress.wait_for(Progress::has_ended);
        let _ = tokio::time::timeout(limit, ended).await;
        self.progress()
    }

    /// Carries it out.
    async fn carry_out(&self, engine: &Engine, caller: &Caller, plan: Plan) {
        let image = plan.image.map(|(uuid, _)| uuid);
        let mut has_image = false;
        let mut has_domain = false;
        for (number, step) in self.steps.iter().enumerate() {
            self.progress.send_replace(Progress::At(number));
            if let Err(error) = perform(engine, caller, *step, &plan).await {
                if let Some(image) = image.filter(|_| has_image && !has_domain) {
                    // The image was made for the domain alone.
                    let _ = engine.execute(caller, Change::DestroyVdi(image)).await;
                }
                let error = Arc::new(error);
                self.progress.send_replace(Progress::Failed { step: number, error, has_domain });
                return;
            }
            match step {
                Step::MakeImage => has_image = true,
                _ => has_domain = true,
            }
        }
        self.progress.send_replace(Progress::Done);
    }
}

async fn perform(engine: &Engine, caller: &Caller, step: Step, plan: &Plan) -> Result<(), Error> {
    let domain = || DomainRef::new(plan.config.name.as_str());
    let change = match step {
        Step::MakeImage => match plan.image {
            Some((uuid, size)) => {
                let name = plan.config.name.to_string();
                new_image(uuid, VdiKind::System, size, name, ImageContent::Empty)
            }
            None => return Ok(()),
        },
        Step::Define => Change::Define(Box::new(plan.config.clone())),
        Step::Build => Change::Create(Box::new(plan.config.clone())),
        Step::ConnectDevices => return engine.view(caller).wait_for_devices(&domain()).await,
        Step::Start if plan.managed => Change::Domain(domain(), DomainOp::Start { paused: false }),
        Step::Start => Change::Domain(domain(), DomainOp::Unpause),
    };
    engine.execute(caller, change).await.map(drop)
}

/// Why a creation was not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotBegun {
    /// There are too many under way.
    TooMany,
    /// There is a domain with this name, or another form is making one.
    NameTaken,
}

/// All creations that are under way, and the last ones that have ended.
#[derive(Default)]
pub(in crate::wire::http) struct Creations(Mutex<VecDeque<Arc<Creation>>>);

impl Creations {
    /// Begins to create a domain. A form that is sent again meanwhile leads to the creation that is
    /// under way.
    pub(super) fn begin(
        &self,
        engine: &Engine,
        caller: &Caller,
        plan: Plan,
        form: Params,
        memory: Reservation,
    ) -> Result<Arc<Creation>, NotBegun> {
        let creation = Arc::new(Creation {
            id: engine.new_uuid(),
            owner: caller.principal.clone(),
            name: plan.config.name.to_string(),
            steps: plan.steps(),
            progress: watch::Sender::new(Progress::At(0)),
            form,
            _memory: memory,
        });
        let exists = || engine.view(caller).snapshot().by_name(&plan.config.name).is_some();
        if let Some(same) = self.add(creation.clone(), exists)? {
            return Ok(same);
        }
        let shared = creation.clone();
        let caller = caller.clone();
        let core = engine.clone();
        engine.spawn(async move { shared.carry_out(&core, &caller, plan).await });
        Ok(creation)
    }

    /// Adds a creation, or gives the one that the same form has begun. Whether the domain `exists`
    /// is asked after the others were looked at: one that ends meanwhile has made it before.
    fn add(
        &self,
        creation: Arc<Creation>,
        exists: impl Fn() -> bool,
    ) -> Result<Option<Arc<Creation>>, NotBegun> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_own = |other: &Arc<Creation>| other.owner == creation.owner;
        let is_rival = |other: &&Arc<Creation>| {
            is_own(other) && other.name == creation.name && !other.progress().has_ended()
        };
        if let Some(rival) = all.iter().find(is_rival) {
            let is_same = rival.form == creation.form;
            return if is_same { Ok(Some(rival.clone())) } else { Err(NotBegun::NameTaken) };
        }
        if exists() {
            return Err(NotBegun::NameTaken);
        }
        let is_of_user = matches!(creation.owner, Principal::User(_));
        let own = all.iter().filter(|other| is_own(other)).count();
        let user_is_full = is_of_user && own >= MOST_OF_USER;
        if user_is_full || all.len() >= MOST {
            let may_go = |other: &Arc<Creation>| {
                other.progress().has_ended() && (!user_is_full || is_own(other))
            };
            let first = all.iter().position(may_go).ok_or(NotBegun::TooMany)?;
            all.remove(first);
        }
        all.push_back(creation);
        Ok(None)
    }

    /// A creation; `None` if it is unknown, or somebody else's.
    pub(super) fn get(&self, id: Uuid, caller: &Caller) -> Option<Arc<Creation>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Not even operators see those of users: there can be passwords in a form.
        let is_it = |one: &&Arc<Creation>| one.id == id && one.owner == caller.principal;
        all.iter().find(is_it).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::caller::Via;
    use crate::core::rights::{Access, Account, Credential, User};
    use crate::memory_budget::MemoryBudgets;

    fn creation(number: u128, owner: &Principal, progress: Progress) -> Arc<Creation> {
        Arc::new(Creation {
            id: Uuid::from_u128(number),
            owner: owner.clone(),
            name: format!("web{number}"),
            steps: vec![Step::Define],
            progress: watch::Sender::new(progress),
            form: Params::default(),
            _memory: MemoryBudgets::default().requests.reservation(),
        })
    }

    fn user(name: &str) -> Principal {
        let account = Account::new(name, Credential::None, Access::default());
        Principal::User(Arc::new(User::new(account)))
    }

    /// Adds a creation of a domain that does not exist. Whether the same form has begun one.
    fn add(creations: &Creations, creation: Arc<Creation>) -> Result<bool, NotBegun> {
        creations.add(creation, || false).map(|same| same.is_some())
    }

    #[test]
    fn a_form_that_is_sent_twice_makes_one_domain() {
        let creations = Creations::default();
        let owner = Principal::Operator;
        let of = |form: &str, progress| {
            let creation = creation(1, &owner, progress);
            let form = Params::from_form(form.as_bytes());
            Arc::new(Creation { form, ..Arc::into_inner(creation).unwrap() })
        };
        assert_eq!(add(&creations, of("size=1", Progress::At(0))), Ok(false));
        assert_eq!(add(&creations, of("size=1", Progress::At(0))), Ok(true));
        assert_eq!(add(&creations, of("size=2", Progress::At(0))), Err(NotBegun::NameTaken));
        creations.0.lock().unwrap()[0].progress.send_replace(Progress::Done);
        let again = creations.add(of("size=1", Progress::At(0)), || true).map(|_| ());
        assert_eq!(again, Err(NotBegun::NameTaken), "it exists now");
        assert_eq!(add(&creations, of("size=2", Progress::At(0))), Ok(false), "it was removed");
    }

    #[test]
    fn ended_creations_make_room() {
        let creations = Creations::default();
        let owner = Principal::Operator;
        let caller = Caller::operator(Via::Internal);
        for number in 0..MOST as u128 {
            let progress = if number == 5 { Progress::Done } else { Progress::At(0) };
            assert_eq!(add(&creations, creation(number, &owner, progress)), Ok(false));
        }
        assert_eq!(add(&creations, creation(99, &owner, Progress::At(0))), Ok(false));
        assert!(creations.get(Uuid::from_u128(5), &caller).is_none());
        assert!(creations.get(Uuid::from_u128(0), &caller).is_some());
        let late = creation(100, &owner, Progress::At(0));
        assert_eq!(add(&creations, late), Err(NotBegun::TooMany));
    }

    #[test]
    fn users_have_some_each_and_see_their_own() {
        let creations = Creations::default();
        let ann = user("ann");
        let bob = user("bob");
        for number in 0..MOST_OF_USER as u128 {
            assert_eq!(add(&creations, creation(number, &ann, Progress::At(0))), Ok(false));
        }
        let late = creation(50, &ann, Progress::At(0));
        assert_eq!(add(&creations, late), Err(NotBegun::TooMany));
        assert_eq!(add(&creations, creation(51, &bob, Progress::At(0))), Ok(false));
        let seen = |owner: &Principal, number| {
            let caller = Caller { via: Via::Internal, principal: owner.clone() };
            creations.get(Uuid::from_u128(number), &caller).is_some()
        };
        assert!(seen(&ann, 0) && seen(&bob, 51));
        assert!(!seen(&bob, 0) && !seen(&ann, 51) && !seen(&Principal::Operator, 0));
    }
}

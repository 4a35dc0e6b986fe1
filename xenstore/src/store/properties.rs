//! Random requests: whatever connections ask for, the nodes stay consistent.

use super::state::{Request, State};
use crate::error::{Error, Refusal};
use crate::wire::{MessageType, join};
use proptest::prelude::*;

/// A request to the store, or something that happens to a domain.
#[derive(Debug, Clone)]
enum Step {
    Ask { actor: usize, is_inside: bool, kind: MessageType, payload: Vec<u8> },
    Start { actor: usize },
    End { actor: usize, is_carried_out: bool },
    Release { domid: u32 },
    Introduce { domid: u32 },
    TakeEvent { actor: usize },
}

const GUESTS: [u32; 2] = [5, 6];

fn path() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "b", "c"]);
    let top = prop::sample::select(vec![
        "/shared",
        "/local/domain/5/data",
        "/local/domain/6",
        "data",
        "/",
        "@releaseDomain",
    ]);
    (top, prop::collection::vec(name, 0..4)).prop_map(|(top, names)| {
        let path = names.into_iter().fold(top.to_owned(), |path, name| format!("{path}/{name}"));
        path.replace("//", "/")
    })
}

fn permissions() -> impl Strategy<Value = Vec<String>> {
    let entry =
        (prop::sample::select(vec!['n', 'r', 'w', 'b']), prop::sample::select(vec![0, 5, 6, 9]));
    prop::collection::vec(entry.prop_map(|(letter, domid)| format!("{letter}{domid}")), 1..4)
}

fn node_request() -> impl Strategy<Value = (MessageType, Vec<u8>)> {
    let by_path = prop::sample::select(vec![
        MessageType::Read,
        MessageType::Directory,
        MessageType::Mkdir,
        MessageType::Remove,
        MessageType::Remove,
        MessageType::GetPerms,
    ]);
    prop_oneof![
        (by_path, path()).prop_map(|(kind, path)| (kind, join([&*path]))),
        (path(), 0_usize..2100).prop_map(|(path, length)| {
            (MessageType::Write, [join([&*path]), vec![b'x'; length]].concat())
        }),
        (path(), permissions()).prop_map(|(path, entries)| {
            let texts = std::iter::once(&path).chain(&entries).map(String::as_str);
            (MessageType::SetPerms, join(texts))
        }),
    ]
}

fn any_request() -> impl Strategy<Value = (MessageType, Vec<u8>)> {
    let any_kind = prop::sample::select(MessageType::ALL.to_vec());
    let watch = prop::sample::select(vec![MessageType::Watch, MessageType::Unwatch]);
    prop_oneof![
        8 => node_request(),
        2 => (watch, path()).prop_map(|(kind, path)| (kind, join([&*path, "token"]))),
        1 => (any_kind, prop::collection::vec(prop::sample::select(vec![0, b'5', b'6', b'a', b'/']), 0..20)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let guest = || prop::sample::select(GUESTS.to_vec());
    prop_oneof![
        12 => (0_usize..4, any::<bool>(), any_request()).prop_map(
            |(actor, is_inside, (kind, payload))| Step::Ask { actor, is_inside, kind, payload }
        ),
        2 => (0_usize..4).prop_map(|actor| Step::Start { actor }),
        2 => (0_usize..4, any::<bool>())
            .prop_map(|(actor, is_carried_out)| Step::End { actor, is_carried_out }),
        1 => guest().prop_map(|domid| Step::Release { domid }),
        1 => guest().prop_map(|domid| Step::Introduce { domid }),
        1 => (0_usize..4).prop_map(|actor| Step::TakeEvent { actor }),
    ]
}

/// A connection, and the transaction that it has begun last.
struct Actor {
    domid: u32,
    session: u64,
    transaction: u32,
}

impl Actor {
    fn open(state: &mut State, domid: u32) -> Self {
        Self { domid, session: state.open(domid).unwrap(), transaction: 0 }
    }

    fn ask(
        &self,
        state: &mut State,
        transaction: u32,
        kind: MessageType,
        payload: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let request = Request { kind: kind.number(), transaction, payload };
        state.answer(self.session, request)
    }

    fn start(&mut self, state: &mut State) {
        if let Ok(reply) = self.ask(state, 0, MessageType::TransactionStart, b"\0") {
            let text = String::from_utf8(reply).unwrap();
            self.transaction = text.trim_end_matches('\0').parse().unwrap();
        }
    }

    fn end(&mut self, state: &mut State, how: &str) -> Result<Vec<u8>, Error> {
        self.ask(state, self.transaction, MessageType::TransactionEnd, &join([how]))
    }
}

/// A store with two guests that own nodes, and connections of all: two are domain 5's.
fn start() -> (State, Vec<Actor>) {
    let mut state = State::new();
    for domid in GUESTS {
        state.introduce(domid).unwrap();
    }
    let host = Actor::open(&mut state, 0);
    for (path, permissions) in
        [("/shared", "b0"), ("/local/domain/5/data", "n5"), ("/local/domain/6", "r6")]
    {
        host.ask(&mut state, 0, MessageType::Mkdir, &join([path])).unwrap();
        host.ask(&mut state, 0, MessageType::SetPerms, &join([path, permissions])).unwrap();
    }
    let guests = [5, 5, 6].map(|domid| Actor::open(&mut state, domid));
    (state, std::iter::once(host).chain(guests).collect())
}

fn take(state: &mut State, actors: &mut [Actor], step: Step) {
    match step {
        Step::Ask { actor, is_inside, kind, payload } => {
            let actor = &actors[actor];
            let transaction = if is_inside { actor.transaction } else { 0 };
            let _ = actor.ask(state, transaction, kind, &payload);
        }
        Step::Start { actor } => actors[actor].start(state),
        Step::End { actor, is_carried_out } => {
            let _ = actors[actor].end(state, if is_carried_out { "T" } else { "F" });
        }
        Step::Release { domid } => {
            let _ = state.release(domid);
        }
        Step::Introduce { domid } => {
            state.introduce(domid).unwrap();
            // Those of the domain that was have ended.
            for actor in actors.iter_mut().filter(|actor| actor.domid == domid) {
                *actor = Actor::open(state, domid);
            }
        }
        Step::TakeEvent { actor } => {
            let _ = state.pop_event(actors[actor].session);
        }
    }
}

proptest! {
    #[test]
    fn nodes_stay_consistent(steps in prop::collection::vec(step(), 1..150)) {
        let (mut state, mut actors) = start();
        for step in steps {
            take(&mut state, &mut actors, step.clone());
            if let Err(problem) = state.check() {
                prop_assert!(false, "{problem} after {step:?}");
            }
        }
    }

    /// What is done in a transaction that nothing gets in the way of is the same as without one.
    #[test]
    fn a_transaction_does_the_same(
        actor in 0_usize..4,
        before in prop::collection::vec((0_usize..4, node_request()), 0..20),
        requests in prop::collection::vec(node_request(), 1..20),
    ) {
        let (mut direct, direct_actors) = start();
        let (mut inside, mut inside_actors) = start();
        for (actor, (kind, payload)) in before {
            let _ = direct_actors[actor].ask(&mut direct, 0, kind, &payload);
            let _ = inside_actors[actor].ask(&mut inside, 0, kind, &payload);
        }
        prop_assert_eq!(direct.contents(), inside.contents());
        let was = inside.contents();
        inside_actors[actor].start(&mut inside);
        let transaction = inside_actors[actor].transaction;
        for (kind, payload) in requests {
            let expected = direct_actors[actor].ask(&mut direct, 0, kind, &payload);
            let got = inside_actors[actor].ask(&mut inside, transaction, kind, &payload);
            let refusal = |error: Error| error.refusal();
            prop_assert_eq!(expected.map_err(refusal), got.map_err(refusal));
        }
        let ended = inside_actors[actor].end(&mut inside, "T");
        if ended.is_ok() {
            prop_assert_eq!(direct.contents(), inside.contents());
        } else {
            // A node that was too large ends a transaction.
            prop_assert_eq!(ended.unwrap_err().refusal(), Some(Refusal::NoMemory));
            prop_assert_eq!(inside.contents(), was);
        }
        prop_assert!(inside.check().is_ok());
    }
}

//! An explicit-state model checker: breadth first, so that a counterexample is a shortest one.

use crate::recovery::Edges;
use crate::seen::Seen;
use std::fmt::{self, Display, Formatter};
use std::hash::Hash;

/// A system with finitely many states.
pub trait Model {
    /// All that the future depends on.
    type State: Copy + Eq + Hash;
    /// What happens between two states, as a counterexample tells it.
    type Step: Copy + Display;

    /// Where the system begins.
    fn initial(&self) -> Self::State;

    /// Adds all that can happen in a state, and what it leads to.
    fn steps(&self, state: &Self::State, next: &mut Vec<(Self::Step, Self::State)>);

    /// The promise that a state breaks.
    fn broken(&self, state: &Self::State) -> Option<&'static str>;

    /// What must still be possible in a state, by steps that help ([`Model::helps`]) alone.
    fn hope(&self, _state: &Self::State) -> Option<Hope> {
        None
    }

    /// Whether a step needs neither luck nor a person.
    fn helps(&self, _step: &Self::Step) -> bool {
        true
    }
}

/// What is asked of a state for what must remain possible.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hope {
    /// Here it has come true.
    Fulfilled,
    /// From here it must be possible; the text is the promise.
    Owed(&'static str),
}

/// What a check found.
#[derive(Debug)]
pub enum Verdict {
    /// Every state was visited, and none breaks a promise.
    Holds {
        /// How many states there are.
        states: usize,
        /// How many steps the furthest is from the beginning.
        depth: usize,
        /// How many states owe a [`Hope`], which all can fulfil.
        owing: usize,
    },
    /// A way to a state that breaks a promise.
    Broken(Counterexample),
    /// There are more states than the limit.
    Unfinished,
}

/// A shortest way to a state that breaks a promise.
#[derive(Debug)]
pub struct Counterexample {
    /// The promise.
    pub promise: &'static str,
    /// What happens, from the beginning on.
    pub steps: Vec<String>,
}

impl Display for Counterexample {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "{:3}. {step}", number + 1)?;
        }
        write!(f, "  => broken: {}", self.promise)
    }
}

/// Visits all states of a model, `limit` at most.
pub fn check<M: Model>(model: &M, limit: usize) -> Verdict {
    Search::new(model).run(limit)
}

struct Search<'a, M: Model> {
    model: &'a M,
    seen: Seen<M::State>,
    /// How each state was found: from which one, by which step.
    from: Vec<Option<(u32, M::Step)>>,
    helpful: Edges,
}

impl<'a, M: Model> Search<'a, M> {
    fn new(model: &'a M) -> Self {
        let mut seen = Seen::new();
        seen.insert(model.initial());
        Self { model, seen, from: vec![None], helpful: Edges::default() }
    }

    fn run(mut self, limit: usize) -> Verdict {
        let mut next = Vec::new();
        let mut at = 0;
        let mut depth = 0;
        let mut level_end = 1;
        while at < self.seen.len() {
            if at == level_end {
                depth += 1;
                level_end = self.seen.len();
            }
            let Ok(index) = u32::try_from(at) else { return Verdict::Unfinished };
            let state = *self.seen.get(index);
            if let Some(promise) = self.model.broken(&state) {
                return self.counterexample(promise, index);
            }
            self.model.steps(&state, &mut next);
            for (step, state) in next.drain(..) {
                let (to, is_new) = self.seen.insert(state);
                if is_new {
                    self.from.push(Some((index, step)));
                }
                if self.model.helps(&step) {
                    self.helpful.add(index, to);
                }
            }
            if self.seen.len() > limit {
                return Verdict::Unfinished;
            }
            at += 1;
        }
        self.hopes(depth)
    }

    /// Whether every state that owes something can still give it.
    fn hopes(&self, depth: usize) -> Verdict {
        let states = self.seen.len();
        let hopes: Vec<Option<Hope>> =
            (0..).take(states).map(|index| self.model.hope(self.seen.get(index))).collect();
        let fulfilled: Vec<bool> =
            hopes.iter().map(|hope| *hope == Some(Hope::Fulfilled)).collect();
        let possible = self.helpful.reach(fulfilled);
        let mut owing = 0;
        for ((index, hope), possible) in (0..).zip(&hopes).zip(possible) {
            let Some(Hope::Owed(promise)) = *hope else { continue };
            if !possible {
                return self.counterexample(promise, index);
            }
            owing += 1;
        }
        Verdict::Holds { states, depth, owing }
    }

    fn counterexample(&self, promise: &'static str, end: u32) -> Verdict {
        let mut steps = Vec::new();
        let mut at = end;
        while let Some((before, step)) = self.from[at as usize] {
            steps.push(step.to_string());
            at = before;
        }
        steps.reverse();
        Verdict::Broken(Counterexample { promise, steps })
    }
}

#[cfg(test)]
mod tests {
    use super::{Hope, Model, Verdict, check};

    /// Two jugs of 3 and 5 litres: fill, empty, pour.
    struct Jugs {
        /// Whether water may be poured back and forth.
        pours: bool,
        unwanted: u8,
    }

    impl Model for Jugs {
        type State = (u8, u8);
        type Step = &'static str;

        fn initial(&self) -> (u8, u8) {
            (0, 0)
        }

        fn steps(&self, &(small, big): &(u8, u8), next: &mut Vec<(&'static str, (u8, u8))>) {
            next.extend([
                ("fill the small one", (3, big)),
                ("fill the big one", (small, 5)),
                ("empty the small one", (0, big)),
                ("empty the big one", (small, 0)),
            ]);
            if self.pours {
                let down = small.min(5 - big);
                let up = big.min(3 - small);
                next.push(("pour into the big one", (small - down, big + down)));
                next.push(("pour into the small one", (small + up, big - up)));
            }
        }

        fn broken(&self, &(_, big): &(u8, u8)) -> Option<&'static str> {
            (big == self.unwanted).then_some("unwanted")
        }

        fn hope(&self, &(small, big): &(u8, u8)) -> Option<Hope> {
            let owed = (small == 3).then_some(Hope::Owed("three and five"));
            if (small, big) == (3, 5) { Some(Hope::Fulfilled) } else { owed }
        }

        fn helps(&self, step: &&'static str) -> bool {
            *step == "fill the big one" && self.pours
        }
    }

    #[test]
    fn all_states_are_visited_once() {
        let Verdict::Holds { states, depth, owing } = check(&Jugs { pours: true, unwanted: 6 }, 99)
        else {
            panic!("nothing is wrong with this");
        };
        // Each state has a jug that is empty or full.
        assert_eq!((states, depth, owing), (16, 7, 5));
    }

    #[test]
    fn a_counterexample_is_a_shortest_one() {
        let Verdict::Broken(counterexample) = check(&Jugs { pours: true, unwanted: 4 }, 99) else {
            panic!("four litres can be measured");
        };
        assert_eq!(counterexample.steps.len(), 6);
        assert_eq!(counterexample.steps[0], "fill the big one");
        assert!(counterexample.to_string().ends_with("=> broken: unwanted"));
    }

    #[test]
    fn what_cannot_come_true_is_found() {
        let Verdict::Broken(counterexample) = check(&Jugs { pours: false, unwanted: 6 }, 99) else {
            panic!("no step helps");
        };
        assert_eq!(counterexample.promise, "three and five");
        assert_eq!(counterexample.steps, ["fill the small one"]);
    }

    #[test]
    fn a_limit_is_said() {
        assert!(matches!(check(&Jugs { pours: true, unwanted: 6 }, 9), Verdict::Unfinished));
    }
}

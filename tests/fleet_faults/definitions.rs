//! Whether definitions are as clients were told: what a definition may be after the changes of its
//! one client, some of which have no answer.

use std::collections::BTreeSet;

/// What a client sees of a definition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) memory: u64,
}

/// A change that a client has asked for. Each has a name or a size of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Define(Definition),
    Rename(String),
    Delete,
}

/// What a client was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    Refused,
    /// It may have happened, or happens later.
    None,
}

impl Change {
    /// What becomes of a definition; `None` if the change cannot be made.
    #[expect(clippy::option_option, reason = "no definition is one that a change can come to")]
    fn apply(&self, before: Option<&Definition>) -> Option<Option<Definition>> {
        match (self, before) {
            (Self::Define(definition), None) => Some(Some(definition.clone())),
            (Self::Rename(name), Some(before)) => {
                Some(Some(Definition { name: name.clone(), ..before.clone() }))
            }
            (Self::Delete, Some(_)) => Some(None),
            (Self::Define(_), Some(_)) | (Self::Rename(_) | Self::Delete, None) => None,
        }
    }
}

/// All that a definition may be after the changes, beginning with none. Empty if an answer cannot be
/// true.
pub(crate) fn possible(changes: &[(Change, Answer)]) -> BTreeSet<Option<Definition>> {
    let mut states = BTreeSet::from([None]);
    let mut unanswered = Vec::new();
    for (change, answer) in changes {
        match answer {
            Answer::Refused => {}
            Answer::None => unanswered.push(change),
            Answer::Done => {
                states = states.iter().filter_map(|state| change.apply(state.as_ref())).collect();
            }
        }
        add_unanswered(&mut states, &unanswered);
    }
    states
}

/// Adds what comes of changes without an answer, in any order.
fn add_unanswered(states: &mut BTreeSet<Option<Definition>>, unanswered: &[&Change]) {
    loop {
        let more: Vec<_> = states
            .iter()
            .flat_map(|state| unanswered.iter().filter_map(|one| one.apply(state.as_ref())))
            .filter(|state| !states.contains(state))
            .collect();
        if more.is_empty() {
            return;
        }
        states.extend(more);
    }
}

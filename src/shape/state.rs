//! Names and flags of a domain's state.

use crate::core::lifecycle::State;
use crate::core::model::{RunFlags, ShutdownReason};
use crate::core::snapshot::DomainView;

/// The flags `rbpscd`, with `-` for those that are off. A crashed domain has `c` and not `s`, as in
/// xend.
pub fn state_letters(flags: &RunFlags) -> [u8; 6] {
    let flag = |letter, on| if on { letter } else { b'-' };
    let crashed = flags.crashed();
    let stopped = flags.shutdown.is_some();
    [
        flag(b'r', flags.running && !stopped),
        flag(b'b', flags.blocked && !stopped),
        flag(b'p', flags.paused && !stopped),
        flag(b's', stopped && !crashed),
        flag(b'c', crashed),
        flag(b'd', flags.dying),
    ]
}

/// The name of a domain's state, as in `?state=`.
pub fn state_word(view: &DomainView) -> &'static str {
    state_name(view.state())
}

/// The name of a state.
pub fn state_name(state: State) -> &'static str {
    match state {
        State::Halted => "halted",
        State::Building => "building",
        State::Paused => "paused",
        State::Running => "running",
        State::Suspended | State::Stopped(ShutdownReason::Suspend) => "suspended",
        State::Stopped(ShutdownReason::Crash) => "crashed",
        State::Stopped(_) => "shutdown",
        State::Dying => "dying",
        State::Gone => "gone",
    }
}

/// All names of states.
pub const STATE_NAMES: [&str; 9] = [
    "halted",
    "building",
    "paused",
    "running",
    "suspended",
    "crashed",
    "shutdown",
    "dying",
    "gone",
];

/// The values of `?state=`.
pub const STATES: [&str; 6] = ["all", "running", "paused", "halted", "suspended", "crashed"];

/// Whether a domain matches `?state=`. Without it, all domains with a domid match, as in xend 3.0;
/// xend 3.0.4 to 4.4 left paused and crashed domains out, so that a new domain did not show.
pub fn is_in_state(view: &DomainView, state: Option<&str>) -> bool {
    is_state(view.state(), view.facts.is_some(), state)
}

/// The same of a domain of any host in this state.
pub fn is_state(state: State, is_on_host: bool, wanted: Option<&str>) -> bool {
    match wanted {
        None => is_on_host,
        Some("all") => true,
        Some(wanted) => STATES.contains(&wanted) && state_name(state) == wanted,
    }
}

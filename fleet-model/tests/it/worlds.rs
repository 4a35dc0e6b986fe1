//! The bounded worlds in which the protocol is checked.

use xend_fleet_model::protocol::{Event, Scenario};

/// A protected domain on the first of two hosts; a host may die, boot, be fenced.
pub(crate) const GUARDED: Scenario = Scenario {
    hosts: 2,
    begins_running: true,
    events: &[Event::Protected, Event::Boots, Event::Isolation],
    losses: 0,
    restarts: 0,
    fences: 1,
    blackouts: 1,
    recovers: true,
};

/// The same, with answers that are lost and daemons that restart.
pub(crate) const UNCERTAIN: Scenario =
    Scenario { events: &[Event::Protected, Event::Boots], losses: 2, restarts: 1, ..GUARDED };

/// Both hosts may be fenced and die, one after the other.
pub(crate) const CHAIN: Scenario =
    Scenario { events: &[Event::Protected, Event::Boots], fences: 2, blackouts: 2, ..GUARDED };

/// Three hosts: a taker dies, too, and answers are lost.
pub(crate) const THREE: Scenario = Scenario {
    hosts: 3,
    events: &[Event::Protected],
    losses: 1,
    fences: 2,
    blackouts: 2,
    ..GUARDED
};

/// Users start and stop the domain; fenced hosts come back with a new epoch.
pub(crate) const STOPS: Scenario = Scenario {
    begins_running: false,
    events: &[Event::Protected, Event::Stops, Event::NewEpochs],
    losses: 1,
    ..GUARDED
};

/// Users start and stop an unprotected domain on either host.
pub(crate) const STARTS: Scenario = Scenario {
    begins_running: false,
    events: &[Event::Stops, Event::Boots],
    losses: 2,
    restarts: 1,
    fences: 0,
    recovers: false,
    ..GUARDED
};

/// Users protect the domain and take that back.
pub(crate) const POLICIES: Scenario = Scenario {
    events: &[Event::Protected, Event::Policies, Event::NewEpochs],
    losses: 2,
    ..GUARDED
};

/// Policies change, a fenced host takes a new epoch, persons confirm deaths.
pub(crate) const EPOCHS: Scenario = Scenario {
    events: &[Event::Protected, Event::Policies, Event::NewEpochs, Event::Confirmations],
    ..POLICIES
};

/// A protected domain migrates.
pub(crate) const MIGRATION: Scenario =
    Scenario { events: &[Event::Protected, Event::Migrations], losses: 1, restarts: 1, ..GUARDED };

/// A protected domain migrates among three hosts.
pub(crate) const MIGRATION_OF_THREE: Scenario =
    Scenario { hosts: 3, restarts: 0, losses: 0, blackouts: 0, ..MIGRATION };

/// An unprotected domain migrates; persons confirm deaths.
pub(crate) const UNPROTECTED: Scenario = Scenario {
    events: &[Event::Migrations, Event::Confirmations, Event::Boots],
    losses: 2,
    restarts: 1,
    fences: 0,
    recovers: false,
    ..GUARDED
};

/// A host is away, and comes back.
pub(crate) const ABSENCE: Scenario =
    Scenario { events: &[Event::Protected, Event::Absences, Event::Boots], losses: 2, ..GUARDED };

/// A host that was away dies, boots, and dies again.
pub(crate) const ABSENCE_TWICE: Scenario = Scenario { losses: 0, blackouts: 2, ..ABSENCE };

/// Hosts are away while the domain migrates.
pub(crate) const ABSENCE_AND_MIGRATION: Scenario = Scenario {
    events: &[Event::Protected, Event::Absences, Event::Migrations],
    losses: 1,
    ..GUARDED
};

/// Fenced hosts take new epochs while the domain migrates, and persons confirm deaths.
pub(crate) const EPOCHS_AND_MIGRATION: Scenario = Scenario {
    events: &[Event::Protected, Event::Migrations, Event::NewEpochs, Event::Confirmations],
    ..GUARDED
};

/// Hosts are away, policies change, fenced hosts take new epochs, persons confirm deaths.
pub(crate) const ABSENCE_AND_POLICIES: Scenario = Scenario {
    events: &[
        Event::Protected,
        Event::Absences,
        Event::Policies,
        Event::NewEpochs,
        Event::Confirmations,
    ],
    ..GUARDED
};

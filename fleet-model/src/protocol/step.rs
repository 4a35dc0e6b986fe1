//! What happens, in words.

use super::state::{Change, Host};
use crate::ticks::TICK;
use std::fmt::{self, Display, Formatter};

/// One step of the world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Time passes.
    Tick,
    /// On one host, or by one host.
    On(Host, Act),
    /// By one host, about an epoch of another.
    About(Host, AboutAct, Host, u8),
    /// etcd is restored from the backup that was made at the beginning.
    Restore,
}

/// What happens on a host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    PowerLoss,
    Boot,
    Reboot,
    DaemonRestart,
    NewEpoch,
    Renews,
    ReadsAbsent,
    ReadsClock,
    TimerSetLate,
    SeesFence,
    Refuses,
    GuardDestroys,
    LetsGo,
    Carried(Name),
    CarriedLate(Name),
    Answered,
    AnswerLost(Name),
    ReadsBack,
    Asks(Name),
    Registers(Name),
    Registered(Name),
    GivesUp,
    Builds,
    Runs,
    Destroys,
    Drops,
    Suspends,
    Restarts,
}

/// The name of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Name(pub(crate) Change);

/// What a taker does about another host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AboutAct {
    Sends,
    Declares,
    Confirms,
}

impl Display for Name {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Change::Claim => f.write_str("own := starting here"),
            Change::Run => f.write_str("own := running here"),
            Change::Halt => f.write_str("own := halted"),
            Change::Protect => f.write_str("own := guarded"),
            Change::Unprotect => f.write_str("own := not guarded"),
            Change::Adopt => f.write_str("own := this epoch"),
            Change::Move { to } => write!(f, "own := moving to host {to}"),
            Change::TakeBack => f.write_str("own := running here again"),
            Change::Receive => f.write_str("own := received here"),
            Change::SetAway => f.write_str("away is set"),
            Change::ClearAway => f.write_str("away is removed"),
        }
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tick => f.write_str(TICK),
            Self::On(host, act) => write!(f, "host {host}: {act}"),
            Self::About(by, act, host, epoch) => {
                let what = match act {
                    AboutAct::Sends => "sends the fence, and begins to wait, of",
                    AboutAct::Declares => "has fenced",
                    AboutAct::Confirms => "is told the death of",
                };
                write!(f, "host {by} {what} host {host}, epoch {epoch}")
            }
            Self::Restore => f.write_str("etcd is restored from the backup of the beginning"),
        }
    }
}

impl Display for Act {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::PowerLoss => f.write_str("loses power"),
            Self::Boot => f.write_str("boots, a new epoch"),
            Self::Reboot => f.write_str("is rebooted by the watchdog"),
            Self::DaemonRestart => f.write_str("the daemon restarts"),
            Self::NewEpoch => f.write_str("takes a new epoch without a reboot"),
            Self::Renews => {
                f.write_str("the guard reads that there is no fence, and sets the timer")
            }
            Self::ReadsAbsent => f.write_str("etcd says to the guard that there is no fence"),
            Self::ReadsClock => f.write_str("the guard reads its clock, and sets the timer"),
            Self::TimerSetLate => f.write_str("the guard, stopped meanwhile, sets the timer late"),
            Self::SeesFence => f.write_str("the guard sees its fence and destroys the domain"),
            Self::Refuses => f.write_str("the guard sees its fence and does not take the domain"),
            Self::GuardDestroys => f.write_str("the guard hears nothing and destroys the domain"),
            Self::LetsGo => f.write_str("the guard lets go"),
            Self::Carried(name) => write!(f, "etcd decides on its \"{name}\""),
            Self::CarriedLate(name) => write!(f, "etcd decides late on its \"{name}\""),
            Self::Answered => f.write_str("the answer arrives"),
            Self::AnswerLost(name) => write!(f, "gives up waiting for the answer to \"{name}\""),
            Self::ReadsBack => f.write_str("reads back what etcd has"),
            Self::Asks(name) => write!(f, "sends \"{name}\""),
            Self::Registers(name) => write!(f, "registers with its guard before \"{name}\""),
            Self::Registered(name) => write!(f, "is guarded, and sends \"{name}\""),
            Self::GivesUp => f.write_str("gives up"),
            Self::Builds => f.write_str("builds the domain"),
            Self::Runs => f.write_str("lets the domain run"),
            Self::Destroys => f.write_str("destroys the domain for a user"),
            Self::Drops => f.write_str("destroys what is left of the domain"),
            Self::Suspends => f.write_str("sends the domain's memory and suspends it"),
            Self::Restarts => f.write_str("restarts the domain in place"),
        }
    }
}

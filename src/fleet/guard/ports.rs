//! What a guard needs of its machine.

use crate::core::guard::Timer;
use crate::core::model::Uuid;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The hypervisor's watchdog, which reboots the machine when one of its two timers ends, whatever
/// has become of the guard. Calls block.
pub trait Watchdog: Send + 'static {
    /// Sets a timer to this many seconds from now, and arms it.
    fn set(&mut self, timer: Timer, seconds: u32) -> io::Result<()>;

    /// Unsets both timers.
    fn disarm(&mut self) -> io::Result<()>;
}

/// What destroys domains without the daemon.
pub trait Destroyer: Send + Sync + 'static {
    /// Destroys these domains and no others, and tells which of them the hypervisor does not have
    /// any more, looked up afterwards. Blocks.
    fn destroy(&self, domains: &[Uuid]) -> Vec<Uuid>;
}

/// A clock that stands still never, even while the machine is suspended.
pub trait BootClock: Send + Sync + 'static {
    /// The time since some moment before the guard began.
    fn now(&self) -> Duration;
}

/// The machine of a guard.
pub struct GuardPorts {
    /// The watchdog, or why there is none.
    pub watchdog: Result<Box<dyn Watchdog>, String>,
    pub destroyer: Arc<dyn Destroyer>,
    pub clock: Arc<dyn BootClock>,
}

//! Settings of the engine.

use super::model::Policy;
use super::ports::{Alone, Fleet, Ownership, Peers};
use super::rights::Accounts;
use arc_swap::ArcSwap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Settings of the engine.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Time limit of one hypervisor call. A long call, such as a restore, is given up when it has
    /// made no progress for twice as long.
    pub hypervisor_limit: Duration,
    /// How long `Engine::stop` waits for operations that have begun.
    pub stop_limit: Duration,
    /// Directory for the memory of crashed domains.
    pub dump_dir: PathBuf,
    /// The operator's policy, which can change while the engine runs.
    pub policy: Arc<ArcSwap<Policy>>,
    /// The accounts of users, which can change while the engine runs.
    pub accounts: Arc<Accounts>,
    /// The fleet that this host has joined, if any.
    pub fleet: Option<Arc<dyn Fleet>>,
    /// The way to the other hosts of the fleet, if there is one.
    pub peers: Option<Arc<dyn Peers>>,
    /// Which domains belong to this host.
    pub ownership: Arc<dyn Ownership>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hypervisor_limit: Duration::from_secs(120),
            stop_limit: Duration::from_secs(30),
            dump_dir: std::env::temp_dir(),
            policy: Arc::default(),
            accounts: Arc::default(),
            fleet: None,
            peers: None,
            ownership: Arc::new(Alone),
        }
    }
}

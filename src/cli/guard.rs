//! The command line of `xend guard`.

use crate::config::Hypervisor;
use clap::Args;
use std::path::PathBuf;

/// Options of the guard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct GuardOptions {
    /// Hypervisor: xen for Xen on this host, sim for the built-in simulator [default: that of the
    /// configuration]
    #[arg(long, value_name = "xen|sim")]
    pub hypervisor: Option<Hypervisor>,

    /// Be the watchdog of the simulated host in this directory, by requests from standard input.
    /// The guard of such a host starts it itself
    #[arg(long, value_name = "DIR", exclusive = true)]
    pub simulated_watchdog: Option<PathBuf>,
}

//! Where the agent's own files are, below the root.

/// What the agent remembers. Nobody else writes here.
pub const STATE: &str = "/var/lib/xend-guest-agent";

/// Where replacements of files are noted while they go on.
pub const JOURNAL: &str = "/var/lib/xend-guest-agent/replacing";

/// The record of a change of the network while it goes on.
pub const NETWORK_CHANGE: &str = "/var/lib/xend-guest-agent/network.json";

/// Where the old files are kept of directories of which programs read all files: those of
/// `/etc/cron.d/job` in the directory `etc/cron.d` below it. Others are kept beside the new ones.
pub const BACKUPS: &str = "/var/lib/xend-guest-agent/backups";

/// The lock of the agent that runs.
pub const LOCK: &str = "/run/xend-guest-agent.lock";

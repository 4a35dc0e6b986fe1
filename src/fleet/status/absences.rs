//! Hosts that are away for too long.

use super::{FleetStatus, Problem};
use crate::fleet::records::unix_seconds;
use std::time::SystemTime;

impl FleetStatus {
    /// Says which hosts are away for longer than they were to be.
    pub fn judge_absences(&mut self, now: SystemTime) {
        let now = unix_seconds(now);
        for member in &self.members {
            let Some(away) = member.away.as_ref().filter(|away| away.until_seconds <= now) else {
                continue;
            };
            let name = &member.name;
            let advice = if member.is_alive {
                format!(
                    "xend fleet away --end on {name}, and look for \"absence\" in journalctl -u xend \
                     there"
                )
            } else {
                format!(
                    "systemctl start xend on {name}; if it is off, xend fleet confirm-dead {name}"
                )
            };
            self.problems.push(Problem::new(
                format!(
                    "{name} has been away since {}, and was to be back at {}: its protected domains are \
                     not started elsewhere",
                    away.since, away.until
                ),
                advice,
            ));
        }
    }
}

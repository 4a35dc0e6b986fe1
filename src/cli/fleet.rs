//! The command line of `xend fleet`.

use crate::config::RunOptions;
use crate::core::fleet::HostName;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// What `xend fleet` does.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum FleetCommand {
    /// Make the fleet that the configuration names, with this host as its first member
    Init,
    /// Print a token, by which one host may join the fleet
    Token {
        /// How long the token is valid
        #[arg(long, value_name = "N", default_value_t = 60,
            value_parser = clap::value_parser!(u32).range(1..=7 * 24 * 60))]
        minutes: u32,
    },
    /// Join the fleet that the configuration names
    Join {
        /// What `xend fleet token` printed on a member. Without it, it is read from the terminal or
        /// from standard input, which leaves it out of the shell's history
        token: Option<String>,
    },
    /// Leave the fleet. The last host takes the fleet with it
    Leave,
    /// Remove a host from the fleet that is gone for good and cannot leave. It must be silent
    Forget {
        /// The name of the host in the fleet
        host: HostName,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Take a definition of the fleet that no host has, since its host was forgotten
    Adopt {
        /// The name or the UUID of the domain
        domain: String,
    },
    /// Print the hosts that watch for hosts that die, or let these watch, 7 at most, and no others
    Takers {
        /// Names of hosts in the fleet
        #[arg(value_name = "HOST", num_args = 0..=7)]
        hosts: Vec<HostName>,
    },
    /// Print what becomes of a domain when its host dies, or of all that are protected, or set it.
    /// At least two hosts watch then (`xend fleet takers`)
    Policy {
        /// The name or the UUID of a domain that is defined in the fleet
        domain: Option<String>,
        /// What becomes of it: it is tried once to start it elsewhere, or several times
        restart: Option<RestartWord>,
        /// Domains with a higher one are started earlier
        #[arg(long, value_name = "N", default_value_t = 0, requires = "restart")]
        priority: u8,
    },
    /// Try again to start a protected domain elsewhere, which was given up
    Retry {
        /// The name or the UUID of the domain
        domain: String,
    },
    /// Say that a silent host is off: others may have its domains, and its protected ones are
    /// started elsewhere. It stays in the fleet
    ConfirmDead {
        /// The name of the host in the fleet
        host: HostName,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Raise the fleet's schema to the highest that the xend of each host speaks
    Upgrade,
    /// Migrate all domains that run on this host to others, live and one after the other; fails if
    /// one is still there. Definitions of domains that do not run stay
    Evacuate {
        /// Print where the domains would go, and move none
        #[arg(long)]
        dry_run: bool,
        /// Unix socket of the daemon [default: that of the configuration]
        #[arg(long, value_name = "PATH")]
        unix: Option<PathBuf>,
    },
    /// Have the fleet not take this host for dead for some time, though it may be silent, nor give
    /// it new domains: its protected domains are not started elsewhere
    Away {
        /// How long that is meant to last. Then the host comes back by itself, if its xend runs
        #[arg(long, value_name = "N", default_value_t = 60,
            value_parser = clap::value_parser!(u32).range(1..=7 * 24 * 60))]
        minutes: u32,
        /// End it
        #[arg(long, conflicts_with = "minutes")]
        end: bool,
        /// Unix socket of the daemon [default: that of the configuration]
        #[arg(long, value_name = "PATH")]
        unix: Option<PathBuf>,
    },
    /// Tell how the fleet is, what is wrong, and what to do about it; fails if something is wrong
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// The same after a look at what the status cannot tell: whether etcd is slow, and whether each
    /// host that is alive answers this one
    Doctor {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// What becomes of a domain when its host dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RestartWord {
    /// It stays the dead host's
    None,
    /// It is tried once to start it elsewhere
    BestEffort,
    /// It is tried on several hosts
    Always,
}

/// The daemon that a command of a fleet is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct FleetHost {
    /// Configuration file of the daemon [default: /etc/xen/xend-config.sxp as root, else in
    /// `$XDG_CONFIG_HOME/xend`]
    #[arg(long, global = true, value_name = "FILE", env = "XEND_CONFIG")]
    pub config: Option<PathBuf>,

    /// Directory of the daemon's persistent state [default: /var/lib/xend as root, else in
    /// `$XDG_STATE_HOME/xend`]
    #[arg(long, global = true, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}

impl FleetHost {
    /// The options of that daemon.
    pub fn run_options(&self) -> RunOptions {
        let Self { config, state_dir } = self.clone();
        RunOptions { config, state_dir, ..RunOptions::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser as _;

    fn parse(line: &str) -> Result<(FleetHost, FleetCommand), clap::Error> {
        let cli = Cli::try_parse_from(["xend", "fleet"].into_iter().chain(line.split(' ')))?;
        match cli.command {
            Some(Command::Fleet { host, command }) => Ok((host, command)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_of_the_daemon_stand_anywhere() {
        let wanted = FleetHost { config: Some("c".into()), state_dir: Some("s".into()) };
        for line in ["--config c --state-dir s init", "init --config c --state-dir s"] {
            assert_eq!(parse(line).unwrap(), (wanted.clone(), FleetCommand::Init), "{line}");
        }
    }

    #[test]
    fn a_token_is_valid_for_a_week_at_most() {
        assert_eq!(parse("token").unwrap().1, FleetCommand::Token { minutes: 60 });
        assert_eq!(parse("token --minutes 5").unwrap().1, FleetCommand::Token { minutes: 5 });
        for line in ["token --minutes 0", "token --minutes 10081", "token 5", "init x", "join a b"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_definition_is_adopted_by_its_name_or_uuid() {
        let wanted = FleetCommand::Adopt { domain: "web".to_owned() };
        assert_eq!(parse("adopt web").unwrap().1, wanted);
        assert!(parse("adopt").is_err());
    }

    #[test]
    fn a_domain_is_protected_by_one_word() {
        let wanted = |domain: Option<&str>, restart, priority| FleetCommand::Policy {
            domain: domain.map(str::to_owned),
            restart,
            priority,
        };
        assert_eq!(parse("policy").unwrap().1, wanted(None, None, 0));
        assert_eq!(parse("policy web").unwrap().1, wanted(Some("web"), None, 0));
        let always = Some(RestartWord::Always);
        assert_eq!(parse("policy web always").unwrap().1, wanted(Some("web"), always, 0));
        let best = Some(RestartWord::BestEffort);
        let line = "policy web best-effort --priority 9";
        assert_eq!(parse(line).unwrap().1, wanted(Some("web"), best, 9));
        for line in
            ["policy web --priority 9", "policy web often", "policy web none --priority 256"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn up_to_seven_hosts_watch() {
        let hosts = |line: &str| match parse(line).unwrap().1 {
            FleetCommand::Takers { hosts } => hosts.len(),
            other => panic!("{other:?}"),
        };
        assert_eq!((hosts("takers"), hosts("takers a b c d e f g")), (0, 7));
        assert!(parse("takers a b c d e f g h").is_err());
    }

    #[test]
    fn a_host_is_evacuated_through_its_daemon() {
        let wanted = |dry_run, unix| FleetCommand::Evacuate { dry_run, unix };
        assert_eq!(parse("evacuate").unwrap().1, wanted(false, None));
        let socket = Some("socket".into());
        assert_eq!(parse("evacuate --dry-run --unix socket").unwrap().1, wanted(true, socket));
        assert!(parse("evacuate xen2").is_err());
    }

    #[test]
    fn a_host_is_away_for_a_week_at_most() {
        let wanted = |minutes, end| FleetCommand::Away { minutes, end, unix: None };
        assert_eq!(parse("away").unwrap().1, wanted(60, false));
        assert_eq!(parse("away --minutes 5").unwrap().1, wanted(5, false));
        assert_eq!(parse("away --end").unwrap().1, wanted(60, true));
        for line in ["away --minutes 0", "away --minutes 10081", "away --end --minutes 5", "away x"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_host_is_forgotten_by_its_name() {
        let host: HostName = "xen1".parse().unwrap();
        let wanted = |yes| FleetCommand::Forget { host: host.clone(), yes };
        assert_eq!(parse("forget xen1").unwrap().1, wanted(false));
        assert_eq!(parse("forget --yes xen1").unwrap().1, wanted(true));
        let error = parse("forget a/b").unwrap_err().to_string();
        assert!(error.contains("no name of a host"), "{error}");
        assert!(parse("forget").is_err());
    }
}

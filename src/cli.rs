//! The command line: `xend` serves, `xend COMMAND` does something else.
//!
//! Options override the configuration file. [`crate::config`] has the defaults.

mod fleet;
mod guard;
mod running;
mod service;
mod user;

use crate::config::RunOptions;
use crate::version;
use clap::error::{ContextKind, ContextValue};
use clap::{Parser, Subcommand};
use std::path::PathBuf;

pub use fleet::{FleetCommand, FleetHost, RestartWord};
pub use guard::GuardOptions;
pub use running::Running;
pub use service::ServiceCommand;
pub use user::{AccountOptions, UserCommand};

/// The parsed command line.
#[derive(Debug, Parser)]
#[command(
    name = "xend",
    version,
    long_version = version::with_features(),
    about = "Serves xend's HTTP interface: S-expressions, HTML and JSON over TCP and a unix socket",
    after_help = "Without a command, xend serves until SIGTERM or SIGINT. SIGHUP reloads the configuration.\n\
                  First steps:  xend --unix off &  curl http://127.0.0.1:8000/xend/node",
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    /// Options of the daemon.
    #[command(flatten)]
    pub run: RunOptions,
    /// The command; `None` to serve.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Commands other than serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print S-expressions in canonical form, one per line
    Sxp {
        /// File to read [default: standard input]
        file: Option<PathBuf>,
    },
    /// Work on the accounts of the users file
    User {
        /// Users file [default: /etc/xen/users.sxp as root, else in `$XDG_CONFIG_HOME/xend`]
        #[arg(long, global = true, value_name = "PATH")]
        file: Option<PathBuf>,

        /// What to do
        #[command(subcommand)]
        command: Box<UserCommand>,
    },
    /// Make, join, leave and show a fleet: many hosts on one etcd
    Fleet {
        /// The daemon
        #[command(flatten)]
        host: FleetHost,

        /// What to do
        #[command(subcommand)]
        command: FleetCommand,
    },
    /// Guard the protected domains of this host of a fleet: a process of its own beside the daemon.
    /// If it ends while it guards any, the hypervisor's watchdog resets the machine
    Guard {
        /// The daemon
        #[command(flatten)]
        host: FleetHost,

        /// How
        #[command(flatten)]
        options: GuardOptions,
    },
    /// Read a password from standard input and print a line for the password file, whose users are
    /// operators in the Xen-API (`xend user` is for accounts limited to domains)
    Password {
        /// User name
        user: String,
    },
    /// Print every key of xend-config.sxp with its default and a description
    Keys {
        /// Print a commented xend-config.sxp with all defaults instead
        #[arg(long)]
        sample: bool,
    },
    /// Check domain configurations: report errors and likely mistakes, and print the configuration
    /// as xend understands it
    Check {
        /// Fail on likely mistakes, too
        #[arg(long)]
        strict: bool,

        /// Files with one domain configuration each: an S-expression, a file of xm or xl, or
        /// XML of libvirt
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Print the S-expression of a file of xm or xl, or of XML of libvirt, as xm or libvirt would
    /// send it
    Convert {
        /// A file of xm or xl, or XML of libvirt
        file: PathBuf,
    },
    /// What the old xend did to its daemon
    #[command(flatten)]
    Service(ServiceCommand),
}

/// What to say of options of the daemon beside a command, if the error is about these: clap calls
/// the command a subcommand that an argument conflicts with.
pub fn options_beside_command(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(command)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    let option = match error.get(ContextKind::PriorArg) {
        Some(ContextValue::String(option)) => option.clone(),
        Some(ContextValue::Strings(options)) => options.first()?.clone(),
        _ => return None,
    };
    let option = option.split_whitespace().next()?;
    Some(format!(
        "{option} is an option of the daemon, which has no command: leave out {option} or {command}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Switch;
    use crate::core::model::Scheduler;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn clap_accepts_the_declaration() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn no_command_means_serve() {
        let cli =
            parse("xend --http [::1]:0 --unix off --scheduler sedf --log xend=trace").unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.run.http, Some(Switch::On("[::1]:0".parse().unwrap())));
        assert_eq!(cli.run.unix, Some(Switch::Off));
        assert_eq!(cli.run.scheduler, Some(Scheduler::Sedf));
        assert_eq!(cli.run.log.as_deref(), Some("xend=trace"));
    }

    #[test]
    fn commands_take_files() {
        assert!(matches!(parse("xend sxp").unwrap().command, Some(Command::Sxp { file: None })));
        assert!(matches!(
            parse("xend sxp a").unwrap().command,
            Some(Command::Sxp { file: Some(_) })
        ));
        assert!(matches!(parse("xend convert a").unwrap().command, Some(Command::Convert { .. })));
        assert!(parse("xend convert a b").is_err());
        assert!(parse("xend check").is_err());
        assert!(matches!(
            parse("xend check --strict a").unwrap().command,
            Some(Command::Check { strict: true, .. })
        ));
        assert!(
            matches!(parse("xend check a b").unwrap().command, Some(Command::Check { files, strict: false }) if files.len() == 2)
        );
    }

    #[test]
    fn commands_of_the_old_xend_are_known() {
        for (name, command) in [
            ("status", ServiceCommand::Status),
            ("start", ServiceCommand::Start),
            ("stop", ServiceCommand::Stop),
            ("restart", ServiceCommand::Restart),
            ("reload", ServiceCommand::Reload),
        ] {
            let parsed = parse(&format!("xend {name}")).unwrap().command;
            assert!(matches!(parsed, Some(Command::Service(one)) if one == command), "{name}");
        }
        let similar = parse("xend stat").unwrap_err().to_string();
        assert!(similar.contains("'status'") || similar.contains("'start'"), "{similar}");
    }

    #[test]
    fn invalid_values_are_refused() {
        for line in [
            "xend --log xend=loud",
            "xend --log-format xml",
            "xend --scheduler fair",
            "xend --hypervisor kvm",
            "xend serve",
            "xend status now",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}

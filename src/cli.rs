//! The command line.
//!
//! `xend` alone serves. Every option of it overrules the configuration file; what neither gives has
//! the default written down in [`crate::config`].

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::config::{Hypervisor, ListenIp, Switch};
use crate::core::model::Scheduler;

/// `xend` and what may follow it.
#[derive(Debug, Parser)]
#[command(
    name = "xend",
    version,
    about = "Serves xend's HTTP interface: S-expressions, HTML and JSON over TCP and a unix socket",
    after_help = "Without a command xend serves until SIGTERM or SIGINT, and reads its configuration again on SIGHUP.\n\
                  First steps:  xend --unix off &  curl http://127.0.0.1:8000/xend/node",
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    /// What serving is to be like.
    #[command(flatten)]
    pub run: RunOptions,
    /// Something else than serving.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options of the daemon.
#[derive(Debug, Clone, Default, Args)]
pub struct RunOptions {
    /// Configuration file [default: /etc/xen/xend-config.sxp as root, else in
    /// `$XDG_CONFIG_HOME/xend`]
    #[arg(long, value_name = "FILE", env = "XEND_CONFIG")]
    pub config: Option<PathBuf>,

    /// Where to serve TCP, or `off`; an empty ADDR is all interfaces [default: 127.0.0.1:8000]
    #[arg(long, value_name = "ADDR:PORT", value_parser = http_option)]
    pub http: Option<Switch<SocketAddr>>,

    /// Unix socket to serve, or `off` [default: /var/lib/xend/xend-socket as root, else in
    /// `$XDG_RUNTIME_DIR/xend`]
    #[arg(long, value_name = "PATH", value_parser = unix_option)]
    pub unix: Option<Switch<PathBuf>>,

    /// Unix socket to serve XML-RPC on, or `off` [default: /var/run/xend/xmlrpc.sock as root, else
    /// beside the unix socket; off if --unix is given]
    #[arg(long, value_name = "PATH", value_parser = unix_option)]
    pub xmlrpc: Option<Switch<PathBuf>>,

    /// Unix socket to serve the Xen-API on, or `off` [default: /var/run/xend/xen-api.sock as root,
    /// else beside the unix socket; off if --unix is given]
    #[arg(long, value_name = "PATH", value_parser = unix_option)]
    pub xen_api: Option<Switch<PathBuf>>,

    /// Where to take in domains from other hosts, or `off` [default: off; port 8002 of all
    /// interfaces if the configuration turns it on]
    #[arg(long, value_name = "ADDR:PORT", value_parser = http_option)]
    pub relocation: Option<Switch<SocketAddr>>,

    /// Directory for what must survive a restart [default: /var/lib/xend as root, else in
    /// `$XDG_STATE_HOME/xend`]
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,

    /// What runs the domains [default: sim]
    #[arg(long, value_enum)]
    pub hypervisor: Option<Hypervisor>,

    /// CPU scheduler of the simulated host: credit, credit2, sedf or rtds [default: credit]
    #[arg(long)]
    pub scheduler: Option<Scheduler>,

    /// Read the configuration, say what is wrong with it, and do not serve; fails if a listener
    /// would be left out
    #[arg(long)]
    pub check_config: bool,

    /// What to log, such as `debug` or `warn,xend=debug` [default: xend=info and warnings]
    #[arg(long, value_name = "LEVEL", value_parser = log_option)]
    pub log: Option<String>,
}

/// The commands beside serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read S-expressions and print each on a line of its own, in canonical form
    Sxp {
        /// File to read [default: standard input]
        file: Option<PathBuf>,
    },
    /// Read a password from standard input and print the user's line for the password file
    Password {
        /// The user's name
        user: String,
    },
    /// Print every key of xend-config.sxp with its default and what it is for
    Keys {
        /// Print a commented xend-config.sxp instead, with all defaults
        #[arg(long)]
        sample: bool,
    },
    /// Check domain configurations: say what is wrong or probably not meant, and print what xend
    /// understands
    Check {
        /// Fail if something is probably not meant
        #[arg(long)]
        strict: bool,

        /// Files that each hold a domain configuration as an S-expression
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// `off`, or `ADDR:PORT` with port 0 for one the kernel chooses.
fn http_option(text: &str) -> Result<Switch<SocketAddr>, String> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(Switch::Off);
    }
    let (address, port) = text.rsplit_once(':').ok_or("Give ADDR:PORT or off")?;
    let port = port.parse().map_err(|_| format!("'{port}' is not a port (0 to 65535)"))?;
    let address = address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(address);
    let ListenIp(ip) = address.parse().map_err(|_| format!("'{address}' is not an IP address"))?;
    Ok(Switch::On(SocketAddr::new(ip, port)))
}

fn unix_option(text: &str) -> Result<Switch<PathBuf>, String> {
    match text {
        "" => Err("Give a path or off".to_owned()),
        off if off.eq_ignore_ascii_case("off") => Ok(Switch::Off),
        path => Ok(Switch::On(path.into())),
    }
}

fn log_option(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_declaration_is_sound() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn serving_needs_no_word() {
        let cli =
            parse("xend --http [::1]:0 --unix off --scheduler sedf --log xend=trace").unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.run.http, Some(Switch::On("[::1]:0".parse().unwrap())));
        assert_eq!(cli.run.unix, Some(Switch::Off));
        assert_eq!(cli.run.scheduler, Some(Scheduler::Sedf));
        assert_eq!(cli.run.log.as_deref(), Some("xend=trace"));
    }

    #[test]
    fn addresses_are_written_as_in_the_file() {
        for (text, address) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("localhost:8000", "127.0.0.1:8000"),
            (":8000", "0.0.0.0:8000"),
            ("[::]:8000", "[::]:8000"),
        ] {
            assert_eq!(http_option(text), Ok(Switch::On(address.parse().unwrap())), "{text}");
        }
        assert_eq!(http_option("OFF"), Ok(Switch::Off));
        for text in ["8000", "localhost", "example.org:80", "127.0.0.1:65536", "127.0.0.1:", ""] {
            assert!(http_option(text).is_err(), "{text}");
        }
    }

    #[test]
    fn commands_take_files() {
        assert!(matches!(parse("xend sxp").unwrap().command, Some(Command::Sxp { file: None })));
        assert!(matches!(
            parse("xend sxp a").unwrap().command,
            Some(Command::Sxp { file: Some(_) })
        ));
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
    fn nonsense_is_refused_at_once() {
        for line in
            ["xend --log xend=loud", "xend --scheduler fair", "xend --hypervisor kvm", "xend serve"]
        {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}

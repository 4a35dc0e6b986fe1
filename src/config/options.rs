//! Command-line options that override the configuration file.

use super::address::ListenIp;
use super::log_filter;
use super::paths::{DefaultPaths, Environment};
use crate::core::model::Scheduler;
use clap::{Args, ValueEnum};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// A feature that can be turned off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Switch<T> {
    /// Turned off.
    Off,
    /// Turned on, with its setting.
    On(T),
}

/// The hypervisor backend, of those in this build.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Hypervisor {
    /// The built-in simulator.
    #[default]
    Sim,
    /// Xen on this host, through libxl.
    #[cfg(feature = "xen")]
    Xen,
}

impl fmt::Display for Hypervisor {
    /// As on the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sim => "sim",
            #[cfg(feature = "xen")]
            Self::Xen => "xen",
        })
    }
}

impl FromStr for Hypervisor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "sim" => Ok(Self::Sim),
            #[cfg(feature = "xen")]
            "xen" => Ok(Self::Xen),
            #[cfg(not(feature = "xen"))]
            "xen" => Err("this xend has only the simulator: install the package xend-xen, or \
                          build it with cargo build --profile dist --features xen"
                .to_owned()),
            _ => Err(format!("'{}' is neither xen nor sim", text.escape_debug())),
        }
    }
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For systemd's journal if standard error is the journal's, else xend's
    #[default]
    Auto,
    /// xend's own, with date and process
    Xend,
    /// One JSON object per line
    Json,
    /// For systemd's journal, with priorities
    Journal,
}

/// Options of the daemon. `None` leaves the value to the configuration file.
#[derive(Debug, Clone, Default, Args)]
pub struct RunOptions {
    /// Configuration file [default: /etc/xen/xend-config.sxp as root, else in
    /// `$XDG_CONFIG_HOME/xend`]
    #[arg(long, value_name = "FILE", env = "XEND_CONFIG")]
    pub config: Option<PathBuf>,

    /// TCP address to serve HTTP on, or `off`; an empty ADDR means all interfaces [default:
    /// 127.0.0.1:8000]
    #[arg(long, value_name = "ADDR:PORT", value_parser = address_or_off)]
    pub http: Option<Switch<SocketAddr>>,

    /// Unix socket to serve HTTP on, or `off` [default: /var/lib/xend/xend-socket as root, else in
    /// `$XDG_RUNTIME_DIR/xend`]
    #[arg(long, value_name = "PATH", value_parser = path_or_off)]
    pub unix: Option<Switch<PathBuf>>,

    /// Unix socket to serve XML-RPC on, or `off` [default: /var/run/xend/xmlrpc.sock as root, else
    /// beside the unix socket; off if --unix is given]
    #[arg(long, value_name = "PATH", value_parser = path_or_off)]
    pub xmlrpc: Option<Switch<PathBuf>>,

    /// Unix socket to serve the Xen-API on, or `off` [default: /var/run/xend/xen-api.sock as root,
    /// else beside the unix socket; off if --unix is given]
    #[arg(long, value_name = "PATH", value_parser = path_or_off)]
    pub xen_api: Option<Switch<PathBuf>>,

    /// TCP address to serve the Argo protocol on, or `off` [default: off; 127.0.0.1:20203 if the
    /// configuration turns it on]
    #[arg(long, value_name = "ADDR:PORT", value_parser = address_or_off)]
    pub argo: Option<Switch<SocketAddr>>,

    /// TCP address to serve metrics and health on, or `off` [default: off; 127.0.0.1:8007 if the
    /// configuration turns it on]
    #[arg(long, value_name = "ADDR:PORT", value_parser = address_or_off)]
    pub metrics: Option<Switch<SocketAddr>>,

    /// TCP address to receive migrating domains on, or `off` [default: off; port 8002 on all
    /// interfaces if the configuration turns it on]
    #[arg(long, value_name = "ADDR:PORT", value_parser = address_or_off)]
    pub relocation: Option<Switch<SocketAddr>>,

    /// Directory for persistent state [default: /var/lib/xend as root, else in
    /// `$XDG_STATE_HOME/xend`]
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,

    /// Hypervisor: xen for Xen on this host, sim for the built-in simulator [default: sim]
    #[arg(long, value_name = "xen|sim")]
    pub hypervisor: Option<Hypervisor>,

    /// CPU scheduler of the simulated host: credit, credit2, sedf or rtds [default: credit]
    #[arg(long)]
    pub scheduler: Option<Scheduler>,

    /// Check the configuration, report its problems and exit; fails if a listener would not be
    /// served
    #[arg(long)]
    pub check_config: bool,

    /// Log filter, such as `debug` or `warn,xend=debug` [default: xend=info and warnings]
    #[arg(long, value_name = "LEVEL", value_parser = log_filter::checked)]
    pub log: Option<String>,

    /// Format of log lines [default: auto]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

impl RunOptions {
    /// The configuration file: the given one, or the default one if there is one.
    pub fn config_file(&self, environment: &Environment) -> Option<PathBuf> {
        let default = || DefaultPaths::of(environment).map(|paths| paths.config);
        self.config.clone().or_else(|| default().filter(|file| file.exists()))
    }
}

/// The configuration names no fleet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file} names no fleet: write (xend-fleet NAME) into it, see xend keys")]
pub struct NoFleet {
    file: String,
}

impl NoFleet {
    /// For a command whose options lead to such a configuration.
    pub fn of(options: &RunOptions, environment: &Environment) -> Self {
        let file = options.config_file(environment);
        let file = file.map_or("The configuration".to_owned(), |file| file.display().to_string());
        Self { file }
    }
}

/// `off`, or `ADDR:PORT`. The kernel chooses the port if it is 0.
fn address_or_off(text: &str) -> Result<Switch<SocketAddr>, String> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(Switch::Off);
    }
    let Some((address, port)) = text.rsplit_once(':') else {
        return Err(if text.parse::<u16>().is_ok() {
            format!("the address is missing, write localhost:{text} or :{text} for all interfaces")
        } else {
            "write ADDR:PORT or off".to_owned()
        });
    };
    let port = port.parse().map_err(|_| format!("'{port}' is not a port (0 to 65535)"))?;
    let address = address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(address);
    let ListenIp(ip) = address.parse().map_err(|_| {
        format!("'{address}' is not an IP address, localhost or empty for all interfaces")
    })?;
    Ok(Switch::On(SocketAddr::new(ip, port)))
}

fn path_or_off(text: &str) -> Result<Switch<PathBuf>, String> {
    match text {
        "" => Err("Give a path or off".to_owned()),
        off if off.eq_ignore_ascii_case("off") => Ok(Switch::Off),
        path => Ok(Switch::On(path.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hypervisor_that_the_build_lacks_is_said_where_to_get() {
        assert_eq!("sim".parse(), Ok(Hypervisor::Sim));
        let wrong = "kvm".parse::<Hypervisor>().unwrap_err();
        assert_eq!(wrong, "'kvm' is neither xen nor sim");
        #[cfg(not(feature = "xen"))]
        {
            let lacking = "xen".parse::<Hypervisor>().unwrap_err();
            assert!(
                lacking.contains("xend-xen") && lacking.contains("--features xen"),
                "{lacking}"
            );
        }
    }

    #[test]
    fn addresses_are_written_as_in_the_file() {
        for (text, address) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("localhost:8000", "127.0.0.1:8000"),
            (":8000", "0.0.0.0:8000"),
            ("[::]:8000", "[::]:8000"),
        ] {
            assert_eq!(address_or_off(text), Ok(Switch::On(address.parse().unwrap())), "{text}");
        }
        assert_eq!(address_or_off("OFF"), Ok(Switch::Off));
        let advice = address_or_off("8001").unwrap_err();
        assert!(advice.contains("write localhost:8001 or :8001"), "{advice}");
        for text in ["8000", "localhost", "example.org:80", "127.0.0.1:65536", "127.0.0.1:", ""] {
            assert!(address_or_off(text).is_err(), "{text}");
        }
    }
}

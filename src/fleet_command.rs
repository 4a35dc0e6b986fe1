//! `xend fleet`: makes, joins, leaves and shows the fleet of a host, forgets hosts of it, and moves
//! the domains of a host to others.

mod absence;
mod daemon;
mod evacuation;
mod protection;
mod status_text;

use daemon::Daemon;
use evacuation::Evacuated;

pub use absence::AbsenceError;
pub use daemon::{DaemonError, Unasked};
pub use evacuation::EvacuationError;

use crate::cli::{FleetCommand, FleetHost};
use crate::config::{Config, ConfigError, Environment, NoFleet, Switch};
use crate::core::fingerprint::Fingerprint;
use crate::core::fleet::HostName;
use crate::core::model::{DomName, Uuid};
use crate::core::ports::{Clock as _, Entropy as _, Peers};
use crate::fleet::{
    self, Adopted, Candidate, Examination, FleetSettings, FleetStatus, JoinError, Joined, Keys, Kv,
    Left, NoClient, Notes, SilentHost,
};
use crate::os::{OsEntropy, SystemClock};
use crate::parent_dir;
use crate::peer_tls::{PeerTls, PeerTlsFiles, fingerprint_in};
use crate::store::{self, FleetMark};
use crate::wire::relocation::TlsPeers;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::task::spawn_blocking;
use xend_password_prompt::{read_line, read_password};

/// A command that failed.
#[derive(Debug, thiserror::Error)]
pub enum FleetCommandError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The host is in no fleet.
    #[error(transparent)]
    NoFleet(#[from] NoFleet),
    /// The host's UUID cannot be read or stored.
    #[error("Cannot use the state directory {}: {source}", dir.display())]
    StateDir { dir: PathBuf, source: io::Error },
    /// The fleet is not made, joined or left.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// The host has left, and its state directory says otherwise.
    #[error("This host has left the fleet: remove {}, which could not be removed: {source}", file.display())]
    MarkStays { file: PathBuf, source: io::Error },
    /// The token cannot be read.
    #[error("Cannot read the token: {0}")]
    Token(io::Error),
    /// Nobody has said yes. With what has not been done.
    #[error("{0}: give --yes, or answer on a terminal")]
    Unconfirmed(String),
    /// The answer cannot be read.
    #[error("Cannot read the answer: {0}")]
    Answer(io::Error),
    /// The configuration says that the daemon has no unix socket.
    #[error("The daemon has no unix socket in its configuration: give its path with --unix")]
    NoSocket,
    /// The host cannot be evacuated.
    #[error(transparent)]
    Evacuation(#[from] EvacuationError),
    /// The host is not away, or not back.
    #[error(transparent)]
    Absence(#[from] AbsenceError),
    /// There is no runtime for the calls of etcd.
    #[error("Cannot start: {0}")]
    Runtime(io::Error),
    /// This build has no client for etcd.
    #[error(transparent)]
    NoClient(#[from] NoClient),
}

/// What a command prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetOutput {
    pub text: String,
    /// Whether all is well: otherwise the exit status is 1.
    pub is_well: bool,
}

impl FleetOutput {
    fn done(text: String) -> Self {
        Self { text, is_well: true }
    }
}

/// Carries out a command.
pub fn run(
    host: &FleetHost,
    command: &FleetCommand,
    environment: &Environment,
) -> Result<FleetOutput, FleetCommandError> {
    let mut options = host.run_options();
    if let FleetCommand::Evacuate { unix, .. } | FleetCommand::Away { unix, .. } = command {
        options.unix = unix.clone().map(Switch::On);
    }
    let (config, _) = Config::load(&options, environment)?;
    let certificate = certificate(&config);
    let settings = config.fleet.ok_or_else(|| NoFleet::of(&options, environment))?;
    let token = match command {
        FleetCommand::Join { token: None } => Some(read_token()?),
        FleetCommand::Join { token } => token.clone(),
        _ => None,
    };
    let dir = &config.state_dir;
    let uuid = host_uuid(dir, host.state_dir.is_some())
        .map_err(|source| FleetCommandError::StateDir { dir: dir.clone(), source })?;
    let defined = match command {
        FleetCommand::Join { .. } => new_domains(dir),
        _ => Vec::new(),
    };
    let daemon = Daemon::at(&config.unix);
    let runtime = Builder::new_current_thread().enable_all().build();
    let key_file = settings.key_file(dir);
    let FleetSettings { cluster, host, etcd, .. } = settings;
    runtime.map_err(FleetCommandError::Runtime)?.block_on(async {
        let kv = fleet::connect(etcd)?;
        let keys = Keys::new(cluster);
        let candidate = Candidate {
            kv: &*kv,
            keys: &keys,
            host: &host,
            uuid,
            certificate,
            key_file: &key_file,
        };
        let token = token.unwrap_or_default();
        let certificate = config.relocation_tls;
        let given = Given { token, defined, daemon, kv: kv.clone(), certificate };
        let output = carry_out(&candidate, command, given).await;
        if let (FleetCommand::Leave, Ok(_)) = (command, &output) {
            Notes::forget(&fleet::fleet_dir(dir))
                .map_err(|source| FleetCommandError::StateDir { dir: dir.clone(), source })?;
            let mark = FleetMark::new(dir, keys.cluster().as_str());
            mark.remove().map_err(|source| FleetCommandError::MarkStays {
                file: mark.file().to_owned(),
                source,
            })?;
        }
        output
    })
}

/// The certificate of the host's encrypted relocation port, if it has one. A daemon serves without
/// a port whose files are of no use, and says so in its log: the command does not fail either.
fn certificate(config: &Config) -> Option<Fingerprint> {
    let files = config.relocation_tls.as_ref().ok()?;
    let is_served = matches!(config.relocation_ssl, Switch::On(_));
    fingerprint_in(&files.cert).ok().flatten().filter(|_| is_served)
}

/// What single commands need.
struct Given {
    token: String,
    defined: Vec<(Uuid, DomName)>,
    /// `None` if it has no unix socket.
    daemon: Option<Daemon>,
    kv: Arc<dyn Kv>,
    /// The files of the certificate that other hosts know, or why there are none.
    certificate: Result<PeerTlsFiles, String>,
}

async fn carry_out(
    candidate: &Candidate<'_>,
    command: &FleetCommand,
    given: Given,
) -> Result<FleetOutput, FleetCommandError> {
    let Candidate { keys, host, .. } = *candidate;
    let cluster = keys.cluster();
    let now = SystemClock.now();
    let mut text = String::new();
    let written = match command {
        FleetCommand::Init => {
            candidate.init(now, &OsEntropy).await?;
            writeln!(
                text,
                "The fleet {cluster} has its first host, {host}. For each other one, xend fleet token \
                 prints a token to join with."
            )
        }
        FleetCommand::Token { minutes } => {
            let valid = Duration::from_secs(u64::from(*minutes) * 60);
            let token = candidate.token(valid, &OsEntropy).await?;
            writeln!(text, "{token}")
        }
        FleetCommand::Join { .. } => match candidate.join(&given.token, &given.defined, now).await?
        {
            Joined::Now => writeln!(text, "{host} has joined the fleet {cluster}."),
            Joined::Before => {
                writeln!(text, "{host} is in the fleet {cluster} already: the token was not used.")
            }
        },
        FleetCommand::Leave => {
            let end = end_of_fleet(candidate.leave().await?);
            writeln!(
                text,
                "{host} has left the fleet {cluster}.{end} Its definitions stay on it. Remove \
                 (xend-fleet {cluster}) from its configuration."
            )
        }
        FleetCommand::Forget { host: name, yes } => {
            let silent = candidate.silent_host(name).await?;
            if !yes {
                confirm(&to_forget(&silent), format!("{name} is not forgotten")).await?;
            }
            let left = candidate.forget(&silent, SystemClock.now()).await?;
            let orphans = match (left, silent.definitions) {
                (Left::LastOfFleet, _) | (Left::Fleet, 0) => String::new(),
                (Left::Fleet, definitions) => format!(
                    " Its definitions ({definitions}) wait for a host: xend fleet status lists them."
                ),
            };
            let end = end_of_fleet(left);
            writeln!(
                text,
                "{name} is forgotten: the fleet {cluster} has it no more, nor its domains.{end}\
                 {orphans} If it was only cut off, they still run there, and it has to join again."
            )
        }
        FleetCommand::Adopt { domain } => {
            let Adopted { domain, name } = candidate.adopt(domain, &OsEntropy).await?;
            writeln!(
                text,
                "{name} ({domain}) is defined on {host} from now on. Before you start it, see that \
                 it does not run where it was."
            )
        }
        FleetCommand::Takers { hosts } => {
            return Ok(FleetOutput::done(protection::takers(candidate, hosts).await?));
        }
        FleetCommand::Policy { domain, restart, priority } => {
            let domain = domain.as_deref();
            let (text, is_well) =
                protection::policy(candidate, domain, *restart, *priority).await?;
            return Ok(FleetOutput { text, is_well });
        }
        FleetCommand::Retry { domain } => {
            return Ok(FleetOutput::done(protection::retry(candidate, domain).await?));
        }
        FleetCommand::ConfirmDead { host: name, yes } => {
            return Ok(FleetOutput::done(confirm_dead(candidate, name, *yes).await?));
        }
        FleetCommand::Upgrade => {
            return Ok(FleetOutput::done(protection::upgrade(candidate).await?));
        }
        FleetCommand::Evacuate { dry_run, .. } => {
            let daemon = given.daemon.ok_or(FleetCommandError::NoSocket)?;
            let evacuated = evacuation::run(given.kv, keys.clone(), host, &daemon, *dry_run);
            let Evacuated { text, is_whole } = evacuated.await?;
            return Ok(FleetOutput { text, is_well: is_whole });
        }
        FleetCommand::Away { minutes, end, .. } => {
            let daemon = given.daemon.ok_or(FleetCommandError::NoSocket)?;
            let minutes = (!end).then_some(*minutes);
            return Ok(FleetOutput::done(absence::change(host, &daemon, minutes).await?));
        }
        FleetCommand::Status { json } => {
            return Ok(status(candidate, *json).await);
        }
        FleetCommand::Doctor { json } => {
            return Ok(doctor(candidate, given.certificate, *json).await);
        }
    };
    // Writing to a text does not fail.
    written.ok();
    Ok(FleetOutput::done(text))
}

/// Tells how the fleet is.
async fn status(candidate: &Candidate<'_>, json: bool) -> FleetOutput {
    let Candidate { kv, keys, host, uuid, key_file, .. } = *candidate;
    let mut status = FleetStatus::of(kv, keys, host, uuid, key_file).await;
    status.judge_absences(SystemClock.now());
    let text = if json { status_text::json(&status) } else { status_text::text(&status) };
    FleetOutput { text, is_well: status.problems.is_empty() }
}

/// Tells how the fleet is, and the ways to its hosts. `certificate` is what the hosts know, or why
/// there is none.
async fn doctor(
    candidate: &Candidate<'_>,
    certificate: Result<PeerTlsFiles, String>,
    json: bool,
) -> FleetOutput {
    let Candidate { kv, keys, host, uuid, key_file, .. } = *candidate;
    let open = |files| PeerTls::open(files).map_err(|error| error.to_string());
    let tls = certificate.and_then(open).map(Arc::new);
    let peers = tls.map(|tls| TlsPeers::new(host.clone(), Ok(tls)));
    let peers = peers.as_ref().map(|peers| peers as &dyn Peers).map_err(String::as_str);
    let mut examined = Examination::of(kv, keys, host, uuid, key_file, peers).await;
    examined.status.judge_absences(SystemClock.now());
    let is_well = examined.status.problems.is_empty();
    let text = if json { status_text::json(&examined) } else { status_text::doctor(&examined) };
    FleetOutput { text, is_well }
}

/// Says that a silent host is dead, if somebody says yes.
async fn confirm_dead(
    candidate: &Candidate<'_>,
    name: &HostName,
    yes: bool,
) -> Result<String, FleetCommandError> {
    let silent = candidate.silent_host(name).await?;
    if !yes {
        let question = protection::to_confirm(&silent);
        confirm(&question, format!("{name} does not count as dead")).await?;
    }
    Ok(protection::confirm_dead(candidate, &silent).await?)
}

/// What to say of the fleet after a host has gone from it.
fn end_of_fleet(left: Left) -> &'static str {
    match left {
        Left::Fleet => "",
        Left::LastOfFleet => " It was the last host: there is no such fleet any more.",
    }
}

/// What is asked before a host is forgotten.
fn to_forget(SilentHost { name, domains, .. }: &SilentHost) -> String {
    format!(
        "{name} is silent. If it is only cut off, its domains ({domains}) still run there, and the \
         fleet will not show them: start none of them elsewhere.\nForget {name}? [y/N] "
    )
}

/// Asks on the terminal. The error says that this is so, unless the answer is yes.
async fn confirm(question: &str, otherwise: String) -> Result<(), FleetCommandError> {
    if !io::stdin().is_terminal() {
        return Err(FleetCommandError::Unconfirmed(otherwise));
    }
    io::stderr().write_all(question.as_bytes()).map_err(FleetCommandError::Answer)?;
    // The connections to etcd live on meanwhile.
    let answer = spawn_blocking(|| io::stdin().lines().next().unwrap_or(Ok(String::new())));
    let answer = answer.await.map_err(io::Error::other).and_then(|line| line);
    let answer = answer.map_err(FleetCommandError::Answer)?;
    let is_yes = ["y", "yes"].contains(&answer.trim().to_lowercase().as_str());
    if is_yes { Ok(()) } else { Err(FleetCommandError::Unconfirmed(otherwise)) }
}

/// What somebody types, without showing it, or the first line of standard input.
fn read_token() -> Result<String, FleetCommandError> {
    let mut input = io::stdin().lock();
    let token = if input.is_terminal() {
        drop(input);
        read_password("Token: ")
    } else {
        read_line(&mut input)
    };
    token.map_err(FleetCommandError::Token)
}

/// The domains that are defined here and were never the fleet's. Of others, the daemon finds out
/// what became of them when the host is back.
fn new_domains(dir: &Path) -> Vec<(Uuid, DomName)> {
    let known = Notes::open(&fleet::fleet_dir(dir)).domains();
    let mut defined = store::defined(dir);
    defined.retain(|(domain, _)| !known.contains(domain));
    defined
}

/// The host's own UUID, as its daemon finds or makes it. A directory that somebody names is no more
/// than one level away from what there is, as for the daemon.
fn host_uuid(dir: &Path, is_named: bool) -> io::Result<Uuid> {
    if is_named {
        parent_dir::check(&dir.join("host-uuid"))?;
    }
    store::host_uuid(dir, OsEntropy.uuid())
}

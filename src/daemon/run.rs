//! Start and end.

use super::accounts::HostAccounts;
use super::check;
use super::diagnostics::log;
use super::fleet::Fleet;
use super::reload::Reload;
use super::relocation::{Encrypted, RELOCATION_PORTS, Relocation};
use super::wires::Wires;
use super::{engine, relocation};
use anyhow::{Result, bail};
use arc_swap::ArcSwap;
use std::path;
use std::process::ExitCode;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use xend::allocator;
use xend::config::{Config, Diagnostic, Environment, LogFormat, RunOptions};
use xend::core::engine::Engine;
use xend::dir_lock::DirLock;
use xend::memory_budget::MemoryBudgets;
use xend::server::listen::OpenListeners;
use xend::server::places::{OpenFiles, fewest_files, open_files, raise_file_limit};
use xend::server::telemetry::{Telemetry, report_failure};
use xend::server::{Inherited, Places, Server, Signals, lifecycle, listen};
use xend::wire::http::Http;
use xend::wire::relocation::RelocationPlaces;

/// What there is before the log.
struct Prepared {
    inherited: Inherited,
    environment: Environment,
    config: Config,
    diagnostics: Vec<Diagnostic>,
}

/// `xend`: serves until SIGTERM or SIGINT. Why it failed is said in the format of the log.
pub(crate) fn serve(options: &RunOptions) -> ExitCode {
    let prepared = match prepare(options) {
        Ok(prepared) => prepared,
        Err(error) => return failed(options.log_format.unwrap_or_default(), &error),
    };
    let format = prepared.config.log_format;
    match serve_with(options, prepared) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(format, &error),
    }
}

fn failed(format: LogFormat, error: &anyhow::Error) -> ExitCode {
    report_failure(format, &format!("{error:#}"));
    ExitCode::FAILURE
}

fn prepare(options: &RunOptions) -> Result<Prepared> {
    allocator::configure();
    // Before any thread starts, since it changes the environment.
    let inherited = Inherited::from_env()?;
    let environment = Environment::of_this_process();
    let (config, diagnostics) = Config::load(options, &environment)?;
    Ok(Prepared { inherited, environment, config, diagnostics })
}

fn serve_with(options: &RunOptions, prepared: Prepared) -> Result<()> {
    let Prepared { inherited, environment, config, diagnostics } = prepared;
    let telemetry =
        Telemetry::init(&config.tunables.log_filter, config.logfile.as_deref(), config.log_format)?;
    log(diagnostics);
    let daemon = run(options, environment, config, inherited, telemetry.clone());
    let ended = lifecycle::block_on(daemon).map_err(anyhow::Error::from).and_then(|ended| ended);
    match &ended {
        Ok(()) => tracing::info!("Stopped"),
        // Standard error has it in any case.
        Err(error) if telemetry.is_in_file() => tracing::error!("{error:#}"),
        Err(_) => {}
    }
    ended
}

async fn run(
    options: &RunOptions,
    environment: Environment,
    config: Config,
    inherited: Inherited,
    telemetry: Telemetry,
) -> Result<()> {
    let mut signals = Signals::install()?;
    let tunables = config.live_tunables();
    check::state_dir(options, &config)?;
    // Two daemons with one directory would overwrite each other's files.
    let lock = DirLock::acquire(&config.state_dir)?;
    // Before the engine starts: a socket in use is a clear error. Connections are accepted when the
    // engine has started.
    let file_limit = raise_file_limit();
    let listeners = match open_listeners(&config, inherited, file_limit).await {
        Ok(listeners) => listeners,
        Err(error) => {
            lock.undo();
            return Err(error);
        }
    };
    let accounts = HostAccounts::load(&config);
    let policy = Arc::new(ArcSwap::from_pointee(config.tunables.policy.clone()));
    let relocation_tls = relocation::open_tls(&config);
    let fleet = Fleet::open(&config);
    let engine = engine::start(
        &config,
        Arc::clone(&policy),
        accounts.accounts.clone(),
        &relocation_tls,
        fleet.as_ref(),
    )
    .await?;
    let (places, relocation_places) = places(&config, file_limit, listeners.count());
    let server = Server::new(Arc::clone(&tunables), config.max_connections)
        .with_places(places)
        .with_accounts(accounts.accounts.clone());
    let server = Arc::new(server);
    accounts.watch(&server);
    server.spawn(allocator::keep_small(server.stopping()));
    let host = engine.host_uuid().await?;
    let peer_callers = fleet.as_ref().map(Fleet::callers);
    if let Some(fleet) = fleet {
        server.spawn(fleet.take_part(
            &config,
            engine.clone(),
            host,
            &relocation_tls,
            server.stopping(),
        ));
    }
    let budgets = MemoryBudgets::new(config.body_memory);
    let peer_requests = peer_callers.map(|callers| {
        let limits = Arc::clone(&tunables);
        let max_body = move || limits.load().max_body;
        let ring = telemetry.ring();
        let log = move || ring.text();
        let http = Http::new(engine.clone(), max_body, log, server.stopping());
        http.with_budgets(budgets.clone()).peer_requests(callers)
    });
    let requests = &budgets.requests;
    let relocation = Relocation::start(
        &config,
        &engine,
        &server,
        requests,
        Encrypted { tls: relocation_tls, requests: peer_requests },
        relocation_places,
        telemetry.announcements(),
    )
    .await?;
    let tls = listeners.tls();
    let left_out = listeners.left_out.clone();
    let wires = Wires {
        config: &config,
        engine: &engine,
        host,
        own_uid: environment.uid,
        accounts: &accounts,
        budgets: &budgets,
        tunables: &tunables,
        telemetry: &telemetry,
        server: &server,
    };
    wires.serve(listeners);
    server.spawn(begin_stop(engine.clone(), server.stopping()));
    log_start(&config);
    let options = options.clone();
    let reload = Arc::new(Reload {
        options,
        environment,
        config,
        telemetry,
        tunables,
        policy,
        accounts,
        tls,
        left_out,
        relocation,
    });
    lifecycle::supervise(&server, &mut signals, async || reload.run().await).await;
    lifecycle::finish(engine.stop(), &mut signals).await;
    Ok(())
}

/// Says that everything listens, and on what it works.
fn log_start(config: &Config) {
    let file = config.origins.keys.file().map(|file| {
        let file = path::absolute(file).unwrap_or_else(|_| file.to_owned());
        file.display().to_string()
    });
    tracing::info!(
        hypervisor = %config.hypervisor,
        config = %file.as_deref().unwrap_or("none"),
        state_dir = %config.state_dir.display(),
        "Xend {} started",
        env!("CARGO_PKG_VERSION")
    );
}

/// When the daemon begins to stop, the engine waits no longer for what may take minutes.
async fn begin_stop(engine: Engine, stopping: CancellationToken) {
    stopping.cancelled().await;
    engine.begin_stop();
}

/// Opens the listeners, if there can be enough files for the clients of all.
async fn open_listeners(
    config: &Config,
    inherited: Inherited,
    file_limit: Option<u64>,
) -> Result<OpenListeners> {
    let listeners = listen::open(config, inherited).await?;
    check_file_limit(file_limit, listeners.count())?;
    Ok(listeners)
}

/// Fails if a client of one listener could take the files that another one needs.
fn check_file_limit(limit: Option<u64>, listeners: usize) -> Result<()> {
    let fewest = fewest_files(open_files(), listeners, RELOCATION_PORTS);
    match limit {
        Some(limit) if usize::try_from(limit).is_ok_and(|limit| limit < fewest) => bail!(
            "Only {limit} files may be open (RLIMIT_NOFILE), and the configured listeners need at \
             least {fewest}: raise LimitNOFILE= in the unit or ulimit -n"
        ),
        Some(_) | None => Ok(()),
    }
}

/// The places of each listener and of each relocation port: the configured ones, or as many as the
/// open files allow.
fn places(config: &Config, limit: Option<u64>, listeners: usize) -> (Places, RelocationPlaces) {
    let all = RelocationPlaces::ALL;
    let files = OpenFiles::of(limit, all.files() * RELOCATION_PORTS);
    let wanted = Places::for_connections(config.max_connections);
    let places = wanted.within(files.clients, listeners);
    let relocation = RelocationPlaces::within(files.relocation / RELOCATION_PORTS);
    if let (true, Some(limit)) = ((places, relocation) != (wanted, all), limit) {
        tracing::warn!(
            "Only {limit} files may be open (RLIMIT_NOFILE): each listener has {} connections \
             instead of {}, and each relocation port takes {} domains at a time instead of {}: \
             raise LimitNOFILE= in the unit",
            places.connections,
            wanted.connections,
            relocation.arrivals,
            all.arrivals
        );
    }
    (places, relocation)
}

//! Start and end.

use super::accounts::HostAccounts;
use super::diagnostics::log;
use super::reload::Reload;
use super::relocation::Relocation;
use super::wires::Wires;
use super::{engine, relocation};
use anyhow::Result;
use arc_swap::ArcSwap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use xend::allocator;
use xend::config::{Config, Environment, RunOptions};
use xend::core::engine::Engine;
use xend::dir_lock::DirLock;
use xend::memory_budget::MemoryBudgets;
use xend::server::places::raise_file_limit;
use xend::server::telemetry::Telemetry;
use xend::server::{Inherited, Places, Server, Signals, lifecycle, listen};

/// `xend`: serves until SIGTERM or SIGINT.
pub(crate) fn serve(options: &RunOptions) -> Result<()> {
    allocator::configure();
    // Before any thread starts, since it changes the environment.
    let inherited = Inherited::from_env()?;
    let environment = Environment::of_this_process();
    let (config, diagnostics) = Config::load(options, &environment)?;
    let telemetry = Telemetry::init(&config.tunables.log_filter, config.logfile.as_deref())?;
    tracing::info!("Xend {} started", env!("CARGO_PKG_VERSION"));
    log(diagnostics);
    let daemon = run(options, environment, config, inherited, telemetry);
    lifecycle::block_on(daemon)??;
    tracing::info!("Stopped");
    Ok(())
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
    // Two daemons with one directory would overwrite each other's files.
    let _lock = DirLock::acquire(&config.state_dir)?;
    // Before the engine starts: a socket in use is a clear error. Connections are accepted when the
    // engine has started.
    let listeners = listen::open(&config, inherited).await?;
    for open in config.xmlrpc.iter().chain(&config.xen_api).filter(|one| one.is_open()) {
        let address = &open.address;
        tracing::warn!("Whoever can connect to {address:?} can do everything without a password");
    }
    let accounts = HostAccounts::load(&config);
    let policy = Arc::new(ArcSwap::from_pointee(config.tunables.policy.clone()));
    let relocation_tls = relocation::open_tls(&config);
    let engine =
        engine::start(&config, Arc::clone(&policy), accounts.accounts.clone(), &relocation_tls)
            .await?;
    let server = Server::new(Arc::clone(&tunables), config.max_connections)
        .with_places(places(&config, listeners.count()))
        .with_accounts(accounts.accounts.clone());
    let server = Arc::new(server);
    accounts.watch(&server);
    server.spawn(allocator::keep_small(server.stopping()));
    let host = engine.host_uuid().await?;
    let budgets = MemoryBudgets::new(config.body_memory);
    let relocation =
        Relocation::start(&config, &engine, &server, &budgets.requests, relocation_tls).await?;
    let tls = listeners.tls();
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
    server.spawn(end_guest_requests(engine.clone(), server.stopping()));
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
        relocation,
    });
    lifecycle::supervise(&server, &mut signals, async || reload.run().await).await;
    lifecycle::finish(engine.stop(), &mut signals).await;
    Ok(())
}

/// When the daemon begins to stop, requests to guests are answered at once: a guest may take
/// minutes.
async fn end_guest_requests(engine: Engine, stopping: CancellationToken) {
    stopping.cancelled().await;
    engine.end_guest_requests();
}

/// The places of each listener: the configured ones, or as many as the open files allow.
fn places(config: &Config, listeners: usize) -> Places {
    let wanted = Places::for_connections(config.max_connections);
    let files = raise_file_limit();
    let places = wanted.within(files, listeners);
    if let (true, Some(files)) = (places != wanted, files) {
        tracing::warn!(
            "Only {files} files may be open (RLIMIT_NOFILE): each listener has {} connections \
             instead of {}, raise LimitNOFILE= in the unit",
            places.connections,
            wanted.connections
        );
    }
    places
}

//! Start and end.

use super::accounts::HostAccounts;
use super::diagnostics::log;
use super::reload::Reload;
use super::wires::Wires;
use super::{engine, relocation};
use anyhow::Result;
use arc_swap::ArcSwap;
use std::sync::Arc;
use tokio::task::spawn_blocking;
use xend::config::{Config, Environment, RunOptions};
use xend::server::telemetry::Telemetry;
use xend::server::{Inherited, Server, Signals, lifecycle, listen};

/// `xend`: serves until SIGTERM or SIGINT.
pub(crate) fn serve(options: &RunOptions) -> Result<()> {
    // Before any thread starts, since it changes the environment.
    let inherited = Inherited::from_env()?;
    let environment = Environment::of_this_process();
    let (config, diagnostics) = Config::load(options, &environment)?;
    let telemetry = Telemetry::init(&config.tunables.log_filter, config.logfile.as_deref())?;
    tracing::info!("Xend {} started", env!("CARGO_PKG_VERSION"));
    log(diagnostics);
    lifecycle::raise_file_limit();
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
    // Before the engine starts: if another daemon runs, its socket in use is the clearest error.
    // Connections are accepted when the engine has started.
    let listeners = listen::open(&config, inherited).await?;
    for open in config.xmlrpc.iter().chain(&config.xen_api).filter(|one| one.is_open()) {
        let address = &open.address;
        tracing::warn!("Whoever can connect to {address:?} can do everything without a password");
    }
    let accounts = HostAccounts::load(&config);
    let policy = Arc::new(ArcSwap::from_pointee(config.tunables.policy.clone()));
    let engine = engine::start(&config, Arc::clone(&policy), accounts.accounts.clone()).await?;
    let server = Server::new(Arc::clone(&tunables), config.max_connections)
        .with_accounts(accounts.accounts.clone());
    accounts.watch(&server);
    let host = engine.host_uuid().await?;
    relocation::serve(&config, &engine, &server).await?;
    let tls = listeners.tls();
    let wires = Wires {
        config: &config,
        engine: &engine,
        host,
        own_uid: environment.uid,
        accounts: &accounts,
        tunables: &tunables,
        telemetry: &telemetry,
        server: &server,
    };
    wires.serve(listeners);
    let options = options.clone();
    let reload =
        Reload { options, environment, config, telemetry, tunables, policy, accounts, tls };
    let reload = Arc::new(reload);
    lifecycle::supervise(&server, &mut signals, async || {
        let reload = Arc::clone(&reload);
        // It reads files, and may ask for the names of users.
        spawn_blocking(move || reload.run()).await.ok();
    })
    .await;
    lifecycle::finish(engine.stop(), &mut signals).await;
    Ok(())
}

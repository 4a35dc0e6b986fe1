//! The `xend` daemon and its tools: arguments to configuration to wiring to run.

use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use clap::Parser;
use std::fmt::Display;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use xend::auth::{self, PasswordFile};
use xend::backend::sim::{Sim, SimSettings};
use xend::check;
use xend::cli::{Cli, Command, RunOptions};
use xend::config::{
    self, Auth, Config, Environment, Finding, Hypervisor, Live, RpcListener, Switch, Tunables,
};
use xend::core::engine::{Engine, Outside, Policy, Settings};
use xend::core::model::Uuid;
use xend::core::ports;
use xend::os::{OsEntropy, SystemClock};
use xend::peers::Allowed;
use xend::server::listen::Opened;
use xend::server::telemetry::Telemetry;
use xend::server::{Guard, Inherited, Server, Signals, lifecycle, listen};
use xend::store::DirStore;
use xend::sxp::{Limits, Reader, pretty};
use xend::wire::http::{self, Http};
use xend::wire::relocation::{RelocationServer, TcpCourier};
use xend::wire::xmlrpc::{Endpoint, LoginPolicy, XmlRpc, XmlRpcSettings};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.command {
        None if cli.run.check_config => check_config(&cli.run),
        None => serve(&cli.run).map(|()| ExitCode::SUCCESS),
        Some(Command::Sxp { file }) => print_canonical(file.as_deref()),
        Some(Command::Keys) => {
            print(config::reference());
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Check { files, strict }) => check(files, *strict),
        Some(Command::Password { user }) => password_line(user).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        complain(format_args!("xend: {error:#}"));
        ExitCode::FAILURE
    })
}

/// Prints to standard output. A reader that has seen enough (head) is no failure.
fn print(text: impl AsRef<[u8]>) {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_ref()).and_then(|()| out.flush()).ok();
}

/// Prints a line to standard error, if somebody reads it.
fn complain(line: impl Display) {
    writeln!(std::io::stderr().lock(), "{line}").ok();
}

/// `xend --check-config`: what a start would say of the configuration.
fn check_config(options: &RunOptions) -> Result<ExitCode> {
    let (config, findings) = Config::load(options, &Environment::of_this_process())?;
    let faults = listen::check(&config).into_iter().map(Finding::Fault);
    let mut status = ExitCode::SUCCESS;
    for finding in findings.into_iter().chain(faults) {
        match &finding {
            Finding::Warning(remark) => complain(format_args!("Warning: {remark}")),
            Finding::Fault(remark) => {
                complain(format_args!("Error: {remark}"));
                status = ExitCode::FAILURE;
            }
        }
    }
    Ok(status)
}

fn log(findings: Vec<Finding>) {
    for finding in findings {
        match finding {
            Finding::Warning(remark) => tracing::warn!("{remark}"),
            Finding::Fault(remark) => tracing::error!("{remark}"),
        }
    }
}

fn serve(options: &RunOptions) -> Result<()> {
    // Before any thread: it changes the environment.
    let inherited = Inherited::from_env()?;
    let environment = Environment::of_this_process();
    let (config, findings) = Config::load(options, &environment)?;
    let telemetry = Telemetry::init(&config.tunables.log, config.logfile.as_deref())?;
    tracing::info!("Xend {} started", env!("CARGO_PKG_VERSION"));
    log(findings);
    lifecycle::raise_file_limit();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let signals = Signals::install()?;
        let live = config.live();
        // First, since a second daemon is best told that its socket is taken. Nobody is served
        // before the engine is.
        let Opened { http, xmlrpc, xen_api } = listen::open(&config, inherited).await?;
        for open in config.xmlrpc.iter().chain(&config.xen_api).filter(|one| one.is_open()) {
            tracing::warn!("Whoever reaches {:?} can do everything without a password", open.place);
        }
        let policy = Arc::new(ArcSwap::from_pointee(policy(&config.tunables)));
        let engine = start_engine(&config, Arc::clone(&policy)).await?;
        let guard = Guard::new(Arc::clone(&live));
        let server = Server::new(Arc::clone(&live), config.max_connections);
        let app = guarded(pages(&engine, &live, &telemetry, &server), &guard);
        let host = engine.host_uuid().await?;
        let calls = calls(&engine, host, environment.uid, &live, &telemetry, &server);
        let stop = CancellationToken::new();
        serve_relocation(&config, &engine, stop.clone()).await?;
        listen::announce(xen_api.iter().map(|(listener, _)| listener), "Xen-API");
        listen::announce(&xmlrpc, "XML-RPC");
        listen::announce(&http, "Listening");
        for listener in http {
            server.attach(listener, app.clone());
        }
        let legacy = xmlrpc.into_iter().map(|listener| (listener, Endpoint::Legacy));
        let logins = xen_api
            .into_iter()
            .map(|(listener, wanted)| (listener, Endpoint::XenApi(login(&config, &wanted))));
        for (listener, endpoint) in legacy.chain(logins) {
            server.attach(listener, guarded(calls.router(endpoint), &guard));
        }
        lifecycle::supervise(&server, signals, || {
            reload(options, &environment, &config, &telemetry, &live);
            policy.store(Arc::new(self::policy(&live.load())));
        })
        .await;
        stop.cancel();
        engine.stop().await;
        Ok(())
    })
}

/// What of the configuration the engine goes by.
fn policy(tunables: &Tunables) -> Policy {
    Policy {
        dom0_min_mem_mib: tunables.dom0_min_mem_mib,
        dom0_ballooning: tunables.dom0_ballooning,
        enable_dump: tunables.enable_dump,
        devices: tunables.devices.clone(),
    }
}

/// Takes in domains from other hosts, if the configuration wants that. A relocation server of the
/// file that cannot be had is left out, as other listeners are.
async fn serve_relocation(config: &Config, engine: &Engine, stop: CancellationToken) -> Result<()> {
    let Switch::On(address) = config.relocation else { return Ok(()) };
    let opened = async {
        let hosts = Allowed::parse(&config.relocation_hosts);
        let allowed = hosts.map_err(|invalid| (listen::RELOCATION_HOSTS, invalid.into()))?;
        let listener = tokio::net::TcpListener::bind(address).await.map_err(|error| {
            let absent = error.kind() == std::io::ErrorKind::AddrNotAvailable;
            let key = if absent { "xend-relocation-address" } else { "xend-relocation-port" };
            let message = format!("Cannot listen on the relocation port {address}");
            (key, anyhow::Error::from(error).context(message))
        })?;
        Ok::<_, (&str, anyhow::Error)>((allowed, listener))
    };
    let (allowed, listener) = match opened.await {
        Ok(opened) => opened,
        Err((key, error)) => {
            let message = format!("{error:#}");
            let Some(fault) = listen::relocation_fault(config, address, key, &message) else {
                let of_file = key == listen::RELOCATION_HOSTS;
                return Err(if of_file { error.context(key) } else { error });
            };
            tracing::error!("{fault}");
            return Ok(());
        }
    };
    let address = listener.local_addr()?;
    if allowed.everybody() {
        tracing::warn!(
            "Every host may send domains to {address}: xend-relocation-hosts-allow is empty"
        );
    }
    print(format!("Relocation on {address}\n"));
    tokio::spawn(
        RelocationServer::new(engine.clone(), allowed, config.hypervisor_limit * 2)
            .serve(listener, stop),
    );
    Ok(())
}

async fn start_engine(config: &Config, policy: Arc<ArcSwap<Policy>>) -> Result<Engine> {
    let limit = config.hypervisor_limit;
    let clock: Arc<dyn ports::Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn ports::Entropy> = Arc::new(OsEntropy);
    let hypervisor: Arc<dyn ports::Hypervisor> = match config.hypervisor {
        Hypervisor::Sim => {
            let settings = SimSettings {
                cpus: config.sim.cpus,
                memory_mib: config.sim.memory_mib,
                scheduler: config.scheduler,
                vnc_password: config.vnc_password.clone(),
                ..SimSettings::default()
            };
            Arc::new(Sim::open(
                &config.state_dir.join("sim"),
                settings,
                clock.clone(),
                entropy.clone(),
            )?)
        }
        #[cfg(feature = "xen")]
        Hypervisor::Xen => {
            Arc::new(xend::backend::libxl::Xen::open(limit, config.vnc_password.clone())?)
        }
    };
    let dump_dir = config.state_dir.join("dump");
    std::fs::create_dir_all(&dump_dir)
        .with_context(|| format!("Cannot create {}", dump_dir.display()))?;
    let settings = Settings { hypervisor_limit: limit, dump_dir, policy, ..Settings::default() };
    let dir = &config.state_dir;
    let storage = config.storage.clone().unwrap_or_else(|| dir.join("storage"));
    let store = DirStore::with_storage(dir, &storage).with_context(|| {
        format!("Cannot use {} with disk images in {}", dir.display(), storage.display())
    })?;
    let (store, courier) = (Arc::new(store), Arc::new(TcpCourier::new(limit * 2)));
    Ok(Engine::start(Outside { hypervisor, store, courier, clock, entropy }, settings).await?)
}

/// How clients of a listener say who they are.
fn login(config: &Config, listener: &RpcListener) -> LoginPolicy {
    match listener.auth {
        Auth::None => LoginPolicy::Trust,
        Auth::Password => LoginPolicy::Password(Arc::new(PasswordFile::new(&config.password_file))),
        // Without PAM there is the unix socket alone, where root needs no password, and nobody else
        // is asked for one.
        Auth::Pam => auth::pam().map_or(LoginPolicy::Deny, LoginPolicy::Password),
    }
}

/// Keeps web pages of others away.
fn guarded(app: axum::Router, guard: &Guard) -> axum::Router {
    app.layer(axum::middleware::from_fn_with_state(guard.clone(), Guard::check))
}

fn calls(
    engine: &Engine,
    host: Uuid,
    own_uid: u32,
    live: &Live,
    telemetry: &Telemetry,
    server: &Server,
) -> XmlRpc {
    let (tunables, ring) = (Arc::clone(live), telemetry.ring());
    let settings = move || {
        let now = tunables.load();
        XmlRpcSettings {
            relocation_port: now.relocation_port,
            node_shutdown: now.node_shutdown,
            own_uid,
        }
    };
    XmlRpc::new(engine.clone(), host, settings, move || ring.text(), server.stopping())
}

fn pages(engine: &Engine, live: &Live, telemetry: &Telemetry, server: &Server) -> axum::Router {
    let (tunables, ring) = (Arc::clone(live), telemetry.ring());
    let settings = move || {
        let now = tunables.load();
        http::Settings {
            max_body: now.max_body,
            node_shutdown: now.node_shutdown,
            relocation_port: now.relocation_port,
        }
    };
    Http::new(engine.clone(), settings, move || ring.text(), server.stopping()).router()
}

fn reload(
    options: &RunOptions,
    environment: &Environment,
    old: &Config,
    telemetry: &Telemetry,
    live: &Live,
) {
    let (new, findings) = match Config::load(options, environment) {
        Ok(loaded) => loaded,
        Err(error) => return tracing::error!("Keeping the old configuration: {error}"),
    };
    log(findings);
    for setting in old.needs_restart(&new) {
        tracing::warn!("A change of {setting} needs a restart");
    }
    if let Err(error) = telemetry.reload(&new.tunables.log) {
        tracing::error!("{error}");
    }
    live.store(Arc::new(new.tunables));
}

/// `xend sxp`: every expression on a line of its own, in canonical form.
fn print_canonical(file: Option<&Path>) -> Result<ExitCode> {
    let (name, text) = if let Some(path) = file {
        (path.display().to_string(), read(path)?)
    } else {
        let mut text = Vec::new();
        std::io::stdin().lock().read_to_end(&mut text).context("Cannot read standard input")?;
        ("-".to_owned(), text)
    };
    let mut out = std::io::stdout().lock();
    let mut reader = Reader::new(&text, &generous(&text));
    loop {
        match reader.next() {
            Ok(Some(expression)) => {
                let mut line = expression.to_bytes();
                line.push(b'\n');
                // A reader that has seen enough (head) is no failure.
                if out.write_all(&line).is_err() {
                    return Ok(ExitCode::SUCCESS);
                }
            }
            Ok(None) => return Ok(ExitCode::SUCCESS),
            Err(error) => {
                out.flush().ok();
                complain(format_args!("{name}:{}:{}: {error}", error.line(), error.column()));
                return Ok(ExitCode::FAILURE);
            }
        }
    }
}

/// `xend password`: a line for the password file.
fn password_line(user: &str) -> Result<()> {
    let mut password = String::new();
    std::io::stdin().read_line(&mut password).context("Cannot read standard input")?;
    let line =
        auth::hashed(user, password.trim_end_matches(['\r', '\n'])).map_err(anyhow::Error::msg)?;
    print(format!("{line}\n"));
    Ok(())
}

/// `xend check`: what is wrong with a configuration or probably not meant, and what it means.
fn check(files: &[PathBuf], strict: bool) -> Result<ExitCode> {
    let mut status = ExitCode::SUCCESS;
    for path in files {
        let (name, report) = (path.display(), check::check(&read(path)?));
        for warning in &report.warnings {
            complain(format_args!("{name}:{warning}"));
        }
        if strict && !report.warnings.is_empty() {
            status = ExitCode::FAILURE;
        }
        match report.meaning {
            Ok(meaning) => print(format!("{}\n", pretty(&meaning, 100))),
            Err(wrong) => {
                complain(format_args!("{name}:{wrong}"));
                status = ExitCode::FAILURE;
            }
        }
    }
    Ok(status)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("Cannot read {}", path.display()))
}

/// A file of one's own can be as large as it is.
fn generous(text: &[u8]) -> Limits {
    Limits { bytes: text.len().max(1), count: text.len().max(1), ..Limits::default() }
}

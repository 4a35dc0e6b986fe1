//! The `xend` daemon and its tools: arguments, configuration, wiring, run.

use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use axum::Router;
use axum::middleware::from_fn_with_state;
use clap::Parser;
use std::fmt::Display;
use std::fs;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use xend::auth::{self, PasswordFile};
use xend::backend::sim::{Sim, SimSettings};
use xend::check;
use xend::cli::{Cli, Command};
use xend::config::{
    self, Auth, Config, Diagnostic, Environment, Hypervisor, LiveTunables, RpcListener, RunOptions,
    Severity, Switch,
};
use xend::core::engine::{Engine, EnginePorts, Settings};
use xend::core::model::{Policy, Uuid};
use xend::core::ports;
use xend::os::{OsEntropy, SystemClock};
use xend::peers::AllowedHosts;
use xend::server::listen::OpenListeners;
use xend::server::telemetry::Telemetry;
use xend::server::{Guard, Inherited, Server, Signals, lifecycle, listen};
use xend::store::DirStore;
use xend::sxp::{Limits, Reader, pretty};
use xend::wire::http::Http;
use xend::wire::relocation::{RelocationServer, TcpTransport};
use xend::wire::xmlrpc::{Endpoint, LoginPolicy, XmlRpc};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.command {
        None if cli.run.check_config => check_config(&cli.run),
        None => serve(&cli.run),
        Some(Command::Sxp { file }) => print_canonical(file.as_deref()),
        Some(Command::Keys { sample }) => {
            print(if *sample { config::sample_file() } else { config::reference() });
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Check { files, strict }) => check(files, *strict),
        Some(Command::Password { user }) => password_line(user),
    };
    result.unwrap_or_else(|error| {
        print_error(format_args!("xend: {error:#}"));
        ExitCode::FAILURE
    })
}

/// Prints to standard output. A closed pipe (head) is not an error.
fn print(text: impl AsRef<[u8]>) {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref()).and_then(|()| out.flush()).ok();
}

/// Prints a line to standard error, which may be closed.
fn print_error(line: impl Display) {
    writeln!(io::stderr().lock(), "{line}").ok();
}

/// `xend --check-config`: prints the messages of a start.
fn check_config(options: &RunOptions) -> Result<ExitCode> {
    let (config, diagnostics) = Config::load(options, &Environment::of_this_process())?;
    let mut status = ExitCode::SUCCESS;
    for diagnostic in diagnostics.into_iter().chain(listen::check(&config)) {
        match diagnostic.severity {
            Severity::Warning => print_error(format_args!("Warning: {diagnostic}")),
            Severity::Error => {
                print_error(format_args!("Error: {diagnostic}"));
                status = ExitCode::FAILURE;
            }
        }
    }
    Ok(status)
}

fn log(diagnostics: Vec<Diagnostic>) {
    for diagnostic in diagnostics {
        match diagnostic.severity {
            Severity::Warning => tracing::warn!("{diagnostic}"),
            Severity::Error => tracing::error!("{diagnostic}"),
        }
    }
}

/// `xend`: serves until SIGTERM or SIGINT.
fn serve(options: &RunOptions) -> Result<ExitCode> {
    // Before any thread starts, since it changes the environment.
    let inherited = Inherited::from_env()?;
    let environment = Environment::of_this_process();
    let (config, diagnostics) = Config::load(options, &environment)?;
    let telemetry = Telemetry::init(&config.tunables.log_filter, config.logfile.as_deref())?;
    tracing::info!("Xend {} started", env!("CARGO_PKG_VERSION"));
    log(diagnostics);
    lifecycle::raise_file_limit();
    let daemon = run(options, &environment, &config, inherited, &telemetry);
    lifecycle::block_on(daemon)??;
    tracing::info!("Stopped");
    Ok(ExitCode::SUCCESS)
}

async fn run(
    options: &RunOptions,
    environment: &Environment,
    config: &Config,
    inherited: Inherited,
    telemetry: &Telemetry,
) -> Result<()> {
    let mut signals = Signals::install()?;
    let tunables = config.live_tunables();
    // Before the engine starts: if another daemon runs, its socket in use is the clearest error.
    // Connections are accepted when the engine has started.
    let OpenListeners { http, xmlrpc, xen_api } = listen::open(config, inherited).await?;
    for open in config.xmlrpc.iter().chain(&config.xen_api).filter(|one| one.is_open()) {
        let address = &open.address;
        tracing::warn!("Whoever can connect to {address:?} can do everything without a password");
    }
    let policy = Arc::new(ArcSwap::from_pointee(config.tunables.policy.clone()));
    let engine = start_engine(config, Arc::clone(&policy)).await?;
    let server = Server::new(Arc::clone(&tunables), config.max_connections);
    let guard = Guard::new(Arc::clone(&tunables));
    let guarded = |app: Router| app.layer(from_fn_with_state(guard.clone(), Guard::check));
    let pages = guarded(http_router(&engine, &tunables, telemetry, &server));
    let host = engine.host_uuid().await?;
    let calls = xmlrpc_server(&engine, host, environment.uid, telemetry, &server);
    serve_relocation(config, &engine, &server).await?;
    listen::announce(xen_api.iter().map(|(listener, _)| listener), "Xen-API");
    listen::announce(&xmlrpc, "XML-RPC");
    listen::announce(&http, "Listening");
    for listener in http {
        server.attach(listener, pages.clone());
    }
    for listener in xmlrpc {
        server.attach(listener, guarded(calls.router(Endpoint::Legacy)));
    }
    for (listener, configured) in xen_api {
        let login = login(config, &configured);
        server.attach(listener, guarded(calls.router(Endpoint::XenApi(login))));
    }
    lifecycle::supervise(&server, &mut signals, || {
        reload(options, environment, config, telemetry, &tunables);
        policy.store(Arc::new(tunables.load().policy.clone()));
    })
    .await;
    lifecycle::finish(engine.stop(), &mut signals).await;
    Ok(())
}

/// Serves domains from other hosts, if that is configured. Like any other listener of the file, one
/// that cannot be opened is not served.
async fn serve_relocation(config: &Config, engine: &Engine, server: &Server) -> Result<()> {
    let Switch::On(address) = config.relocation else { return Ok(()) };
    let (allowed, listener) = match open_relocation(config, address).await {
        Ok(opened) => opened,
        Err((key, error)) => {
            let message = format!("{error:#}");
            let Some(diagnostic) = listen::relocation_error(config, address, key, &message) else {
                let is_of_file = key == listen::RELOCATION_HOSTS;
                return Err(if is_of_file { error.context(key) } else { error });
            };
            tracing::error!("{diagnostic}");
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
    let relocation = RelocationServer::new(engine.clone(), allowed, config.hypervisor_limit * 2);
    server.spawn(relocation.serve(listener, server.stopping()));
    Ok(())
}

/// The relocation listener with its allowed hosts, or the key with the wrong value.
async fn open_relocation(
    config: &Config,
    address: SocketAddr,
) -> Result<(AllowedHosts, TcpListener), (&'static str, anyhow::Error)> {
    let allowed = AllowedHosts::parse(&config.relocation_hosts)
        .map_err(|invalid| (listen::RELOCATION_HOSTS, invalid.into()))?;
    let listener = TcpListener::bind(address).await.map_err(|error| {
        let is_address_error = error.kind() == io::ErrorKind::AddrNotAvailable;
        let key = if is_address_error { "xend-relocation-address" } else { "xend-relocation-port" };
        let message = format!("Cannot listen on the relocation port {address}");
        (key, anyhow::Error::from(error).context(message))
    })?;
    Ok((allowed, listener))
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
            let dir = config.state_dir.join("sim");
            Arc::new(Sim::open(&dir, settings, clock.clone())?)
        }
        #[cfg(feature = "xen")]
        Hypervisor::Xen => {
            let password = config.vnc_password.clone();
            Arc::new(xend::backend::libxl::Xen::open(limit, password, clock.clone())?)
        }
    };
    let dump_dir = config.state_dir.join("dump");
    fs::create_dir_all(&dump_dir)
        .with_context(|| format!("Cannot create {}", dump_dir.display()))?;
    let settings = Settings { hypervisor_limit: limit, dump_dir, policy, ..Settings::default() };
    let state_dir = &config.state_dir;
    let storage = &config.storage;
    let store = DirStore::with_storage(state_dir, storage, entropy.clone());
    let store = Arc::new(store.with_context(|| {
        format!("Cannot use {} with disk images in {}", state_dir.display(), storage.display())
    })?);
    let transport = Arc::new(TcpTransport::new(limit * 2));
    Ok(Engine::start(EnginePorts { hypervisor, store, transport, clock, entropy }, settings)
        .await?)
}

/// How clients of a listener log in.
fn login(config: &Config, listener: &RpcListener) -> LoginPolicy {
    match listener.auth {
        Auth::None => LoginPolicy::Trust,
        Auth::Password => LoginPolicy::Password(Arc::new(PasswordFile::new(&config.password_file))),
        // Without PAM, only the unix socket has this method: root needs no password there, and
        // nobody else can log in.
        Auth::Pam => auth::pam().map_or(LoginPolicy::Deny, LoginPolicy::Password),
    }
}

fn xmlrpc_server(
    engine: &Engine,
    host: Uuid,
    own_uid: u32,
    telemetry: &Telemetry,
    server: &Server,
) -> XmlRpc {
    let ring = telemetry.ring();
    XmlRpc::new(engine.clone(), host, own_uid, move || ring.text(), server.stopping())
}

fn http_router(
    engine: &Engine,
    tunables: &LiveTunables,
    telemetry: &Telemetry,
    server: &Server,
) -> Router {
    let tunables = Arc::clone(tunables);
    let ring = telemetry.ring();
    let max_body = move || tunables.load().max_body;
    Http::new(engine.clone(), max_body, move || ring.text(), server.stopping()).router()
}

/// Applies a changed configuration file, as far as that is possible without a restart.
fn reload(
    options: &RunOptions,
    environment: &Environment,
    old: &Config,
    telemetry: &Telemetry,
    tunables: &LiveTunables,
) {
    let (new, diagnostics) = match Config::load(options, environment) {
        Ok(loaded) => loaded,
        Err(error) => {
            let error = anyhow::Error::from(error);
            return tracing::error!("Keeping the old configuration: {error:#}");
        }
    };
    log(diagnostics);
    for key in old.needs_restart(&new) {
        tracing::warn!("{key} has changed: restart xend to apply it");
    }
    if let Err(error) = telemetry.reload(&new.tunables.log_filter) {
        tracing::error!("{error}");
    }
    tunables.store(Arc::new(new.tunables));
}

/// `xend sxp`: prints each expression on a line of its own, in canonical form.
fn print_canonical(file: Option<&Path>) -> Result<ExitCode> {
    let (name, text) = if let Some(path) = file {
        (path.display().to_string(), read(path)?)
    } else {
        let mut text = Vec::new();
        io::stdin().lock().read_to_end(&mut text).context("Cannot read standard input")?;
        ("-".to_owned(), text)
    };
    let mut out = io::stdout().lock();
    let mut reader = Reader::new(&text, &limits_for(&text));
    loop {
        match reader.next() {
            Ok(Some(expression)) => {
                let mut line = expression.to_bytes();
                line.push(b'\n');
                // A closed pipe (head) is not an error.
                if out.write_all(&line).is_err() {
                    return Ok(ExitCode::SUCCESS);
                }
            }
            Ok(None) => return Ok(ExitCode::SUCCESS),
            Err(error) => {
                out.flush().ok();
                print_error(format_args!("{name}:{}:{}: {error}", error.line(), error.column()));
                return Ok(ExitCode::FAILURE);
            }
        }
    }
}

/// `xend password`: prints a line for the password file.
fn password_line(user: &str) -> Result<ExitCode> {
    let mut password = String::new();
    io::stdin().read_line(&mut password).context("Cannot read standard input")?;
    let line =
        auth::hashed(user, password.trim_end_matches(['\r', '\n'])).map_err(anyhow::Error::msg)?;
    print(format!("{line}\n"));
    Ok(ExitCode::SUCCESS)
}

/// `xend check`: prints the mistakes of domain configurations, and what xend understands.
fn check(files: &[PathBuf], strict: bool) -> Result<ExitCode> {
    let mut status = ExitCode::SUCCESS;
    for path in files {
        let name = path.display();
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        let report = check::check(&read(path)?, &file_name);
        for warning in &report.warnings {
            print_error(format_args!("{name}:{warning}"));
        }
        if strict && !report.warnings.is_empty() {
            status = ExitCode::FAILURE;
        }
        match report.config {
            Ok(config) => print(format!("{}\n", pretty(&config, 100))),
            Err(error) => {
                print_error(format_args!("{name}:{error}"));
                status = ExitCode::FAILURE;
            }
        }
    }
    Ok(status)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("Cannot read {}", path.display()))
}

/// Limits for a file of the user, which can have any size.
fn limits_for(text: &[u8]) -> Limits {
    Limits { bytes: text.len().max(1), count: text.len().max(1), ..Limits::DEFAULT }
}

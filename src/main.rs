//! The `xend` daemon and its tools: arguments to configuration to wiring to run.

use anyhow::{Context, Result};
use clap::Parser;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio_util::sync::CancellationToken;
use xend::auth::{self, PasswordFile};
use xend::backend::sim::{Sim, SimSettings};
use xend::cli::{Cli, Command, RunOptions};
use xend::config::{Auth, Config, Environment, Hypervisor, Live, Place, RpcListener, Switch};
use xend::core::engine::{Engine, Outside, Settings};
use xend::core::model::Uuid;
use xend::core::ports;
use xend::os::{OsEntropy, SystemClock};
use xend::peers::Allowed;
use xend::server::telemetry::Telemetry;
use xend::server::{Guard, Inherited, Server, Signals, lifecycle, listen};
use xend::shape::{self, SxpSink};
use xend::store::DirStore;
use xend::sxp::{Limits, ReadError, Reader, pretty, read_one};
use xend::wire::http::{self, Http};
use xend::wire::relocation::{RelocationServer, TcpCourier};
use xend::wire::xmlrpc::{self, Door, Login, XmlRpc};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.command {
        None => serve(&cli.run).map(|()| ExitCode::SUCCESS),
        Some(Command::Sxp { file }) => print_canonical(file.as_deref()),
        Some(Command::Check { files }) => check(files),
        Some(Command::Password { user }) => password_line(user).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        eprintln!("xend: {error:#}");
        ExitCode::FAILURE
    })
}

fn serve(options: &RunOptions) -> Result<()> {
    // Before any thread: it changes the environment.
    let inherited = Inherited::from_env()?;
    let environment = Environment::of_this_process();
    let (config, warnings) = Config::load(options, &environment)?;
    let telemetry = Telemetry::init(&config.tunables.log, config.logfile.as_deref())?;
    tracing::info!("Xend {} started", env!("CARGO_PKG_VERSION"));
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    lifecycle::raise_file_limit();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let signals = Signals::install()?;
        let live = config.live();
        // First, since a second daemon is best told that its socket is taken. Nobody is served before the engine is.
        let listeners = listen::open(&config, inherited).await?;
        let xmlrpc = listen::open_rpc(&config.xmlrpc).await?;
        let logins = config.xen_api.iter().map(|one| login(&config, one)).collect::<Result<Vec<_>>>()?;
        let xen_api = listen::open_rpc(&config.xen_api).await?;
        for open in config.xmlrpc.iter().chain(&config.xen_api).filter(|one| one.is_open()) {
            tracing::warn!("Whoever reaches {:?} can do everything without a password", open.place);
        }
        let dom0_min_mem = Arc::new(AtomicU64::new(config.tunables.dom0_min_mem_mib));
        let engine = start_engine(&config, Arc::clone(&dom0_min_mem)).await?;
        let guard = Guard::new(Arc::clone(&live));
        let server = Server::new(Arc::clone(&live), config.max_connections);
        let app = guarded(pages(&engine, &live, &telemetry, &server), &guard);
        let host = engine.host_uuid().await?;
        let calls = calls(&engine, host, environment.uid, &live, &telemetry);
        let stop = CancellationToken::new();
        serve_relocation(&config, &engine, stop.clone()).await?;
        listen::announce(&xen_api, "Xen-API");
        listen::announce(&xmlrpc, "XML-RPC");
        listen::announce(&listeners, "Listening");
        for listener in listeners {
            server.attach(listener, app.clone());
        }
        let doors = xmlrpc.into_iter().map(|listener| (listener, Door::Legacy));
        let doors = doors.chain(xen_api.into_iter().zip(logins.into_iter().map(Door::XenApi)));
        for (listener, door) in doors {
            server.attach(listener, guarded(calls.router(door), &guard));
        }
        lifecycle::supervise(&server, signals, || {
            reload(options, &environment, &config, &telemetry, &live);
            dom0_min_mem.store(live.load().dom0_min_mem_mib, Ordering::Relaxed);
        })
        .await;
        stop.cancel();
        engine.stop().await;
        Ok(())
    })
}

/// Takes in domains from other hosts, if the configuration wants that.
async fn serve_relocation(config: &Config, engine: &Engine, stop: CancellationToken) -> Result<()> {
    let allowed = Allowed::parse(&config.relocation_hosts).context("xend-relocation-hosts-allow")?;
    let Switch::On(address) = config.relocation else { return Ok(()) };
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("Cannot listen on the relocation port {address}"))?;
    let address = listener.local_addr()?;
    if allowed.everybody() {
        tracing::warn!("Every host may send domains to {address}: xend-relocation-hosts-allow is empty");
    }
    println!("Relocation on {address}");
    tokio::spawn(
        RelocationServer::new(engine.clone(), allowed, config.hypervisor_limit).serve(listener, stop),
    );
    Ok(())
}

async fn start_engine(config: &Config, dom0_min_mem: Arc<AtomicU64>) -> Result<Engine> {
    let limit = config.hypervisor_limit;
    let clock: Arc<dyn ports::Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn ports::Entropy> = Arc::new(OsEntropy);
    let hypervisor: Arc<dyn ports::Hypervisor> = match config.hypervisor {
        Hypervisor::Sim => {
            let settings = SimSettings {
                cpus: config.sim.cpus,
                memory_mib: config.sim.memory_mib,
                scheduler: config.scheduler,
                ..SimSettings::default()
            };
            Arc::new(Sim::open(&config.state_dir.join("sim"), settings, clock.clone(), entropy.clone())?)
        }
        #[cfg(feature = "xen")]
        Hypervisor::Xen => Arc::new(xend::backend::libxl::Xen::open(limit)?),
    };
    let dump_dir = config.state_dir.join("dump");
    std::fs::create_dir_all(&dump_dir).with_context(|| format!("Cannot create {}", dump_dir.display()))?;
    let settings = Settings { hypervisor_limit: limit, dump_dir, dom0_min_mem };
    let dir = &config.state_dir;
    let storage = config.storage.clone().unwrap_or_else(|| dir.join("storage"));
    let store = DirStore::with_storage(dir, &storage)
        .with_context(|| format!("Cannot use {} with disk images in {}", dir.display(), storage.display()))?;
    let (store, courier) = (Arc::new(store), Arc::new(TcpCourier::new(limit)));
    Ok(Engine::start(Outside { hypervisor, store, courier, clock, entropy }, settings).await?)
}

/// How clients of a listener say who they are.
fn login(config: &Config, listener: &RpcListener) -> Result<Login> {
    Ok(match (listener.auth, &listener.place) {
        (Auth::None, _) => Login::Trusting,
        (Auth::Password, _) => Login::Asking(Arc::new(PasswordFile::new(&config.password_file))),
        (Auth::Pam, place) => match (auth::pam(), place) {
            (Some(pam), _) => Login::Asking(pam),
            // On its unix socket root needs no password, and nobody else is asked for one.
            (None, Place::Unix(_)) => Login::Nobody,
            (None, Place::Tcp(address)) => anyhow::bail!(
                "This xend was built without PAM: give {address} the method password, or build with --features pam"
            ),
        },
    })
}

/// Keeps web pages of others away.
fn guarded(app: axum::Router, guard: &Guard) -> axum::Router {
    app.layer(axum::middleware::from_fn_with_state(guard.clone(), Guard::check))
}

fn calls(engine: &Engine, host: Uuid, own_uid: u32, live: &Live, telemetry: &Telemetry) -> XmlRpc {
    let (tunables, ring) = (Arc::clone(live), telemetry.ring());
    let settings = move || {
        let now = tunables.load();
        xmlrpc::Settings { relocation_port: now.relocation_port, node_shutdown: now.node_shutdown, own_uid }
    };
    XmlRpc::new(engine.clone(), host, settings, move || ring.text())
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

fn reload(options: &RunOptions, environment: &Environment, old: &Config, telemetry: &Telemetry, live: &Live) {
    let (new, warnings) = match Config::load(options, environment) {
        Ok(loaded) => loaded,
        Err(error) => return tracing::error!("Keeping the old configuration: {error}"),
    };
    for warning in warnings {
        tracing::warn!("{warning}");
    }
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
                return Ok(complain(&name, &error));
            }
        }
    }
}

/// `xend password`: a line for the password file.
fn password_line(user: &str) -> Result<()> {
    let mut password = String::new();
    std::io::stdin().read_line(&mut password).context("Cannot read standard input")?;
    let line = auth::hashed(user, password.trim_end_matches(['\r', '\n'])).map_err(anyhow::Error::msg)?;
    println!("{line}");
    Ok(())
}

/// `xend check`: what is wrong with a configuration, or what it means.
fn check(files: &[PathBuf]) -> Result<ExitCode> {
    let mut status = ExitCode::SUCCESS;
    for path in files {
        let (name, text) = (path.display().to_string(), read(path)?);
        let sxp = match read_one(&text, &generous(&text)) {
            Ok(sxp) => sxp,
            Err(error) => {
                status = complain(&name, &error);
                continue;
            }
        };
        match shape::read_config(&sxp) {
            Ok(config) => {
                let mut sink = SxpSink::default();
                shape::config(&mut sink, &config);
                let meaning =
                    read_one(&sink.into_bytes(), &Limits { bytes: usize::MAX, ..Limits::default() })?;
                println!("{}", pretty(&meaning, 100));
            }
            Err(error) => {
                let (line, column) = error.position(&text);
                eprintln!("{name}:{line}:{column}: {error}");
                status = ExitCode::FAILURE;
            }
        }
    }
    Ok(status)
}

fn complain(name: &str, error: &ReadError) -> ExitCode {
    eprintln!("{name}:{}:{}: {error}", error.line(), error.column());
    ExitCode::FAILURE
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("Cannot read {}", path.display()))
}

/// A file of one's own can be as large as it is.
fn generous(text: &[u8]) -> Limits {
    Limits { bytes: text.len().max(1), count: text.len().max(1), ..Limits::default() }
}

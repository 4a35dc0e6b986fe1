//! What each listener serves.

use super::accounts::HostAccounts;
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use std::sync::Arc;
use xend::auth::{self, PasswordFile};
use xend::call_reference::CallReference;
use xend::config::{Auth, Config, ListenerConfig, LiveTunables};
use xend::core::engine::Engine;
use xend::core::model::Uuid;
use xend::core::ports::{Authenticator, Logins};
use xend::memory_budget::MemoryBudgets;
use xend::server::listen::OpenListeners;
use xend::server::telemetry::Telemetry;
use xend::server::{BasicAuth, Guard, Listener, Server, Trust};
use xend::wire::argo::{ALL_BUSY, Argo, ArgoOptions, DomainFiles};
use xend::wire::http::{Http, refusals_in_json};
use xend::wire::metrics::{Metrics, Readers, Sources};
use xend::wire::xmlrpc::{
    Endpoint, LegacyPolicy, LoginPolicy, XenApiHosts, XmlRpc, legacy_calls, xen_api_calls,
};
use xend::xm_file;
use xend::xmconfig::Defaults;

/// The path of XML-RPC on the listeners of HTTP.
const XML_RPC_PATH: &str = "/RPC2";

/// The wires in front of an engine.
pub(super) struct Wires<'a> {
    pub(super) config: &'a Config,
    pub(super) engine: &'a Engine,
    /// The UUID of the host.
    pub(super) host: Uuid,
    /// The daemon's own user.
    pub(super) own_uid: u32,
    pub(super) accounts: &'a HostAccounts,
    /// The memory for bodies on all wires.
    pub(super) budgets: &'a MemoryBudgets,
    pub(super) tunables: &'a LiveTunables,
    pub(super) telemetry: &'a Telemetry,
    pub(super) server: &'a Server,
}

impl Wires<'_> {
    /// Announces all listeners and serves them.
    pub(super) fn serve(&self, listeners: OpenListeners) {
        let OpenListeners { http, xmlrpc, xen_api, argo, metrics: metrics_listener, left_out: _ } =
            listeners;
        let announcements = self.telemetry.announcements();
        announcements.announce(xen_api.iter().map(|(listener, _)| listener), "Xen-API");
        announcements.announce(xmlrpc.iter().map(|(listener, _)| listener), "XML-RPC");
        announcements.announce(&argo, "Argo");
        announcements.announce(&metrics_listener, "Metrics");
        announcements.announce(&http, "Listening");
        let guard = Guard::new(Arc::clone(self.tunables));
        let guarded = |auth, app: Router| {
            let app = self.with_basic_auth(app, auth);
            app.layer(from_fn_with_state(guard.clone(), Guard::check))
        };
        let attach = |listener, auth, app: Router| {
            self.server.attach(listener, guarded(auth, app));
        };
        let calls = self.calls();
        let xen_api_address = xen_api.first().map(|(listener, _)| curl_arguments(listener));
        let http_wire = self.http(xen_api_address);
        let metrics = self.metrics(&calls, &http_wire);
        for listener in http {
            let (auth, pages, policy) = match listener.trust() {
                Trust::Peers | Trust::Anyone => {
                    let pages = http_wire.clone().router();
                    let pages = match listener {
                        Listener::Unix { .. } => pages.merge(metrics.router(Readers::Operators)),
                        Listener::Tcp { .. } => pages,
                    };
                    (Auth::None, pages, LegacyPolicy::Trust)
                }
                Trust::Nobody => {
                    let pages = http_wire.clone().router_with_accounts(self.logins());
                    (Auth::Users, pages, LegacyPolicy::Users)
                }
            };
            // Our xm has one address for pages and for the calls that no page answers.
            let pages = pages.nest(XML_RPC_PATH, calls.router(Endpoint::Legacy(policy)));
            let app = guarded(auth, pages).layer(from_fn(refusals_in_json));
            self.server.attach(listener, app);
        }
        if let Some(listener) = metrics_listener {
            attach(listener, Auth::None, metrics.router(Readers::Connected));
        }
        self.server.spawn(calls.clone().forget_old());
        for (listener, ListenerConfig { auth, .. }) in xmlrpc {
            let policy =
                if auth == Auth::Users { LegacyPolicy::Users } else { LegacyPolicy::Trust };
            attach(listener, auth, calls.router(Endpoint::Legacy(policy)));
        }
        for (listener, ListenerConfig { auth, .. }) in xen_api {
            let policy = self.login_policy(auth);
            attach(listener, auth, calls.router(Endpoint::XenApi(policy)));
        }
        if let Some(listener) = argo {
            let argo = self.argo();
            self.server.attach_connections(listener, ALL_BUSY, move |stream, caller, stopping| {
                let argo = argo.clone();
                async move { argo.serve(stream, caller, stopping).await }
            });
        }
    }

    fn logins(&self) -> Arc<dyn Logins> {
        self.accounts.gate.clone()
    }

    /// On listeners with accounts, scripts send their password with each request.
    fn with_basic_auth(&self, app: Router, auth: Auth) -> Router {
        match auth {
            Auth::Users => {
                app.layer(from_fn_with_state(BasicAuth::new(self.logins()), BasicAuth::check))
            }
            Auth::None | Auth::Pam | Auth::Password => app,
        }
    }

    /// `xen_api_address` is where the Xen-API is, as arguments of curl.
    fn http(&self, xen_api_address: Option<String>) -> Http {
        let tunables = Arc::clone(self.tunables);
        let max_body = move || tunables.load().max_body;
        let ring = self.telemetry.ring();
        let log = move || ring.text();
        let hosts = self.xen_api_hosts();
        Http::new(self.engine.clone(), max_body, log, self.server.stopping())
            .with_budgets(self.budgets.clone())
            .with_calls(move || CallReference {
                path: XML_RPC_PATH,
                legacy: legacy_calls(),
                xen_api: xen_api_address.map(|address| (address, xen_api_calls(hosts))),
            })
    }

    fn xen_api_hosts(&self) -> XenApiHosts {
        match &self.config.fleet {
            Some(fleet) if fleet.in_xen_api => XenApiHosts::Fleet,
            Some(_) | None => XenApiHosts::Own,
        }
    }

    fn calls(&self) -> XmlRpc {
        let ring = self.telemetry.ring();
        let log = move || ring.text();
        let budgets = self.budgets.clone();
        let stopping = self.server.stopping();
        XmlRpc::new(self.engine.clone(), self.host, self.own_uid, log, budgets, stopping)
            .showing(self.xen_api_hosts())
    }

    fn metrics(&self, calls: &XmlRpc, http: &Http) -> Metrics {
        let calls = calls.clone();
        let http = http.clone();
        let sources = Sources {
            version: env!("CARGO_PKG_VERSION"),
            budgets: self.budgets.clone(),
            listeners: self.server.listener_counts(),
            tasks: Box::new(move || calls.task_counts()),
            json_tasks: Box::new(move || http.task_counts()),
        };
        Metrics::new(self.engine.clone(), sources)
    }

    fn argo(&self) -> Argo {
        let read = |file: &str, text: &[u8]| {
            let defaults = Defaults { name: Some(file), ..Defaults::default() };
            xm_file::read_domain(text, &defaults).map_err(|error| format!("{error:#}"))
        };
        let options = ArgoOptions {
            domain_files: Some(DomainFiles::new(self.config.domain_files.clone(), Box::new(read))),
            commands: Some(self.config.argo_commands.clone()),
            answers: self.budgets.answers.clone(),
            ..ArgoOptions::default()
        };
        Argo::new(self.engine.clone(), self.logins(), options)
    }

    /// How clients log in to the Xen-API.
    fn login_policy(&self, auth: Auth) -> LoginPolicy {
        let gated = |passwords: Arc<dyn Authenticator>| {
            LoginPolicy::Password(self.accounts.gate.wrap(passwords))
        };
        match auth {
            Auth::None => LoginPolicy::Trust,
            Auth::Users => LoginPolicy::Users(self.logins()),
            Auth::Password => gated(Arc::new(PasswordFile::new(&self.config.password_file))),
            // Without PAM, only the unix socket has this method: root needs no password there, and
            // nobody else can log in.
            Auth::Pam => auth::pam().map_or(LoginPolicy::Deny, gated),
        }
    }
}

/// How curl reaches a listener.
fn curl_arguments(listener: &Listener) -> String {
    match listener {
        Listener::Unix { path, .. } => {
            let path = path.display().to_string().replace('\'', r"'\''");
            format!("--unix-socket '{path}' http://localhost/")
        }
        Listener::Tcp { .. } => listener.to_string(),
    }
}

//! Listeners: stale, used, inherited and unwanted sockets.

use crate::server_support::{config_in, tcp_address};
use crate::tls_support::write_certificate;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use tempfile::TempDir;
use xend::config::{Auth, Config, Environment, RunOptions, Switch, TlsFiles, UnixSocket};
use xend::server::listen::{self, ListenError};
use xend::server::{Inherited, Listener, Trust};

fn unix_only(dir: &TempDir) -> Config {
    let mut config = config_in(dir);
    config.http = Switch::Off;
    config
}

fn socket(config: &Config) -> &UnixSocket {
    match &config.unix {
        Switch::On(socket) => socket,
        Switch::Off => panic!("the socket is on"),
    }
}

async fn open(config: &Config) -> Result<Vec<Listener>, ListenError> {
    inherit(config, Inherited::default()).await
}

async fn inherit(config: &Config, inherited: Inherited) -> Result<Vec<Listener>, ListenError> {
    listen::open(config, inherited).await.map(|opened| opened.http)
}

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn tcp_or_unix_can_be_off_but_not_both() {
    let dir = tempfile::tempdir().unwrap();
    let both = config_in(&dir);
    let names: Vec<_> = open(&both).await.unwrap().iter().map(ToString::to_string).collect();
    assert!(names[0].starts_with("http://127.0.0.1:") && names[0].ends_with('/'), "{names:?}");
    assert_eq!(names[1], format!("unix:{}", socket(&both).path.display()));

    let mut tcp = both.clone();
    tcp.unix = Switch::Off;
    assert!(matches!(open(&tcp).await.unwrap()[..], [Listener::Tcp { .. }]));
    assert!(matches!(open(&unix_only(&dir)).await.unwrap()[..], [Listener::Unix { .. }]));
    let mut none = unix_only(&dir);
    none.unix = Switch::Off;
    assert_eq!(
        open(&none).await.unwrap_err().to_string(),
        "Nothing to listen on: set (xend-http-server yes) or (xend-unix-server yes), give --http \
         ADDR:PORT or --unix PATH, or fix the listeners that are not served"
    );
}

#[tokio::test]
async fn a_socket_is_private_unless_configured_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = unix_only(&dir);
    let path = socket(&config).path.clone();
    let listeners = open(&config).await.unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700, "a directory that had to be made");
    drop(listeners);

    let own_group = rustix::process::getegid().as_raw().to_string();
    let group = Some(own_group.clone());
    config.unix = Switch::On(UnixSocket { mode: 0o660, group, ..socket(&config).clone() });
    let _listeners = open(&config).await.unwrap();
    assert_eq!(mode(&path), 0o660);
    assert_eq!(std::fs::metadata(&path).unwrap().gid().to_string(), own_group);
    let beside: Vec<_> = std::fs::read_dir(path.parent().unwrap()).unwrap().collect();
    assert_eq!(beside.len(), 1, "nothing temporary is left: {beside:?}");
}

#[tokio::test]
async fn the_directories_of_a_default_socket_are_all_made() {
    let dir = tempfile::tempdir().unwrap();
    let options = RunOptions { http: Some(Switch::Off), ..RunOptions::default() };
    let environment = Environment { home: Some(dir.path().to_owned()), ..Environment::default() };
    let config = Config::load(&options, &environment).unwrap().0;
    assert_eq!(listen::check(&config), []);
    let _listeners = open(&config).await.unwrap();
    assert!(dir.path().join(".local/state/xend/xend-socket").exists());
}

#[tokio::test]
async fn an_unknown_group_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = unix_only(&dir);
    let group = Some("no-such-group".to_owned());
    config.unix = Switch::On(UnixSocket { group, ..socket(&config).clone() });
    let message = open(&config).await.unwrap_err().to_string();
    assert_eq!(message, "No group no-such-group: create it, or name another one");
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_live_one_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let config = unix_only(&dir);
    let path = socket(&config).path.clone();
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    // The standard library leaves the file behind, as a killed daemon does.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());

    let listeners = open(&config).await.unwrap();
    let error = open(&config).await.unwrap_err();
    assert!(matches!(&error, ListenError::InUse(used) if *used == path));
    assert_eq!(
        error.to_string(),
        format!(
            "Socket {} is in use by a running server: stop that one, or give another path with --unix",
            path.display()
        )
    );
    assert!(path.exists(), "the other server keeps its socket");
    drop(listeners);
    assert!(!path.exists(), "removed in the end");
}

#[tokio::test]
async fn a_file_that_is_not_a_socket_stays() {
    let dir = tempfile::tempdir().unwrap();
    let config = unix_only(&dir);
    let path = &socket(&config).path;
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    std::fs::write(path, "precious").unwrap();
    let message = open(&config).await.unwrap_err().to_string();
    let start = format!("{} is not a socket: ", path.display());
    assert!(message.starts_with(&start), "{message}");
    assert_eq!(std::fs::read_to_string(path).unwrap(), "precious");
}

#[tokio::test]
async fn the_socket_of_another_server_is_not_removed() {
    let dir = tempfile::tempdir().unwrap();
    let config = unix_only(&dir);
    let path = &socket(&config).path;
    let listeners = open(&config).await.unwrap();
    std::fs::remove_file(path).unwrap();
    let _successor = std::os::unix::net::UnixListener::bind(path).unwrap();
    drop(listeners);
    assert!(path.exists());
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = unix_only(&dir);
    let path = dir.path().join("x".repeat(120)).join("socket");
    config.unix = Switch::On(UnixSocket { path, ..socket(&config).clone() });
    let message = open(&config).await.unwrap_err().to_string();
    assert!(message.starts_with("Cannot bind the socket "), "{message}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut config = config_in(&dir);
    config.http = Switch::On(address);
    let message = open(&config).await.unwrap_err().to_string();
    let expected = format!("Cannot listen on http://{address}/: another program has the port");
    assert!(message.starts_with(&expected), "{message}");
}

#[tokio::test]
async fn an_inherited_socket_replaces_the_configured_one() {
    let dir = tempfile::tempdir().unwrap();
    let config = config_in(&dir);
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let listeners = inherit(&config, Inherited { tcp: vec![tcp], unix: Vec::new() }).await.unwrap();
    assert_eq!(listeners.len(), 2);
    assert_eq!(tcp_address(&listeners), Some(address));
    assert!(socket(&config).path.exists(), "the other kind is configured");
    drop(listeners);

    let path = dir.path().join("handed-over");
    let unix = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let listeners =
        inherit(&config, Inherited { tcp: Vec::new(), unix: vec![unix] }).await.unwrap();
    assert!(
        listeners.iter().any(|listener| listener.to_string() == format!("unix:{}", path.display()))
    );
    assert!(!socket(&config).path.exists());
    drop(listeners);
    assert!(path.exists(), "the service manager removes it");
}

#[tokio::test]
async fn an_inherited_socket_has_the_configured_login_and_encryption() {
    let dir = tempfile::tempdir().unwrap();
    write_certificate(dir.path());
    let mut config = config_in(&dir);
    config.http_auth = Auth::Users;
    let bind = |ip: &str| std::net::TcpListener::bind((ip, 0)).unwrap();
    let inherited = |ip: &str| Inherited { tcp: vec![bind(ip)], unix: Vec::new() };
    let tcp = inherit(&config, inherited("127.0.0.1")).await.unwrap().remove(0);
    assert!(tcp.to_string().starts_with("http://127.0.0.1:"), "{tcp}");
    assert_eq!(tcp.trust(), Trust::Nobody);
    let error = inherit(&config, inherited("0.0.0.0")).await.unwrap_err().to_string();
    assert!(error.contains("would cross the network unencrypted"), "{error}");

    let at = |name: &str| dir.path().join(name);
    config.http_tls = Some(TlsFiles { key: at("key"), cert: at("cert") });
    let tcp = inherit(&config, inherited("0.0.0.0")).await.unwrap().remove(0);
    assert!(tcp.to_string().starts_with("https://0.0.0.0:"), "{tcp}");
}

//! Domains from other hosts.

use anyhow::Result;
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use xend::config::{Config, Switch};
use xend::core::engine::Engine;
use xend::peers::AllowedHosts;
use xend::server::{Server, listen};
use xend::wire::relocation::RelocationServer;

/// Serves domains from other hosts, if that is configured. Like any other listener of the file, one
/// that cannot be opened is not served.
pub(super) async fn serve(config: &Config, engine: &Engine, server: &Server) -> Result<()> {
    let Switch::On(address) = config.relocation else { return Ok(()) };
    let (allowed, listener) = match open(config, address).await {
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
    listen::announce([address], "Relocation");
    let limit = config.hypervisor_limit * 2;
    let relocation = RelocationServer::new(engine.clone(), allowed, server.identities(), limit);
    server.spawn(relocation.serve(listener, server.stopping()));
    Ok(())
}

/// The relocation listener with its allowed hosts, or the key with the wrong value.
async fn open(
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

//! The value of `xen-api-server`: `((9363 pam '^localhost$' key cert) (unix none))`.

use super::address::ListenIp;
use super::diagnostic::{Diagnostic, Origin};
use super::entry::{Entry, Problem};
use super::listener::{Auth, TlsFiles, XenApiEntry};
use crate::sxp::Sxp;
use std::net::SocketAddr;

/// Reads the list of listeners. A wrong listener becomes a diagnostic; the others are kept.
pub(super) fn read_xen_api_server(
    entry: &Entry<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Vec<XenApiEntry>, Problem> {
    let [list] = entry.values else {
        return Err(entry.problem(entry.offset, "needs one list of listeners, like ((unix))"));
    };
    let Some(listeners) = list.as_list() else {
        return Err(entry.problem(list.offset(), "needs a list of listeners, like ((unix))"));
    };
    let mut entries = Vec::new();
    for listener in listeners {
        match read_listener(entry, listener) {
            Ok(listener) => entries.push(listener),
            Err(Problem { offset, message }) => {
                let first = listener.as_list().and_then(<[Sxp]>::first).unwrap_or(listener);
                let address = first.as_str().unwrap_or("this listener").escape_debug();
                let error = entry.source.position(offset).error(message);
                diagnostics.push(error.with_consequence(&format!("{address} is not served")));
            }
        }
    }
    Ok(entries)
}

fn read_listener(entry: &Entry<'_>, listener: &Sxp) -> Result<XenApiEntry, Problem> {
    let words: Option<Vec<(u32, &str)>> = listener
        .as_list()
        .and_then(|items| items.iter().map(|item| Some((item.offset(), item.as_str()?))).collect());
    let Some([(offset, address), options @ ..]) = words.as_deref() else {
        return Err(
            entry.problem(listener.offset(), "needs lists like (unix) or (9363 pam) in its list")
        );
    };
    let tcp = match *address {
        unix if unix.eq_ignore_ascii_case("unix") => None,
        address => Some(tcp_address(entry, *offset, address)?),
    };
    let auth = match options.first() {
        // Without a method, xend's documentation said pam; its code let everybody in.
        None | Some((_, "pam")) => Auth::Pam,
        Some((_, "none")) => Auth::None,
        Some((_, "password")) => Auth::Password,
        Some((_, "users")) => Auth::Users,
        Some((offset, other)) => {
            let message = format!(
                "'{}' is not one of none, pam, password, users: write ({address} pam) or \
                 ({address} password), with the hosts after that",
                other.escape_debug()
            );
            return Err(entry.problem(*offset, &message));
        }
    };
    let hosts = options.get(1).map(|(_, hosts)| (*hosts).to_owned()).unwrap_or_default();
    let tls = match (options.get(2), options.get(3)) {
        (None, _) => None,
        (Some((_, key)), Some((_, cert))) => Some(TlsFiles {
            key: entry.beside_the_file(key.into()),
            cert: entry.beside_the_file(cert.into()),
        }),
        (Some((offset, _)), None) => {
            return Err(entry.problem(*offset, "a key needs a certificate after it"));
        }
    };
    if let Some((offset, _)) = options.get(4) {
        let message = "takes an address, a method, hosts, a key and a certificate";
        return Err(entry.problem(*offset, message));
    }
    if tcp.is_none() && tls.is_some() {
        return Err(entry.problem(listener.offset(), "a unix socket is not encrypted"));
    }
    let origin = Origin(Some(entry.source.position(listener.offset())));
    Ok(XenApiEntry { tcp, auth, hosts, tls, origin })
}

/// Reads `9363` or `localhost:9363`.
fn tcp_address(entry: &Entry<'_>, offset: u32, address: &str) -> Result<SocketAddr, Problem> {
    let (ip, port) = match address.rsplit_once(':') {
        Some((ip, port)) => (ip.trim_start_matches('[').trim_end_matches(']').parse().ok(), port),
        None => (Some(ListenIp::ANY), address),
    };
    if let (Some(ListenIp(ip)), Ok(port)) = (ip, port.parse()) {
        return Ok(SocketAddr::new(ip, port));
    }
    let message = format!("'{}' is not unix, PORT or ADDRESS:PORT", address.escape_debug());
    Err(entry.problem(offset, &message))
}

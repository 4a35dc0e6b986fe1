//! Where xend is.

use std::env;
use std::path::PathBuf;

/// The port of xend's HTTP.
const PORT: u16 = 8000;

/// The unix socket of a xend that runs as root.
const SYSTEM_SOCKET: &str = "/var/lib/xend/xend-socket";

/// The unix socket of the service that simulates a host, which has a user of its own.
const SERVICE_SOCKET: &str = "/run/xend/xend-socket";

/// Where xend listens, and with which account to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Unix(PathBuf),
    Tcp { host: String, port: u16, is_encrypted: bool, user: Option<String> },
}

impl Address {
    /// The address that the environment names (`XM_SERVER`), else the unix socket of this machine.
    pub(crate) fn from_environment() -> Result<Self, String> {
        match env::var("XM_SERVER") {
            Ok(text) if !text.is_empty() => {
                Self::parse(&text).map_err(|reason| format!("XM_SERVER: {reason}"))
            }
            _ => Ok(Self::Unix(default_socket())),
        }
    }

    /// Reads `unix:PATH`, `http[s]://[USER@]HOST[:PORT]`, or `[USER@]HOST[:PORT]`, which is
    /// encrypted unless it is this machine.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() {
                Err(format!("'{text}' has no path"))
            } else {
                Ok(Self::Unix(path.into()))
            };
        }
        let (is_encrypted, rest) = match text.split_once("://") {
            Some(("http", rest)) => (Some(false), rest),
            Some(("https", rest)) => (Some(true), rest),
            Some((scheme, _)) => {
                return Err(format!("'{scheme}' is not supported, use unix:, http: or https:"));
            }
            None => (None, text),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        if user.is_some_and(|user| user.contains(':')) {
            let advice = "a password does not belong in an address, see XM_PASSWORD_FILE";
            return Err(advice.to_owned());
        }
        let (host, port) = split_port(place).ok_or_else(|| {
            format!("'{text}' is not an address: unix:PATH or https://USER@HOST:PORT is expected")
        })?;
        let user = user.filter(|user| !user.is_empty()).map(str::to_owned);
        let is_encrypted = is_encrypted.unwrap_or(!is_this_machine(&host));
        Ok(Self::Tcp { host, port, is_encrypted, user })
    }

    /// The same address with or without encryption, as it is typed; `None` for a unix socket.
    pub(crate) fn typed(&self, is_encrypted: bool) -> Option<String> {
        let Self::Tcp { host, port, user, .. } = self else { return None };
        let scheme = if is_encrypted { "https" } else { "http" };
        let user = user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        Some(format!("{scheme}://{user}{host}:{port}"))
    }

    /// The value of HTTP's `Host`.
    pub(crate) fn host_header(&self) -> String {
        match self {
            Self::Unix(_) => "localhost".to_owned(),
            Self::Tcp { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Tcp { host, port, .. } => format!("{host}:{port}"),
        }
    }

    /// Whether a password would cross a network in the clear.
    pub(crate) fn is_in_the_clear(&self) -> bool {
        match self {
            Self::Unix(_) => false,
            Self::Tcp { host, is_encrypted, .. } => !is_encrypted && !is_this_machine(host),
        }
    }

    /// Whether xend runs on this machine.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp { host, .. } => is_this_machine(host),
        }
    }
}

/// `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`.
fn split_port(place: &str) -> Option<(String, u16)> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-._:%".contains(c);
    if host.is_empty() || !host.chars().all(is_word) {
        return None;
    }
    let port = port.map_or(Some(PORT), |port| port.parse().ok())?;
    Some((host.to_owned(), port))
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host == "::1" || host.starts_with("127.")
}

/// The daemon's own rule: root has a fixed place, other users have their own.
fn default_socket() -> PathBuf {
    let runtime = env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
    match runtime {
        Some(runtime) if !rustix::process::geteuid().is_root() => {
            PathBuf::from(runtime).join("xend/xend-socket")
        }
        _ => {
            let socket = [SYSTEM_SOCKET, SERVICE_SOCKET].map(PathBuf::from);
            let there = socket.iter().find(|path| path.exists());
            there.unwrap_or(&socket[0]).clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16, is_encrypted: bool, user: Option<&str>) -> Address {
        Address::Tcp { host: host.to_owned(), port, is_encrypted, user: user.map(str::to_owned) }
    }

    #[test]
    fn addresses_have_many_forms() {
        for (text, address) in [
            ("unix:/run/x", Address::Unix("/run/x".into())),
            ("unix:///run/x", Address::Unix("/run/x".into())),
            ("http://a", tcp("a", 8000, false, None)),
            ("https://steve@a.example.org:8443/", tcp("a.example.org", 8443, true, Some("steve"))),
            ("host1", tcp("host1", 8000, true, None)),
            ("ann@host1:99", tcp("host1", 99, true, Some("ann"))),
            ("localhost", tcp("localhost", 8000, false, None)),
            ("[::1]:80", tcp("::1", 80, false, None)),
            ("https://[fe80::1]", tcp("fe80::1", 8000, true, None)),
        ] {
            assert_eq!(Address::parse(text), Ok(address), "{text}");
        }
    }

    #[test]
    fn an_address_is_typed_with_or_without_encryption() {
        for (text, plain, encrypted) in [
            ("host1", "http://host1:8000", "https://host1:8000"),
            ("http://ann@[::1]:99", "http://ann@[::1]:99", "https://ann@[::1]:99"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.typed(false).as_deref(), Some(plain));
            assert_eq!(address.typed(true).as_deref(), Some(encrypted));
        }
        assert_eq!(Address::Unix("/x".into()).typed(true), None);
    }

    #[test]
    fn mistakes_are_named() {
        for text in ["", "unix:", "ftp://a", "http://a:b", "http://a:99999", "a b", "[::1", "::1"] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
        let refused = Address::parse("https://steve:secret7@a").unwrap_err();
        assert!(
            refused.contains("does not belong in an address, see XM_PASSWORD_FILE")
                && !refused.contains("secret7"),
            "{refused}"
        );
    }

    #[test]
    fn passwords_cross_no_network_in_the_clear() {
        let is_clear = |text: &str| Address::parse(text).unwrap().is_in_the_clear();
        assert!(is_clear("http://a") && !is_clear("https://a") && !is_clear("http://127.0.0.1"));
        assert!(!is_clear("unix:/x"));
    }
}

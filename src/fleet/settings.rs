//! What a host is told of its fleet.

use super::key_file::KeyFile;
use super::keys::ClusterName;
use crate::bounded_file;
use crate::core::fleet::HostName;
use crate::pem;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The fleet that a host is configured for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetSettings {
    /// The fleet.
    pub cluster: ClusterName,
    /// This host.
    pub host: HostName,
    /// Whether users of accounts of other hosts may use this one through those.
    pub takes_users: bool,
    /// Whether the Xen-API of this host shows all hosts and domains.
    pub in_xen_api: bool,
    /// The names of the storages that it shares with other hosts, sorted.
    pub storages: Vec<String>,
    /// The file of the fleet's key; `None` for the one in the state directory.
    pub key_file: Option<PathBuf>,
    /// Where the fleet is kept.
    pub etcd: EtcdSettings,
}

impl FleetSettings {
    /// The file of the fleet's key.
    pub fn key_file(&self, state_dir: &Path) -> KeyFile {
        let default = || fleet_dir(state_dir).join("key");
        KeyFile::at(self.key_file.clone().unwrap_or_else(default))
    }
}

/// The directory of what a host keeps of its fleet.
pub fn fleet_dir(state_dir: &Path) -> PathBuf {
    state_dir.join("fleet")
}

/// The socket of the guard of a host.
pub fn guard_socket(state_dir: &Path) -> PathBuf {
    fleet_dir(state_dir).join("guard.socket")
}

/// How etcd is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdSettings {
    /// Its servers, at least one.
    pub endpoints: Vec<EtcdEndpoint>,
    /// The certificates (PEM) that sign those of the servers; `None` for plain connections.
    pub ca: Option<PathBuf>,
    /// What this host shows the servers.
    pub certificate: Option<ClientCertificate>,
    /// The user of etcd; `None` if the certificate says it, or if there are no users.
    pub login: Option<EtcdLogin>,
    /// Whether servers before 3.5.13 will do.
    pub allows_old: bool,
}

/// Key and certificate (PEM) of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    pub key: PathBuf,
    pub cert: PathBuf,
}

/// A user of etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdLogin {
    pub user: String,
    /// A file with the password on its first line.
    pub password_file: PathBuf,
}

impl EtcdSettings {
    /// Reads the files that a connection needs, and tells which one is of no use. Blocks.
    pub fn check_files(&self) -> Result<(), String> {
        if let Some(ca) = &self.ca {
            pem::certificates(ca).map_err(|error| error.to_string())?;
        }
        if let Some(ClientCertificate { key, cert }) = &self.certificate {
            pem::private_key(key).map_err(|error| error.to_string())?;
            pem::certificates(cert).map_err(|error| error.to_string())?;
        }
        self.login.as_ref().map_or(Ok(()), |login| login.password().map(drop))
    }
}

impl EtcdLogin {
    /// Reads the password. Blocks.
    pub fn password(&self) -> Result<String, String> {
        let file = self.password_file.display();
        let text = read(&self.password_file)?;
        let text = String::from_utf8(text).map_err(|_| format!("{file} is not UTF-8"))?;
        match text.lines().next() {
            Some(password) if !password.is_empty() => Ok(password.to_owned()),
            _ => Err(format!("{file} has no password on its first line")),
        }
    }
}

/// The largest file with a key, certificates or a password, in bytes.
const MAX_FILE: usize = 1 << 20;

/// Reads a file whole. Blocks.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let cannot = |error| format!("Cannot read {}: {error}", path.display());
    bounded_file::read(path, MAX_FILE).map_err(cannot)
}

/// The client URL of a server of etcd: `https://etcd1:2379`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdEndpoint {
    url: String,
    host: String,
    is_encrypted: bool,
}

impl EtcdEndpoint {
    /// The port that etcd listens on for clients.
    const PORT: u16 = 2379;

    /// The URL, with its port.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether connections are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// Whether nobody on the network can read its connections.
    pub fn is_safe(&self) -> bool {
        let address = self.host.trim_start_matches('[').trim_end_matches(']');
        let is_loopback = |ip: IpAddr| ip.is_loopback();
        self.is_encrypted || self.host == "localhost" || address.parse().is_ok_and(is_loopback)
    }
}

impl FromStr for EtcdEndpoint {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (is_encrypted, authority) = if let Some(rest) = text.strip_prefix("http://") {
            (false, rest)
        } else {
            (true, text.strip_prefix("https://").ok_or(())?)
        };
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(drop)?),
            _ => (authority, Self::PORT),
        };
        let is_name = |host: &str| {
            !host.is_empty()
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        let in_brackets = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = in_brackets
            .map_or_else(|| is_name(host), |address| address.parse::<Ipv6Addr>().is_ok());
        if !is_host || port == 0 {
            return Err(());
        }
        let scheme = if is_encrypted { "https" } else { "http" };
        Ok(Self { url: format!("{scheme}://{host}:{port}"), host: host.to_owned(), is_encrypted })
    }
}

impl fmt::Display for EtcdEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_url_of_a_host() {
        for (text, url, is_safe) in [
            ("http://127.0.0.1:2379", "http://127.0.0.1:2379", true),
            ("http://localhost/", "http://localhost:2379", true),
            ("http://[::1]:23", "http://[::1]:23", true),
            ("http://[::1]", "http://[::1]:2379", true),
            ("http://192.0.2.1:2379", "http://192.0.2.1:2379", false),
            ("http://etcd1", "http://etcd1:2379", false),
            ("https://etcd1.example.org:2380", "https://etcd1.example.org:2380", true),
        ] {
            let endpoint: EtcdEndpoint = text.parse().unwrap();
            assert_eq!((endpoint.url(), endpoint.is_safe()), (url, is_safe), "{text}");
        }
        for text in [
            "",
            "etcd1",
            "etcd1:2379",
            "http://",
            "http://:2379",
            "http://a:0",
            "http://a:b",
            "http://a:65536",
            "http://a/b",
            "http://u:p@a:2379",
            "http://[x]:1",
            "unix:///run/etcd",
        ] {
            assert!(text.parse::<EtcdEndpoint>().is_err(), "{text}");
        }
    }
}

//! The name service.

use dns_lookup::{LookupError, LookupErrorKind};
use std::io;
use std::net::IpAddr;

/// A name service. Both questions may block for a long time. An error of the kind `NotFound` is its
/// answer, any other one a failure of the service.
pub trait Resolver: Send + Sync {
    /// The name of an address. Whoever has the address chooses it, and can choose any.
    fn name_of(&self, address: IpAddr) -> io::Result<String>;

    /// The addresses of a name. Whoever has the name chooses them.
    fn addresses_of(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The machine's name service.
#[derive(Debug, Clone, Copy)]
pub(super) struct SystemResolver;

impl Resolver for SystemResolver {
    fn name_of(&self, address: IpAddr) -> io::Result<String> {
        dns_lookup::lookup_addr(&address).map_err(failure)
    }

    fn addresses_of(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(dns_lookup::lookup_host(name).map_err(failure)?.collect())
    }
}

fn failure(error: LookupError) -> io::Error {
    match error.kind() {
        LookupErrorKind::NoName | LookupErrorKind::NoData => io::ErrorKind::NotFound.into(),
        _ => error.into(),
    }
}

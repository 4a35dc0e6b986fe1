//! Nodes of domains in XenStore. libxl has calls for what it writes itself; this is for what the
//! host and the guest tell each other.

use crate::core::error::Error;
use crate::core::model::{DomId, Invalid, StorePath, XenstoreData};
use crate::core::ports::TreeLimits;
use std::sync::{Mutex, PoisonError};
use xend_xenstore::{Access, Client, Error as StoreError, Nodes, Permission, Transaction};

/// A connection to XenStore, which is made when it is first used, and again after it was lost.
#[derive(Default)]
pub(super) struct XenStore(Mutex<Option<Client>>);

impl XenStore {
    /// The value of a node; `None` if there is no such node.
    pub(super) fn read(&self, domid: DomId, path: &StorePath) -> Result<Option<Vec<u8>>, Error> {
        self.with(|client| {
            let value = client.read_if_exists(&below(domid, path))?;
            if value.is_none() {
                check_domain(client, domid)?;
            }
            Ok(value)
        })
        .map_err(|failure| failure.into_error(domid))
    }

    /// The nodes below a node, each before those below it.
    pub(super) fn read_tree(
        &self,
        domid: DomId,
        path: &StorePath,
        limits: TreeLimits,
    ) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let top = directory(domid);
        self.with(|client| {
            check_domain(client, domid)?;
            let mut nodes = Vec::new();
            // Paths to list, with the number of levels that may be read below them.
            let mut to_list = vec![(path.as_str().to_owned(), limits.depth)];
            while let Some((parent, depth)) = to_list.pop() {
                let children = client.directory_if_exists(&format!("{top}/{parent}"))?;
                for name in children.unwrap_or_default() {
                    if nodes.len() == limits.nodes {
                        return Ok(nodes);
                    }
                    let node = format!("{parent}/{name}");
                    let Some(value) = client.read_if_exists(&format!("{top}/{node}"))? else {
                        continue;
                    };
                    if depth > 1 {
                        to_list.push((node.clone(), depth - 1));
                    }
                    nodes.push((node, value));
                }
            }
            Ok(nodes)
        })
        .map_err(|failure| failure.into_error(domid))
    }

    /// Writes a node of a domain that is there.
    pub(super) fn write(&self, domid: DomId, path: &StorePath, value: &[u8]) -> Result<(), Error> {
        let node = below(domid, path);
        let written = self.with(|client| {
            let write = |nodes: &mut Transaction<'_>| {
                if nodes.read_if_exists(&name(domid))?.is_none() {
                    return Ok(false);
                }
                if path.starts_with(XenstoreData::TOP) {
                    make_readable(nodes, domid, path)?;
                }
                nodes.write(&node, value).map(|()| true)
            };
            if client.transaction(write)? { Ok(()) } else { Err(Failure::Gone) }
        });
        written.map_err(|failure| match failure {
            Failure::Store(StoreError::TooLong { length, limit }) => {
                let reason = format!("{path}: {length} bytes with the path are too many");
                Invalid::new(format!("{reason}, XenStore takes {limit}")).into()
            }
            failure => failure.into_error(domid),
        })
    }

    /// Removes a node and all below it.
    pub(super) fn remove(&self, domid: DomId, path: &StorePath) -> Result<(), Error> {
        self.with(|client| {
            check_domain(client, domid)?;
            match client.remove(&below(domid, path)) {
                Err(error) if error.is_not_found() => Ok(()),
                removed => removed.map_err(Failure::from),
            }
        })
        .map_err(|failure| failure.into_error(domid))
    }

    /// Works with the connection. One that was lost is made again: work that failed because of that
    /// is repeated once, since all of it may be done twice.
    fn with<T>(
        &self,
        mut work: impl FnMut(&mut Client) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let was_open = connection.is_some();
        let done = work(open(&mut connection)?);
        match done {
            Err(Failure::Store(error)) if error.is_lost() => {
                *connection = None;
                if was_open { work(open(&mut connection)?) } else { Err(Failure::Store(error)) }
            }
            done => done,
        }
    }
}

fn open(connection: &mut Option<Client>) -> Result<&mut Client, Failure> {
    if let Some(client) = connection {
        return Ok(client);
    }
    let failed = |error| Failure::Other(Error::backend("Opening XenStore", error));
    Ok(connection.insert(Client::open().map_err(failed)?))
}

/// Why a call failed.
enum Failure {
    /// The domain is not there.
    Gone,
    Store(StoreError),
    Other(Error),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Failure {
    fn into_error(self, domid: DomId) -> Error {
        match self {
            Self::Gone => Error::Gone(domid.to_string()),
            Self::Store(error) => Error::backend("XenStore failed", error),
            Self::Other(error) => error,
        }
    }
}

/// Makes the nodes down to this one, unless they are there. The guest can read them alone.
fn make_readable(
    nodes: &mut Transaction<'_>,
    domid: DomId,
    path: &StorePath,
) -> Result<(), StoreError> {
    let permissions =
        [Permission::new(Access::None, DomId::ZERO.0), Permission::new(Access::Read, domid.0)];
    let mut node = directory(domid);
    for name in path.as_str().split('/') {
        node = format!("{node}/{name}");
        match nodes.permissions(&node) {
            Ok(_) => {}
            Err(error) if error.is_not_found() => {
                nodes.mkdir(&node)?;
                nodes.set_permissions(&node, &permissions)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A domain that has a name is there.
fn check_domain(client: &mut Client, domid: DomId) -> Result<(), Failure> {
    client.read_if_exists(&name(domid))?.map(drop).ok_or(Failure::Gone)
}

fn name(domid: DomId) -> String {
    format!("{}/name", directory(domid))
}

fn below(domid: DomId, path: &StorePath) -> String {
    format!("{}/{path}", directory(domid))
}

fn directory(domid: DomId) -> String {
    format!("/local/domain/{domid}")
}

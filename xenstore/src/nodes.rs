//! Requests that read and change nodes: the same for clients, transactions and connections to the
//! in-memory XenStore.

use crate::error::{Error, Refusal};
use crate::path::{check_path, check_watch_path};
use crate::perms::Permission;
use crate::wire::{MessageType, join};

/// The most bytes of names that [`Nodes::directory`] reads.
const MAX_NAMES: usize = 4 * 1024 * 1024;

/// How often [`Nodes::directory`] begins again because the node has changed.
const MAX_DIRECTORY_ATTEMPTS: usize = 20;

/// Reads and changes nodes. Paths are absolute, or relative to the domain's own directory.
///
/// The usual errors: `ENOENT` for a node that is not there, `EACCES` for one that the domain may
/// not see or change, or whose children it may not see.
pub trait Nodes {
    /// Sends one request and waits for the payload of its reply.
    fn request(&mut self, kind: MessageType, payload: &[u8]) -> Result<Vec<u8>, Error>;

    /// A node's value.
    fn read(&mut self, path: &str) -> Result<Vec<u8>, Error> {
        check_path(path)?;
        self.request(MessageType::Read, &join([path]))
    }

    /// A node's value, or `None` if there is no such node.
    fn read_if_exists(&mut self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        if_exists(self.read(path))
    }

    /// The names of a node's children, however many there are.
    fn directory(&mut self, path: &str) -> Result<Vec<String>, Error> {
        check_path(path)?;
        match self.request(MessageType::Directory, &join([path])) {
            Ok(payload) => names(&payload),
            Err(Error::Refused(Refusal::TooBig)) => directory_in_parts(self, path),
            Err(error) => Err(error),
        }
    }

    /// The names of a node's children, or `None` if there is no such node.
    fn directory_if_exists(&mut self, path: &str) -> Result<Option<Vec<String>>, Error> {
        if_exists(self.directory(path))
    }

    /// Sets a node's value. The node and those above it are made if they are not there. What is
    /// made inherits the permissions of its parent, and a guest owns what it makes.
    ///
    /// A guest's node with name, permissions and children has at most 2048 bytes: 2015 of value.
    fn write(&mut self, path: &str, value: &[u8]) -> Result<(), Error> {
        check_path(path)?;
        let mut payload = join([path]);
        payload.extend_from_slice(value);
        self.request(MessageType::Write, &payload).map(drop)
    }

    /// Makes a node with an empty value, and those above it, unless it is there already.
    fn mkdir(&mut self, path: &str) -> Result<(), Error> {
        check_path(path)?;
        self.request(MessageType::Mkdir, &join([path])).map(drop)
    }

    /// Removes a node and all below it. It is no error if only the node itself is not there, but
    /// `ENOENT` if its parent is not, either.
    fn remove(&mut self, path: &str) -> Result<(), Error> {
        check_path(path)?;
        self.request(MessageType::Remove, &join([path])).map(drop)
    }

    /// A node's permissions; the first entry names its owner.
    fn permissions(&mut self, path: &str) -> Result<Vec<Permission>, Error> {
        let malformed = |_| Error::Malformed("it holds no permissions");
        // Special names have permissions, too.
        check_watch_path(path)?;
        let payload = self.request(MessageType::GetPerms, &join([path]))?;
        texts(&payload)?.into_iter().map(|text| text.parse().map_err(malformed)).collect()
    }

    /// Sets a node's permissions; the first entry names its owner.
    fn set_permissions(&mut self, path: &str, permissions: &[Permission]) -> Result<(), Error> {
        check_watch_path(path)?;
        let entries: Vec<String> = permissions.iter().map(ToString::to_string).collect();
        let texts = std::iter::once(path).chain(entries.iter().map(String::as_str));
        self.request(MessageType::SetPerms, &join(texts)).map(drop)
    }
}

fn if_exists<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Err(error) if error.is_not_found() => Ok(None),
        other => other.map(Some),
    }
}

/// Reads a list of names that is longer than a payload, from the beginning again whenever the node
/// changes in between.
fn directory_in_parts<N: Nodes + ?Sized>(nodes: &mut N, path: &str) -> Result<Vec<String>, Error> {
    const MALFORMED: Error = Error::Malformed("a part of a directory needs a generation and names");
    let mut attempts = 0;
    let mut generation = Vec::new();
    let mut list = Vec::new();
    loop {
        let offset = list.len().to_string();
        let payload = nodes.request(MessageType::DirectoryPart, &join([path, &offset]))?;
        let end = payload.iter().position(|byte| *byte == 0).ok_or(MALFORMED)?;
        let (now, part) = payload.split_at(end);
        // The NUL after the generation.
        let part = part.get(1..).unwrap_or_default();
        if !list.is_empty() && generation != now {
            attempts += 1;
            if attempts == MAX_DIRECTORY_ATTEMPTS {
                return Err(Error::Refused(Refusal::Again));
            }
            list.clear();
            continue;
        }
        generation = now.to_vec();
        // An empty name ends the list.
        let (part, is_end) = match part {
            [names @ .., 0] if names.is_empty() || names.ends_with(&[0]) => (names, true),
            names => (names, false),
        };
        list.extend_from_slice(part);
        if is_end {
            return names(&list);
        }
        if part.is_empty() || list.len() > MAX_NAMES {
            return Err(MALFORMED);
        }
    }
}

/// Texts with a NUL after each; the last one's may lack.
fn texts(payload: &[u8]) -> Result<Vec<&str>, Error> {
    let text = std::str::from_utf8(payload).map_err(|_| Error::Malformed("it holds no text"))?;
    let text = text.strip_suffix('\0').unwrap_or(text);
    Ok(if text.is_empty() { Vec::new() } else { text.split('\0').collect() })
}

fn names(payload: &[u8]) -> Result<Vec<String>, Error> {
    Ok(texts(payload)?.into_iter().map(str::to_owned).collect())
}

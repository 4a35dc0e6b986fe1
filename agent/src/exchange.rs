//! Where requests come from and responses go to.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// A request as it came.
#[derive(Clone, PartialEq, Eq)]
pub struct RawRequest {
    /// The name under which the response is put.
    pub id: String,
    /// It may hold secrets: never for a log.
    pub text: Vec<u8>,
}

/// A place where requests come from and responses go to.
pub trait Exchange {
    /// The next request that waits, which is not removed until it is answered; `None` if none
    /// waits. Does not wait for one.
    fn next_request(&mut self) -> io::Result<Option<RawRequest>>;

    /// Removes the request and puts its response, at once or in this order: the host may see the
    /// response only.
    fn put_response(&mut self, id: &str, text: &[u8]) -> io::Result<()>;

    /// Becomes readable when a request may wait.
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;

    /// How often to look for requests whatever the descriptor says; `None` for a stream, which ends
    /// by itself, and whose descriptor tells everything.
    fn interval(&self) -> Option<Duration>;

    /// Removes old responses that no host has fetched.
    fn clean_up(&mut self, now: Instant) -> io::Result<()>;

    /// Whether no request will come any more.
    fn is_finished(&self) -> bool;

    /// What the host has written for the guest.
    fn data(&mut self) -> &mut dyn GuestData;
}

/// What the host has written for the guest, by paths such as `vm-data/hostname`.
pub trait GuestData {
    /// The value of a node; `None` if there is no such node.
    fn read(&mut self, path: &str) -> io::Result<Option<Vec<u8>>>;

    /// The names of the nodes below a node; none if there is no such node.
    fn list(&mut self, path: &str) -> io::Result<Vec<String>>;
}

/// No data: the host has written nothing.
#[derive(Debug)]
pub struct NoData;

impl GuestData for NoData {
    fn read(&mut self, _: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn list(&mut self, _: &str) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }
}

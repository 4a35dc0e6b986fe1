//! Where interfaces come from.

use crate::log;
use crate::netlink::{self, Changes, Interface};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// The guest's network interfaces, and when to look at them again.
pub trait Interfaces {
    /// All interfaces with their addresses.
    fn interfaces(&mut self) -> io::Result<Vec<Interface>>;

    /// Whether anything may have changed since the last call. Does not wait. After an error there
    /// is no descriptor any more.
    fn take_changes(&mut self) -> io::Result<bool>;

    /// Becomes readable when something has changed; `None` if nothing tells.
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;
}

/// Those of the kernel, in the network namespace of the agent.
#[derive(Debug)]
pub struct KernelInterfaces {
    changes: Option<Changes>,
}

impl KernelInterfaces {
    /// Listens to changes from now on. Where the kernel does not tell of any, interfaces can be
    /// asked for all the same.
    pub fn new() -> Self {
        let changes = Changes::subscribe();
        let late = |error: &_| {
            log::line(format_args!("Changes of addresses may be noticed a minute late: {error}"));
        };
        Self { changes: changes.inspect_err(late).ok() }
    }
}

impl Default for KernelInterfaces {
    fn default() -> Self {
        Self::new()
    }
}

impl Interfaces for KernelInterfaces {
    fn interfaces(&mut self) -> io::Result<Vec<Interface>> {
        netlink::interfaces()
    }

    fn take_changes(&mut self) -> io::Result<bool> {
        let taken = self.changes.as_mut().map_or(Ok(false), Changes::take);
        if taken.is_err() {
            self.changes = None;
        }
        taken
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.changes.as_ref().map(AsFd::as_fd)
    }
}

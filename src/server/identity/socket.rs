//! A TCP socket as the kernel lists it.

use std::net::SocketAddr;

/// A TCP socket in the kernel's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Socket {
    /// Its own address.
    pub(super) source: SocketAddr,
    /// The address of the other end.
    pub(super) destination: SocketAddr,
    /// The kernel's number of the state.
    pub(super) state: u8,
    pub(super) uid: u32,
    /// 0 once no process has it open.
    pub(super) inode: u64,
}

impl Socket {
    const ESTABLISHED: u8 = 1;
    const FIN_WAIT1: u8 = 4;
    const FIN_WAIT2: u8 = 5;
    const CLOSE_WAIT: u8 = 8;
    const CLOSING: u8 = 11;

    /// Whether a process has it open. A client that has sent everything may have closed its sending
    /// side.
    pub(super) fn is_open(&self) -> bool {
        let connected =
            [Self::ESTABLISHED, Self::FIN_WAIT1, Self::FIN_WAIT2, Self::CLOSE_WAIT, Self::CLOSING];
        self.inode != 0 && connected.contains(&self.state)
    }
}

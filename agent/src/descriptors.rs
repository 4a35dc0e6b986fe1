//! The descriptors that the agent has inherited.

use rustix::io::{FdFlags, fcntl_setfd};
use std::io;
use std::os::fd::{BorrowedFd, RawFd};

/// Keeps what the agent has inherited beside the standard streams from the programs that it runs.
/// Its own descriptors are closed there anyway.
pub fn set_close_on_exec() -> io::Result<()> {
    let mut inherited = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let number = entry?.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok());
        inherited.extend(number.filter(|number| *number > 2));
    }
    for number in inherited {
        // One of them was that of the directory, and is closed: `EBADF`.
        let _ = fcntl_setfd(borrow(number), FdFlags::CLOEXEC);
    }
    Ok(())
}

#[allow(unsafe_code, reason = "a number from the kernel's list has no owner in Rust")]
fn borrow(number: RawFd) -> BorrowedFd<'static> {
    // SAFETY: it is used for one system call, which reads no memory and fails if the number is that
    // of no descriptor.
    unsafe { BorrowedFd::borrow_raw(number) }
}

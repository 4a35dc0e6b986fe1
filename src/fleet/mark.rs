//! What a host remembers of its fleet while etcd cannot be asked.

use std::fmt::Debug;
use std::io;

/// A mark on this host, kept over its boots: it has taken part in the fleet, and has not left it.
///
/// If etcd then does not know the host, etcd may have lost the fleet, or the name may be another
/// machine's, and the host's domains may run elsewhere. Both methods block.
pub trait MemberMark: Debug + Send + Sync + 'static {
    /// Whether there is a mark. One that cannot be read is one.
    fn is_set(&self) -> bool;

    /// Makes the mark, which survives a crash of the machine.
    fn set(&self) -> io::Result<()>;
}

//! Domain-0's system.

/// What `uname` prints: system, host, release, version and machine.
pub(super) fn uname() -> [String; 5] {
    let uname = rustix::system::uname();
    [uname.sysname(), uname.nodename(), uname.release(), uname.version(), uname.machine()]
        .map(|part| part.to_string_lossy().into_owned())
}

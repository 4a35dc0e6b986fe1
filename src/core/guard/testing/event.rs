//! What happens in the world of a guard.

/// What happens next. Numbers of things are taken modulo how many there are.
#[derive(Debug, Clone, Copy)]
pub(in crate::core::guard) enum Event {
    /// So many milliseconds pass.
    Pass(u64),
    Tick,
    /// An output is carried out. What is destroyed may be stuck instead.
    CarryOut {
        which: usize,
        is_stuck: bool,
    },
    /// etcd carries out a read.
    Decide(usize),
    /// The guard learns of an end, or once more later.
    Tell {
        which: usize,
        again: bool,
    },
    /// A read fails.
    Fail(usize),
    /// Reads that are due are sent, and etcd carries them out.
    Ask,
    /// The guard learns of the oldest read, and what it wants done then is done.
    Hear,
    /// All that is under way ends at once.
    Settle,
    Register(u8),
    Build(u8),
    SayBuilt(u8),
    /// The transaction that says in etcd that the domain is guarded.
    Claim(u8),
    Unpause(u8),
    /// The domain is destroyed, etcd is told, and then the guard.
    Stop(u8),
    /// The domain is destroyed, and is about to be built again.
    Restart(u8),
    GoAway,
    ComeBack,
    Fence,
}

//! The rules of the protocol, each by what breaks it.

use crate::flaws::flaws;

flaws! {
    /// One broken rule.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum Flaw {
        /// `T_wait` is as long as the watchdog.
        ShortWait,
        /// A host whose lease is gone counts as dead.
        LeaseIsProof,
        /// A taker counts `T_wait` from sending the fence, not from its acknowledgement.
        WaitFromSending,
        /// A taker that finds another's fence does not wait anew.
        NoSecondWait,
        /// The guard's reads are not linearizable.
        StaleRead,
        /// The guard counts from the answer to its read, not from sending it.
        FromAnswer,
        /// The guard has one timer of the hypervisor, and trusts it to be set at once.
        OneTimer,
        /// The hypervisor's watchdog does not work.
        NoWatchdog,
        /// The guard says that it guards before a timer is set.
        RegisteredUnset,
        /// The guard lets go while the domain is being built.
        LetGoInBuild,
        /// The guard lets go before the transaction that clears `guarded`.
        LetGoFirst,
        /// The guard lets go when a read says that `guarded` is not set.
        LetGoOnRead,
        /// A domain runs before the transaction that claims it.
        RunBeforeClaim,
        /// A protected domain runs before the transaction that sets `guarded`.
        RunBeforeGuarded,
        /// A domain that was restarted in place is not registered again.
        RestartUnregistered,
        /// A taker claims what a policy protects, guarded or not.
        ClaimByPolicy,
        /// A taker does not compare the epoch of the owner with that of the fence.
        ClaimAnyEpoch,
        /// A taker does not compare the revision of `own`.
        ClaimAnyRevision,
        /// A taker claims first, and sets `guarded` when the domain is built.
        ClaimUnguarded,
        /// A claim is not compared with the fence of the host that claims.
        ClaimUnfenced,
        /// A receiver's transaction is not compared with its fence.
        ReceiveUnfenced,
        /// A receiver's transaction does not compare `moving` and its id.
        ReceiveAnyRevision,
        /// A receiver lets the domain run before its transaction is answered.
        ReceiveFirst,
        /// A receiver does not register the domain with its guard.
        ReceiveUnregistered,
        /// A receiver takes a lost answer for a success.
        ErrorIsSuccess,
        /// A receiver sends its transaction again with the revision that it finds.
        BlindRetry,
        /// A source that reads `moving` takes the domain back without a transaction.
        ResumeUnwritten,
        /// `away` is set without a comparison with the fence.
        AwayUncompared,
        /// A fence is declared without a comparison with `away`.
        FenceUncompared,
        /// The guard lets the timers go before `away` is acknowledged.
        AwayUnanswered,
        /// `away` is removed before the timers are set.
        BackUnset,
        /// `away` is removed whatever its revision.
        BackUncompared,
        /// Takers heed `away` until its time is over.
        AwayExpires,
        /// `away` counts for the host's later boots, too.
        AwayAnyEpoch,
        /// `away` of all boots of a host is one key, with the epoch as its value.
        AwayOneKey,
        /// A restart of the daemon is a new epoch.
        DaemonEpoch,
        /// A fenced host takes a new epoch while it guards domains.
        EpochWhileGuarding,
        /// A domain becomes protected under the epoch that it was started in.
        EpochKept,
        /// A new epoch counts as a new boot: the domains of the old one as gone.
        ConfirmByEpoch,
        /// A person confirms the death of a host that lives.
        WrongConfirm,
        /// etcd comes back as it once was.
        EtcdRestored,
    }
}

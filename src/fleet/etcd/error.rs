//! What an error of the client means for a call.

use crate::fleet::kv::KvError;
use etcd_client::Error;
use std::error::Error as _;
use tonic::{Code, Status};

/// Whether a call without an answer may have changed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallKind {
    Read,
    Write,
}

impl CallKind {
    /// The error of a call that was sent, and whose answer did not come.
    pub(super) fn unanswered(self, reason: String) -> KvError {
        match self {
            Self::Read => KvError::Unreachable(reason),
            Self::Write => KvError::InDoubt(reason),
        }
    }
}

/// The error of a call that was sent to an endpoint.
pub(super) fn of_call(error: &Error, kind: CallKind, endpoint: &str) -> KvError {
    match error {
        Error::GRpcStatus(status) => of_status(status, kind, endpoint),
        // The only one of these errors that an answer causes.
        Error::LeaseKeepAliveError(reason) if reason == "lease not found" => KvError::NoLease,
        Error::InvalidArgs(reason) => KvError::Refused(reason.clone()),
        Error::InvalidUri(_) | Error::InvalidMetadataValue(_) => {
            KvError::Refused(error.to_string())
        }
        error => kind.unanswered(format!("{endpoint}: {}", with_sources(error))),
    }
}

fn of_status(status: &Status, kind: CallKind, endpoint: &str) -> KvError {
    let message = status.message();
    let refused = || KvError::Refused(message.trim_start_matches("etcdserver: ").to_owned());
    match status.code() {
        Code::NotFound if message.contains("lease not found") => KvError::NoLease,
        Code::OutOfRange if message.contains("has been compacted") => KvError::Compacted,
        // It was not begun, and may be sent again.
        Code::ResourceExhausted if message.contains("too many requests") => {
            KvError::Unreachable(format!("{endpoint}: {message}"))
        }
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::FailedPrecondition
        | Code::ResourceExhausted
        | Code::Unimplemented => refused(),
        // The client does not read answers of this size: the call itself was carried out.
        Code::OutOfRange if kind == CallKind::Read => refused(),
        _ => kind.unanswered(format!("{endpoint}: {}", status_with_sources(status))),
    }
}

/// Whether the client has refused an answer as too large.
pub(super) fn is_too_large(error: &Error) -> bool {
    matches!(error, Error::GRpcStatus(status)
        if status.code() == Code::OutOfRange && status.message().contains("message length too large"))
}

/// `transport error: tcp connect error: Connection refused (os error 111)`
fn with_sources(error: &Error) -> String {
    match error {
        Error::TransportError(error) => chain(error),
        Error::IoError(error) => chain(error),
        error => error.to_string(),
    }
}

fn status_with_sources(status: &Status) -> String {
    match status.source() {
        Some(source) => chain(source),
        None => status.message().trim_start_matches("etcdserver: ").to_owned(),
    }
}

/// The texts of an error and its sources, none twice.
fn chain(error: &dyn std::error::Error) -> String {
    let mut texts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        if !texts.iter().any(|earlier| earlier.contains(&text)) {
            texts.push(text);
        }
        source = error.source();
    }
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: Code, message: &str, kind: CallKind) -> KvError {
        of_call(&Error::GRpcStatus(Status::new(code, message)), kind, "http://a:1")
    }

    #[test]
    fn an_answer_says_no() {
        for (code, message) in [
            (Code::PermissionDenied, "etcdserver: permission denied"),
            (Code::Unauthenticated, "etcdserver: invalid auth token"),
            (Code::InvalidArgument, "etcdserver: request is too large"),
            (Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded"),
            (Code::FailedPrecondition, "etcdserver: authentication is not enabled"),
        ] {
            for kind in [CallKind::Read, CallKind::Write] {
                let reason = message.strip_prefix("etcdserver: ").unwrap().to_owned();
                assert_eq!(of(code, message, kind), KvError::Refused(reason));
            }
        }
        let lease = "etcdserver: requested lease not found";
        assert_eq!(of(Code::NotFound, lease, CallKind::Write), KvError::NoLease);
        let gone = "etcdserver: mvcc: required revision has been compacted";
        assert_eq!(of(Code::OutOfRange, gone, CallKind::Read), KvError::Compacted);
    }

    #[test]
    fn a_write_without_an_answer_is_in_doubt() {
        for (code, message) in [
            (Code::Unavailable, "etcdserver: leader changed"),
            (Code::Unavailable, "etcdserver: request timed out"),
            (Code::DeadlineExceeded, "context deadline exceeded"),
            (Code::Cancelled, "cancelled"),
            (Code::Unknown, "h2 protocol error"),
            (Code::Internal, "broken"),
            (Code::OutOfRange, "decoded message length too large"),
        ] {
            assert!(matches!(of(code, message, CallKind::Write), KvError::InDoubt(_)), "{message}");
        }
        let read = of(Code::Unavailable, "etcdserver: no leader", CallKind::Read);
        assert_eq!(read, KvError::Unreachable("http://a:1: no leader".to_owned()));
        let busy = of(Code::ResourceExhausted, "etcdserver: too many requests", CallKind::Write);
        assert!(matches!(busy, KvError::Unreachable(_)));
    }
}

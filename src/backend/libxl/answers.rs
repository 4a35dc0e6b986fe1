//! Answers of libxl: JSON, or a failure that becomes an error of the port.

use super::ffi::Failure;
use crate::core::error::Error;
use serde::de::DeserializeOwned;
use std::io::{self, ErrorKind};

/// Reads libxl's JSON.
pub(super) fn parse<T: DeserializeOwned>(json: &str) -> Result<T, Error> {
    serde_json::from_str(json)
        .map_err(|error| Error::backend("libxl's answer makes no sense", error))
}

/// The error of a failed call. `what` is the operation: "Reading the host".
pub(super) fn call_failed(what: &str, failure: Failure) -> Error {
    /// The C library's words for a disk that is full, which libxl's messages have at their end.
    const FULL: [(&str, ErrorKind); 2] = [
        ("No space left on device", ErrorKind::StorageFull),
        ("Disk quota exceeded", ErrorKind::QuotaExceeded),
    ];
    let message = format!("{what} failed: {failure}");
    match FULL.iter().find(|(words, _)| failure.message().contains(words)) {
        Some((_, kind)) => Error::backend(message, io::Error::from(*kind)),
        None => Error::backend(message, failure),
    }
}

/// The error of a failed call on a domain, which may have gone.
pub(super) fn domain_call_failed(domid: u32, what: &str, failure: Failure) -> Error {
    if failure.is_domain_not_found() {
        Error::NoSuchDomain(domid.to_string())
    } else {
        call_failed(what, failure)
    }
}

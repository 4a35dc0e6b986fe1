//! Answers of libxl: JSON, or a failure that becomes an error of the port.

use super::ffi::Failure;
use crate::core::error::Error;
use serde::de::DeserializeOwned;

/// Reads libxl's JSON.
pub(super) fn parse<T: DeserializeOwned>(json: &str) -> Result<T, Error> {
    serde_json::from_str(json)
        .map_err(|error| Error::backend("libxl's answer makes no sense", error))
}

/// The error of a failed call. `what` is the operation: "Reading the host".
pub(super) fn call_failed(what: &str, failure: Failure) -> Error {
    Error::backend(format!("{what} failed: {failure}"), failure)
}

/// The error of a failed call on a domain, which may have gone.
pub(super) fn domain_call_failed(domid: u32, what: &str, failure: Failure) -> Error {
    if failure.is_domain_not_found() {
        Error::NoSuchDomain(domid.to_string())
    } else {
        call_failed(what, failure)
    }
}

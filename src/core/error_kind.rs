//! What kind of failure an error is.

/// The kind of a failure, for wires that have status codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The named thing does not exist.
    NotFound,
    /// The present state or another object does not permit the operation.
    Conflict,
    /// The operation is not allowed.
    Denied,
    /// The request is invalid.
    Invalid,
    /// This hypervisor or scheduler does not have the feature.
    Unsupported,
    /// The hypervisor, or a device, failed.
    Backend,
}

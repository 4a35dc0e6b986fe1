//! Requests that a listener refuses before their wire sees them.

/// A request that was refused, beside the response that says so in plain text. A wire whose clients
/// read another format can say it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRefusal {
    pub reason: RefusalReason,
    /// The text of the response, for people.
    pub text: String,
}

/// Why a listener refuses a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalReason {
    /// It names another host.
    ForeignHost,
    /// It comes from a page of another site.
    ForeignPage,
    /// Its password came over a network in the clear.
    Unencrypted,
    /// User or password are wrong, or the header with them is.
    WrongPassword,
    /// Too many passwords are being checked.
    Busy,
    /// Passwords cannot be checked.
    Broken,
}

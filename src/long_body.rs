//! Bodies of requests that may take long to arrive, such as disk images.
//!
//! A connection gives a request a time to arrive, and further bytes do not extend it. A handler
//! that takes a long body says so with each part that it has taken.

use std::fmt;
use std::sync::Arc;

/// Extends the deadline of the body that is arriving. It is among the extensions of each request
/// with a body.
#[derive(Clone)]
pub struct BodyDeadline(Arc<dyn Fn() + Send + Sync>);

impl BodyDeadline {
    /// A deadline that `extend` extends.
    pub fn new(extend: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(extend))
    }

    /// The client has sent a part: the time for the rest begins anew.
    pub fn extend(&self) {
        (self.0)();
    }
}

impl fmt::Debug for BodyDeadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BodyDeadline(..)")
    }
}

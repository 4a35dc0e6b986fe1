//! Driver domains.

use super::text::Text;

/// The domain that serves a device, by name or domid as the configuration gives it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Backend(pub Text);

impl Backend {
    /// Whether Domain-0 serves the device.
    pub fn is_dom0(&self) -> bool {
        matches!(self.0.as_slice(), b"0" | b"Domain-0")
    }
}

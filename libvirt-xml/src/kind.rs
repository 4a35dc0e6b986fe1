//! The kind of a guest.

use crate::element::Element;
use crate::error::Fault;
use crate::values::fault;

/// The kind of a guest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Pv,
    Pvh,
    Hvm,
}

impl Kind {
    /// The kind of the guest that a domain describes. One with a boot loader alone is
    /// paravirtualised.
    pub(crate) fn of(root: &Element) -> Result<Self, Fault> {
        let Some(kind) = root.child("os").and_then(|os| os.child("type")) else {
            return Ok(Self::Pv);
        };
        match kind.text.trim() {
            "hvm" => Ok(Self::Hvm),
            "xenpvh" => Ok(Self::Pvh),
            _ if kind.is("machine", "xenpvh") => Ok(Self::Pvh),
            "" | "linux" | "xen" => Ok(Self::Pv),
            _ => Err(fault(kind, "hvm, xen, linux or xenpvh is expected")),
        }
    }

    /// xend's word for the kind, the head of the image.
    pub(crate) fn builder(self) -> &'static str {
        match self {
            Self::Pv => "linux",
            Self::Pvh => "pvh",
            Self::Hvm => "hvm",
        }
    }
}

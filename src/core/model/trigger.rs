//! Interrupts that a toolstack can inject.

use super::invalid::Invalid;
use super::named::by_name;
use std::str::FromStr;

/// An interrupt that a toolstack can inject into a VCPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// A non-maskable interrupt.
    Nmi,
    /// The reset line.
    Reset,
    /// The INIT signal.
    Init,
    /// The power button.
    Power,
    /// The sleep button.
    Sleep,
    /// The end of ACPI sleep S3.
    S3Resume,
}

impl Trigger {
    /// All triggers.
    pub const ALL: [Self; 6] =
        [Self::Nmi, Self::Reset, Self::Init, Self::Power, Self::Sleep, Self::S3Resume];

    /// The name that xend uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nmi => "nmi",
            Self::Reset => "reset",
            Self::Init => "init",
            Self::Power => "power",
            Self::Sleep => "sleep",
            Self::S3Resume => "s3resume",
        }
    }
}

impl FromStr for Trigger {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        by_name(text, Self::ALL, Self::name)
    }
}

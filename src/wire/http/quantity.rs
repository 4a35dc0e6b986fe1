//! Units of parameters. Forms have the names of xend's time; JSON has the unit in the name.

/// The unit of a whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantity {
    Mebibytes,
    Nanoseconds,
    Seconds,
    /// Percent of one CPU.
    PercentOfCpu,
}

impl Quantity {
    /// The unit in words.
    pub(super) const fn unit(self) -> &'static str {
        match self {
            Self::Mebibytes => "MiB",
            Self::Nanoseconds => "ns",
            Self::Seconds => "seconds",
            Self::PercentOfCpu => "% of one CPU",
        }
    }

    /// The end of the names that JSON has for numbers of this unit.
    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Self::Mebibytes => "_mib",
            Self::Nanoseconds => "_ns",
            Self::Seconds => "_seconds",
            Self::PercentOfCpu => "_percent",
        }
    }
}

//! The columns of the list of domains.

/// The order of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sorting {
    pub by: Column,
    pub descending: bool,
}

/// A column that the list can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    Name,
    Id,
    State,
    Type,
    Memory,
    Vcpus,
    Cpu,
    Uptime,
}

impl Column {
    /// All columns, in the order of the table.
    pub const ALL: [Self; 8] = [
        Self::Name,
        Self::Id,
        Self::State,
        Self::Type,
        Self::Memory,
        Self::Vcpus,
        Self::Cpu,
        Self::Uptime,
    ];

    /// The value of `sort` in a query.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Id => "id",
            Self::State => "state",
            Self::Type => "type",
            Self::Memory => "memory",
            Self::Vcpus => "vcpus",
            Self::Cpu => "cpu",
            Self::Uptime => "uptime",
        }
    }

    /// The heading.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Name => "Domain",
            Self::Id => "ID",
            Self::State => "State",
            Self::Type => "Type",
            Self::Memory => "Memory",
            Self::Vcpus => "VCPUs",
            Self::Cpu => "CPU",
            Self::Uptime => "Uptime",
        }
    }

    /// Whether its values are numbers, which stand on the right.
    pub(crate) const fn is_number(self) -> bool {
        !matches!(self, Self::Name | Self::State | Self::Type)
    }
}

/// The columns that people can hide: their class in the stylesheet after `c-`, and their heading.
/// A column that is not `usual` is hidden until somebody wants it.
pub(crate) struct OptionalColumn {
    pub(crate) key: &'static str,
    pub(crate) label: &'static str,
    pub(crate) usual: bool,
}

const fn usual(column: Column) -> OptionalColumn {
    OptionalColumn { key: column.key(), label: column.label(), usual: true }
}

pub(crate) const OPTIONAL_COLUMNS: [OptionalColumn; 8] = [
    usual(Column::Id),
    usual(Column::Type),
    usual(Column::Memory),
    usual(Column::Vcpus),
    usual(Column::Cpu),
    usual(Column::Uptime),
    OptionalColumn { key: "address", label: "Address", usual: true },
    OptionalColumn { key: "devices", label: "Devices", usual: false },
];

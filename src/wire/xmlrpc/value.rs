//! Values of XML-RPC.

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `<nil/>`: Python's None.
    Nil,
    /// `<boolean>`
    Bool(bool),
    /// `<int>`. The Xen-API sends its numbers as strings.
    Int(i64),
    /// `<double>`
    Double(f64),
    /// `<string>`, or a value without a type.
    Text(String),
    /// `<dateTime.iso8601>`, as it was written.
    Time(String),
    /// `<array>`
    Array(Vec<Value>),
    /// `<struct>`, whose members have an order: libxen wants `Status` first.
    Struct(Vec<(String, Value)>),
}

impl Value {
    /// A string.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// What sort of value it is, for errors.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "an int",
            Self::Double(_) => "a double",
            Self::Text(_) => "a string",
            Self::Time(_) => "a time",
            Self::Array(_) => "an array",
            Self::Struct(_) => "a struct",
        }
    }
}

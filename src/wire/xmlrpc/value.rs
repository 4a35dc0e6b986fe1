//! XML-RPC values.

/// An XML-RPC value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `<nil/>`, Python's None.
    Nil,
    /// `<boolean>`
    Bool(bool),
    /// `<int>`. The Xen-API sends its numbers as strings.
    Int(i64),
    /// `<double>`
    Double(f64),
    /// `<string>`, or a value without a type.
    Text(String),
    /// `<dateTime.iso8601>`, uninterpreted.
    Time(String),
    /// `<array>`
    Array(Vec<Value>),
    /// `<struct>`. Members are ordered: libxen expects `Status` first.
    Struct(Vec<(String, Value)>),
}

impl Value {
    /// A string value.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Its type in words, for errors.
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

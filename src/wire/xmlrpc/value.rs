//! XML-RPC values.

use crate::answer_memory::SharedText;

/// What the allocator adds to an allocation, in bytes.
const PER_ALLOCATION: usize = 16;

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
    /// What stands inside of the `<value>` element of a value that was printed before. No call has
    /// it. Boxed, since values of calls should be small.
    Printed(Box<SharedText>),
}

impl Value {
    /// What stands inside of the `<value>` element of a value that was printed before.
    pub fn printed(content: SharedText) -> Self {
        Self::Printed(Box::new(content))
    }

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
            Self::Printed(_) => "a printed value",
        }
    }

    /// The memory that it holds beside itself, in bytes.
    pub(super) fn heap_size(&self) -> usize {
        match self {
            Self::Nil | Self::Bool(_) | Self::Int(_) | Self::Double(_) => 0,
            Self::Text(text) | Self::Time(text) => text_size(text),
            Self::Printed(text) => text.len(),
            Self::Array(values) => {
                let inside: usize = values.iter().map(Self::heap_size).sum();
                inside + allocation_size::<Self>(values.capacity())
            }
            Self::Struct(members) => {
                let member = |(name, value): &(String, Self)| text_size(name) + value.heap_size();
                let inside: usize = members.iter().map(member).sum();
                inside + allocation_size::<(String, Self)>(members.capacity())
            }
        }
    }
}

/// The memory behind a text, in bytes.
fn text_size(text: &String) -> usize {
    allocation_size::<u8>(text.capacity())
}

/// The memory of an allocation for so many elements, in bytes.
pub(super) fn allocation_size<T>(capacity: usize) -> usize {
    match capacity.saturating_mul(size_of::<T>()) {
        0 => 0,
        bytes => bytes.saturating_add(PER_ALLOCATION),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_value_is_that_of_its_allocations() {
        assert_eq!(Value::Int(7).heap_size(), 0);
        assert_eq!(Value::text("").heap_size(), 0);
        assert_eq!(Value::text("abc").heap_size(), 3 + PER_ALLOCATION);
        let two = vec![Value::text("abc"), Value::Nil];
        let inside = two.capacity() * size_of::<Value>() + PER_ALLOCATION;
        assert_eq!(Value::Array(two).heap_size(), inside + 3 + PER_ALLOCATION);
        let member = vec![("key".to_owned(), Value::text("abc"))];
        let inside = member.capacity() * size_of::<(String, Value)>() + PER_ALLOCATION;
        assert_eq!(Value::Struct(member).heap_size(), inside + 2 * (3 + PER_ALLOCATION));
    }
}

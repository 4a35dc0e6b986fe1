//! Values of the language.

use std::fmt;
use xend_sxp::printer;

/// A value with its position.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// Byte offset in the text.
    pub offset: u32,
    pub data: Data,
}

/// What a value is. `Debug` hides the content, which can be a password.
#[derive(Clone, PartialEq)]
pub enum Data {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// A string, as bytes: the encoding of a file is unknown. A Unicode string is UTF-8.
    Text(Vec<u8>),
    List(Vec<Value>),
    Tuple(Vec<Value>),
    /// Keys and values in the order of the text. The last of equal keys counts.
    Dict(Vec<(Value, Value)>),
}

/// How much memory a value takes.
pub(super) struct Size {
    /// The value and all values in it.
    pub(super) values: usize,
    /// The length of all strings.
    pub(super) bytes: usize,
    /// Levels of lists, tuples and dictionaries.
    pub(super) depth: usize,
}

impl Data {
    /// The type with an article, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "a truth value",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Tuple(_) => "a tuple",
            Self::Dict(_) => "a dictionary",
        }
    }

    /// Whether Python's `if` takes the value for true.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::None => false,
            Self::Bool(on) => *on,
            Self::Int(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(items) | Self::Tuple(items) => !items.is_empty(),
            Self::Dict(entries) => !entries.is_empty(),
        }
    }

    /// Python's `str`.
    pub(crate) fn to_text(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone(),
            Self::Float(number) => {
                let mut out = Vec::new();
                printer::float(&mut out, *number);
                out
            }
            other => {
                let mut out = Vec::new();
                other.write_repr(&mut out);
                out
            }
        }
    }

    /// Python's `repr`.
    pub(super) fn repr(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_repr(&mut out);
        out
    }

    /// The limit on a value's depth bounds the recursion.
    fn write_repr(&self, out: &mut Vec<u8>) {
        match self {
            Self::None => out.extend_from_slice(b"None"),
            Self::Bool(on) => printer::boolean(out, *on),
            Self::Int(number) => printer::int(out, *number),
            Self::Float(number) => out.extend_from_slice(format!("{number:?}").as_bytes()),
            Self::Text(text) => printer::quoted(out, text),
            Self::List(items) => {
                out.push(b'[');
                write_items(out, items);
                out.push(b']');
            }
            Self::Tuple(items) => {
                out.push(b'(');
                write_items(out, items);
                out.extend_from_slice(if items.len() == 1 { b",)" } else { b")" });
            }
            Self::Dict(entries) => {
                out.push(b'{');
                for (n, (key, value)) in entries.iter().enumerate() {
                    if n > 0 {
                        out.extend_from_slice(b", ");
                    }
                    key.data.write_repr(out);
                    out.extend_from_slice(b": ");
                    value.data.write_repr(out);
                }
                out.push(b'}');
            }
        }
    }

    pub(super) fn size(&self) -> Size {
        let mut size = Size { values: 1, bytes: 0, depth: 0 };
        match self {
            Self::Text(text) => size.bytes = text.len(),
            Self::List(items) | Self::Tuple(items) => {
                size.depth = 1;
                for item in items {
                    size.contain(&item.data);
                }
            }
            Self::Dict(entries) => {
                size.depth = 1;
                for (key, value) in entries {
                    size.contain(&key.data);
                    size.contain(&value.data);
                }
            }
            Self::None | Self::Bool(_) | Self::Int(_) | Self::Float(_) => {}
        }
        size
    }
}

impl Size {
    fn contain(&mut self, inner: &Data) {
        let inner = inner.size();
        self.values = self.values.saturating_add(inner.values);
        self.bytes = self.bytes.saturating_add(inner.bytes);
        self.depth = self.depth.max(1 + inner.depth);
    }
}

fn write_items(out: &mut Vec<u8>, items: &[Value]) {
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            out.extend_from_slice(b", ");
        }
        item.data.write_repr(out);
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

//! Keys that we have no type for: kept as they came, and given back.

use super::Text;
use std::fmt;

/// A value of a key that this project does not interpret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A single word or string.
    Text(Text),
    /// A list of values.
    List(Vec<Value>),
}

impl Value {
    /// A single word.
    pub fn text(text: impl Into<Text>) -> Self {
        Self::Text(text.into())
    }

    /// The word, if it is a single one.
    pub fn as_text(&self) -> Option<&Text> {
        match self {
            Self::Text(text) => Some(text),
            Self::List(_) => None,
        }
    }
}

/// A key with everything that followed it: `(usbdevice tablet)`, `(features)`, `(cpuid ((1 ...)))`.
#[derive(Clone, PartialEq, Eq)]
pub struct Property {
    /// The key, as xend spelt it.
    pub key: Text,
    /// What followed the key.
    pub values: Vec<Value>,
}

impl Property {
    /// A key with a single word as its value.
    pub fn new(key: impl Into<Text>, value: impl Into<Text>) -> Self {
        Self { key: key.into(), values: vec![Value::text(value)] }
    }

    /// Whether the value is a password: it goes to the hypervisor and is never shown.
    pub fn is_secret(&self) -> bool {
        self.key.to_ascii_lowercase().ends_with(b"passwd")
    }

    /// The value, if it is a single word.
    pub fn text(&self) -> Option<&Text> {
        match self.values.as_slice() {
            [one] => one.as_text(),
            _ => None,
        }
    }
}

impl Property {
    /// The word of a pair below the key: `1-1` for `1` in `(port (1 1-1) (2 ''))`.
    pub fn child(&self, key: &str) -> Option<&Text> {
        self.values.iter().find_map(|value| match value {
            Value::List(items) => match items.as_slice() {
                [name, value] if name.as_text().is_some_and(|name| name == key) => value.as_text(),
                _ => None,
            },
            Value::Text(_) => None,
        })
    }
}

impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_secret() {
            return write!(f, "({} hidden)", self.key);
        }
        f.debug_struct("Property").field("key", &self.key).field("values", &self.values).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        let property = Property::new("vncpasswd", "secret");
        assert!(property.is_secret());
        assert!(!format!("{property:?}").contains("secret"));
    }
}

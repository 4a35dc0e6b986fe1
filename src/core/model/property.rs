//! Uninterpreted keys: kept as received, and given back.

use super::text::Text;
use std::borrow::Cow;
use std::fmt;

/// A value of an uninterpreted key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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

    /// The number of words and lists. The reader's limit on the depth bounds the recursion.
    fn count(&self) -> usize {
        match self {
            Self::Text(_) => 1,
            Self::List(items) => 1 + items.iter().map(Self::count).sum::<usize>(),
        }
    }

    /// Whether the value is a list that begins with the key of a password: `(vncpasswd x)`.
    fn is_secret(&self) -> bool {
        match self {
            Self::List(items) => {
                items.first().and_then(Self::as_text).is_some_and(Property::is_secret_key)
            }
            Self::Text(_) => false,
        }
    }

    /// Whether the value contains a password. The reader's limit on the depth of a configuration
    /// bounds the recursion.
    fn has_secret(&self) -> bool {
        match self {
            Self::List(items) => self.is_secret() || items.iter().any(Self::has_secret),
            Self::Text(_) => false,
        }
    }

    /// The value without passwords; `None` if the value itself is a password.
    fn shown(&self) -> Option<Self> {
        match self {
            _ if self.is_secret() => None,
            Self::List(items) => Some(Self::List(items.iter().filter_map(Self::shown).collect())),
            Self::Text(text) => Some(Self::Text(text.clone())),
        }
    }
}

/// A key with its values: `(usbdevice tablet)`, `(features)`, `(cpuid ((1 ...)))`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Property {
    /// In xend's spelling.
    pub key: Text,
    pub values: Vec<Value>,
}

impl Property {
    /// A key with a single word as its value.
    pub fn new(key: impl Into<Text>, value: impl Into<Text>) -> Self {
        Self { key: key.into(), values: vec![Value::text(value)] }
    }

    /// The number of words and lists of all these properties, their keys among them.
    pub fn count(properties: &[Self]) -> usize {
        let of_property =
            |property: &Self| 1 + property.values.iter().map(Value::count).sum::<usize>();
        properties.iter().map(of_property).sum()
    }

    /// Whether the value is a password. Passwords are handed to the hypervisor and never shown.
    pub fn is_secret(&self) -> bool {
        Self::is_secret_key(&self.key)
    }

    /// Whether `key` is the key of a password: `vncpasswd`, `spicepasswd`, `password`, ...
    pub fn is_secret_key(key: impl AsRef<[u8]>) -> bool {
        let key = key.as_ref().to_ascii_lowercase();
        [&b"passwd"[..], b"password"].iter().any(|end| key.ends_with(end))
    }

    /// The properties that may be shown, without the passwords at any depth.
    pub fn shown(properties: &[Self]) -> impl Iterator<Item = Cow<'_, Self>> {
        properties.iter().filter(|property| !property.is_secret()).map(|property| {
            if property.values.iter().any(Value::has_secret) {
                let values = property.values.iter().filter_map(Value::shown).collect();
                Cow::Owned(Self { key: property.key.clone(), values })
            } else {
                Cow::Borrowed(property)
            }
        })
    }

    /// The value, if it is a single word.
    pub fn text(&self) -> Option<&Text> {
        match self.values.as_slice() {
            [one] => one.as_text(),
            _ => None,
        }
    }

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
        let values: Vec<_> = self.values.iter().filter_map(Value::shown).collect();
        f.debug_struct("Property").field("key", &self.key).field("values", &values).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_never_shown() {
        let property = Property::new("vncpasswd", "secret");
        assert!(property.is_secret());
        assert!(!format!("{property:?}").contains("secret"));
        let pair = |key: &str| Value::List(vec![Value::text(key), Value::text("secret")]);
        let list =
            Value::List(vec![pair("a"), pair("vncpasswd"), Value::List(vec![pair("Password")])]);
        let nested = [Property { key: "other_config".into(), values: vec![list] }, property];
        assert!(!format!("{:?}", nested[0]).contains("vncpasswd"));
        let shown: Vec<_> = Property::shown(&nested).collect();
        let left = Value::List(vec![pair("a"), Value::List(vec![])]);
        assert_eq!(shown.len(), 1);
        assert_eq!(shown[0].values, [left]);
    }
}

//! Data of clients on an object, without any effect on the object.

use super::invalid::Invalid;
use super::property::{Property, Value};
use super::text::Text;
use std::collections::BTreeMap;

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ClientValue {
    Text(String),
    /// Texts by key.
    Map(BTreeMap<String, String>),
}

impl ClientValue {
    fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Map(map) => map.iter().map(|(key, value)| key.len() + value.len()).sum(),
        }
    }
}

/// The fields of an object by name: `other_config`, `name_description`, ...
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ClientData(BTreeMap<String, ClientValue>);

impl ClientData {
    /// The largest size of all fields of an object, in bytes.
    pub const MOST: usize = 64 << 10;

    /// The field of the host that disables it.
    pub const DISABLED: &str = "disabled";

    /// Whether no field is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a field.
    pub fn get(&self, field: &str) -> Option<&ClientValue> {
        self.0.get(field)
    }

    /// The value of a field that is a text.
    pub fn text(&self, field: &str) -> Option<&str> {
        match self.0.get(field) {
            Some(ClientValue::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The entries of a field that is a map; no entries for another field.
    pub fn map(&self, field: &str) -> impl Iterator<Item = (&str, &str)> {
        let map = match self.0.get(field) {
            Some(ClientValue::Map(map)) => Some(map),
            _ => None,
        };
        map.into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The entries of a map without passwords.
    pub fn shown(&self, field: &str) -> impl Iterator<Item = (&str, &str)> {
        self.map(field).filter(|(key, _)| !Property::is_secret_key(key))
    }

    /// One entry of a map.
    pub fn entry(&self, field: &str, key: &str) -> Option<&str> {
        self.map(field).find_map(|(known, value)| (known == key).then_some(value))
    }

    /// Refuses more data than an object can have.
    pub(super) fn check_size(&self) -> Result<(), Invalid> {
        let size = self.size();
        if size <= Self::MOST {
            return Ok(());
        }
        Err(Invalid::new(format!("xenapi: {size} bytes are too many, at most {}", Self::MOST)))
    }

    fn size(&self) -> usize {
        self.0.values().map(ClientValue::size).sum()
    }

    fn too_large(field: &str) -> Invalid {
        Invalid::new(format!("{field}: more than {} bytes are noted", Self::MOST))
    }

    /// Sets a field; `None` removes it.
    pub fn set(&mut self, field: &str, note: Option<ClientValue>) -> Result<(), Invalid> {
        let Some(note) = note else {
            self.0.remove(field);
            return Ok(());
        };
        let others: usize =
            self.0.iter().filter(|(name, _)| *name != field).map(|(_, note)| note.size()).sum();
        if others + note.size() > Self::MOST {
            return Err(Self::too_large(field));
        }
        self.0.insert(field.to_owned(), note);
        Ok(())
    }

    /// Sets one entry of a map; `None` removes it.
    pub fn set_entry(
        &mut self,
        field: &str,
        key: &str,
        value: Option<&str>,
    ) -> Result<(), Invalid> {
        let size_of = |value: &str| key.len() + value.len();
        let replaced = match self.0.get(field) {
            None => 0,
            // The map takes its place.
            Some(ClientValue::Text(text)) => text.len(),
            Some(ClientValue::Map(map)) => map.get(key).map_or(0, |old| size_of(old)),
        };
        if self.size() - replaced + value.map_or(0, size_of) > Self::MOST {
            return Err(Self::too_large(field));
        }
        // In place: a client can set many, one by one.
        let empty = || ClientValue::Map(BTreeMap::new());
        let note = self.0.entry(field.to_owned()).or_insert_with(empty);
        if let ClientValue::Text(_) = note {
            *note = empty();
        }
        if let ClientValue::Map(map) = note {
            match value {
                Some(value) => drop(map.insert(key.to_owned(), value.to_owned())),
                None => drop(map.remove(key)),
            }
        }
        Ok(())
    }

    /// The fields as properties: `(user_version 1)`, `(other_config ((key value) ...))`.
    pub fn to_properties(&self) -> Vec<Property> {
        let pair = |(key, value): (&String, &String)| {
            Value::List(vec![Value::text(key.as_str()), Value::text(value.as_str())])
        };
        let value = |note: &ClientValue| match note {
            ClientValue::Text(text) => Value::text(text.as_str()),
            ClientValue::Map(map) => Value::List(map.iter().map(pair).collect()),
        };
        let property = |(key, note): (&String, &ClientValue)| Property {
            key: key.as_str().into(),
            values: vec![value(note)],
        };
        self.0.iter().map(property).collect()
    }

    /// Reads the fields from properties. Other properties are left out.
    pub fn from_properties(properties: &[Property]) -> Self {
        let text = |text: &Text| text.to_string();
        let pair = |value: &Value| match value {
            Value::List(pair) => match pair.as_slice() {
                [Value::Text(key), Value::Text(value)] => Some((text(key), text(value))),
                _ => None,
            },
            Value::Text(_) => None,
        };
        let note = |property: &Property| {
            let note = match property.values.as_slice() {
                [Value::Text(value)] => ClientValue::Text(text(value)),
                [Value::List(pairs)] => ClientValue::Map(pairs.iter().filter_map(pair).collect()),
                _ => return None,
            };
            Some((text(&property.key), note))
        };
        Self(properties.iter().filter_map(note).collect())
    }
}

/// A change of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientDataChange {
    /// Set a field; `None` removes it.
    Field(String, Option<ClientValue>),
    /// Set one entry of a map.
    Entry {
        /// The field with the map.
        field: String,
        /// The key within the map.
        key: String,
        /// `None` removes the entry.
        value: Option<String>,
    },
}

impl ClientDataChange {
    /// Applies the change.
    pub fn apply(&self, client_data: &mut ClientData) -> Result<(), Invalid> {
        match self {
            Self::Field(field, note) => client_data.set(field, note.clone()),
            Self::Entry { field, key, value } => {
                client_data.set_entry(field, key, value.as_deref())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_survive_conversion_and_have_a_limit() {
        let mut client_data = ClientData::default();
        client_data.set("user_version", Some(ClientValue::Text("2".into()))).unwrap();
        client_data.set("empty", Some(ClientValue::Map(BTreeMap::new()))).unwrap();
        client_data.set_entry("other_config", "a b", Some("")).unwrap();
        client_data.set_entry("other_config", "c", Some("(d)")).unwrap();
        assert_eq!(ClientData::from_properties(&client_data.to_properties()), client_data);
        assert_eq!(
            (client_data.entry("other_config", "c"), client_data.text("user_version")),
            (Some("(d)"), Some("2"))
        );
        client_data.set_entry("other_config", "c", None).unwrap();
        assert_eq!(client_data.entry("other_config", "c"), None);
        let long = "x".repeat(ClientData::MOST);
        let refused = client_data.set_entry("other_config", "long", Some(&long)).unwrap_err();
        assert_eq!(refused.to_string(), "other_config: more than 65536 bytes are noted");
        assert_eq!(client_data.entry("other_config", "long"), None);
        client_data.set_entry("user_version", "k", Some("v")).unwrap();
        assert_eq!(client_data.entry("user_version", "k"), Some("v"));
        client_data.set_entry("new", "k", None).unwrap();
        assert_eq!(client_data.get("new"), Some(&ClientValue::Map(BTreeMap::new())));
        client_data.check_size().unwrap();
        let full = "x".repeat(ClientData::MOST - 1 - client_data.size());
        client_data.set_entry("new", "k", Some(&full)).unwrap();
        client_data.set_entry("new", "k", Some(&full)).unwrap();
        assert!(client_data.set_entry("new", "l", Some("")).is_err());
        client_data.check_size().unwrap();
    }
}

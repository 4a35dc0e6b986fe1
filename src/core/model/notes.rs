//! What callers want to have noted on an object.

use super::{Invalid, Property, Text, Value};
use std::collections::BTreeMap;

/// Something noted. It has no effect on what it is noted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A text.
    Text(String),
    /// Texts by their keys.
    Map(BTreeMap<String, String>),
}

impl Note {
    fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Map(map) => map.iter().map(|(key, value)| key.len() + value.len()).sum(),
        }
    }
}

/// What is noted on an object, by the names of fields: `other_config`, `name_description`, ...
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes(BTreeMap<String, Note>);

impl Notes {
    /// How much can be noted on one object, in bytes.
    pub const MOST: usize = 64 << 10;

    /// Whether nothing is noted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is noted in a field.
    pub fn get(&self, field: &str) -> Option<&Note> {
        self.0.get(field)
    }

    /// A text.
    pub fn text(&self, field: &str) -> Option<&str> {
        match self.0.get(field) {
            Some(Note::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The keys and texts of a map, none if there is no such map.
    pub fn map(&self, field: &str) -> impl Iterator<Item = (&str, &str)> {
        let map = match self.0.get(field) {
            Some(Note::Map(map)) => Some(map),
            _ => None,
        };
        map.into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The same without passwords.
    pub fn shown(&self, field: &str) -> impl Iterator<Item = (&str, &str)> {
        self.map(field).filter(|(key, _)| !Property::is_secret_key(key))
    }

    /// A text of a map.
    pub fn entry(&self, field: &str, key: &str) -> Option<&str> {
        self.map(field).find_map(|(one, value)| (one == key).then_some(value))
    }

    /// Notes something in the place of what was noted, or takes it away.
    pub fn set(&mut self, field: &str, note: Option<Note>) -> Result<(), Invalid> {
        let Some(note) = note else {
            self.0.remove(field);
            return Ok(());
        };
        let others: usize =
            self.0.iter().filter(|(name, _)| *name != field).map(|(_, note)| note.size()).sum();
        if others + note.size() > Self::MOST {
            return Err(Invalid::new(format!("{field}: more than {} bytes are noted", Self::MOST)));
        }
        self.0.insert(field.to_owned(), note);
        Ok(())
    }

    /// Changes one text of a map, or takes it away.
    pub fn set_entry(
        &mut self,
        field: &str,
        key: &str,
        value: Option<&str>,
    ) -> Result<(), Invalid> {
        let mut map: BTreeMap<String, String> =
            self.map(field).map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        match value {
            Some(value) => drop(map.insert(key.to_owned(), value.to_owned())),
            None => drop(map.remove(key)),
        }
        self.set(field, Some(Note::Map(map)))
    }

    /// The notes as properties: `(user_version 1)`, `(other_config ((key value) ...))`.
    pub fn to_properties(&self) -> Vec<Property> {
        let pair = |(key, value): (&String, &String)| {
            Value::List(vec![Value::text(key.as_str()), Value::text(value.as_str())])
        };
        let value = |note: &Note| match note {
            Note::Text(text) => Value::text(text.as_str()),
            Note::Map(map) => Value::List(map.iter().map(pair).collect()),
        };
        let property = |(key, note): (&String, &Note)| Property {
            key: key.as_str().into(),
            values: vec![value(note)],
        };
        self.0.iter().map(property).collect()
    }

    /// The opposite. What is no note is left out.
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
                [Value::Text(one)] => Note::Text(text(one)),
                [Value::List(pairs)] => Note::Map(pairs.iter().filter_map(pair).collect()),
                _ => return None,
            };
            Some((text(&property.key), note))
        };
        Self(properties.iter().filter_map(note).collect())
    }
}

/// A change of what is noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoteChange {
    /// Of a whole field.
    Field(String, Option<Note>),
    /// Of a text of a map.
    Entry {
        /// The map.
        field: String,
        /// Which text of it.
        key: String,
        /// The text; none takes it away.
        value: Option<String>,
    },
}

impl NoteChange {
    /// Makes it.
    pub fn apply(&self, notes: &mut Notes) -> Result<(), Invalid> {
        match self {
            Self::Field(field, note) => notes.set(field, note.clone()),
            Self::Entry { field, key, value } => notes.set_entry(field, key, value.as_deref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_come_back_as_they_were_and_have_a_bound() {
        let mut notes = Notes::default();
        notes.set("user_version", Some(Note::Text("2".into()))).unwrap();
        notes.set("empty", Some(Note::Map(BTreeMap::new()))).unwrap();
        notes.set_entry("other_config", "a b", Some("")).unwrap();
        notes.set_entry("other_config", "c", Some("(d)")).unwrap();
        assert_eq!(Notes::from_properties(&notes.to_properties()), notes);
        assert_eq!(
            (notes.entry("other_config", "c"), notes.text("user_version")),
            (Some("(d)"), Some("2"))
        );
        notes.set_entry("other_config", "c", None).unwrap();
        assert_eq!(notes.entry("other_config", "c"), None);
        let long = "x".repeat(Notes::MOST);
        let refused = notes.set_entry("other_config", "long", Some(&long)).unwrap_err();
        assert_eq!(refused.to_string(), "other_config: more than 65536 bytes are noted");
        assert_eq!(notes.entry("other_config", "long"), None);
    }
}

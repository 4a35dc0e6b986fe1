//! The value of `def/U`.

use crate::core::fleet::HostName;
use crate::core::fleet_domain::Defined;
use crate::core::model::{DomName, Uuid};
use crate::fleet::records::{Unreadable, decode_long, encode};
use serde::{Deserialize, Serialize};

/// The longest definition as it is stored, in bytes.
pub(in crate::fleet) const MAX_TEXT: usize = 256 << 10;

/// The longest value: JSON has two bytes for a quote, and the other fields are short.
const MAX_RECORD: usize = 3 * MAX_TEXT;

/// The definition of a domain.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::fleet) struct DefinitionRecord {
    /// `None` if the host that had it was forgotten.
    host: Option<String>,
    name: String,
    op: Uuid,
    /// As it is stored, with its passwords sealed.
    config: String,
}

impl DefinitionRecord {
    /// The value for etcd.
    pub(in crate::fleet) fn encode(defined: &Defined, text: &str) -> Vec<u8> {
        encode(&Self {
            host: defined.home.as_ref().map(ToString::to_string),
            name: defined.name.to_string(),
            op: defined.op,
            config: text.to_owned(),
        })
    }

    /// Reads a value: the definition and its text.
    pub(in crate::fleet) fn decode(value: &[u8]) -> Result<(Defined, String), Unreadable> {
        let record: Self = decode_long(value, MAX_RECORD)?;
        let home = record.host.map(|host| host.parse::<HostName>()).transpose();
        let home = home.map_err(|_| Unreadable::Field("host"))?;
        if record.config.len() > MAX_TEXT {
            return Err(Unreadable::Field("config"));
        }
        let defined = Defined { home, name: DomName::adopted(&record.name), op: record.op };
        Ok((defined, record.config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_read_as_they_are_written() {
        for home in [None, Some("xen1".parse().unwrap())] {
            let name = DomName::adopted("a \"b\"");
            let defined = Defined { home, name, op: Uuid::from_u128(1) };
            let text = "(domain (name \"a\")\n)\n".repeat(9_000);
            let value = DefinitionRecord::encode(&defined, &text);
            assert_eq!(DefinitionRecord::decode(&value), Ok((defined, text)));
        }
        let strange =
            r#"{"host":"a/b","name":"a","op":"00000000-0000-0000-0000-000000000001","config":""}"#;
        assert!(DefinitionRecord::decode(strange.as_bytes()).is_err());
    }
}

//! Definitions as etcd has them: with their passwords sealed.

use super::state::Owner;
use super::text::{check_length, parse, print, read_text};
use crate::core::model::{CompleteConfig, Invalid, Uuid};
use crate::fleet::kv::KvError;
use crate::fleet::seal::{FleetKey, has_secrets};
use crate::shape;

/// An older xend has made the fleet.
const NO_KEY: &str = "The fleet has no key yet for passwords in definitions: type xend fleet token on \
                      one host, and copy its key file to the others";

/// Why a definition has no text for etcd.
#[derive(Debug)]
pub(super) enum Unsealed {
    TooLong(Invalid),
    /// Its passwords cannot be sealed, for this reason.
    NoKey(String),
    /// etcd does not say which key is the fleet's.
    Unknown(KvError),
}

/// Why this host has no key to use.
enum Keyless {
    Useless(String),
    Unknown(KvError),
}

impl From<Keyless> for Unsealed {
    fn from(keyless: Keyless) -> Self {
        match keyless {
            Keyless::Useless(reason) => Self::NoKey(reason),
            Keyless::Unknown(error) => Self::Unknown(error),
        }
    }
}

impl From<Keyless> for String {
    fn from(keyless: Keyless) -> Self {
        match keyless {
            Keyless::Useless(reason) => reason,
            Keyless::Unknown(error) => format!("the fleet's {error}"),
        }
    }
}

impl Owner {
    /// The text of a definition for etcd.
    pub(super) async fn sealed(&self, definition: &CompleteConfig) -> Result<String, Unsealed> {
        let mut tree = shape::stored_config(definition);
        if has_secrets(&tree) {
            let key = self.fleet_key().await?;
            let sealed = key.seal_all(&tree, definition.uuid(), &*self.entropy);
            tree = sealed.map_err(|error| Unsealed::NoKey(error.to_string()))?;
        }
        let text = print(&tree);
        check_length(&text).map_err(Unsealed::TooLong)?;
        Ok(text)
    }

    /// Reads a text of etcd. The error says nothing of what is in it.
    pub(super) async fn opened(&self, text: &str, domain: Uuid) -> Result<CompleteConfig, String> {
        let mut tree = parse(text)?;
        if has_secrets(&tree) {
            let key = self.fleet_key().await?;
            tree = key.open_all(&tree, domain).map_err(|error| error.to_string())?;
        }
        read_text(&tree, domain, &*self.entropy)
    }

    /// The key of this host, if it is the fleet's.
    async fn fleet_key(&self) -> Result<FleetKey, Keyless> {
        let useless = |reason| {
            Keyless::Useless(format!("The fleet's key on this host is of no use ({reason})"))
        };
        let shown = self.key_file.path().display();
        let id = self.kv.get(&self.keys.key()).await.map_err(Keyless::Unknown)?;
        let none = || Keyless::Useless(NO_KEY.to_owned());
        let id = id.ok_or_else(none)?;
        let missing = || useless(format!("{shown} is missing: copy it from another host"));
        let key = self.key_file.read().await.map_err(useless)?.ok_or_else(missing)?;
        if id.value == key.id().as_bytes() {
            Ok(key)
        } else {
            Err(useless(format!("{shown} is another one: copy it from another host")))
        }
    }
}

//! The arguments of a call: a map of texts.

use super::failure::{KEY_ERROR, VALUE_ERROR, XENSTORE_ERROR, exception};
use crate::core::model::StorePath;
use crate::core::op::{Content, GuestOp};
use crate::wire::xmlrpc::xenapi::failure::Failure;
use std::collections::BTreeMap;
use std::time::Duration;

/// The arguments of a call of a function.
pub(super) struct Params<'a> {
    pub(super) function: &'static str,
    pub(super) map: &'a BTreeMap<String, String>,
}

impl Params<'_> {
    fn optional(&self, name: &str) -> Option<&str> {
        self.map.get(name).map(String::as_str)
    }

    /// An argument that must be there; a Python plug-in failed with `KeyError: 'name'`.
    pub(super) fn text(&self, name: &str) -> Result<&str, Failure> {
        let missing = || exception(self.function, KEY_ERROR, &format!("'{name}'"));
        self.optional(name).ok_or_else(missing)
    }

    /// An argument that is passed on to the guest.
    pub(super) fn content(&self, name: &str) -> Result<Content, Failure> {
        self.text(name).map(|text| Content(text.as_bytes().to_vec()))
    }

    fn invalid(&self, text: &str) -> Failure {
        exception(self.function, VALUE_ERROR, text)
    }

    /// The domid, which no domain needs to have: that of a halted VM is -1.
    pub(super) fn dom_id(&self) -> Result<i64, Failure> {
        let number = self.text("dom_id")?.trim().parse();
        number.map_err(|_| self.invalid("dom_id: it is not a number"))
    }

    /// The name of a request's node.
    pub(super) fn id(&self) -> Result<String, Failure> {
        let id = self.text("id")?;
        match StorePath::new(id) {
            Ok(path) if path.name() == id && id.len() <= 100 => Ok(id.to_owned()),
            _ => Err(self.invalid("id: 1 to 100 letters, digits and - _ @ are expected")),
        }
    }

    /// How long the agent may take.
    pub(super) fn limit(&self) -> Result<Duration, Failure> {
        let Some(text) = self.optional("timeout") else { return Ok(GuestOp::DEFAULT_LIMIT) };
        let seconds = text.trim().parse();
        let invalid = |_| self.invalid("timeout: it is not a number of seconds");
        seconds.map(Duration::from_secs).map_err(invalid)
    }

    /// The path of a node, relative to the domain's directory.
    pub(super) fn path(&self) -> Result<StorePath, Failure> {
        let path = self.text("path")?.trim_matches('/');
        let invalid = |reason| exception(self.function, XENSTORE_ERROR, &format!("{reason}"));
        StorePath::new(path).map_err(invalid)
    }

    /// Whether a flag is set, in Python's spelling.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.optional(name).is_some_and(|text| {
            !["", "0", "false", "none"].contains(&text.to_ascii_lowercase().as_str())
        })
    }
}

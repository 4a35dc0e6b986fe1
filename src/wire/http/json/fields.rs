//! Lists `(key value)` of a configuration, made of the fields of JSON.

use crate::sxp::Sxp;
use std::fmt::Display;

/// The properties of a list, in order.
#[derive(Default)]
pub(super) struct Fields(pub(super) Vec<Sxp>);

impl Fields {
    /// Adds a property with one word.
    pub(super) fn word(&mut self, key: &str, value: impl Display) {
        self.0.push(Sxp::list([Sxp::atom(key), Sxp::atom(value.to_string())]));
    }

    /// Adds a property, unless its value is empty.
    pub(super) fn text(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.word(key, value);
        }
    }

    /// Adds a property, unless it was left out.
    pub(super) fn optional(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.word(key, value);
        }
    }

    /// Adds a property whose values are these.
    pub(super) fn list(&mut self, key: &str, values: impl IntoIterator<Item = Sxp>) {
        self.0.push(Self(values.into_iter().collect()).headed(key));
    }

    /// The list of the properties with this head.
    pub(super) fn headed(self, head: &str) -> Sxp {
        Sxp::list([Sxp::atom(head)].into_iter().chain(self.0))
    }
}

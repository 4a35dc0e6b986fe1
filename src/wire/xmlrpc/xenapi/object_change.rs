//! Changes of objects, which are what events tell of.

use crate::core::model::Uuid;

/// A change of an object: its class, `add`, `mod` or `del`, and its reference.
pub(crate) type ObjectChange = (&'static str, &'static str, Uuid);

/// The name of the change from `old` to `new`; `None` if there is none.
pub(crate) fn operation<T>(
    old: Option<&T>,
    new: Option<&T>,
    differs: impl Fn(&T, &T) -> bool,
) -> Option<&'static str> {
    match (old, new) {
        (None, Some(_)) => Some("add"),
        (Some(_), None) => Some("del"),
        (Some(old), Some(new)) if differs(old, new) => Some("mod"),
        _ => None,
    }
}

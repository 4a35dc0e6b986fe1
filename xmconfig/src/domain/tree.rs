//! S-expressions of values, with the positions of these in the file.

use crate::language::{Data, Value};
use xend_sxp::Sxp;

/// `(key value)`
pub(super) fn field(key: &str, value: &Value) -> Sxp {
    list([key.into(), expression(value)], value.offset)
}

/// `(key text)`
pub(super) fn text_field(key: &str, text: impl AsRef<[u8]>, offset: u32) -> Sxp {
    list([key.into(), Sxp::atom(text).at(offset)], offset)
}

/// `(device (class ...))`
pub(super) fn device(class: &str, fields: impl IntoIterator<Item = Sxp>, offset: u32) -> Sxp {
    let device = list([class.into()].into_iter().chain(fields), offset);
    list(["device".into(), device], offset)
}

/// A list at a position.
pub(super) fn list(items: impl IntoIterator<Item = Sxp>, offset: u32) -> Sxp {
    Sxp::list(items).at(offset)
}

/// A value as xm printed it. The limit on a value's depth bounds the recursion.
pub(super) fn expression(value: &Value) -> Sxp {
    let expression = match &value.data {
        Data::List(items) | Data::Tuple(items) => items.iter().map(expression).collect(),
        Data::Bool(on) => Sxp::atom(if *on { "1" } else { "0" }),
        other => Sxp::atom(other.to_text()),
    };
    expression.at(value.offset)
}

//! S-expressions with the places in the file that they were made from.

use xend_sxp::Sxp;

/// `(key text)`
pub(crate) fn field(key: &str, text: impl AsRef<[u8]>, offset: u32) -> Sxp {
    list([key.into(), Sxp::atom(text).at(offset)], offset)
}

/// `(device (class ...))`
pub(crate) fn device(class: &str, fields: Vec<Sxp>, offset: u32) -> Sxp {
    let device = list([class.into()].into_iter().chain(fields), offset);
    list(["device".into(), device], offset)
}

/// A list at a place.
pub(crate) fn list(items: impl IntoIterator<Item = Sxp>, offset: u32) -> Sxp {
    Sxp::list(items).at(offset)
}

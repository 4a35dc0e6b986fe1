//! Free text.

/// Bytes that are usually UTF-8 text: paths, kernel arguments, descriptions.
///
/// xend never looked at the encoding of its input. Text written in Latin-1 in 2006 has to come back
/// unharmed, so free text is kept as the bytes that were received.
pub type Text = bstr::BString;

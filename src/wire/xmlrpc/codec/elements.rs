//! The elements of XML-RPC.

/// The name of elements without a meaning in XML-RPC.
const UNKNOWN: &str = "?";

/// The names of XML-RPC's elements.
const ELEMENTS: [&str; 24] = [
    "value",
    "string",
    "member",
    "name",
    "struct",
    "array",
    "data",
    "int",
    "boolean",
    "double",
    "nil",
    "dateTime.iso8601",
    "i4",
    "i8",
    "i1",
    "i2",
    "float",
    "base64",
    "param",
    "params",
    "methodCall",
    "methodName",
    "methodResponse",
    "fault",
];

/// The name of an element, of those that have a meaning.
pub(super) fn element_name(tag: &[u8]) -> &'static str {
    ELEMENTS.into_iter().find(|name| name.as_bytes() == tag).unwrap_or(UNKNOWN)
}

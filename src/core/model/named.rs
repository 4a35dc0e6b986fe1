//! Enums whose values have a name on the wires.

use super::invalid::Invalid;

/// Finds the value whose name is `text`.
pub(super) fn by_name<T: Copy, const N: usize>(
    text: &str,
    all: [T; N],
    name: fn(T) -> &'static str,
) -> Result<T, Invalid> {
    all.into_iter()
        .find(|value| name(*value) == text)
        .ok_or_else(|| Invalid::new(format!("'{text}' is not one of {}", all.map(name).join(", "))))
}

//! Limits of a file.

use super::value::Data;

/// The longest file, in bytes.
pub(super) const MAX_FILE: usize = 1 << 20;

/// Levels of brackets, and of lists in lists.
pub(super) const MAX_DEPTH: usize = 64;

/// All values that a file writes, and all that reading it makes, intermediate ones included.
pub(super) const MAX_VALUES: usize = 100_000;

/// The length of all strings that reading a file makes, intermediate ones included, in bytes.
const MAX_BYTES: usize = 8 << 20;

/// What is left for the values of a file. Whatever is made is charged, so that doubling a string or
/// list again and again comes to an end.
pub(super) struct Budget {
    values: usize,
    bytes: usize,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { values: MAX_VALUES, bytes: MAX_BYTES }
    }

    /// Charges values and the bytes of their strings. The error is the reason.
    pub(super) fn charge(&mut self, values: usize, bytes: usize) -> Result<(), String> {
        let Some(values) = self.values.checked_sub(values) else {
            return Err(too_many_values());
        };
        let Some(bytes) = self.bytes.checked_sub(bytes) else {
            return Err(format!("the file's strings are longer than {MAX_BYTES} bytes"));
        };
        self.values = values;
        self.bytes = bytes;
        Ok(())
    }

    /// Charges `copies` of a value.
    pub(super) fn charge_copies(&mut self, data: &Data, copies: usize) -> Result<(), String> {
        let size = data.size();
        self.charge(size.values.saturating_mul(copies), size.bytes.saturating_mul(copies))
    }
}

/// The reason why a file with too many values is refused.
pub(super) fn too_many_values() -> String {
    format!("the file has more than {MAX_VALUES} values")
}

//! XML-RPC as text: calls to values, values to answers.

mod print;
mod read;

pub use print::{answer, call, fault};
pub use read::{Call, Malformed, XmlLimits, read_answer, read_call};

#[cfg(test)]
mod tests;

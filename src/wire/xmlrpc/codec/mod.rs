//! XML-RPC as text: calls to values, values to answers.

mod elements;
mod parser;
mod print;
mod read;

pub use parser::{ReadError, ReadErrorKind, XmlLimits};
pub use print::{PrintedStruct, answer, answer_chunks, call, fault, printed};
pub use read::{Call, first_text_param, read_answer, read_call, read_call_within};

#[cfg(test)]
mod tests;

//! The language of configuration files: the part of Python 2 in which such files are written. xl's
//! files are written in a part of this part.
//!
//! There are values, operators, `if`, and a few functions and methods that make values of values.
//! There are no loops, no functions of a file's own, and nothing that tells anything of the host
//! (`os.uname` has the system's and the processor's names alone). So a file cannot run anything,
//! and reading it takes no longer than its length and its budget allow.

mod budget;
mod comparisons;
mod evaluate;
mod expression;
mod format;
mod functions;
mod lexer;
mod literal;
mod methods;
mod numbers;
mod operators;
mod parse_operators;
mod parse_values;
mod parser;
mod reader;
#[cfg(test)]
mod tests;
mod text;
mod unsupported;
mod value;
mod variables;

pub(crate) use numbers::integer_of;
pub(crate) use reader::read;
pub use reader::read_variables;
pub use value::{Data, Value};
pub use variables::{Variable, Variables};

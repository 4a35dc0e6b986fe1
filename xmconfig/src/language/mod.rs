//! The language of configuration files: the literal part of Python 2. xl's files are written in a
//! part of it.
//!
//! Values are evaluated as they are read. There are no statements but assignments and no calls but
//! `str` and `int`, so a file cannot run anything.

mod budget;
mod format;
mod lexer;
mod literal;
mod numbers;
mod operators;
mod reader;
#[cfg(test)]
mod tests;
mod unsupported;
mod value;
mod variables;

pub(crate) use numbers::integer_of;
pub use reader::read_variables;
pub use value::{Data, Value};
pub use variables::{Variable, Variables};

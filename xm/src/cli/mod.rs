//! The table of commands: its types, command lines, and what is printed from it.

pub(crate) mod command;
pub(crate) mod completions;
pub(crate) mod help;
pub(crate) mod manual;
pub(crate) mod option;
pub(crate) mod words;

//! xend's S-expression dialect: a tree, a bounded reader, a printer.
//!
//! In this dialect **everything is text**. `128`, `0x1b`, `None` and `10.0.0.1` are atoms like any
//! other; what they mean is for the reader of the tree to say. Atoms are bytes, not characters:
//! xend never agreed on an encoding.
//!
//! ```
//! use xend::sxp::{Limits, read_one};
//!
//! let vm = read_one(b"(vm (name web1) (memory 128) (args 'ro quiet'))", &Limits::default())?;
//! assert_eq!(vm.head(), Some("vm"));
//! assert_eq!(vm.value("memory").and_then(|v| v.as_str()), Some("128"));
//! assert_eq!(vm.to_string(), "(vm (name web1) (memory 128) (args 'ro quiet'))");
//! # Ok::<(), xend::sxp::ReadError>(())
//! ```
//!
//! What comes off a socket may be anything, so nothing here recurses on the shape of its input:
//! reading, printing, comparing, cloning and dropping a tree a million levels deep all take a
//! bounded part of the stack.
//!
//! Where the dialect departs from what xend did, it is so that what is printed reads back:
//!
//! * hexadecimal escapes count `a` to `f` as 10 to 15 (xend: 0 to 5);
//! * an unknown escape such as `\q` keeps both its characters (xend dropped the second);
//! * a text that ends inside a list is always an error (xend overlooked it inside an atom or a
//!   comment).

mod atom;
mod bridge;
mod builder;
mod bytes;
mod error;
mod pretty;
pub mod printer;
mod reader;
mod tree;
mod walk;

pub use atom::Atom;
pub use bridge::BridgeError;
pub use error::{ReadError, ReadErrorKind, position};
pub use pretty::pretty;
pub use reader::{Limits, Reader, read_all, read_first, read_one};
pub use tree::{List, Sxp};

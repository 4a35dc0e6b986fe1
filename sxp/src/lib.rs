//! xend's S-expression dialect: a tree, a bounded reader, a printer.
//!
//! In this dialect **everything is text**. `128`, `0x1b`, `None` and `10.0.0.1` are atoms like any
//! other; the code that reads the tree gives them a meaning. Atoms are bytes, not characters: xend
//! never settled on an encoding.
//!
//! ```
//! use xend_sxp::{Limits, read_one};
//!
//! let vm = read_one(b"(vm (name web1) (memory 128) (args 'ro quiet'))", &Limits::default())?;
//! assert_eq!(vm.head(), Some("vm"));
//! assert_eq!(vm.value("memory").and_then(|v| v.as_str()), Some("128"));
//! assert_eq!(vm.to_string(), "(vm (name web1) (memory 128) (args 'ro quiet'))");
//! # Ok::<(), xend_sxp::ReadError>(())
//! ```
//!
//! Input comes from sockets and can be hostile, so nothing here recurses on its depth: reading,
//! printing, comparing, cloning and dropping a tree of a million levels take a bounded part of the
//! stack.
//!
//! The dialect departs from xend's where xend could not read back its own output:
//!
//! * hexadecimal escapes count `a` to `f` as 10 to 15 (xend: 0 to 5);
//! * an unknown escape such as `\q` keeps both its characters (xend dropped the second);
//! * a text that ends inside a list is always an error (xend missed it inside an atom or a
//!   comment).

mod atom;
#[cfg(feature = "lexpr")]
mod bridge;
mod builder;
mod bytes;
mod canonical;
mod error;
mod memory;
mod number;
mod pretty;
pub mod printer;
mod reader;
mod traits;
mod tree;
mod walk;

pub use atom::Atom;
#[cfg(feature = "lexpr")]
pub use bridge::BridgeError;
pub use error::{ReadError, ReadErrorKind, position};
pub use memory::most_values;
pub use pretty::pretty;
pub use reader::{Limits, Reader, read_all, read_first, read_one};
pub use tree::{List, Sxp};

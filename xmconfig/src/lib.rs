//! The configuration files of xm and xl: `/etc/xen/*.cfg`.
//!
//! Such a file is written in Python, and nearly all of them only set variables, some of them under
//! conditions. `language/` reads this part of Python into variables, without input or output;
//! everything else is refused with its line and column and what to write instead. `domain/` makes
//! of the variables what xm made of them. [`Overrides`] are the arguments `NAME=VALUE` of
//! `xm create`, and [`OPTIONS`] is the table of their names.
//!
//! ```
//! use xend_xmconfig::{Defaults, convert};
//!
//! let text = b"kernel = '/boot/vmlinuz'\nname = 'web%d' % 1\nvif = ['bridge=xenbr0']";
//! let config = convert(text, &Defaults::default())?.config;
//! assert_eq!(config.value("name").and_then(|name| name.as_str()), Some("web1"));
//! assert_eq!(config.value("device").unwrap().to_string(), "(vif (bridge xenbr0))");
//! # Ok::<(), xend_xmconfig::XmConfigError>(())
//! ```

mod domain;
mod error;
mod language;
mod options;
mod overrides;
mod read;
mod whole_number;

pub use domain::Defaults;
pub use error::XmConfigError;
pub use language::{Data, Value, Variable, Variables, read_variables};
pub use options::{CreateOption, OPTIONS, OptionKind};
pub use overrides::Overrides;
pub use read::{Conversion, convert, convert_with, name, read_with};

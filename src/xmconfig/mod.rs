//! The configuration files of xm and xl: `/etc/xen/*.cfg`.
//!
//! Such a file is written in Python, and nearly all of them only set variables to literals.
//! `language/` reads this part of Python into variables, without input or output; everything else
//! is refused with its line and column. `domain/` makes of the variables what xm made of them.
//!
//! ```
//! use xend::xmconfig::{Defaults, read_domain};
//!
//! let text = b"kernel = '/boot/vmlinuz'\nname = 'web%d' % 1\nvif = ['bridge=xenbr0']";
//! let config = read_domain(text, &Defaults::default())?;
//! assert_eq!((config.name.as_str(), config.memory, config.devices.len()), ("web1", 128, 1));
//! # Ok::<(), xend::xmconfig::XmConfigError>(())
//! ```

mod domain;
mod error;
mod language;
mod read;

pub use domain::Defaults;
pub use error::XmConfigError;
pub use language::{Data, Value, Variable, Variables, read_variables};
pub use read::{Conversion, convert, read_domain, read_name};

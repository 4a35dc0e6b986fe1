//! The domain that the variables of a file describe.
//!
//! A file becomes the S-expression that xm 4.1.6 made of it, key by key in xm's order
//! (`sexpr-fixtures/xm-config/`). xl's variables are translated to xm's first.
//!
//! There are three differences. xm ignored values of some types (truth values, tuples,
//! dictionaries, Unicode strings, large numbers); here they count as what they mean. xm looked for
//! kernels and SCSI devices on the host; nothing is looked for here. An HVM guest whose kernel is
//! not Xen's firmware boots that kernel, as with xl.

mod configuration;
mod cpuid;
mod defaults;
mod disk;
mod image;
mod interfaces;
mod other_devices;
mod pci;
mod python_dict;
mod screens;
mod settings;
mod tree;
mod vnc_listen;
mod warnings;
mod xl;

pub(super) use configuration::configuration;
pub use defaults::Defaults;
pub(super) use warnings::unusual;
pub(super) use xl::other_name;

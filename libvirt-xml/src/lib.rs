//! libvirt's XML of a domain as the S-expression that xend takes.
//!
//! The result is what libvirt's own driver for xend sent, in the form of Xen 3.1 and later: CD-ROM
//! drives are disks, and no device has the prefix `ioemu:`. PVH guests and UEFI, which that driver
//! never had, are written as xend of today reads them. An element without a place in an
//! S-expression is a warning that names it.
//!
//! ```
//! let text = b"<domain type='xen'><name>web1</name><memory unit='MiB'>128</memory>
//!     <os><type>linux</type><kernel>/boot/vmlinuz</kernel></os></domain>";
//! let config = xend_libvirt_xml::convert(text)?.config;
//! assert_eq!(config.value("name").and_then(|name| name.as_str()), Some("web1"));
//! assert_eq!(config.value("image").unwrap().to_string(), "(linux (kernel /boot/vmlinuz))");
//! # Ok::<(), xend_libvirt_xml::XmlError>(())
//! ```

mod devices;
mod disk;
mod document;
mod domain;
mod element;
mod error;
mod image;
mod kind;
mod screens;
mod tree;
mod values;

pub use domain::{Conversion, convert};
pub use error::XmlError;

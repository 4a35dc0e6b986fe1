//! The HTML pages: each a plain struct that renders itself with `render(&self) -> String`.
//!
//! A page knows no HTTP. It is given what to show, and where its links and forms lead; it answers one
//! complete HTML document. No page needs a script, and every page reads well without its stylesheet.
//!
//! # What the caller owes
//!
//! - Text (names, values, messages) is passed as it is. The pages escape it.
//! - Every `href` and `url` is passed ready for use: percent-encoded, with a scheme this server would link
//!   to, and without a query. The pages escape it for HTML, and append `?query` where they need one.
//!
//! # Who reads the pages besides people
//!
//! `check_xendomains.py`, a Nagios plug-in, takes every `<li>` of the domain list for a domain and every
//! `<li>` of the node page for a fact. So nothing else on those pages, the breadcrumbs included, is a list
//! item.

mod created;
mod directory;
mod domain;
mod domain_list;
mod domain_operations;
mod form;
mod help;
mod layout;
mod message;
mod node;
mod parts;
mod record;
mod text;
mod vcpu;
mod vnet;

pub use created::CreatedPage;
pub use directory::Directory;
pub use domain::{Device, DomainPage};
pub use domain_list::{DomainList, DomainRow};
pub use domain_operations::{Field, FieldKind, OperationForm};
pub use help::{HelpOperation, HelpPage, HelpParam, HelpSection};
pub use layout::STYLESHEET;
pub use message::{ErrorPage, MessagePage};
pub use node::NodePage;
pub use parts::{Fact, Link};
pub use record::RecordPage;
pub use text::TextPage;
pub use vcpu::{Vcpu, VcpuPage};
pub use vnet::{VnetList, VnetPage};

#[cfg(test)]
mod testing;

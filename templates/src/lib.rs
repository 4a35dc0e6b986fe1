//! The HTML pages: each a plain struct that renders itself with `render(&self) -> String`.
//!
//! A page knows no HTTP. It is given what to show, and where its links and forms lead; it answers
//! one complete HTML document. No page needs a script, and every page reads well without its
//! stylesheet. The stylesheet and the one small script are [`ASSETS`], which the caller serves
//! below [`ASSETS_PATH`].
//!
//! # What the script does
//!
//! It follows `/xend/events` and draws anew what has changed: a part of a page with `data-live` is
//! replaced by the same part of the page as the server now has it (`idle`: not while something in
//! it is unfolded). Forms with `data-op` are sent without leaving the page, links with
//! `data-confirm` open the page that asks in a dialog.
//!
//! # What the caller owes
//!
//! - Text (names, values, messages) is passed as it is. The pages escape it.
//! - Every `href` and `url` is passed ready for use: percent-encoded, with a scheme this server
//!   would link to, and without a query. The pages escape it for HTML, and append `?query` where
//!   they need one.
//!
//! # Who reads the pages besides people
//!
//! `check_xendomains.py`, a Nagios plug-in, takes every `<li>` of the domain list for a domain and
//! every `<li>` of the node page for a fact. So nothing else on those pages, the breadcrumbs
//! included, is a list item.

mod assets;
mod chart;
mod create;
mod created;
mod directory;
mod domain;
mod domain_list;
mod domain_operations;
mod form;
mod help;
mod history;
mod layout;
mod message;
mod node;
mod parts;
mod record;
mod text;
mod vcpu;
mod vnet;

pub use assets::{ASSETS, ASSETS_PATH, ASSETS_VERSION, Asset};
pub use chart::{Chart, Share, Shares};
pub use create::{ConfirmPage, ConsolePage, CreatePage, Failure, Position};
pub use created::CreatedPage;
pub use directory::Directory;
pub use domain::{Device, DomainPage, UnderWay};
pub use domain_list::{Column, DomainList, DomainRow, Sorting, StateTab};
pub use domain_operations::{Field, FieldKind, OperationForm};
pub use form::Action;
pub use help::{HelpOperation, HelpPage, HelpParam, HelpSection};
pub use history::HistoryEntry;
pub use message::{ErrorPage, MessagePage};
pub use node::{NodePage, User};
pub use parts::{Fact, Link, Moment, Uptime};
pub use record::RecordPage;
pub use text::TextPage;
pub use vcpu::{Vcpu, VcpuPage};
pub use vnet::{VnetList, VnetPage};

#[cfg(test)]
mod testing;

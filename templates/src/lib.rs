//! The HTML pages: each a plain struct that renders itself with `render(&self) -> String`.
//!
//! A page knows no HTTP. The caller gives it the data and the targets of its links and forms, and
//! gets a complete HTML document. Every page works without the script and without the stylesheet.
//! These are [`ASSETS`], which the caller serves below [`ASSETS_PATH`].
//!
//! # The script
//!
//! The script follows `/xend/events` and updates the page: a part with `data-live` is replaced by
//! the same part of the server's current page (with `idle`, not while something in it is unfolded).
//! Forms with `data-op` are sent without leaving the page, and links with `data-confirm` open the
//! confirmation page in a dialog.
//!
//! # Requirements on the caller
//!
//! - Text (names, values, messages) is passed unescaped. The pages escape it.
//! - Every `href` and `url` is percent-encoded, has a safe scheme, and has no query. The pages
//!   escape it for HTML, and append a `?query` where they need one.
//!
//! # Scripts that read the pages
//!
//! `check_xendomains.py`, a Nagios plug-in, takes every `<li>` of the domain list for a domain and
//! every `<li>` of the node page for a fact. So nothing else on those pages is a list item, not
//! even a breadcrumb.

mod assets;
mod chart;
mod confirm;
mod console;
mod create;
mod create_fields;
mod created;
mod creation;
mod device_table;
mod directory;
mod domain;
mod domain_list;
mod domain_operations;
mod domain_row;
mod form;
mod help;
mod help_calls;
mod history;
mod layout;
mod list_columns;
mod list_help;
mod list_page;
mod log;
mod login;
mod menu;
mod message;
mod node;
mod parts;
mod record;
mod screen;
mod selection;
mod shares;
mod sysrq;
mod table;
mod text;
mod time_chart;
mod usage;
mod vcpu;
mod vnet;

pub use assets::{ASSETS, ASSETS_PATH, ASSETS_VERSION, Asset};
pub use chart::Chart;
pub use confirm::ConfirmPage;
pub use console::ConsolePage;
pub use create::{CreateError, CreatePage, Position};
pub use create_fields::{CreateChoices, NewDomain};
pub use created::CreatedPage;
pub use creation::{CreationPage, CreationStep, StepState};
pub use device_table::Device;
pub use directory::Directory;
pub use domain::{DomainPage, OperationProgress};
pub use domain_list::{DomainList, PlainLine, PlainList, StateTab};
pub use domain_operations::{Field, FieldKind, OperationForm, OperationGroup, TargetForm};
pub use domain_row::DomainRow;
pub use form::Action;
pub use help::{
    HelpContent, HelpOperation, HelpPage, HelpParam, HelpSection, HelpTab, OperationLink,
};
pub use help_calls::{HelpCall, HelpCalls, HelpObject};
pub use history::HistoryEntry;
pub use layout::{Frame, PageUser};
pub use list_columns::{Column, Sorting};
pub use list_page::{FilterField, ListPage, UploadForm};
pub use log::{LogLevel, LogLine, LogPage};
pub use login::{LoginMessage, LoginPage, LoginRequiredPage};
pub use menu::Menu;
pub use message::{ErrorPage, MessagePage};
pub use node::NodePage;
pub use parts::{Fact, Link, Moment, Uptime};
pub use record::RecordPage;
pub use screen::ScreenPage;
pub use selection::{Effect, SelectionPage, SelectionResult, SkippedDomain};
pub use shares::{Consumer, ConsumerKind, HostTotals, HostUse, MAX_NAMED_CONSUMERS};
pub use sysrq::SYSRQ_KEYS;
pub use table::{Cell, Pager, Paging, Table, TableColumn};
pub use text::TextPage;
pub use time_chart::{TimeChart, TimeLine};
pub use usage::{UsagePage, UsageRow};
pub use vcpu::{Vcpu, VcpuPage};
pub use vnet::{VnetList, VnetPage};

#[cfg(test)]
mod testing;

//! The Argo protocol of 2006: owners of instances see and steer them, one line a command.
//!
//! ```text
//! server       connections: reads lines, sends answers, ends what is idle or slow
//! line, words  bytes -> lines -> words, without I/O
//! session      who has logged in; finds a command and checks the caller's right
//! table        the commands, of which each file in commands/ has a family
//! plugins/     commands that are programs of the operator
//! instance     domains, and configuration files of domains (domain_files)
//! answer       statuses and output
//! ```
//!
//! `docs/argo.md` describes the protocol.

mod answer;
mod call;
mod command;
mod commands;
mod context;
mod domain_files;
mod instance;
mod line;
mod plugins;
mod server;
mod session;
mod signature;
mod table;
mod words;

pub use answer::ALL_BUSY;
pub use context::{Argo, ArgoOptions};
pub use domain_files::{DomainFiles, ReadConfig};
pub use line::{Line, LineReader, MAX_LINE};
pub use words::{BadQuotes, split_words};

//! The configuration: command line over file over default, as one [`Config`].
//!
//! The file is xend's own `xend-config.sxp`: a sequence of `(key value)`. Files written for xend
//! work.
//!
//! ```text
//! table         one row a key: name, default, reader, reload or restart, text for people
//! obsolete      the keys that xend read and that have no effect here
//! reference     prints both tables: `xend keys`, dist/xend-config.sxp and the manual
//! file          reads a file into FileSettings, with a Diagnostic for each wrong entry
//! options       the options of the command line
//! load          command line over file, into Config
//! tunables      the settings that SIGHUP changes
//! ```
//!
//! A wrong entry of a listener costs that listener alone; everything else is served.

mod address;
mod diagnostic;
mod entry;
mod error;
mod file;
mod fleet;
mod keys;
mod listener;
mod listeners;
mod load;
mod log_filter;
mod obsolete;
mod options;
mod paths;
mod reference;
mod relocation;
mod settings;
mod table;
mod tunables;
mod xen_api_server;

#[cfg(test)]
mod tests;

pub use address::ListenIp;
pub use diagnostic::{Diagnostic, KeyPositions, Origin, Position, Severity};
pub use error::ConfigError;
pub use listener::{Auth, ListenAddress, ListenerConfig, TlsFiles, UnixSocket};
pub use load::{Config, Origins, SimHost};
pub use options::{Hypervisor, LogFormat, NoFleet, RunOptions, Switch};
pub use paths::{DefaultPaths, Environment};
pub use reference::{KeyText, key_texts, obsolete_keys, reference, sample_file};
pub use tunables::{LiveTunables, Tunables};

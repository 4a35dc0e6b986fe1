//! The agent inside a guest: it takes requests through XenStore, carries them out, and reports what
//! the guest looks like from inside.
//!
//! ```text
//! start      options and configuration become an agent
//! agent      the loop: pairs of an exchange and a parser, the commands, the reports
//! exchange   where requests come from; exchanges: XenStore, a directory, standard input
//! parser     what requests and responses look like; parsers: JSON
//! command    what a command is; commands: one file a command; plugins: programs as commands
//! registry   which commands there are, and which are on
//! system     what commands act on: the files below the root (root), programs (runner)
//! lock       keeps a second agent away; paths: where the agent's own files are
//! shadow     passwords
//! netlink    the kernel's network interfaces and their addresses
//! network    the files of a distribution's network configuration
//! reports    what the guest reports about itself; reporting: and when its connection is lost
//! ```

pub mod agent;
pub mod command;
pub mod commands;
pub mod config;
pub mod connect;
pub mod descriptors;
pub mod exchange;
pub mod exchanges;
pub mod lock;
pub mod log;
pub mod netlink;
pub mod network;
pub mod notify;
pub mod options;
pub mod os;
pub mod parser;
pub mod parsers;
pub mod paths;
pub mod plugins;
pub mod registry;
pub mod report_only;
pub mod reporting;
pub mod reports;
pub mod root;
pub mod runner;
pub mod shadow;
pub mod start;
pub mod stop;
pub mod system;

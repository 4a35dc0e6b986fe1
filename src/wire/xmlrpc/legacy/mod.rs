//! `xend.*`: the calls of xm 3.0.3 to 4.4.
//!
//! ```text
//! function     an entry of the table: its parameters, and the plan that it makes of a call
//! record       answers of the engine as xend's nested arrays
//! domains      reads of domains
//! lifecycle    create, start, pause, shut down, migrate
//! files        save, restore, dump
//! cpu          CPUs, scheduler, memory, keys
//! devices      devices; device_list has the lists of each class
//! pools        CPU pools
//! node         the host
//! security     labels: xend's answers without a security module
//! unsupported  functions that today's Xen cannot carry out
//! table        all of them by name
//! dispatch     a call to its answer or fault
//! ```

mod cpu;
mod device_list;
mod devices;
mod dispatch;
mod domains;
mod files;
mod function;
mod lifecycle;
mod node;
mod pools;
mod record;
mod security;
mod table;
mod unsupported;

pub(super) use dispatch::answer;
pub(super) use table::{methods, parameters};

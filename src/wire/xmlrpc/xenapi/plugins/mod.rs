//! Plug-ins of the host, which OpenStack's driver calls by `host.call_plugin`: requests to the
//! agent inside a guest, nodes of XenStore, and versions.
//!
//! ```text
//! table     the plug-ins with their functions
//! agent     the plug-in agent
//! xenstore  the plug-in xenstore.py
//! function  the type of functions
//! call      a call as the table makes it
//! params    the arguments of a call
//! failure   failures, as Python's exceptions came through the Xen-API
//! run       carrying a call out
//! ```

mod agent;
mod call;
mod failure;
mod function;
mod params;
mod run;
mod table;
mod xenstore;

pub(crate) use call::{Asker, PluginCall};
pub(crate) use run::run;
pub(crate) use table::find;

//! The wires: each turns requests into a [`Change`](crate::core::op::Change) or into reads of a
//! [`View`](crate::core::view::View), and their results into a response. No wire knows another.

pub mod argo;
pub mod http;
pub mod metrics;
pub mod relocation;
pub mod xmlrpc;

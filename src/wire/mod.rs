//! The wires: each turns requests into a [`Change`](crate::core::op::Change) or into reads of a
//! [`View`](crate::core::engine::View), and their results into a response. No wire knows another.

pub mod http;
pub mod relocation;
pub mod xmlrpc;

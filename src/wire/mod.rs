//! The wires: each turns requests into an [`Op`](crate::core::op::Op), and an
//! [`Outcome`](crate::core::op::Outcome) into a response. No wire knows another.

pub mod http;
pub mod relocation;
pub mod xmlrpc;

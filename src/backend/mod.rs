//! Hypervisors behind the one port, [`crate::core::ports::Hypervisor`].

pub mod sim;

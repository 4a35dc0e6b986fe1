//! Hypervisors behind the one port, [`crate::core::ports::Hypervisor`].

#[cfg(feature = "xen")]
pub mod libxl;
pub mod sim;

//! Hypervisors behind the port [`Hypervisor`](crate::core::ports::Hypervisor).

#[cfg(feature = "xen")]
pub mod libxl;
pub mod sim;
mod uname;

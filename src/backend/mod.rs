//! Hypervisors behind the port [`Hypervisor`](crate::core::ports::Hypervisor).

#[cfg(feature = "xen")]
pub mod libxl;
mod load_average;
pub mod sim;
mod uname;

//! Hypervisors behind the port [`Hypervisor`](crate::core::ports::Hypervisor).

pub mod domain0;
#[cfg(feature = "xen")]
pub mod libxl;
mod load_average;
mod rfb_login;
pub mod sim;
mod uname;

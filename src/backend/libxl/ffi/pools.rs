//! CPU pools.

use super::{Failure, Libxl, c, checked, length, string};
use std::ffi::c_int;

impl Libxl {
    pub(in crate::backend::libxl) fn pools(&self) -> Result<String, Failure> {
        // SAFETY: see `version`.
        self.text(|gate, out| unsafe { c::gate_pools(gate, out) })
    }

    pub(in crate::backend::libxl) fn create_pool(
        &self,
        name: &str,
        scheduler: &str,
        cpus: &[u32],
    ) -> Result<(), Failure> {
        let (name, scheduler) = (string(name)?, string(scheduler)?);
        // SAFETY: the handle is open; strings and numbers outlive the call.
        checked(|| unsafe {
            c::gate_pool_create(
                self.0,
                name.as_ptr(),
                scheduler.as_ptr(),
                cpus.as_ptr(),
                length(cpus),
            )
        })
    }

    pub(in crate::backend::libxl) fn destroy_pool(&self, name: &str) -> Result<(), Failure> {
        let name = string(name)?;
        // SAFETY: see `note`.
        checked(|| unsafe { c::gate_pool_destroy(self.0, name.as_ptr()) })
    }

    pub(in crate::backend::libxl) fn pool_cpu(
        &self,
        name: &str,
        cpu: u32,
        add: bool,
    ) -> Result<(), Failure> {
        let (name, cpu) = (string(name)?, c_int::try_from(cpu).unwrap_or(c_int::MAX));
        // SAFETY: see `note`.
        checked(|| unsafe { c::gate_pool_cpu(self.0, name.as_ptr(), cpu, add.into()) })
    }

    pub(in crate::backend::libxl) fn move_to_pool(
        &self,
        name: &str,
        domid: u32,
    ) -> Result<(), Failure> {
        let name = string(name)?;
        // SAFETY: see `note`.
        checked(|| unsafe { c::gate_pool_move(self.0, name.as_ptr(), domid) })
    }
}

//! Hypercalls without libxl.

use super::c;
use std::ffi::c_int;
use std::{io, ptr};

/// A handle of libxenctrl. Its calls wait for the hypervisor alone.
pub(in crate::backend::libxl) struct Hypercalls(*mut c::Hypercalls);

// SAFETY: libxenctrl may be used by several threads at a time, unless it is opened otherwise
// (xenctrl.h, XC_OPENFLAG_NON_REENTRANT).
unsafe impl Send for Hypercalls {}
// SAFETY: as above.
unsafe impl Sync for Hypercalls {}

impl Drop for Hypercalls {
    fn drop(&mut self) {
        // SAFETY: `shim_hypercalls_open` returned the handle, and this was its only owner.
        unsafe { c::shim_hypercalls_close(self.0) }
    }
}

impl Hypercalls {
    /// Fails where there is no Xen.
    pub(in crate::backend::libxl) fn open() -> io::Result<Self> {
        let mut handle = ptr::null_mut();
        // SAFETY: the out parameter is valid for the call.
        checked(unsafe { c::shim_hypercalls_open(&raw mut handle) })?;
        Ok(Self(handle))
    }

    /// Sets a timer of this domain's watchdog, 0 being any that is free, and returns its number. 0
    /// seconds unset it.
    pub(in crate::backend::libxl) fn watchdog(&self, timer: u32, seconds: u32) -> io::Result<u32> {
        // SAFETY: the handle is open, and the other arguments are numbers.
        checked(unsafe { c::shim_watchdog(self.0, timer, seconds) })
    }

    /// The first domain from a domid on, with its UUID; `None` if there is none.
    pub(in crate::backend::libxl) fn next_domain(
        &self,
        mut domid: u32,
    ) -> io::Result<Option<(u32, [u8; 16])>> {
        let mut uuid = [0; 16];
        // SAFETY: the handle is open, and the out parameters, of which the last one has the sixteen
        // bytes of a UUID, are valid for the call.
        let found =
            checked(unsafe { c::shim_next_domain(self.0, &raw mut domid, uuid.as_mut_ptr()) })?;
        Ok((found > 0).then_some((domid, uuid)))
    }

    /// Stops a domain's VCPUs.
    pub(in crate::backend::libxl) fn halt(&self, domid: u32) -> io::Result<()> {
        // SAFETY: see `watchdog`.
        checked(unsafe { c::shim_halt_domain(self.0, domid) }).map(drop)
    }

    /// Destroys a domain, and leaves what the toolstack has of it.
    pub(in crate::backend::libxl) fn end(&self, domid: u32) -> io::Result<()> {
        // SAFETY: see `watchdog`.
        checked(unsafe { c::shim_end_domain(self.0, domid) }).map(drop)
    }
}

/// A result of the shim's: a failure is the negative number of an error.
fn checked(result: c_int) -> io::Result<u32> {
    u32::try_from(result).map_err(|_| io::Error::from_raw_os_error(result.wrapping_neg()))
}

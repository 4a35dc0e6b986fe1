//! The C side: the only unsafe code of the project.
//!
//! `shim.c` is compiled against libxl's headers and takes plain C types; here each of its functions
//! is given a safe face. Every call blocks, for as long as xenstored, a hotplug script or a guest
//! takes.
#![allow(unsafe_code)]

use super::failure::Failure;
use std::ffi::{CStr, CString, c_char, c_int};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::time::Duration;

/// The shim's own structure; nothing is known of it here.
#[repr(C)]
struct Gate {
    _opaque: [u8; 0],
}

mod c;
mod pools;

/// What is to be done with a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plug {
    /// Plug it in.
    Add = 0,
    /// Unplug it when the guest lets go of it.
    Remove = 1,
    /// Unplug it.
    Destroy = 2,
}

/// A class of device that libxl can plug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Disk,
    Nic,
    Vfb,
    Vkb,
    Pci,
}

/// A handle on libxl. It may be used from any thread.
pub(super) struct Libxl(*mut Gate);

// SAFETY: a libxl context may be used by several threads at a time: it locks itself (libxl.h,
// "libxl contexts are thread-safe"). The same holds of the one call of libxenctrl, which is a
// single hypercall, and of libxenstore's handle, which locks itself. What changes in the structure,
// libxl's events, is behind its lock (events.c).
unsafe impl Send for Libxl {}
// SAFETY: as above.
unsafe impl Sync for Libxl {}

impl Drop for Libxl {
    fn drop(&mut self) {
        // SAFETY: it came from `gate_open`, and nobody has it any more.
        unsafe { c::gate_close(self.0) }
    }
}

impl Libxl {
    /// Opens libxl on this host, which fails where there is no Xen. libxl's own limits are right
    /// for a gateway that waits for two minutes, and go by `limit`. Nothing is completed before a
    /// thread waits in [`event`](Self::event).
    pub(super) fn open(limit: Duration) -> Result<Self, Failure> {
        let mut gate = ptr::null_mut();
        let seconds = c_int::try_from(limit.as_secs()).unwrap_or(c_int::MAX);
        // SAFETY: the out parameter is written to before the call returns, and is null unless it
        // returns 0.
        checked(|| unsafe { c::gate_open(seconds, &raw mut gate) })?;
        Ok(Self(gate))
    }

    /// Calls a function that hands out a string.
    fn text(
        &self,
        call: impl FnOnce(*mut Gate, *mut *mut c_char) -> c_int,
    ) -> Result<String, Failure> {
        let mut out = ptr::null_mut();
        checked(|| call(self.0, &raw mut out))?;
        if out.is_null() {
            return Err(Failure::told("libxl gave no answer"));
        }
        // SAFETY: after success the shim has handed out a string that ends with a zero and belongs
        // to us.
        let text = unsafe { CStr::from_ptr(out) }.to_string_lossy().into_owned();
        // SAFETY: it was allocated by malloc, and nothing points into it any more.
        unsafe { c::gate_free(out) };
        Ok(text)
    }

    pub(super) fn version(&self) -> Result<String, Failure> {
        // SAFETY: the handle is open; the out parameter is valid for the call. So it is in all that
        // follow.
        self.text(|gate, out| unsafe { c::gate_version(gate, out) })
    }

    pub(super) fn physinfo(&self) -> Result<String, Failure> {
        // SAFETY: see `version`.
        self.text(|gate, out| unsafe { c::gate_physinfo(gate, out) })
    }

    pub(super) fn scheduler(&self) -> Result<String, Failure> {
        // SAFETY: see `version`.
        self.text(|gate, out| unsafe { c::gate_scheduler(gate, out) })
    }

    pub(super) fn dmesg(&self, clear: bool) -> Result<String, Failure> {
        // SAFETY: see `version`.
        self.text(|gate, out| unsafe { c::gate_dmesg(gate, clear.into(), out) })
    }

    pub(super) fn domains(&self) -> Result<String, Failure> {
        // SAFETY: see `version`.
        self.text(|gate, out| unsafe { c::gate_domains(gate, out) })
    }

    pub(super) fn domain(&self, domid: u32) -> Result<String, Failure> {
        // SAFETY: see `version`.
        self.text(|gate, out| unsafe { c::gate_domain(gate, domid, out) })
    }

    pub(super) fn name(&self, domid: u32) -> Result<String, Failure> {
        // SAFETY: see `version`.
        self.text(|gate, out| unsafe { c::gate_name(gate, domid, out) })
    }

    pub(super) fn vcpus(&self, domid: u32) -> Result<String, Failure> {
        // SAFETY: see `version`.
        self.text(|gate, out| unsafe { c::gate_vcpus(gate, domid, out) })
    }

    pub(super) fn config(&self, domid: u32) -> Result<String, Failure> {
        // SAFETY: see `version`.
        self.text(|gate, out| unsafe { c::gate_config(gate, domid, out) })
    }

    pub(super) fn noted(&self, domid: u32) -> Result<String, Failure> {
        // SAFETY: see `version`.
        self.text(|gate, out| unsafe { c::gate_noted(gate, domid, out) })
    }

    pub(super) fn sched(&self, domid: u32) -> Result<String, Failure> {
        // SAFETY: see `version`.
        self.text(|gate, out| unsafe { c::gate_sched(gate, domid, out) })
    }

    pub(super) fn disks(&self, domid: u32) -> Result<String, Failure> {
        // SAFETY: see `version`.
        self.text(|gate, out| unsafe { c::gate_disks(gate, domid, out) })
    }

    pub(super) fn nics(&self, domid: u32) -> Result<String, Failure> {
        // SAFETY: see `version`.
        self.text(|gate, out| unsafe { c::gate_nics(gate, domid, out) })
    }

    pub(super) fn note(&self, domid: u32, text: &str) -> Result<(), Failure> {
        let text = string(text)?;
        // SAFETY: the handle is open, the string ends with a zero and outlives the call. So it is
        // in all that follow.
        checked(|| unsafe { c::gate_note(self.0, domid, text.as_ptr()) })
    }

    /// Builds a domain, from a stream if there is one.
    pub(super) fn create(&self, json: &str, from: Option<RawFd>) -> Result<u32, Failure> {
        let (json, mut domid) = (string(json)?, 0);
        // SAFETY: see `note`; the descriptor is the caller's and stays open.
        checked(|| unsafe {
            c::gate_create(self.0, json.as_ptr(), from.unwrap_or(-1), &raw mut domid)
        })?;
        Ok(domid)
    }

    /// How many bytes a TCP socket has received; `None` if the file is no TCP socket.
    pub(super) fn received(socket: BorrowedFd<'_>) -> Option<u64> {
        // SAFETY: the descriptor is open for as long as it is borrowed.
        u64::try_from(unsafe { c::gate_received(socket.as_raw_fd()) }).ok()
    }

    pub(super) fn save(&self, domid: u32, to: RawFd, live: bool) -> Result<(), Failure> {
        // SAFETY: the handle is open; the descriptor is the caller's and stays open.
        checked(|| unsafe { c::gate_save(self.0, domid, to, live.into()) })
    }

    pub(super) fn unsuspend(&self, domid: u32) -> Result<(), Failure> {
        // SAFETY: the handle is open. So it is in all that follow.
        checked(|| unsafe { c::gate_unsuspend(self.0, domid) })
    }

    pub(super) fn pause(&self, domid: u32) -> Result<(), Failure> {
        // SAFETY: see `unsuspend`.
        checked(|| unsafe { c::gate_pause(self.0, domid) })
    }

    pub(super) fn unpause(&self, domid: u32) -> Result<(), Failure> {
        // SAFETY: see `unsuspend`.
        checked(|| unsafe { c::gate_unpause(self.0, domid) })
    }

    pub(super) fn destroy(&self, domid: u32) -> Result<(), Failure> {
        // SAFETY: see `unsuspend`.
        checked(|| unsafe { c::gate_destroy(self.0, domid) })
    }

    pub(super) fn shutdown(&self, domid: u32) -> Result<(), Failure> {
        // SAFETY: see `unsuspend`.
        checked(|| unsafe { c::gate_shutdown(self.0, domid) })
    }

    pub(super) fn reboot(&self, domid: u32) -> Result<(), Failure> {
        // SAFETY: see `unsuspend`.
        checked(|| unsafe { c::gate_reboot(self.0, domid) })
    }

    pub(super) fn crash(&self, domid: u32) -> Result<(), Failure> {
        // SAFETY: see `unsuspend`.
        checked(|| unsafe { c::gate_crash(self.0, domid) })
    }

    pub(super) fn rename(&self, domid: u32, from: &str, to: &str) -> Result<(), Failure> {
        let (from, to) = (string(from)?, string(to)?);
        // SAFETY: see `note`.
        checked(|| unsafe { c::gate_rename(self.0, domid, from.as_ptr(), to.as_ptr()) })
    }

    pub(super) fn preserve(
        &self,
        domid: u32,
        name: &str,
        suffix: &str,
        uuid: [u8; 16],
    ) -> Result<(), Failure> {
        let (name, suffix) = (string(name)?, string(suffix)?);
        // SAFETY: see `note`; the UUID's sixteen bytes outlive the call.
        checked(|| unsafe {
            c::gate_preserve(self.0, domid, name.as_ptr(), suffix.as_ptr(), uuid.as_ptr())
        })
    }

    pub(super) fn dump(&self, domid: u32, file: &str) -> Result<(), Failure> {
        let file = string(file)?;
        // SAFETY: see `note`.
        checked(|| unsafe { c::gate_dump(self.0, domid, file.as_ptr()) })
    }

    pub(super) fn sysrq(&self, domid: u32, key: u8) -> Result<(), Failure> {
        // SAFETY: see `unsuspend`.
        checked(|| unsafe { c::gate_sysrq(self.0, domid, c_char::from_ne_bytes([key])) })
    }

    pub(super) fn trigger(&self, domid: u32, name: &str, vcpu: u32) -> Result<(), Failure> {
        let name = string(name)?;
        // SAFETY: see `note`.
        checked(|| unsafe { c::gate_trigger(self.0, domid, name.as_ptr(), vcpu) })
    }

    pub(super) fn set_memory(&self, domid: u32, kib: u64) -> Result<(), Failure> {
        // SAFETY: see `unsuspend`.
        checked(|| unsafe { c::gate_set_memory(self.0, domid, kib) })
    }

    pub(super) fn set_max_memory(&self, domid: u32, kib: u64) -> Result<(), Failure> {
        // SAFETY: see `unsuspend`.
        checked(|| unsafe { c::gate_set_max_memory(self.0, domid, kib) })
    }

    pub(super) fn set_vcpus(&self, domid: u32, online: &[u32]) -> Result<(), Failure> {
        // SAFETY: the handle is open, the numbers outlive the call.
        checked(|| unsafe { c::gate_set_vcpus(self.0, domid, online.as_ptr(), length(online)) })
    }

    /// Where a VCPU may be; anywhere if `cpus` is empty.
    pub(super) fn pin(&self, domid: u32, vcpu: u32, cpus: &[u32]) -> Result<(), Failure> {
        // SAFETY: see `set_vcpus`.
        checked(|| unsafe { c::gate_pin(self.0, domid, vcpu, cpus.as_ptr(), length(cpus)) })
    }

    pub(super) fn set_sched(&self, domid: u32, json: &str) -> Result<(), Failure> {
        let json = string(json)?;
        // SAFETY: see `note`.
        checked(|| unsafe { c::gate_set_sched(self.0, domid, json.as_ptr()) })
    }

    pub(super) fn plug(
        &self,
        domid: u32,
        class: Class,
        plug: Plug,
        json: &str,
    ) -> Result<(), Failure> {
        let (json, what) = (string(json)?, plug as c_int);
        // SAFETY: see `note`.
        checked(|| unsafe {
            match class {
                Class::Disk => c::gate_disk(self.0, domid, what, json.as_ptr()),
                Class::Nic => c::gate_nic(self.0, domid, what, json.as_ptr()),
                Class::Vfb => c::gate_vfb(self.0, domid, what, json.as_ptr()),
                Class::Vkb => c::gate_vkb(self.0, domid, what, json.as_ptr()),
                Class::Pci => c::gate_pci(self.0, domid, what, json.as_ptr()),
            }
        })
    }

    /// Puts another medium into a CD-ROM drive.
    pub(super) fn medium(&self, domid: u32, json: &str) -> Result<(), Failure> {
        let json = string(json)?;
        // SAFETY: see `note`.
        checked(|| unsafe { c::gate_medium(self.0, domid, json.as_ptr()) })
    }

    /// The nodes below a path of XenStore and what is in them, without what is below those.
    pub(super) fn nodes(&self, path: &str) -> Result<Vec<(String, String)>, Failure> {
        let at = string(path)?;
        // SAFETY: see `version`; the string lives until the call returns.
        let names = self.text(|gate, out| unsafe { c::gate_nodes(gate, at.as_ptr(), out) })?;
        // One that has just been removed is left out.
        let read = |name: &str| Some((name.to_owned(), self.read(&format!("{path}/{name}"))?));
        Ok(names.lines().filter_map(read).collect())
    }

    /// What is in a node of XenStore; `None` if there is no such node.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        let at = string(path).ok()?;
        // SAFETY: see `version`; the string lives until the call returns.
        self.text(|gate, out| unsafe { c::gate_read(gate, at.as_ptr(), out) }).ok()
    }

    pub(super) fn debug_keys(&self, keys: &str) -> Result<(), Failure> {
        let keys = string(keys)?;
        // SAFETY: see `note`.
        checked(|| unsafe { c::gate_debug_keys(self.0, keys.as_ptr()) })
    }

    /// Has the end of a domain told by [`event`](Self::event).
    pub(super) fn watch(&self, domid: u32) -> Result<(), Failure> {
        // SAFETY: see `unsuspend`.
        checked(|| unsafe { c::gate_watch(self.0, domid) })
    }

    /// Has a new name of a domain told by [`change`](Self::change), or not any more.
    pub(super) fn follow(&self, domid: u32, on: bool) -> Result<(), Failure> {
        // SAFETY: the handle is open.
        checked(|| unsafe { c::gate_follow(self.0, domid, c_int::from(on)) })
    }

    /// Waits for a domain to come, to go, or to get a name. One thread may be here; it says which
    /// domain got a name, or none if others may have come or gone, which may be so after `limit` in
    /// any case.
    pub(super) fn change(&self, limit: Duration) -> Result<Option<u32>, Failure> {
        let mut domid = u32::MAX;
        let milliseconds = c_int::try_from(limit.as_millis()).unwrap_or(c_int::MAX);
        // SAFETY: the handle is open, the out parameter is valid for the call.
        checked(|| unsafe { c::gate_change(self.0, milliseconds, &raw mut domid) })?;
        Ok((domid != u32::MAX).then_some(domid))
    }

    /// Waits for the next event, and says which domain it is about. One thread must always be here:
    /// it completes what all others have begun.
    pub(super) fn event(&self) -> Result<u32, Failure> {
        let mut domid = 0;
        // SAFETY: the handle is open, the out parameter is valid for the call.
        checked(|| unsafe { c::gate_event(self.0, &raw mut domid) })?;
        Ok(domid)
    }
}

fn string(text: &str) -> Result<CString, Failure> {
    CString::new(text).map_err(|_| Failure::told("A text holds a zero byte"))
}

fn length(numbers: &[u32]) -> c_int {
    c_int::try_from(numbers.len()).unwrap_or(c_int::MAX)
}

/// Calls, and adds libxl's own words to a failure.
fn checked(call: impl FnOnce() -> c_int) -> Result<(), Failure> {
    // SAFETY: it clears a buffer of this thread's.
    unsafe { c::gate_begin() };
    match call() {
        0 => Ok(()),
        code => {
            // SAFETY: the buffer is this thread's own and ends with a zero.
            let words = unsafe { CStr::from_ptr(c::gate_words()) };
            Err(Failure { code, words: words.to_string_lossy().trim().to_owned() })
        }
    }
}

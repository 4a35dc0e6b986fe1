//! libxl through the shim, with the only unsafe code of the project.
//!
//! `shim.h` says what the functions do, and is declared in `c.rs`. Here each of them is a safe
//! method. Every call blocks, for as long as xenstored, a hotplug script or a guest takes.
#![allow(unsafe_code)]

mod c;
mod failure;
mod hypercalls;

pub(super) use failure::Failure;
pub(super) use hypercalls::Hypercalls;

use std::ffi::{CStr, CString, c_char, c_int};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::time::Duration;

/// The action of [`Libxl::plug`] on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlugAction {
    Add,
    /// Unplugs the device when the guest releases it.
    Remove,
    /// Unplugs the device without asking the guest.
    Destroy,
}

/// A class of devices that libxl can plug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LibxlDeviceType {
    Disk,
    Nic,
    Vfb,
    Vkb,
    Pci,
}

/// A handle to libxl, which any thread may use.
pub(super) struct Libxl(*mut c::Shim);

// SAFETY: a libxl context may be used by several threads at a time: it locks itself (libxl.h,
// "libxl contexts are thread-safe"). The same holds for the one call of libxenctrl, which is a
// single hypercall. The other members of the structure that change are protected by locks
// (context.h).
unsafe impl Send for Libxl {}
// SAFETY: as above.
unsafe impl Sync for Libxl {}

impl Drop for Libxl {
    fn drop(&mut self) {
        // SAFETY: `shim_open` returned the handle, and this was its only owner.
        unsafe { c::shim_close(self.0) }
    }
}

/// Methods whose arguments are all numbers.
macro_rules! number_calls {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) => $function:ident;)*) => {$(
        $(#[$doc])*
        pub(super) fn $name(&self, $($argument: $type),*) -> Result<(), Failure> {
            // SAFETY: the handle is open, and the other arguments are numbers.
            checked(|| unsafe { c::$function(self.0, $($argument),*) })
        }
    )*};
}

/// Methods whose arguments are all numbers, and that return a string.
macro_rules! getters {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) => $function:ident;)*) => {$(
        $(#[$doc])*
        pub(super) fn $name(&self, $($argument: $type),*) -> Result<String, Failure> {
            // SAFETY: the handle is open, `out` is valid for the call, and the other arguments are
            // numbers.
            self.string(|shim, out| unsafe { c::$function(shim, $($argument,)* out) })
        }
    )*};
}

impl Libxl {
    /// Opens libxl on this host, which fails if there is no Xen. `limit` is how long the gateway
    /// waits for a call: libxl's own limits suit two minutes, and are stretched for more. No
    /// operation completes until a thread is in [`wait_event`](Self::wait_event).
    pub(super) fn open(limit: Duration) -> Result<Self, Failure> {
        let mut shim = ptr::null_mut();
        let seconds = c_int::try_from(limit.as_secs()).unwrap_or(c_int::MAX);
        // SAFETY: the function may be called at any time, by any thread.
        unsafe { c::shim_set_log(Some(log)) };
        // SAFETY: the out parameter is valid for the call.
        checked(|| unsafe { c::shim_open(seconds, &raw mut shim) })?;
        Ok(Self(shim))
    }

    /// Calls a function that returns a string.
    fn string(
        &self,
        call: impl FnOnce(*mut c::Shim, *mut *mut c_char) -> c_int,
    ) -> Result<String, Failure> {
        let mut out = ptr::null_mut();
        checked(|| call(self.0, &raw mut out))?;
        if out.is_null() {
            return Err(Failure::own("libxl gave no answer"));
        }
        // SAFETY: the call succeeded, so `out` is a string that ends with a zero and is ours.
        let text = unsafe { CStr::from_ptr(out) }.to_string_lossy().into_owned();
        // SAFETY: the shim allocated the string, and nothing points into it any more.
        unsafe { c::shim_free(out) };
        Ok(text)
    }

    getters! {
        version() => shim_version;
        physinfo() => shim_physinfo;
        scheduler() => shim_scheduler;
        dmesg(clear: bool) => shim_dmesg;
        domains() => shim_domains;
        domain(domid: u32) => shim_domain;
        name(domid: u32) => shim_name;
        vcpus(domid: u32) => shim_vcpus;
        config(domid: u32) => shim_config;
        userdata(domid: u32) => shim_userdata;
        sched_params(domid: u32) => shim_sched_params;
        disks(domid: u32) => shim_disks;
        nics(domid: u32) => shim_nics;
        pools() => shim_pools;
    }

    number_calls! {
        resume(domid: u32) => shim_resume;
        pause(domid: u32) => shim_pause;
        unpause(domid: u32) => shim_unpause;
        destroy(domid: u32) => shim_destroy;
        shutdown(domid: u32) => shim_shutdown;
        reboot(domid: u32) => shim_reboot;
        crash(domid: u32) => shim_crash;
        set_memory(domid: u32, kib: u64) => shim_set_memory;
        set_max_memory(domid: u32, kib: u64) => shim_set_max_memory;
        /// Makes [`wait_event`](Self::wait_event) report the shutdown and the end of a domain.
        watch_domain(domid: u32) => shim_watch_domain;
    }

    pub(super) fn debug_keys(&self, keys: &str) -> Result<(), Failure> {
        let keys = c_string(keys)?;
        // SAFETY: the handle is open, and the string outlives the call.
        checked(|| unsafe { c::shim_debug_keys(self.0, keys.as_ptr()) })
    }

    pub(super) fn store_userdata(&self, domid: u32, text: &str) -> Result<(), Failure> {
        let text = c_string(text)?;
        // SAFETY: see `debug_keys`.
        checked(|| unsafe { c::shim_store_userdata(self.0, domid, text.as_ptr()) })
    }

    /// Builds a domain, from a stream if there is one.
    pub(super) fn create(&self, json: &str, stream: Option<RawFd>) -> Result<u32, Failure> {
        let json = c_string(json)?;
        let mut domid = 0;
        let fd = stream.unwrap_or(-1);
        // SAFETY: see `debug_keys`; the out parameter is valid for the call, and the caller keeps
        // the descriptor open.
        checked(|| unsafe { c::shim_create(self.0, json.as_ptr(), fd, &raw mut domid) })?;
        Ok(domid)
    }

    /// The number of bytes that a TCP socket has received; `None` if the file is no TCP socket.
    pub(super) fn bytes_received(socket: BorrowedFd<'_>) -> Option<u64> {
        // SAFETY: a borrowed descriptor is open.
        u64::try_from(unsafe { c::shim_bytes_received(socket.as_raw_fd()) }).ok()
    }

    pub(super) fn save(&self, domid: u32, to: RawFd, live: bool) -> Result<(), Failure> {
        // SAFETY: the handle is open, and the caller keeps the descriptor open.
        checked(|| unsafe { c::shim_save(self.0, domid, to, live) })
    }

    pub(super) fn rename(&self, domid: u32, from: &str, to: &str) -> Result<(), Failure> {
        let from = c_string(from)?;
        let to = c_string(to)?;
        // SAFETY: see `debug_keys`.
        checked(|| unsafe { c::shim_rename(self.0, domid, from.as_ptr(), to.as_ptr()) })
    }

    pub(super) fn preserve(
        &self,
        domid: u32,
        name: &str,
        suffix: &str,
        uuid: [u8; 16],
    ) -> Result<(), Failure> {
        let name = c_string(name)?;
        let suffix = c_string(suffix)?;
        // SAFETY: see `debug_keys`; the sixteen bytes of the UUID outlive the call.
        checked(|| unsafe {
            c::shim_preserve(self.0, domid, name.as_ptr(), suffix.as_ptr(), uuid.as_ptr())
        })
    }

    pub(super) fn dump(&self, domid: u32, file: &str) -> Result<(), Failure> {
        let file = c_string(file)?;
        // SAFETY: see `debug_keys`.
        checked(|| unsafe { c::shim_dump(self.0, domid, file.as_ptr()) })
    }

    pub(super) fn sysrq(&self, domid: u32, key: u8) -> Result<(), Failure> {
        // SAFETY: the handle is open.
        checked(|| unsafe { c::shim_sysrq(self.0, domid, c_char::from_ne_bytes([key])) })
    }

    pub(super) fn trigger(&self, domid: u32, name: &str, vcpu: u32) -> Result<(), Failure> {
        let name = c_string(name)?;
        // SAFETY: see `debug_keys`.
        checked(|| unsafe { c::shim_trigger(self.0, domid, name.as_ptr(), vcpu) })
    }

    /// Sets the VCPUs that are online.
    pub(super) fn set_vcpus(&self, domid: u32, online: &[u32]) -> Result<(), Failure> {
        // SAFETY: the handle is open, and the numbers outlive the call.
        checked(|| unsafe { c::shim_set_vcpus(self.0, domid, online.as_ptr(), length(online)) })
    }

    /// Sets the CPUs that a VCPU may run on: any CPU if `cpus` is empty.
    pub(super) fn pin(&self, domid: u32, vcpu: u32, cpus: &[u32]) -> Result<(), Failure> {
        // SAFETY: see `set_vcpus`.
        checked(|| unsafe { c::shim_pin(self.0, domid, vcpu, cpus.as_ptr(), length(cpus)) })
    }

    pub(super) fn set_sched_params(&self, domid: u32, json: &str) -> Result<(), Failure> {
        let json = c_string(json)?;
        // SAFETY: see `debug_keys`.
        checked(|| unsafe { c::shim_set_sched_params(self.0, domid, json.as_ptr()) })
    }

    pub(super) fn plug(
        &self,
        domid: u32,
        class: LibxlDeviceType,
        action: PlugAction,
        json: &str,
    ) -> Result<(), Failure> {
        let json = c_string(json)?;
        let action = match action {
            PlugAction::Add => c::SHIM_ADD,
            PlugAction::Remove => c::SHIM_REMOVE,
            PlugAction::Destroy => c::SHIM_DESTROY,
        };
        // SAFETY: see `debug_keys`.
        checked(|| unsafe {
            match class {
                LibxlDeviceType::Disk => c::shim_plug_disk(self.0, domid, action, json.as_ptr()),
                LibxlDeviceType::Nic => c::shim_plug_nic(self.0, domid, action, json.as_ptr()),
                LibxlDeviceType::Vfb => c::shim_plug_vfb(self.0, domid, action, json.as_ptr()),
                LibxlDeviceType::Vkb => c::shim_plug_vkb(self.0, domid, action, json.as_ptr()),
                LibxlDeviceType::Pci => c::shim_plug_pci(self.0, domid, action, json.as_ptr()),
            }
        })
    }

    /// Changes the medium of a CD-ROM drive.
    pub(super) fn insert_cdrom(&self, domid: u32, json: &str) -> Result<(), Failure> {
        let json = c_string(json)?;
        // SAFETY: see `debug_keys`.
        checked(|| unsafe { c::shim_insert_cdrom(self.0, domid, json.as_ptr()) })
    }

    pub(super) fn create_pool(
        &self,
        name: &str,
        scheduler: &str,
        cpus: &[u32],
    ) -> Result<(), Failure> {
        let name = c_string(name)?;
        let scheduler = c_string(scheduler)?;
        // SAFETY: see `debug_keys` and `set_vcpus`.
        checked(|| unsafe {
            c::shim_pool_create(
                self.0,
                name.as_ptr(),
                scheduler.as_ptr(),
                cpus.as_ptr(),
                length(cpus),
            )
        })
    }

    pub(super) fn destroy_pool(&self, name: &str) -> Result<(), Failure> {
        let name = c_string(name)?;
        // SAFETY: see `debug_keys`.
        checked(|| unsafe { c::shim_pool_destroy(self.0, name.as_ptr()) })
    }

    pub(super) fn add_pool_cpu(&self, name: &str, cpu: u32) -> Result<(), Failure> {
        let name = c_string(name)?;
        let cpu = c_int::try_from(cpu).unwrap_or(c_int::MAX);
        // SAFETY: see `debug_keys`.
        checked(|| unsafe { c::shim_pool_add_cpu(self.0, name.as_ptr(), cpu) })
    }

    pub(super) fn remove_pool_cpu(&self, name: &str, cpu: u32) -> Result<(), Failure> {
        let name = c_string(name)?;
        let cpu = c_int::try_from(cpu).unwrap_or(c_int::MAX);
        // SAFETY: see `debug_keys`.
        checked(|| unsafe { c::shim_pool_remove_cpu(self.0, name.as_ptr(), cpu) })
    }

    pub(super) fn move_to_pool(&self, name: &str, domid: u32) -> Result<(), Failure> {
        let name = c_string(name)?;
        // SAFETY: see `debug_keys`.
        checked(|| unsafe { c::shim_pool_move(self.0, name.as_ptr(), domid) })
    }

    /// Waits for the next event and returns the domid that it is about. One thread must always be
    /// in this call: it completes the operations of all other threads.
    pub(super) fn wait_event(&self) -> Result<u32, Failure> {
        let mut domid = 0;
        // SAFETY: the handle is open, and the out parameter is valid for the call.
        checked(|| unsafe { c::shim_wait_event(self.0, &raw mut domid) })?;
        Ok(domid)
    }
}

fn c_string(text: &str) -> Result<CString, Failure> {
    CString::new(text).map_err(|_| Failure::own("A text contains a zero byte"))
}

fn length(numbers: &[u32]) -> c_int {
    c_int::try_from(numbers.len()).unwrap_or(c_int::MAX)
}

/// Logs a message of libxl that belongs to no call.
extern "C" fn log(message: *const c_char) {
    // SAFETY: the shim passes a string that ends with a zero and outlives this call.
    let message = unsafe { CStr::from_ptr(message) }.to_string_lossy();
    tracing::warn!("libxl, about no known operation: {message}");
}

/// Makes a call of the shim. A failure has libxl's own message.
fn checked(call: impl FnOnce() -> c_int) -> Result<(), Failure> {
    // SAFETY: it clears a buffer of this thread.
    unsafe { c::shim_clear_error() };
    match call() {
        0 => Ok(()),
        code => {
            // SAFETY: the buffer belongs to this thread and ends with a zero.
            let message = unsafe { CStr::from_ptr(c::shim_error()) };
            Err(Failure::new(code, message.to_string_lossy().trim()))
        }
    }
}

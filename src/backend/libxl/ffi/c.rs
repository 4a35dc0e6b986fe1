//! The declarations of `shim.h`: `tests/xen/headers --write` generates this.

use std::ffi::{c_char, c_int};

pub(super) const SHIM_ERROR_DOMAIN_NOTFOUND: i32 = -21;
pub(super) const SHIM_ERROR_NOTFOUND: i32 = -23;
pub(super) const SHIM_ADD: i32 = 0;
pub(super) const SHIM_REMOVE: i32 = 1;
pub(super) const SHIM_DESTROY: i32 = 2;

#[repr(C)]
pub(super) struct Shim {
    _unused: [u8; 0],
}

#[repr(C)]
pub(super) struct Hypercalls {
    _unused: [u8; 0],
}

unsafe extern "C" {
    pub(super) fn shim_open(limit: c_int, out: *mut *mut Shim) -> c_int;
    pub(super) fn shim_close(shim: *mut Shim);
    pub(super) fn shim_free(string: *mut c_char);
    pub(super) fn shim_set_log(
        log: ::std::option::Option<unsafe extern "C" fn(message: *const c_char)>,
    );
    pub(super) fn shim_error() -> *const c_char;
    pub(super) fn shim_clear_error();
    pub(super) fn shim_version(shim: *mut Shim, out: *mut *mut c_char) -> c_int;
    pub(super) fn shim_physinfo(shim: *mut Shim, out: *mut *mut c_char) -> c_int;
    pub(super) fn shim_scheduler(shim: *mut Shim, out: *mut *mut c_char) -> c_int;
    pub(super) fn shim_dmesg(shim: *mut Shim, clear: bool, out: *mut *mut c_char) -> c_int;
    pub(super) fn shim_debug_keys(shim: *mut Shim, keys: *const c_char) -> c_int;
    pub(super) fn shim_domains(shim: *mut Shim, out: *mut *mut c_char) -> c_int;
    pub(super) fn shim_domain(shim: *mut Shim, domid: u32, out: *mut *mut c_char) -> c_int;
    pub(super) fn shim_name(shim: *mut Shim, domid: u32, out: *mut *mut c_char) -> c_int;
    pub(super) fn shim_vcpus(shim: *mut Shim, domid: u32, out: *mut *mut c_char) -> c_int;
    pub(super) fn shim_config(shim: *mut Shim, domid: u32, out: *mut *mut c_char) -> c_int;
    pub(super) fn shim_store_userdata(shim: *mut Shim, domid: u32, text: *const c_char) -> c_int;
    pub(super) fn shim_userdata(shim: *mut Shim, domid: u32, out: *mut *mut c_char) -> c_int;
    pub(super) fn shim_create(
        shim: *mut Shim,
        json: *const c_char,
        fd: c_int,
        domid: *mut u32,
    ) -> c_int;
    pub(super) fn shim_bytes_received(fd: c_int) -> i64;
    pub(super) fn shim_save(shim: *mut Shim, domid: u32, fd: c_int, live: bool) -> c_int;
    pub(super) fn shim_resume(shim: *mut Shim, domid: u32) -> c_int;
    pub(super) fn shim_pause(shim: *mut Shim, domid: u32) -> c_int;
    pub(super) fn shim_unpause(shim: *mut Shim, domid: u32) -> c_int;
    pub(super) fn shim_destroy(shim: *mut Shim, domid: u32) -> c_int;
    pub(super) fn shim_shutdown(shim: *mut Shim, domid: u32) -> c_int;
    pub(super) fn shim_reboot(shim: *mut Shim, domid: u32) -> c_int;
    pub(super) fn shim_crash(shim: *mut Shim, domid: u32) -> c_int;
    pub(super) fn shim_rename(
        shim: *mut Shim,
        domid: u32,
        from: *const c_char,
        to: *const c_char,
    ) -> c_int;
    pub(super) fn shim_preserve(
        shim: *mut Shim,
        domid: u32,
        name: *const c_char,
        suffix: *const c_char,
        uuid: *const u8,
    ) -> c_int;
    pub(super) fn shim_dump(shim: *mut Shim, domid: u32, file: *const c_char) -> c_int;
    pub(super) fn shim_sysrq(shim: *mut Shim, domid: u32, key: c_char) -> c_int;
    pub(super) fn shim_trigger(
        shim: *mut Shim,
        domid: u32,
        name: *const c_char,
        vcpu: u32,
    ) -> c_int;
    pub(super) fn shim_set_memory(shim: *mut Shim, domid: u32, kib: u64) -> c_int;
    pub(super) fn shim_set_max_memory(shim: *mut Shim, domid: u32, kib: u64) -> c_int;
    pub(super) fn shim_set_vcpus(
        shim: *mut Shim,
        domid: u32,
        online: *const u32,
        count: c_int,
    ) -> c_int;
    pub(super) fn shim_pin(
        shim: *mut Shim,
        domid: u32,
        vcpu: u32,
        cpus: *const u32,
        count: c_int,
    ) -> c_int;
    pub(super) fn shim_sched_params(shim: *mut Shim, domid: u32, out: *mut *mut c_char) -> c_int;
    pub(super) fn shim_set_sched_params(shim: *mut Shim, domid: u32, json: *const c_char) -> c_int;
    pub(super) fn shim_plug_disk(
        shim: *mut Shim,
        domid: u32,
        action: c_int,
        json: *const c_char,
    ) -> c_int;
    pub(super) fn shim_plug_nic(
        shim: *mut Shim,
        domid: u32,
        action: c_int,
        json: *const c_char,
    ) -> c_int;
    pub(super) fn shim_plug_vfb(
        shim: *mut Shim,
        domid: u32,
        action: c_int,
        json: *const c_char,
    ) -> c_int;
    pub(super) fn shim_plug_vkb(
        shim: *mut Shim,
        domid: u32,
        action: c_int,
        json: *const c_char,
    ) -> c_int;
    pub(super) fn shim_plug_pci(
        shim: *mut Shim,
        domid: u32,
        action: c_int,
        json: *const c_char,
    ) -> c_int;
    pub(super) fn shim_insert_cdrom(shim: *mut Shim, domid: u32, json: *const c_char) -> c_int;
    pub(super) fn shim_disks(shim: *mut Shim, domid: u32, out: *mut *mut c_char) -> c_int;
    pub(super) fn shim_nics(shim: *mut Shim, domid: u32, out: *mut *mut c_char) -> c_int;
    pub(super) fn shim_pools(shim: *mut Shim, out: *mut *mut c_char) -> c_int;
    pub(super) fn shim_pool_create(
        shim: *mut Shim,
        name: *const c_char,
        scheduler: *const c_char,
        cpus: *const u32,
        count: c_int,
    ) -> c_int;
    pub(super) fn shim_pool_destroy(shim: *mut Shim, name: *const c_char) -> c_int;
    pub(super) fn shim_pool_add_cpu(shim: *mut Shim, name: *const c_char, cpu: c_int) -> c_int;
    pub(super) fn shim_pool_remove_cpu(shim: *mut Shim, name: *const c_char, cpu: c_int) -> c_int;
    pub(super) fn shim_pool_move(shim: *mut Shim, name: *const c_char, domid: u32) -> c_int;
    pub(super) fn shim_watch_domain(shim: *mut Shim, domid: u32) -> c_int;
    pub(super) fn shim_wait_event(shim: *mut Shim, domid: *mut u32) -> c_int;
    pub(super) fn shim_hypercalls_open(out: *mut *mut Hypercalls) -> c_int;
    pub(super) fn shim_hypercalls_close(hypercalls: *mut Hypercalls);
    pub(super) fn shim_watchdog(hypercalls: *mut Hypercalls, timer: u32, seconds: u32) -> c_int;
    pub(super) fn shim_next_domain(
        hypercalls: *mut Hypercalls,
        domid: *mut u32,
        uuid: *mut u8,
    ) -> c_int;
    pub(super) fn shim_halt_domain(hypercalls: *mut Hypercalls, domid: u32) -> c_int;
    pub(super) fn shim_end_domain(hypercalls: *mut Hypercalls, domid: u32) -> c_int;
}

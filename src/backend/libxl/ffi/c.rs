//! The functions of `shim.c` and `events.c`, which say what they do.

use super::Gate;
use std::ffi::{c_char, c_int};
use std::os::fd::RawFd;

unsafe extern "C" {
    pub(super) fn gate_open(limit: c_int, out: *mut *mut Gate) -> c_int;
    pub(super) fn gate_close(gate: *mut Gate);
    pub(super) fn gate_free(pointer: *mut c_char);
    pub(super) fn gate_begin();
    pub(super) fn gate_words() -> *const c_char;
    pub(super) fn gate_version(gate: *mut Gate, out: *mut *mut c_char) -> c_int;
    pub(super) fn gate_physinfo(gate: *mut Gate, out: *mut *mut c_char) -> c_int;
    pub(super) fn gate_scheduler(gate: *mut Gate, out: *mut *mut c_char) -> c_int;
    pub(super) fn gate_debug_keys(gate: *mut Gate, keys: *const c_char) -> c_int;
    pub(super) fn gate_dmesg(gate: *mut Gate, clear: c_int, out: *mut *mut c_char) -> c_int;
    pub(super) fn gate_domains(gate: *mut Gate, out: *mut *mut c_char) -> c_int;
    pub(super) fn gate_domain(gate: *mut Gate, domid: u32, out: *mut *mut c_char) -> c_int;
    pub(super) fn gate_name(gate: *mut Gate, domid: u32, out: *mut *mut c_char) -> c_int;
    pub(super) fn gate_vcpus(gate: *mut Gate, domid: u32, out: *mut *mut c_char) -> c_int;
    pub(super) fn gate_config(gate: *mut Gate, domid: u32, out: *mut *mut c_char) -> c_int;
    pub(super) fn gate_note(gate: *mut Gate, domid: u32, text: *const c_char) -> c_int;
    pub(super) fn gate_noted(gate: *mut Gate, domid: u32, out: *mut *mut c_char) -> c_int;
    pub(super) fn gate_create(
        gate: *mut Gate,
        json: *const c_char,
        fd: RawFd,
        domid: *mut u32,
    ) -> c_int;
    pub(super) fn gate_received(fd: RawFd) -> i64;
    pub(super) fn gate_save(gate: *mut Gate, domid: u32, fd: RawFd, live: c_int) -> c_int;
    pub(super) fn gate_unsuspend(gate: *mut Gate, domid: u32) -> c_int;
    pub(super) fn gate_pause(gate: *mut Gate, domid: u32) -> c_int;
    pub(super) fn gate_unpause(gate: *mut Gate, domid: u32) -> c_int;
    pub(super) fn gate_destroy(gate: *mut Gate, domid: u32) -> c_int;
    pub(super) fn gate_shutdown(gate: *mut Gate, domid: u32) -> c_int;
    pub(super) fn gate_reboot(gate: *mut Gate, domid: u32) -> c_int;
    pub(super) fn gate_crash(gate: *mut Gate, domid: u32) -> c_int;
    pub(super) fn gate_rename(
        gate: *mut Gate,
        domid: u32,
        from: *const c_char,
        to: *const c_char,
    ) -> c_int;
    pub(super) fn gate_preserve(
        gate: *mut Gate,
        domid: u32,
        name: *const c_char,
        suffix: *const c_char,
        uuid: *const u8,
    ) -> c_int;
    pub(super) fn gate_dump(gate: *mut Gate, domid: u32, file: *const c_char) -> c_int;
    pub(super) fn gate_sysrq(gate: *mut Gate, domid: u32, key: c_char) -> c_int;
    pub(super) fn gate_trigger(
        gate: *mut Gate,
        domid: u32,
        name: *const c_char,
        vcpu: u32,
    ) -> c_int;
    pub(super) fn gate_set_memory(gate: *mut Gate, domid: u32, kib: u64) -> c_int;
    pub(super) fn gate_set_max_memory(gate: *mut Gate, domid: u32, kib: u64) -> c_int;
    pub(super) fn gate_set_vcpus(
        gate: *mut Gate,
        domid: u32,
        online: *const u32,
        count: c_int,
    ) -> c_int;
    pub(super) fn gate_pin(
        gate: *mut Gate,
        domid: u32,
        vcpu: u32,
        cpus: *const u32,
        count: c_int,
    ) -> c_int;
    pub(super) fn gate_sched(gate: *mut Gate, domid: u32, out: *mut *mut c_char) -> c_int;
    pub(super) fn gate_set_sched(gate: *mut Gate, domid: u32, json: *const c_char) -> c_int;
    pub(super) fn gate_disk(gate: *mut Gate, domid: u32, what: c_int, json: *const c_char)
    -> c_int;
    pub(super) fn gate_nic(gate: *mut Gate, domid: u32, what: c_int, json: *const c_char) -> c_int;
    pub(super) fn gate_vfb(gate: *mut Gate, domid: u32, what: c_int, json: *const c_char) -> c_int;
    pub(super) fn gate_vkb(gate: *mut Gate, domid: u32, what: c_int, json: *const c_char) -> c_int;
    pub(super) fn gate_pci(gate: *mut Gate, domid: u32, what: c_int, json: *const c_char) -> c_int;
    pub(super) fn gate_medium(gate: *mut Gate, domid: u32, json: *const c_char) -> c_int;
    pub(super) fn gate_disks(gate: *mut Gate, domid: u32, out: *mut *mut c_char) -> c_int;
    pub(super) fn gate_nics(gate: *mut Gate, domid: u32, out: *mut *mut c_char) -> c_int;
    pub(super) fn gate_nodes(gate: *mut Gate, path: *const c_char, out: *mut *mut c_char) -> c_int;
    pub(super) fn gate_read(gate: *mut Gate, path: *const c_char, out: *mut *mut c_char) -> c_int;
    pub(super) fn gate_pools(gate: *mut Gate, out: *mut *mut c_char) -> c_int;
    pub(super) fn gate_pool_create(
        gate: *mut Gate,
        name: *const c_char,
        scheduler: *const c_char,
        cpus: *const u32,
        count: c_int,
    ) -> c_int;
    pub(super) fn gate_pool_destroy(gate: *mut Gate, name: *const c_char) -> c_int;
    pub(super) fn gate_pool_cpu(
        gate: *mut Gate,
        name: *const c_char,
        cpu: c_int,
        add: c_int,
    ) -> c_int;
    pub(super) fn gate_pool_move(gate: *mut Gate, name: *const c_char, domid: u32) -> c_int;
    pub(super) fn gate_watch(gate: *mut Gate, domid: u32) -> c_int;
    pub(super) fn gate_follow(gate: *mut Gate, domid: u32, on: c_int) -> c_int;
    pub(super) fn gate_change(gate: *mut Gate, milliseconds: c_int, domid: *mut u32) -> c_int;
    pub(super) fn gate_event(gate: *mut Gate, domid: *mut u32) -> c_int;
}

//! The page by which a guest and xenstored exchange messages, `struct xenstore_domain_interface` of
//! Xen's `io/xs_wire.h`, as a file that both map.
#![allow(unsafe_code, reason = "the page is memory that two processes share")]

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::fs::File;
use std::io;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

const PAGE_BYTES: usize = 4096;

/// Bytes of each ring. Indexes count all bytes that ever went through it.
const RING_BYTES: usize = 1024;

#[repr(C)]
struct Page {
    requests: [AtomicU8; RING_BYTES],
    replies: [AtomicU8; RING_BYTES],
    requests_consumed: AtomicU32,
    requests_produced: AtomicU32,
    replies_consumed: AtomicU32,
    replies_produced: AtomicU32,
    server_features: AtomicU32,
    connection: AtomicU32,
    error: AtomicU32,
}

/// The guest's end.
pub(super) struct Ring(NonNull<Page>);

// SAFETY: the mapping belongs to no thread.
unsafe impl Send for Ring {}

impl Ring {
    /// Makes the file of an empty ring.
    pub(super) fn create(file: &Path) -> io::Result<Self> {
        let file = File::options().read(true).write(true).create_new(true).open(file)?;
        file.set_len(PAGE_BYTES as u64)?;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let page =
            unsafe { mmap(ptr::null_mut(), PAGE_BYTES, access, MapFlags::SHARED, &file, 0)? };
        NonNull::new(page.cast()).map(Self).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    fn page(&self) -> &Page {
        // SAFETY: the mapping is as long as `PAGE_BYTES`, which is more than a `Page` has, and is
        // there until `drop`. Both sides change it, so all of it is atomic.
        unsafe { self.0.as_ref() }
    }

    /// Writes the first bytes of a request, as many as there is room for, and says how many.
    pub(super) fn write(&self, bytes: &[u8]) -> usize {
        let page = self.page();
        let produced = page.requests_produced.load(Ordering::Relaxed);
        let waiting = produced.wrapping_sub(page.requests_consumed.load(Ordering::Acquire));
        let room = RING_BYTES.saturating_sub(waiting as usize);
        let mut end = produced;
        for byte in bytes.iter().take(room) {
            page.requests[end as usize % RING_BYTES].store(*byte, Ordering::Relaxed);
            end = end.wrapping_add(1);
        }
        page.requests_produced.store(end, Ordering::Release);
        end.wrapping_sub(produced) as usize
    }

    /// Takes what xenstored has written.
    pub(super) fn read(&self) -> Vec<u8> {
        let page = self.page();
        let produced = page.replies_produced.load(Ordering::Acquire);
        let mut start = page.replies_consumed.load(Ordering::Relaxed);
        let mut bytes = Vec::new();
        while start != produced && bytes.len() < RING_BYTES {
            bytes.push(page.replies[start as usize % RING_BYTES].load(Ordering::Relaxed));
            start = start.wrapping_add(1);
        }
        page.replies_consumed.store(start, Ordering::Release);
        bytes
    }

    /// Whether xenstored has given this guest up, for a request that is longer than possible.
    pub(super) fn is_broken(&self) -> bool {
        self.page().error.load(Ordering::Acquire) != 0
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: mapped by `create`, and no reference to it is left.
        let unmapped = unsafe { munmap(self.0.as_ptr().cast(), PAGE_BYTES) };
        debug_assert!(unmapped.is_ok());
    }
}

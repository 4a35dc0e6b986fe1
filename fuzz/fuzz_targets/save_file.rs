//! Files of saved domains: no file makes the reader panic, or is read beyond its end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::fs;
use std::sync::{Arc, LazyLock};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use xend::core::ports::Store as _;
use xend::os::OsEntropy;
use xend::store::DirStore;
use xend_fuzz::memory_dir;

static STORE: LazyLock<(Runtime, DirStore, TempDir)> = LazyLock::new(|| {
    let dir = memory_dir();
    let store = DirStore::open(dir.path(), Arc::new(OsEntropy)).unwrap();
    (Builder::new_current_thread().build().unwrap(), store, dir)
});

fuzz_target!(|bytes: &[u8]| {
    let (runtime, store, dir) = &*STORE;
    let file = dir.path().join("web.save");
    fs::write(&file, bytes).unwrap();
    let _ = runtime.block_on(store.open(&file));
});

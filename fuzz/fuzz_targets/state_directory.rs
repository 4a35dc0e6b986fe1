//! Files of the state directory: whatever one of them has, the daemon starts, and serves the rest.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::fs;
use std::sync::{Arc, LazyLock};
use std::time::SystemTime;
use tokio::runtime::{Builder, Runtime};
use xend::core::model::Uuid;
use xend::core::ports::{Objects as _, Store as _};
use xend::os::OsEntropy;
use xend::store::DirStore;
use xend_fuzz::memory_dir;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().build().unwrap());

/// The files, of which the input's first byte selects one.
const FILES: [&str; 6] = [
    "host-uuid",
    "vnets.sxp",
    "domains/00000000-0000-0000-0000-000000000001/config.sxp",
    "moves/00000000-0000-0000-0000-000000000001.sxp",
    "moves/00000000-0000-0000-0000-000000000001.arrival",
    "objects/00000000-0000-0000-0000-000000000001.sxp",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((which, contents)) = bytes.split_first() else { return };
    let dir = memory_dir();
    let file = dir.path().join(FILES[usize::from(*which) % FILES.len()]);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, contents).unwrap();
    RUNTIME.block_on(async {
        let store = DirStore::open(dir.path(), Arc::new(OsEntropy)).unwrap();
        for definition in store.load().await.unwrap() {
            store.save(&definition.config).await.unwrap();
        }
        store.vnets().await.unwrap();
        store.transfers().await.unwrap();
        store.arrivals(SystemTime::now()).await.unwrap();
        store.items().await.unwrap();
        let first = store.host_uuid(Uuid::from_u128(7)).await.unwrap();
        assert_eq!(store.host_uuid(Uuid::from_u128(8)).await.unwrap(), first);
    });
});

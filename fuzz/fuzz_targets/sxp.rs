//! S-expressions: no input makes the reader panic, and printed expressions read back equal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xend::sxp::{Limits, read_all};

fuzz_target!(|bytes: &[u8]| {
    let Ok(read) = read_all(bytes, &Limits::default()) else { return };
    let printed: Vec<u8> =
        read.iter().flat_map(|one| [one.to_bytes(), b"\n".to_vec()].concat()).collect();
    assert_eq!(
        read_all(&printed, &Limits::default()).expect("printed expressions can be read"),
        read
    );
});

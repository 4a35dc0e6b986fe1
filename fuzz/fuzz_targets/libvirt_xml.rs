//! libvirt's XML of domains: no input makes the reader panic, and what it makes can be printed and
//! read back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xend_libvirt_xml::convert;
use xend_sxp::{Limits, read_one};

fuzz_target!(|bytes: &[u8]| {
    let Ok(converted) = convert(bytes) else { return };
    let printed = converted.config.to_bytes();
    assert_eq!(read_one(&printed, &Limits::STORED).expect("it can be read"), converted.config);
});

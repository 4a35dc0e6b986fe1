//! Configuration files of xm and xl: no input makes the reader panic, and what it makes can be
//! printed and read back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xend::sxp::{Limits, read_one};
use xend::xm_file::read_domain;
use xend::xmconfig::{Defaults, convert};

fuzz_target!(|bytes: &[u8]| {
    let defaults = Defaults { name: Some("web.cfg"), ..Defaults::default() };
    let Ok(converted) = convert(bytes, &defaults) else { return };
    let limits = Limits::STORED;
    let printed = converted.config.to_bytes();
    assert_eq!(read_one(&printed, &limits).expect("it can be read"), converted.config);
    let _ = read_domain(bytes, &defaults);
});

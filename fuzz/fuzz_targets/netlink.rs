//! Messages of rtnetlink: no datagram makes the reader panic, and it ends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xend_guest_agent::netlink::messages;

fuzz_target!(|datagram: &[u8]| {
    let read: Vec<_> = messages(datagram).collect();
    // Each message takes 16 bytes at least, but for a malformed one, which is the last.
    assert!(read.len() <= datagram.len() / 16 + 1);
    assert!(read.iter().rev().skip(1).all(Result::is_ok));
});

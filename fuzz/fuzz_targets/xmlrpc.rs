//! Calls: nothing makes the reader panic, and what it has read is printed and read back to the
//! same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xend::wire::xmlrpc::codec::{Limits, call, read_answer, read_call};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = read_answer(text, &limits);
    }
    let Ok(read) = read_call(bytes, &limits) else { return };
    let printed = call(&read.method, &read.params);
    let again = read_call(printed.as_bytes(), &limits).expect("what was printed can be read");
    // Numbers that are none are equal to nothing, and what XML cannot hold is replaced once.
    let settled = call(&again.method, &again.params);
    assert_eq!(settled, printed);
});

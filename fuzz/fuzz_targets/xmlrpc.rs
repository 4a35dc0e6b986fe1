//! XML-RPC calls: no input makes the readers panic, and printed calls read back equal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use xend::wire::xmlrpc::codec::{XmlLimits, call, read_answer, read_call};

fuzz_target!(|bytes: &[u8]| {
    let limits = XmlLimits::default();
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = read_answer(text, &limits);
    }
    let Ok(read) = read_call(bytes, &limits) else { return };
    let printed = call(&read.method, &read.params);
    let again = read_call(printed.as_bytes(), &limits).expect("a printed call can be read");
    // Texts are compared: NaN differs from itself. Characters that XML cannot hold are replaced in
    // the first text already.
    assert_eq!(call(&again.method, &again.params), printed);
});

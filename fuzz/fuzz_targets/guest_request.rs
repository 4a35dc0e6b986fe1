//! Requests to the guest agent: no input makes the reader panic, and a printed request reads back
//! equal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use xend_guest_protocol::limits::MAX_PAYLOAD;
use xend_guest_protocol::request::Request;

fuzz_target!(|bytes: &[u8]| {
    let request = match Request::parse(bytes) {
        Ok(request) => request,
        Err(bad) => {
            assert!(!bad.response().is_ok());
            return;
        }
    };
    let printed = request.to_json();
    assert!(printed.is_ascii());
    // Escapes may make it longer than a request can be.
    if printed.len() > MAX_PAYLOAD {
        return;
    }
    let again = Request::parse(printed.as_bytes()).expect("a printed request can be read");
    assert_eq!(again.name, request.name);
    if !request.value.as_ref().is_some_and(has_float) {
        assert!(again == request);
    }
});

/// Whether there is a float, whose last digit may change.
fn has_float(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(has_float),
        Value::Object(fields) => fields.values().any(has_float),
        _ => false,
    }
}

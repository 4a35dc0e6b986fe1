//! Files for the guest: no value makes the readers panic, and a file that is read can be written
//! and reads back equal.
#![no_main]

use base64ct::{Base64, Encoding};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use xend_guest_protocol::file::GuestFile;
use xend_guest_protocol::limits::MAX_PAYLOAD;

fn check(file: &GuestFile) {
    let path = file.path.as_str();
    assert!(path.starts_with('/') && !path.split('/').any(|part| part == ".."));
    match file.to_injectfile() {
        // Two values that each are short enough make one that is too long.
        Ok(value) if value.as_str().is_some_and(|text| text.len() <= MAX_PAYLOAD) => {
            assert!(GuestFile::from_injectfile(&value).as_ref() == Ok(file));
        }
        _ => {}
    }
    assert!(GuestFile::from_file_inject(&file.to_file_inject()).as_ref() == Ok(file));
}

fuzz_target!(|bytes: &[u8]| {
    // The fuzzer's bytes once as base64, and once as what base64 holds.
    let text = String::from_utf8_lossy(bytes).into_owned();
    let payload = Base64::encode_string(bytes);
    for value in [Value::String(text.clone()), Value::String(payload)] {
        if let Ok(file) = GuestFile::from_injectfile(&value) {
            check(&file);
        }
    }
    let (path, contents) = text.split_once('\n').unwrap_or((&text, ""));
    for (path, contents) in [
        (path.to_owned(), contents.to_owned()),
        (Base64::encode_string(path.as_bytes()), Base64::encode_string(contents.as_bytes())),
    ] {
        let value = json!({ "b64_path": path, "b64_file": contents });
        if let Ok(file) = GuestFile::from_file_inject(&value) {
            check(&file);
        }
    }
});

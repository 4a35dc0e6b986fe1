//! Properties of every request, and of any bytes.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value};
use xend_guest_protocol::hostname::Hostname;
use xend_guest_protocol::limits::{MAX_DEPTH, MAX_PAYLOAD};
use xend_guest_protocol::password::Password;
use xend_guest_protocol::path::GuestPath;
use xend_guest_protocol::request::{BadRequest, Request};
use xend_guest_protocol::response::Response;

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(8, 32, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(".{0,5}", inner, 0..4)
                .prop_map(|fields| Value::Object(Map::from_iter(fields))),
        ]
    })
}

/// Bytes that are special to the readers.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    vec(select(b"{{[[]]}}\"\"\\\\:,,0123456789.-eEu \n\0\x1ftrue\xc3\xa9nullname".to_vec()), 0..200)
}

proptest! {
    #[test]
    fn requests_come_back(name in ".{0,20}", value in values()) {
        let request = Request::new(name, value);
        let json = request.to_json();
        prop_assert!(json.is_ascii());
        match Request::parse(json.as_bytes()) {
            Ok(read) => prop_assert_eq!(read, request),
            Err(bad) => prop_assert!(bad == BadRequest::TooLong && json.len() > MAX_PAYLOAD),
        }
    }

    #[test]
    fn integers_keep_their_digits(digits in "-?[1-9][0-9]{0,60}") {
        let json = format!(r#"{{"name":"keyinit","value":{digits}}}"#);
        let value = Request::parse(json.as_bytes()).unwrap().value.unwrap();
        let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        prop_assert_eq!(text, digits);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop_oneof![vec(any::<u8>(), 0..300), noise()]) {
        let _ = Request::parse(&bytes);
        if let Ok(response) = Response::parse(&bytes) {
            let _ = response.to_json();
        }
    }

    #[test]
    fn any_value_is_read_or_refused(noise in noise()) {
        let value = [br#"{"name":"x","value":"#, noise.as_slice(), b"}"].concat();
        if let Ok(request) = Request::parse(&value) {
            prop_assert!(depth(&request.value.unwrap_or_default()) < MAX_DEPTH);
        }
    }

    #[test]
    fn what_is_taken_damages_no_line(text: String) {
        let name = Hostname::new(&text).map(|name| name.as_str().to_owned());
        let password = Password::new(&text).map(|password| password.as_str().to_owned());
        let path = GuestPath::new(text).map(|path| path.as_str().to_owned());
        let taken = [name.ok(), password.ok(), path.ok()];
        prop_assert!(!taken.into_iter().flatten().any(|text| text.contains(['\n', '\r', '\0'])));
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

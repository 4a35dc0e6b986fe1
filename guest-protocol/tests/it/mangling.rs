//! Requests and responses pass the XenStore tools on the host's side.

use crate::xenstore_tools::{plug_in_answer, write};
use proptest::prelude::*;
use serde_json::{Value, json};
use xend_guest_protocol::limits::MAX_GUEST_VALUE;
use xend_guest_protocol::network::Interface;
use xend_guest_protocol::request::{BadRequest, Request};
use xend_guest_protocol::response::Response;

/// What the agent reads of a request that the plug-in has written.
fn arriving(json: &str) -> Result<Request, BadRequest> {
    Request::parse(&write(json))
}

fn value(json: &str) -> Value {
    arriving(json).unwrap().value.unwrap()
}

#[test]
fn plain_requests_arrive_as_they_were() {
    let json = r#"{"name": "password", "value": "+QS+vk/oLxFzjLFWmWlFqw=="}"#;
    assert_eq!(arriving(json), Ok(Request::new("password", "+QS+vk/oLxFzjLFWmWlFqw==")));
    let json = r#"{"name": "file_inject", "value": {"b64_path": "L2E=", "b64_file": ""}}"#;
    assert_eq!(value(json), json!({ "b64_path": "L2E=", "b64_file": "" }));
}

#[test]
fn base64_in_lines_arrives_with_raw_newlines() {
    assert_eq!(value(r#"{"name": "injectfile", "value": "L2V0\nYy9t\n"}"#), json!("L2V0\nYy9t\n"));
    assert_eq!(value(r#"{"name": "x", "value": "a\tb\r"}"#), json!("a\tb\r"));
    assert_eq!(value(r#"{"name": "x", "value": "\101\x07"}"#), json!("A\u{7}"));
}

#[test]
fn escapes_that_are_lost_stay_lost() {
    assert_eq!(value(r#"{"name": "x", "value": "caf\u00e9"}"#), json!("cafu00e9"));
    assert_eq!(value(r#"{"name": "x", "value": "a\\nb"}"#), json!("a\nb"));
    assert_eq!(arriving(r#"{"name": "x", "value": "a \"b\""}"#), Err(BadRequest::Malformed));
    assert_eq!(arriving(r#"{"name": "x", "value": "a\\"}"#), Err(BadRequest::Malformed));
}

#[test]
fn settings_of_interfaces_arrive() {
    let mut interface = Interface::parse(br#"{"mac":"00163e112233","label":"a"}"#).unwrap();
    assert_eq!(Interface::parse(&write(&interface.to_json())), Ok(interface.clone()));
    // A host that writes ASCII loses the letter, not the settings.
    interface.label = "caf\u{e9}".to_owned();
    let read = Interface::parse(&write(&interface.to_json())).unwrap();
    assert_eq!(read.label, "cafu00e9");
}

#[test]
fn a_client_gets_the_object_that_the_agent_wrote() {
    let responses = [
        Response::ok(""),
        Response::no_such_command("x"),
        Response::failed("\"quoted\" C:\\n \u{e9}\n"),
        Response::new(Response::KEY_OK, "128492706489454800633959484585958"),
        Response::ok("None"),
    ];
    for response in responses {
        let json = response.to_json();
        let expected: Value = serde_json::from_str(&json).unwrap();
        assert!(expected.is_object());
        assert_eq!(plug_in_answer(json.as_bytes()), Some(expected), "{json}");
    }
}

#[test]
fn other_responses_reach_a_client_as_a_text_or_changed() {
    let texts: [&[u8]; 3] = [
        br#"{"returncode":"0","message":"a \"b\""}"#,
        b"{\"returncode\":\"0\",\"message\":\"\xc3\xa9\"}",
        b"{\"returncode\":\"0\",\"message\":\"\"}\n",
    ];
    for text in texts {
        assert!(plug_in_answer(text).unwrap().is_string());
    }
    let answer = plug_in_answer(br#"{"returncode":"0","message":"a\nb\u00e9"}"#).unwrap();
    assert_eq!(answer["message"], json!(r"a\nb\u00e9"));
    assert_eq!(plug_in_answer(b"None"), None);
    assert_eq!(plug_in_answer(b"\"None\""), None);
}

proptest! {
    #[test]
    fn every_response_survives(returncode: String, message: String) {
        let response = Response::new(returncode, message);
        let json = response.to_json();
        prop_assert!(json.len() <= MAX_GUEST_VALUE);
        prop_assert!(json.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'\\'));
        let answer = plug_in_answer(json.as_bytes()).unwrap();
        let read = Response::parse(json.as_bytes()).unwrap();
        prop_assert_eq!(&answer["returncode"], &json!(read.returncode));
        prop_assert_eq!(&answer["message"], &json!(read.message));
    }

    #[test]
    fn printable_responses_are_not_changed(message in "[ !#-\\[\\]-~]{0,1900}") {
        let response = Response::ok(message);
        prop_assert_eq!(Response::parse(response.to_json().as_bytes()), Ok(response));
    }
}

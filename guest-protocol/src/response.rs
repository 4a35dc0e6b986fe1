//! A response: what the agent answers.

use crate::json::{self, BadJson};
use crate::limits::{MAX_MESSAGE, MAX_PAYLOAD, MAX_RETURNCODE};
use serde_json::Value;
use thiserror::Error;

/// A response: `{"returncode":"0","message":""}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// `0` means success, for `keyinit` `D0` does. Empty if an agent sent none.
    pub returncode: String,
    /// What the command answers, or why it failed.
    pub message: String,
}

impl Response {
    /// The command did it.
    pub const OK: &'static str = "0";
    /// `keyinit` did it: the message is the agent's public key.
    pub const KEY_OK: &'static str = "D0";
    /// There is no such command.
    pub const NOT_FOUND: &'static str = "404";
    /// The command failed.
    pub const FAILED: &'static str = "500";

    /// A response of any code.
    pub fn new(returncode: impl Into<String>, message: impl Into<String>) -> Self {
        Self { returncode: returncode.into(), message: message.into() }
    }

    /// Success.
    pub fn ok(message: impl Into<String>) -> Self {
        Self::new(Self::OK, message)
    }

    /// A failure: code 500.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Self::FAILED, message)
    }

    /// The agent has no command of this name: code 404.
    pub fn no_such_command(name: &str) -> Self {
        Self::new(Self::NOT_FOUND, format!("No such agent command '{name}'"))
    }

    /// Whether the code means success, that of `keyinit` too.
    pub fn is_ok(&self) -> bool {
        [Self::OK, Self::KEY_OK].contains(&self.returncode.as_str())
    }

    /// What an agent writes: compact JSON of both fields as texts, no newline at the end.
    ///
    /// Hosts read it with `xenstore-read`, which doubles backslashes, and so breaks JSON that needs
    /// an escape. So only printable ASCII without quotes and backslashes is written; other
    /// characters are replaced. What is longer than [`MAX_MESSAGE`] and [`MAX_RETURNCODE`] is cut.
    pub fn to_json(&self) -> String {
        let returncode = unescaped(&self.returncode, MAX_RETURNCODE);
        let message = unescaped(&self.message, MAX_MESSAGE);
        format!(r#"{{"returncode":"{returncode}","message":"{message}"}}"#)
    }

    /// Reads what an agent wrote: a JSON object of at most [`MAX_PAYLOAD`] bytes.
    ///
    /// Old agents differ: the fields may be numbers or lack, the object may stand in a text, bytes
    /// may be no UTF-8, and control characters may stand in texts.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadResponse> {
        let mut value = read(bytes)?;
        if let Value::String(inner) = &value {
            value = read(inner.as_bytes())?;
        }
        let Value::Object(mut fields) = value else { return Err(BadResponse::Malformed) };
        let mut text = |name| fields.remove(name).map(to_text).unwrap_or_default();
        Ok(Self { returncode: text("returncode"), message: text("message") })
    }
}

/// Why a response cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadResponse {
    #[error("it is no JSON object")]
    Malformed,
    #[error("it is longer than {MAX_PAYLOAD} bytes")]
    TooLong,
    #[error("it is nested too deep")]
    TooDeep,
}

impl From<BadJson> for BadResponse {
    fn from(bad: BadJson) -> Self {
        match bad {
            BadJson::TooLong => Self::TooLong,
            BadJson::TooDeep => Self::TooDeep,
            BadJson::Malformed => Self::Malformed,
        }
    }
}

fn read(bytes: &[u8]) -> Result<Value, BadJson> {
    if bytes.len() > MAX_PAYLOAD {
        return Err(BadJson::TooLong);
    }
    let text = String::from_utf8_lossy(bytes);
    // A byte that is no UTF-8 becomes three.
    json::read(text.as_bytes(), 3 * MAX_PAYLOAD)
}

fn to_text(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// At most `max` characters that JSON and `xenstore-read` leave as they are.
fn unescaped(text: &str, max: usize) -> String {
    let replaced = |character| match character {
        '"' => '\'',
        '\\' => '/',
        ' '..='~' => character,
        control if control.is_control() => ' ',
        _ => '?',
    };
    text.chars().take(max).map(replaced).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_GUEST_VALUE;

    fn parse(text: &str) -> Result<Response, BadResponse> {
        Response::parse(text.as_bytes())
    }

    #[test]
    fn responses_are_compact_texts() {
        assert_eq!(Response::ok("").to_json(), r#"{"returncode":"0","message":""}"#);
        let response = Response::no_such_command("x");
        let json = r#"{"returncode":"404","message":"No such agent command 'x'"}"#;
        assert_eq!(response.to_json(), json);
        assert_eq!(parse(json), Ok(response));
    }

    #[test]
    fn what_tools_would_mangle_is_replaced() {
        let response = Response::failed("a \"b\" c\\d\n\u{e9}\u{7f}~");
        assert_eq!(parse(&response.to_json()), Ok(Response::failed("a 'b' c/d ? ~")));
    }

    #[test]
    fn the_longest_response_fits_into_a_node() {
        let response = Response::new("9".repeat(4000), "\u{e9}".repeat(4000));
        let json = response.to_json();
        assert!(json.len() <= MAX_GUEST_VALUE);
        let read = parse(&json).unwrap();
        assert_eq!(read.returncode.len(), MAX_RETURNCODE);
        assert_eq!(read.message, "?".repeat(MAX_MESSAGE));
    }

    #[test]
    fn old_agents_are_read() {
        let failed = Response::failed("no");
        let texts = [
            r#"{"returncode": 500, "message": "no"}"#,
            r#"{"message": "no", "returncode": "500", "more": []}"#,
            r#""{\"returncode\": \"500\", \"message\": \"no\"}""#,
            "{\"returncode\":500,\"message\":\"no\"}\n\0",
        ];
        for text in texts {
            assert_eq!(parse(text), Ok(failed.clone()), "{text}");
        }
        assert_eq!(parse(r#"{"message":"no"}"#), Ok(Response::new("", "no")));
        assert_eq!(parse(r#"{"returncode":0}"#), Ok(Response::ok("")));
        assert_eq!(parse(r#"{"returncode":"0","message":null}"#), Ok(Response::ok("")));
        assert_eq!(parse(r#"{"returncode":"0","message":[1]}"#), Ok(Response::ok("[1]")));
        assert_eq!(parse("{\"returncode\":\"0\",\"message\":\"a\nb\"}"), Ok(Response::ok("a\nb")));
        let read = Response::parse(b"{\"returncode\":\"0\",\"message\":\"\xff\"}");
        assert_eq!(read, Ok(Response::ok("\u{fffd}")));
    }

    #[test]
    fn success_is_0_and_for_a_key_d0() {
        assert!(Response::ok("a").is_ok());
        assert!(Response::new(Response::KEY_OK, "5").is_ok());
        for code in ["", "1", "404", "500", "00", "d0"] {
            assert!(!Response::new(code, "").is_ok(), "{code}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["", "None", "null", "[]", "\"a\"", "\"\\\"{}\\\"\"", "0", "{"] {
            assert_eq!(parse(text), Err(BadResponse::Malformed), "{text}");
        }
        let deep = format!(r#"{{"message":{}}}"#, "[".repeat(32));
        assert_eq!(parse(&deep), Err(BadResponse::TooDeep));
        assert_eq!(parse(&" ".repeat(MAX_PAYLOAD + 1)), Err(BadResponse::TooLong));
    }
}

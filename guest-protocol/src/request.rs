//! A request: what the host wants of the agent.

use crate::json::{self, BadJson};
use crate::limits::{MAX_DEPTH, MAX_PAYLOAD};
use crate::response::Response;
use serde_json::{Value, json};
use std::fmt::{self, Debug, Formatter};
use thiserror::Error;

/// A request: `{"name":"password","value":"..."}`.
#[derive(Clone, PartialEq)]
pub struct Request {
    /// The name of a command, see [`command`](crate::command).
    pub name: String,
    /// What the command is given. `null` counts as none. An integer of more than 64 bits is a text.
    pub value: Option<Value>,
}

impl Request {
    /// A request with a value.
    pub fn new(name: impl Into<String>, value: impl Into<Value>) -> Self {
        let value = Some(value.into()).filter(|value| !value.is_null());
        Self { name: name.into(), value }
    }

    /// Reads what a host wrote: a JSON object of at most [`MAX_PAYLOAD`] bytes.
    ///
    /// Inside of texts control characters are allowed: hosts write with `xenstore-write`, which
    /// turns `\n` into the character.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadRequest> {
        let Value::Object(mut fields) = json::read(bytes, MAX_PAYLOAD)? else {
            return Err(BadRequest::Malformed);
        };
        let name = match fields.remove("name") {
            Some(Value::String(name)) => name,
            Some(_) => return Err(BadRequest::Malformed),
            None => return Err(BadRequest::NoName),
        };
        Ok(Self { name, value: fields.remove("value").filter(|value| !value.is_null()) })
    }

    /// Compact JSON in ASCII. Whether it fits beside its path is for the caller to check, see
    /// [`max_host_value`](crate::limits::max_host_value).
    pub fn to_json(&self) -> String {
        let fields = match &self.value {
            Some(value) => json!({ "name": self.name, "value": value }),
            None => json!({ "name": self.name }),
        };
        json::to_ascii(&fields)
    }
}

/// The value may be a secret, so it is not shown.
impl Debug for Request {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why a request cannot be read. The texts are those that the first agents answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadRequest {
    /// No JSON, no object, or its name is no text.
    #[error("Request is malformed")]
    Malformed,
    #[error("Request is missing 'name' key")]
    NoName,
    #[error("Request is longer than {MAX_PAYLOAD} bytes")]
    TooLong,
    #[error("Request is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

impl BadRequest {
    /// What the agent answers.
    pub fn response(self) -> Response {
        Response::failed(self.to_string())
    }
}

impl From<BadJson> for BadRequest {
    fn from(bad: BadJson) -> Self {
        match bad {
            BadJson::TooLong => Self::TooLong,
            BadJson::TooDeep => Self::TooDeep,
            BadJson::Malformed => Self::Malformed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Request, BadRequest> {
        Request::parse(text.as_bytes())
    }

    #[test]
    fn requests_of_hosts_are_read() {
        let version = parse(r#"{"name": "version", "value": "agent"}"#);
        assert_eq!(version, Ok(Request::new("version", "agent")));
        let none = Request { name: "features".to_owned(), value: None };
        for text in [r#"{"name":"features"}"#, r#"{"value":null,"name":"features","id":7}"#] {
            assert_eq!(parse(text), Ok(none.clone()), "{text}");
        }
        assert_eq!(none.to_json(), r#"{"name":"features"}"#);
        assert_eq!(version.unwrap().to_json(), r#"{"name":"version","value":"agent"}"#);
        assert_eq!(Request::new("features", Value::Null), none);
    }

    #[test]
    fn a_public_key_keeps_its_digits() {
        let key = "128492706489454800633959484585958";
        for value in [key.to_owned(), format!("\"{key}\"")] {
            let request = parse(&format!(r#"{{"name":"keyinit","value":{value}}}"#));
            assert_eq!(request, Ok(Request::new("keyinit", key)));
        }
    }

    #[test]
    fn refusals_are_those_of_the_first_agents() {
        for text in ["", "null", "[]", "\"version\"", "7", "{", r#"{"name":7}"#, r#"{"name":null}"#]
        {
            assert_eq!(parse(text), Err(BadRequest::Malformed), "{text}");
        }
        assert_eq!(Request::parse(b"{\"name\":\"\xff\"}"), Err(BadRequest::Malformed));
        assert_eq!(parse("{}"), Err(BadRequest::NoName));
        let deep = format!(r#"{{"name":"a","value":{}}}"#, "[".repeat(MAX_DEPTH));
        assert_eq!(parse(&deep), Err(BadRequest::TooDeep));
        let long = format!(r#"{{"name":"a","value":"{}"}}"#, "a".repeat(MAX_PAYLOAD));
        assert_eq!(parse(&long), Err(BadRequest::TooLong));

        let response = BadRequest::Malformed.response();
        assert_eq!(response, Response::new("500", "Request is malformed"));
        assert_eq!(BadRequest::NoName.response().message, "Request is missing 'name' key");
    }

    #[test]
    fn values_are_not_shown() {
        let shown = format!("{:?}", Request::new("password", "secret"));
        assert_eq!(shown, "Request { name: \"password\", .. }");
    }
}

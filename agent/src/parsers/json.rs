//! JSON, as OpenStack's plug-in writes and reads it.

use crate::parser::Parser;
use xend_guest_protocol::request::{BadRequest, Request};
use xend_guest_protocol::response::Response;

/// Requests and responses are JSON objects.
#[derive(Debug, Clone, Copy)]
pub struct Json;

impl Parser for Json {
    fn parse(&self, text: &[u8]) -> Result<Request, Response> {
        Request::parse(text).map_err(BadRequest::response)
    }

    fn print(&self, response: &Response) -> Vec<u8> {
        response.to_json().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_and_responses_printed() {
        let request = Json.parse(br#"{"name":"version","value":"agent"}"#).unwrap();
        assert_eq!((request.name.as_str(), request.value), ("version", Some("agent".into())));
        let refused = |text: &[u8]| Json.parse(text).unwrap_err();
        assert_eq!(refused(b"[]"), Response::failed("Request is malformed"));
        assert_eq!(refused(b"\xff"), Response::failed("Request is malformed"));
        assert_eq!(refused(b"{}"), Response::failed("Request is missing 'name' key"));
        assert_eq!(Json.print(&Response::ok("a")), br#"{"returncode":"0","message":"a"}"#);
    }
}

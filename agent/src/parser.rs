//! What requests and responses look like.

use xend_guest_protocol::request::Request;
use xend_guest_protocol::response::Response;

/// Reads requests and prints responses.
pub trait Parser {
    /// Reads a request. The error is the answer to it.
    fn parse(&self, text: &[u8]) -> Result<Request, Response>;

    /// Prints the response.
    fn print(&self, response: &Response) -> Vec<u8>;
}

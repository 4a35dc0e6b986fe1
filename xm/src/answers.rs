//! What xend answers: an expression or JSON, or why it refused.

use crate::failure::Failure;
use crate::wire::http::Answer;
use serde_json::Value as Json;
use xend_sxp::{Limits, Sxp, read_first};

/// The largest answer that is read as an S-expression.
const LIMITS: Limits = Limits { bytes: 256 << 20, count: 32 << 20, ..Limits::DEFAULT };

/// The first expression of an answer.
pub(crate) fn read(text: &[u8]) -> Result<Sxp, Failure> {
    read_first(text, &LIMITS).map_err(|error| Failure::not_understood(&error.to_string()))
}

/// The JSON of an answer.
pub(crate) fn read_json(answer: &Answer) -> Result<Json, Failure> {
    serde_json::from_slice(&answer.body)
        .map_err(|error| Failure::not_understood(&error.to_string()))
}

/// The expression of an answer that may have none.
pub(crate) fn content(answer: &Answer) -> Result<Option<Sxp>, Failure> {
    if answer.body.is_empty() { Ok(None) } else { read(&answer.body).map(Some) }
}

/// The answer, or why xend refused.
pub(crate) fn succeeded(answer: Answer) -> Result<Answer, Failure> {
    if (200..300).contains(&answer.code) { Ok(answer) } else { Err(refused(&answer)) }
}

/// The same for a domain: its failure is that it does not exist.
pub(crate) fn domain_answer(name: &str, answer: Answer) -> Result<Answer, Failure> {
    if answer.code == 404 { Err(Failure::no_such_domain(name)) } else { succeeded(answer) }
}

/// Whether xend does not know this parameter of a page, asked for JSON.
pub(crate) fn is_unknown_parameter(answer: &Answer, name: &str) -> bool {
    let has =
        |key: &str, value: &str| problem(answer).is_some_and(|problem| problem[key] == *value);
    has("code", "unknown_parameter") && has("parameter", name)
}

/// What xend says in JSON of what it refuses.
fn problem(answer: &Answer) -> Option<Json> {
    let is_refused = !(200..300).contains(&answer.code);
    serde_json::from_slice(&answer.body).ok().filter(|_| is_refused)
}

/// Why xend refused: `(xend.err 'message')` or `{"detail": "message"}`, else the text, else the
/// status.
pub(crate) fn refused(answer: &Answer) -> Failure {
    let error = read_first(&answer.body, &LIMITS).ok();
    let error = error.filter(|error| error.head() == Some("xend.err"));
    let message = error.and_then(|error| Some(error.tail().first()?.as_str()?.to_owned()));
    let message = message.or_else(|| Some(problem(answer)?["detail"].as_str()?.to_owned()));
    let text = String::from_utf8_lossy(&answer.body);
    Failure::new(match message {
        Some(message) => message,
        None if answer.body.is_empty() || text == "''" => {
            format!("xend answered {} {}", answer.code, answer.reason)
        }
        None => text.into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: u16, body: &str) -> Answer {
        Answer {
            code,
            reason: "Reason".to_owned(),
            server: String::new(),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn refusals_have_xends_message() {
        for (code, body, message) in [
            (500, "(xend.err 'Invalid VM Name')", "Invalid VM Name"),
            (404, "No such vnet 3", "No such vnet 3"),
            (406, "''", "xend answered 406 Reason"),
            (503, "", "xend answered 503 Reason"),
            (
                403,
                r#"{"detail":"Not allowed: host needs the right host-facts"}"#,
                "Not allowed: host needs the right host-facts",
            ),
            (503, "[7]", "[7]"),
        ] {
            assert_eq!(refused(&answer(code, body)).to_string(), message);
        }
        let unknown = answer(422, r#"{"code":"unknown_parameter","parameter":"host"}"#);
        assert!(is_unknown_parameter(&unknown, "host") && !is_unknown_parameter(&unknown, "x"));
        assert!(!is_unknown_parameter(&answer(422, "host"), "host"));
        let gone = domain_answer("a", answer(404, "No such domain a")).unwrap_err();
        assert_eq!(gone, Failure::no_such_domain("a"));
    }
}

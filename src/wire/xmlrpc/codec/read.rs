//! Reads calls and answers.

use super::parser::{Parser, ReadError, ReadErrorKind, Token, XmlLimits};
use crate::memory_budget::{MemoryBudget, Reservation};
use crate::wire::xmlrpc::value::Value;

/// A method call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub method: String,
    pub params: Vec<Value>,
}

impl Call {
    /// The memory that its parameters take, in bytes.
    pub(in crate::wire::xmlrpc) fn size(&self) -> usize {
        self.params.iter().map(Value::heap_size).sum()
    }

    /// A parameter; empty if it is no text.
    pub fn text_param(&self, at: usize) -> &str {
        match self.params.get(at) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }
}

/// Reads a call, with no limit of memory but that of `limits`.
pub fn read_call(text: &[u8], limits: &XmlLimits) -> Result<Call, ReadError> {
    read_call_within(text, limits, &mut MemoryBudget::unlimited().reservation())
}

/// Reads a call. `memory` grows by what its values take.
pub fn read_call_within(
    text: &[u8],
    limits: &XmlLimits,
    memory: &mut Reservation,
) -> Result<Call, ReadError> {
    let text = std::str::from_utf8(text).map_err(|error| ReadError {
        kind: ReadErrorKind::Malformed,
        reason: "it is not UTF-8".into(),
        at: error.valid_up_to() as u64,
    })?;
    let mut parser = Parser::new(text, limits, memory);
    let method = parser.method()?;
    let mut params = Vec::new();
    match parser.next_tag()? {
        Token::Close("methodCall") => {}
        Token::Open("params") => {
            loop {
                match parser.next_tag()? {
                    Token::Open("param") => {
                        parser.open("value")?;
                        let param = parser.value(0)?;
                        parser.push(&mut params, param)?;
                        parser.close("param")?;
                    }
                    Token::Close("params") => break,
                    _ => return Err(parser.malformed("param is expected in params")),
                }
            }
            parser.close("methodCall")?;
        }
        _ => return Err(parser.malformed("params is expected")),
    }
    match parser.next_tag()? {
        Token::End => Ok(Call { method, params }),
        _ => Err(parser.malformed("something follows the call")),
    }
}

/// The first parameter of a call of which only the beginning has arrived; `None` if it has not, or
/// is no text. It is the one that [`read_call`] reads in the whole call.
pub fn first_text_param(beginning: &[u8]) -> Option<String> {
    let text = match std::str::from_utf8(beginning) {
        Ok(text) => text,
        // The last character may be cut.
        Err(error) => std::str::from_utf8(beginning.get(..error.valid_up_to())?).ok()?,
    };
    let limits = XmlLimits::default();
    let mut memory = MemoryBudget::unlimited().reservation();
    let mut parser = Parser::new(text, &limits, &mut memory);
    parser.method().ok()?;
    for element in ["params", "param", "value"] {
        parser.open(element).ok()?;
    }
    match parser.value(0).ok()? {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// Reads an answer. The inner result is a value, or the code and text of a fault.
pub fn read_answer(
    text: &str,
    limits: &XmlLimits,
) -> Result<Result<Value, (i64, String)>, ReadError> {
    let mut memory = MemoryBudget::unlimited().reservation();
    let mut parser = Parser::new(text, limits, &mut memory);
    parser.open("methodResponse")?;
    let value = match parser.next_tag()? {
        Token::Open("params") => {
            parser.open("param")?;
            parser.open("value")?;
            Ok(parser.value(0)?)
        }
        Token::Open("fault") => {
            parser.open("value")?;
            let Value::Struct(members) = parser.value(0)? else {
                return Err(parser.malformed("a fault is a struct"));
            };
            let member =
                |name: &str| members.iter().find(|(key, _)| key == name).map(|(_, value)| value);
            match (member("faultCode"), member("faultString")) {
                (Some(Value::Int(code)), Some(Value::Text(text))) => Err((*code, text.clone())),
                _ => return Err(parser.malformed("a fault has a faultCode and a faultString")),
            }
        }
        _ => return Err(parser.malformed("params or fault is expected")),
    };
    Ok(value)
}

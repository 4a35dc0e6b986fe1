//! Reads XML-RPC text.
//!
//! Clients in many languages write it, so the reader is lenient: white space and comments anywhere,
//! values without a type, every spelling of a number. Depth and count are limited before a value is
//! built. Errors name the position and the problem, never the text: it may be a password.

use crate::wire::xmlrpc::value::Value;
use base64ct::{Base64, Encoding as _};
use quick_xml::events::{BytesRef, Event};
use quick_xml::{Reader, XmlVersion};
use std::borrow::Cow;
use std::fmt;

/// Size limits of a call. Its length in bytes is limited where it is received.
#[derive(Debug, Clone, Copy)]
pub struct XmlLimits {
    /// Nesting depth of values.
    pub depth: usize,
    /// Number of values.
    pub count: usize,
}

impl Default for XmlLimits {
    /// Enough for a configuration with 100,000 devices.
    fn default() -> Self {
        Self { depth: 128, count: 4_000_000 }
    }
}

/// A method call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub method: String,
    pub params: Vec<Value>,
}

/// An error in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    pub reason: Cow<'static, str>,
    /// Position in bytes.
    pub at: u64,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Not an XML-RPC call: {} (byte {})", self.reason, self.at)
    }
}

impl std::error::Error for Malformed {}

/// Reads a call.
pub fn read_call(text: &[u8], limits: &XmlLimits) -> Result<Call, Malformed> {
    let text = std::str::from_utf8(text).map_err(|error| Malformed {
        reason: "it is not UTF-8".into(),
        at: error.valid_up_to() as u64,
    })?;
    let mut parser = Parser::new(text, limits);
    parser.open("methodCall")?;
    parser.open("methodName")?;
    let method = parser.text_of("methodName")?.trim().to_owned();
    if method.is_empty() {
        return Err(parser.malformed("methodName is empty"));
    }
    let mut params = Vec::new();
    match parser.next_tag()? {
        Token::Close("methodCall") => {}
        Token::Open("params") => {
            loop {
                match parser.next_tag()? {
                    Token::Open("param") => {
                        parser.open("value")?;
                        params.push(parser.value(0)?);
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

/// A piece of XML. An element without a meaning in XML-RPC has the name [`UNKNOWN`].
#[derive(Debug, PartialEq)]
enum Token<'a> {
    Open(&'static str),
    Close(&'static str),
    /// Text, which may come in several pieces.
    Text(Cow<'a, str>),
    End,
}

struct Parser<'a> {
    reader: Reader<&'a [u8]>,
    limits: &'a XmlLimits,
    count: usize,
    /// The element of an empty tag such as `<nil/>`, whose end is the next token.
    empty: Option<&'static str>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, limits: &'a XmlLimits) -> Self {
        let reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
        Self { reader, limits, count: 0, empty: None }
    }

    fn malformed(&self, reason: impl Into<Cow<'static, str>>) -> Malformed {
        Malformed { reason: reason.into(), at: self.reader.buffer_position() }
    }

    fn next(&mut self) -> Result<Token<'a>, Malformed> {
        if let Some(name) = self.empty.take() {
            return Ok(Token::Close(name));
        }
        loop {
            let event = self.reader.read_event();
            // The library's own message may quote the text.
            let Ok(event) = event else { return Err(self.malformed("the XML is not well formed")) };
            return Ok(match event {
                Event::Start(tag) => Token::Open(element_name(tag.local_name().as_ref())),
                Event::End(tag) => Token::Close(element_name(tag.local_name().as_ref())),
                Event::Empty(tag) => {
                    let name = element_name(tag.local_name().as_ref());
                    self.empty = Some(name);
                    Token::Open(name)
                }
                Event::Text(text) => {
                    let text = text.xml_content(XmlVersion::default());
                    Token::Text(text.map_err(|_| self.malformed("a text cannot be read"))?)
                }
                Event::CData(text) => {
                    Token::Text(String::from_utf8_lossy(&text).into_owned().into())
                }
                Event::GeneralRef(reference) => Token::Text(self.resolve(&reference)?.into()),
                Event::DocType(_) => return Err(self.malformed("a DOCTYPE is not allowed")),
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => continue,
                Event::Eof => Token::End,
            });
        }
    }

    /// The character of a reference such as `&lt;` or `&#10;`.
    fn resolve(&self, reference: &BytesRef<'_>) -> Result<String, Malformed> {
        if let Ok(Some(character)) = reference.resolve_char_ref() {
            return Ok(character.into());
        }
        let text = reference
            .decode()
            .ok()
            .and_then(|name| quick_xml::escape::resolve_predefined_entity(&name));
        text.map(str::to_owned).ok_or_else(|| self.malformed("an entity is unknown"))
    }

    /// The next token other than white space, which must not be text.
    fn next_tag(&mut self) -> Result<Token<'a>, Malformed> {
        loop {
            match self.next()? {
                Token::Text(text) if text.trim().is_empty() => {}
                Token::Text(_) => return Err(self.malformed("text where an element is expected")),
                token => return Ok(token),
            }
        }
    }

    fn open(&mut self, wanted: &'static str) -> Result<(), Malformed> {
        match self.next_tag()? {
            Token::Open(name) if name == wanted => Ok(()),
            _ => Err(self.malformed(format!("{wanted} is expected"))),
        }
    }

    fn close(&mut self, wanted: &'static str) -> Result<(), Malformed> {
        match self.next_tag()? {
            Token::Close(name) if name == wanted => Ok(()),
            _ => Err(self.malformed(format!("the end of {wanted} is expected"))),
        }
    }

    /// The text of an open element, which must hold nothing else, up to its end.
    fn text_of(&mut self, element: &str) -> Result<String, Malformed> {
        let mut all: Cow<'_, str> = Cow::Borrowed("");
        loop {
            match self.next()? {
                // Most texts come in one piece.
                Token::Text(text) if all.is_empty() => all = text,
                Token::Text(text) => all.to_mut().push_str(&text),
                Token::Close(name) if name == element => return Ok(all.into_owned()),
                _ => return Err(self.malformed("text is expected and nothing else")),
            }
        }
    }

    /// The rest of a value after `<value>`, up to its end.
    fn value(&mut self, depth: usize) -> Result<Value, Malformed> {
        self.count += 1;
        if self.count > self.limits.count {
            return Err(self.malformed(format!("there are more than {} values", self.limits.count)));
        }
        if depth > self.limits.depth {
            return Err(
                self.malformed(format!("values are nested more than {} deep", self.limits.depth))
            );
        }
        let mut untyped = String::new();
        let kind = loop {
            match self.next()? {
                Token::Text(text) => untyped.push_str(&text),
                Token::Close("value") => return Ok(Value::Text(untyped)),
                Token::Open(kind) if untyped.trim().is_empty() => break kind,
                _ => return Err(self.malformed("a value is expected")),
            }
        };
        let value = match kind {
            "string" => Value::Text(self.text_of("string")?),
            "int" | "i1" | "i2" | "i4" | "i8" => {
                let text = self.text_of(kind)?;
                Value::Int(
                    text.trim()
                        .parse()
                        .map_err(|_| self.malformed("an int is not a whole number of 64 bits"))?,
                )
            }
            "boolean" => match self.text_of("boolean")?.trim() {
                "1" | "true" | "True" => Value::Bool(true),
                "0" | "false" | "False" => Value::Bool(false),
                _ => return Err(self.malformed("a boolean is neither 0 nor 1")),
            },
            "double" | "float" => {
                let text = self.text_of(kind)?;
                Value::Double(
                    text.trim().parse().map_err(|_| self.malformed("a double is not a number"))?,
                )
            }
            "dateTime.iso8601" => Value::Time(self.text_of("dateTime.iso8601")?.trim().to_owned()),
            "nil" => {
                self.close("nil")?;
                Value::Nil
            }
            "array" => self.array(depth)?,
            "struct" => self.members(depth)?,
            // Python 3 sends bytes so, and OpenStack's driver has paths and contents as bytes.
            "base64" => {
                let text: String = self.text_of("base64")?.split_ascii_whitespace().collect();
                let bytes = Base64::decode_vec(&text)
                    .map_err(|_| self.malformed("base64 is not well formed"))?;
                let text = String::from_utf8(bytes);
                Value::Text(text.map_err(|_| self.malformed("base64 does not hold UTF-8"))?)
            }
            _ => return Err(self.malformed("the type of a value is unknown")),
        };
        self.close("value")?;
        Ok(value)
    }

    fn array(&mut self, depth: usize) -> Result<Value, Malformed> {
        let mut values = Vec::new();
        match self.next_tag()? {
            Token::Close("array") => return Ok(Value::Array(values)),
            Token::Open("data") => {}
            _ => return Err(self.malformed("data is expected in array")),
        }
        loop {
            match self.next_tag()? {
                Token::Open("value") => values.push(self.value(depth + 1)?),
                Token::Close("data") => break,
                _ => return Err(self.malformed("value is expected in data")),
            }
        }
        self.close("array")?;
        Ok(Value::Array(values))
    }

    fn members(&mut self, depth: usize) -> Result<Value, Malformed> {
        let mut members = Vec::new();
        loop {
            match self.next_tag()? {
                Token::Close("struct") => return Ok(Value::Struct(members)),
                Token::Open("member") => {}
                _ => return Err(self.malformed("member is expected in struct")),
            }
            let mut name = None;
            let mut value = None;
            loop {
                match self.next_tag()? {
                    Token::Open(part) if part == "name" && name.is_none() => {
                        name = Some(self.text_of("name")?);
                    }
                    Token::Open(part) if part == "value" && value.is_none() => {
                        value = Some(self.value(depth + 1)?);
                    }
                    Token::Close("member") => break,
                    _ => {
                        return Err(self.malformed("one name and one value are expected in member"));
                    }
                }
            }
            match (name, value) {
                (Some(name), Some(value)) => members.push((name, value)),
                _ => return Err(self.malformed("one name and one value are expected in member")),
            }
        }
    }
}

/// The name of elements without a meaning in XML-RPC.
const UNKNOWN: &str = "?";

/// The names of XML-RPC's elements.
const ELEMENTS: [&str; 24] = [
    "value",
    "string",
    "member",
    "name",
    "struct",
    "array",
    "data",
    "int",
    "boolean",
    "double",
    "nil",
    "dateTime.iso8601",
    "i4",
    "i8",
    "i1",
    "i2",
    "float",
    "base64",
    "param",
    "params",
    "methodCall",
    "methodName",
    "methodResponse",
    "fault",
];

fn element_name(tag: &[u8]) -> &'static str {
    ELEMENTS.into_iter().find(|name| name.as_bytes() == tag).unwrap_or(UNKNOWN)
}

/// Reads an answer. The inner result is a value, or the code and text of a fault.
pub fn read_answer(
    text: &str,
    limits: &XmlLimits,
) -> Result<Result<Value, (i64, String)>, Malformed> {
    let mut parser = Parser::new(text, limits);
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

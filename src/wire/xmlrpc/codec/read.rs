//! XML-RPC as text: calls to values, values to answers.
//!
//! What is read is generous, since clients in many languages write it: white space and comments
//! anywhere, values without a type, numbers in every spelling. It is bounded before anything is
//! built of it. Errors say where and what, and never what was sent: that can be a password.

use super::value::Value;
use quick_xml::events::{BytesRef, Event};
use quick_xml::{Reader, XmlVersion};
use std::borrow::Cow;
use std::fmt;

/// How large a call may be; its length in bytes is limited where it is received.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How deep values may be nested.
    pub depth: usize,
    /// How many values there may be.
    pub count: usize,
}

impl Default for Limits {
    /// What a configuration with 100,000 devices takes.
    fn default() -> Self {
        Self { depth: 128, count: 4_000_000 }
    }
}

/// A call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The name of what is called.
    pub method: String,
    /// What it is called with.
    pub params: Vec<Value>,
}

/// Why something is not a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong.
    pub reason: Cow<'static, str>,
    /// Where, in bytes from the start of the text.
    pub at: u64,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "This is no XML-RPC call: {} (byte {})", self.reason, self.at)
    }
}

impl std::error::Error for Malformed {}

/// Reads a call.
pub fn read_call(text: &[u8], limits: &Limits) -> Result<Call, Malformed> {
    let text = std::str::from_utf8(text).map_err(|error| Malformed {
        reason: "it is not UTF-8".into(),
        at: error.valid_up_to() as u64,
    })?;
    let mut parser = Parser::new(text, limits);
    parser.open("methodCall")?;
    parser.open("methodName")?;
    let method = parser.text_until("methodName")?.trim().to_owned();
    if method.is_empty() {
        return Err(parser.broken("methodName is empty"));
    }
    let mut params = Vec::new();
    match parser.structural()? {
        Token::Close("methodCall") => {}
        Token::Open("params") => {
            loop {
                match parser.structural()? {
                    Token::Open("param") => {
                        parser.open("value")?;
                        params.push(parser.value(0)?);
                        parser.close("param")?;
                    }
                    Token::Close("params") => break,
                    _ => return Err(parser.broken("param is expected in params")),
                }
            }
            parser.close("methodCall")?;
        }
        _ => return Err(parser.broken("params is expected")),
    }
    match parser.structural()? {
        Token::End => Ok(Call { method, params }),
        _ => Err(parser.broken("something follows the call")),
    }
}

/// A piece of XML. Elements are known by their names, or are [`UNKNOWN`].
#[derive(Debug, PartialEq)]
enum Token<'a> {
    Open(&'static str),
    Close(&'static str),
    /// Text, which can come in several pieces.
    Text(Cow<'a, str>),
    End,
}

struct Parser<'a> {
    reader: Reader<&'a [u8]>,
    limits: &'a Limits,
    count: usize,
    /// The end of an element that is written as one: `<nil/>`.
    pending: Option<&'static str>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, limits: &'a Limits) -> Self {
        let reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
        Self { reader, limits, count: 0, pending: None }
    }

    fn broken(&self, reason: impl Into<Cow<'static, str>>) -> Malformed {
        Malformed { reason: reason.into(), at: self.reader.buffer_position() }
    }

    fn next(&mut self) -> Result<Token<'a>, Malformed> {
        if let Some(name) = self.pending.take() {
            return Ok(Token::Close(name));
        }
        loop {
            let event = self.reader.read_event();
            // What the library says of it can hold what was sent.
            let Ok(event) = event else { return Err(self.broken("the XML is not well formed")) };
            return Ok(match event {
                Event::Start(tag) => Token::Open(name(tag.local_name().as_ref())),
                Event::End(tag) => Token::Close(name(tag.local_name().as_ref())),
                Event::Empty(tag) => {
                    let name = name(tag.local_name().as_ref());
                    self.pending = Some(name);
                    Token::Open(name)
                }
                Event::Text(text) => {
                    let text = text.xml_content(XmlVersion::default());
                    Token::Text(text.map_err(|_| self.broken("a text cannot be read"))?)
                }
                Event::CData(text) => {
                    Token::Text(String::from_utf8_lossy(&text).into_owned().into())
                }
                Event::GeneralRef(reference) => Token::Text(self.character(&reference)?.into()),
                Event::DocType(_) => return Err(self.broken("a DOCTYPE is not allowed")),
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => continue,
                Event::Eof => Token::End,
            });
        }
    }

    /// What `&lt;` or `&#10;` stands for.
    fn character(&self, reference: &BytesRef<'_>) -> Result<String, Malformed> {
        if let Ok(Some(character)) = reference.resolve_char_ref() {
            return Ok(character.into());
        }
        let text = reference
            .decode()
            .ok()
            .and_then(|name| quick_xml::escape::resolve_predefined_entity(&name));
        text.map(str::to_owned).ok_or_else(|| self.broken("an entity is not known"))
    }

    /// The next piece that is more than white space.
    fn structural(&mut self) -> Result<Token<'a>, Malformed> {
        loop {
            match self.next()? {
                Token::Text(text) if text.trim().is_empty() => {}
                Token::Text(_) => return Err(self.broken("text where an element is expected")),
                token => return Ok(token),
            }
        }
    }

    fn open(&mut self, wanted: &'static str) -> Result<(), Malformed> {
        match self.structural()? {
            Token::Open(name) if name == wanted => Ok(()),
            _ => Err(self.broken(format!("{wanted} is expected"))),
        }
    }

    fn close(&mut self, wanted: &'static str) -> Result<(), Malformed> {
        match self.structural()? {
            Token::Close(name) if name == wanted => Ok(()),
            _ => Err(self.broken(format!("the end of {wanted} is expected"))),
        }
    }

    /// All text up to the end of an element that holds nothing else.
    fn text_until(&mut self, element: &str) -> Result<String, Malformed> {
        let mut all: Cow<'_, str> = Cow::Borrowed("");
        loop {
            match self.next()? {
                // Most come in one piece.
                Token::Text(text) if all.is_empty() => all = text,
                Token::Text(text) => all.to_mut().push_str(&text),
                Token::Close(name) if name == element => return Ok(all.into_owned()),
                _ => return Err(self.broken("text is expected and nothing else")),
            }
        }
    }

    /// A value whose `<value>` has been read, its end included.
    fn value(&mut self, depth: usize) -> Result<Value, Malformed> {
        self.count += 1;
        if self.count > self.limits.count {
            return Err(self.broken(format!("there are more than {} values", self.limits.count)));
        }
        if depth > self.limits.depth {
            return Err(
                self.broken(format!("values are nested more than {} deep", self.limits.depth))
            );
        }
        let mut untyped = String::new();
        let kind = loop {
            match self.next()? {
                Token::Text(text) => untyped.push_str(&text),
                Token::Close("value") => return Ok(Value::Text(untyped)),
                Token::Open(kind) if untyped.trim().is_empty() => break kind,
                _ => return Err(self.broken("a value is expected")),
            }
        };
        let value = match kind {
            "string" => Value::Text(self.text_until("string")?),
            "int" | "i1" | "i2" | "i4" | "i8" => {
                let text = self.text_until(kind)?;
                Value::Int(
                    text.trim()
                        .parse()
                        .map_err(|_| self.broken("an int is no whole number of 64 bits"))?,
                )
            }
            "boolean" => match self.text_until("boolean")?.trim() {
                "1" | "true" | "True" => Value::Bool(true),
                "0" | "false" | "False" => Value::Bool(false),
                _ => return Err(self.broken("a boolean is neither 0 nor 1")),
            },
            "double" | "float" => {
                let text = self.text_until(kind)?;
                Value::Double(
                    text.trim().parse().map_err(|_| self.broken("a double is no number"))?,
                )
            }
            "dateTime.iso8601" => {
                Value::Time(self.text_until("dateTime.iso8601")?.trim().to_owned())
            }
            "nil" => {
                self.close("nil")?;
                Value::Nil
            }
            "array" => self.array(depth)?,
            "struct" => self.members(depth)?,
            "base64" => return Err(self.broken("base64 is not taken here, send a string")),
            _ => return Err(self.broken("a value has a type that is not known")),
        };
        self.close("value")?;
        Ok(value)
    }

    fn array(&mut self, depth: usize) -> Result<Value, Malformed> {
        let mut values = Vec::new();
        match self.structural()? {
            Token::Close("array") => return Ok(Value::Array(values)),
            Token::Open("data") => {}
            _ => return Err(self.broken("data is expected in array")),
        }
        loop {
            match self.structural()? {
                Token::Open("value") => values.push(self.value(depth + 1)?),
                Token::Close("data") => break,
                _ => return Err(self.broken("value is expected in data")),
            }
        }
        self.close("array")?;
        Ok(Value::Array(values))
    }

    fn members(&mut self, depth: usize) -> Result<Value, Malformed> {
        let mut members = Vec::new();
        loop {
            match self.structural()? {
                Token::Close("struct") => return Ok(Value::Struct(members)),
                Token::Open("member") => {}
                _ => return Err(self.broken("member is expected in struct")),
            }
            let (mut name, mut value) = (None, None);
            loop {
                match self.structural()? {
                    Token::Open(part) if part == "name" && name.is_none() => {
                        name = Some(self.text_until("name")?);
                    }
                    Token::Open(part) if part == "value" && value.is_none() => {
                        value = Some(self.value(depth + 1)?);
                    }
                    Token::Close("member") => break,
                    _ => return Err(self.broken("one name and one value are expected in member")),
                }
            }
            match (name, value) {
                (Some(name), Some(value)) => members.push((name, value)),
                _ => return Err(self.broken("one name and one value are expected in member")),
            }
        }
    }
}

/// An element that means nothing here.
const UNKNOWN: &str = "?";

/// The elements that mean something.
const NAMES: [&str; 24] = [
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

fn name(tag: &[u8]) -> &'static str {
    NAMES.into_iter().find(|name| name.as_bytes() == tag).unwrap_or(UNKNOWN)
}

/// Reads an answer: a value, or the code and the text of a fault.
pub fn read_answer(text: &str, limits: &Limits) -> Result<Result<Value, (i64, String)>, Malformed> {
    let mut parser = Parser::new(text, limits);
    parser.open("methodResponse")?;
    let value = match parser.structural()? {
        Token::Open("params") => {
            parser.open("param")?;
            parser.open("value")?;
            Ok(parser.value(0)?)
        }
        Token::Open("fault") => {
            parser.open("value")?;
            let Value::Struct(members) = parser.value(0)? else {
                return Err(parser.broken("a fault is a struct"));
            };
            let member =
                |name: &str| members.iter().find(|(key, _)| key == name).map(|(_, value)| value);
            match (member("faultCode"), member("faultString")) {
                (Some(Value::Int(code)), Some(Value::Text(text))) => Err((*code, text.clone())),
                _ => return Err(parser.broken("a fault has a faultCode and a faultString")),
            }
        }
        _ => return Err(parser.broken("params or fault is expected")),
    };
    Ok(value)
}

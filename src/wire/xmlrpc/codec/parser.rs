//! Reads the elements and values of XML-RPC text.
//!
//! Clients in many languages write it, so the reader is lenient: white space and comments anywhere,
//! values without a type, every spelling of a number. Depth and count are limited before a value is
//! built, and its memory is reserved. Errors name the position and the problem, never the text: it
//! may be a password.

use super::elements::element_name;
use crate::memory_budget::Reservation;
use crate::wire::xmlrpc::value::{Value, allocation_size};
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
    /// Enough for a configuration with 10,000 devices.
    fn default() -> Self {
        Self { depth: 128, count: 250_000 }
    }
}

/// The reason why a text is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    pub kind: ReadErrorKind,
    pub reason: Cow<'static, str>,
    /// Position in bytes.
    pub at: u64,
}

/// What a [`ReadError`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadErrorKind {
    /// The text.
    Malformed,
    /// The memory for the values, of which there is none left now.
    OverBudget,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ReadErrorKind::Malformed => {
                write!(f, "Not an XML-RPC call: {} (byte {})", self.reason, self.at)
            }
            ReadErrorKind::OverBudget => f.write_str(&self.reason),
        }
    }
}

impl std::error::Error for ReadError {}

/// A piece of XML. An element without a meaning in XML-RPC has the name of none, see
/// [`element_name`].
#[derive(Debug, PartialEq)]
pub(super) enum Token<'a> {
    Open(&'static str),
    Close(&'static str),
    /// Text, which may come in several pieces.
    Text(Cow<'a, str>),
    End,
}

/// The items that the first allocation of a list has room for.
const FIRST_ROOM: usize = 2;

pub(super) struct Parser<'a> {
    reader: Reader<&'a [u8]>,
    limits: &'a XmlLimits,
    memory: &'a mut Reservation,
    count: usize,
    /// The element of an empty tag such as `<nil/>`, whose end is the next token.
    empty: Option<&'static str>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, limits: &'a XmlLimits, memory: &'a mut Reservation) -> Self {
        let reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
        Self { reader, limits, memory, count: 0, empty: None }
    }

    pub(super) fn malformed(&self, reason: impl Into<Cow<'static, str>>) -> ReadError {
        self.error(ReadErrorKind::Malformed, reason.into())
    }

    fn error(&self, kind: ReadErrorKind, reason: Cow<'static, str>) -> ReadError {
        ReadError { kind, reason, at: self.reader.buffer_position() }
    }

    /// Reserves memory for a value.
    fn reserve(&mut self, bytes: usize) -> Result<(), ReadError> {
        let reserved = self.memory.grow(bytes);
        reserved.map_err(|over| self.error(ReadErrorKind::OverBudget, over.to_string().into()))
    }

    /// Adds an item to a list, for whose allocation memory is reserved.
    pub(super) fn push<T>(&mut self, list: &mut Vec<T>, item: T) -> Result<(), ReadError> {
        let room = list.capacity();
        if list.len() == room {
            let more = room.max(FIRST_ROOM);
            let larger = allocation_size::<T>(room.saturating_add(more));
            self.reserve(larger.saturating_sub(allocation_size::<T>(room)))?;
            list.reserve_exact(more);
        }
        list.push(item);
        Ok(())
    }

    /// A text that becomes a part of the call, for which memory is reserved.
    fn kept(&mut self, text: Cow<'_, str>) -> Result<String, ReadError> {
        match text {
            Cow::Borrowed(text) => {
                self.reserve(allocation_size::<u8>(text.len()))?;
                Ok(text.to_owned())
            }
            // Memory was reserved as it was gathered.
            Cow::Owned(text) => Ok(text),
        }
    }

    /// Adds a piece to a text that is gathered, for which memory is reserved.
    fn gather(&mut self, text: &mut Cow<'a, str>, piece: Cow<'a, str>) -> Result<(), ReadError> {
        // Most texts come in one piece.
        if text.is_empty() {
            *text = piece;
            return Ok(());
        }
        if let Cow::Borrowed(first) = *text {
            *text = Cow::Owned(self.kept(Cow::Borrowed(first))?);
        }
        let text = text.to_mut();
        let needed = text.len().saturating_add(piece.len());
        if needed > text.capacity() {
            let larger = needed.max(text.capacity().saturating_mul(2));
            self.reserve(larger.saturating_sub(text.capacity()))?;
            text.reserve_exact(larger.saturating_sub(text.len()));
        }
        text.push_str(&piece);
        Ok(())
    }

    /// What is left of a text without white space around it.
    fn trimmed(&mut self, text: &str) -> Result<String, ReadError> {
        self.kept(Cow::Borrowed(text.trim()))
    }

    /// The beginning of a call, up to the end of `methodName`.
    pub(super) fn method(&mut self) -> Result<String, ReadError> {
        self.open("methodCall")?;
        self.open("methodName")?;
        let method = self.text_of("methodName")?;
        if method.trim().is_empty() {
            return Err(self.malformed("methodName is empty"));
        }
        self.trimmed(&method)
    }

    fn next(&mut self) -> Result<Token<'a>, ReadError> {
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
                    // Line ends are made equal in a copy.
                    if text.contains(&b'\r') {
                        self.reserve(allocation_size::<u8>(text.len()))?;
                    }
                    let text = text.xml_content(XmlVersion::default());
                    Token::Text(text.map_err(|_| self.malformed("a text cannot be read"))?)
                }
                // A part of the call's text, which is UTF-8.
                Event::CData(text) => Token::Text(match text.into_inner() {
                    Cow::Borrowed(text) => String::from_utf8_lossy(text),
                    Cow::Owned(text) => String::from_utf8_lossy(&text).into_owned().into(),
                }),
                Event::GeneralRef(reference) => Token::Text(self.resolve(&reference)?.into()),
                Event::DocType(_) => return Err(self.malformed("a DOCTYPE is not allowed")),
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => continue,
                Event::Eof => Token::End,
            });
        }
    }

    /// The character of a reference such as `&lt;` or `&#10;`.
    fn resolve(&self, reference: &BytesRef<'_>) -> Result<String, ReadError> {
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
    pub(super) fn next_tag(&mut self) -> Result<Token<'a>, ReadError> {
        loop {
            match self.next()? {
                Token::Text(text) if text.trim().is_empty() => {}
                Token::Text(_) => return Err(self.malformed("text where an element is expected")),
                token => return Ok(token),
            }
        }
    }

    pub(super) fn open(&mut self, wanted: &'static str) -> Result<(), ReadError> {
        match self.next_tag()? {
            Token::Open(name) if name == wanted => Ok(()),
            _ => Err(self.malformed(format!("{wanted} is expected"))),
        }
    }

    pub(super) fn close(&mut self, wanted: &'static str) -> Result<(), ReadError> {
        match self.next_tag()? {
            Token::Close(name) if name == wanted => Ok(()),
            _ => Err(self.malformed(format!("the end of {wanted} is expected"))),
        }
    }

    /// The text of an open element, which must hold nothing else, up to its end.
    fn text_of(&mut self, element: &str) -> Result<Cow<'a, str>, ReadError> {
        let mut all = Cow::Borrowed("");
        loop {
            match self.next()? {
                Token::Text(text) => self.gather(&mut all, text)?,
                Token::Close(name) if name == element => return Ok(all),
                _ => return Err(self.malformed("text is expected and nothing else")),
            }
        }
    }

    /// The rest of a value after `<value>`, up to its end.
    pub(super) fn value(&mut self, depth: usize) -> Result<Value, ReadError> {
        self.count += 1;
        if self.count > self.limits.count {
            return Err(self.malformed(format!("there are more than {} values", self.limits.count)));
        }
        if depth > self.limits.depth {
            return Err(
                self.malformed(format!("values are nested more than {} deep", self.limits.depth))
            );
        }
        let mut untyped = Cow::Borrowed("");
        let kind = loop {
            match self.next()? {
                Token::Text(text) => self.gather(&mut untyped, text)?,
                Token::Close("value") => return Ok(Value::Text(self.kept(untyped)?)),
                Token::Open(kind) if untyped.trim().is_empty() => break kind,
                _ => return Err(self.malformed("a value is expected")),
            }
        };
        let value = match kind {
            "string" => {
                let text = self.text_of("string")?;
                Value::Text(self.kept(text)?)
            }
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
            "dateTime.iso8601" => {
                let text = self.text_of("dateTime.iso8601")?;
                Value::Time(self.trimmed(&text)?)
            }
            "nil" => {
                self.close("nil")?;
                Value::Nil
            }
            "array" => self.array(depth)?,
            "struct" => self.members(depth)?,
            // Python 3 sends bytes so, and OpenStack's driver has paths and contents as bytes.
            "base64" => {
                let text = self.text_of("base64")?;
                self.reserve(allocation_size::<u8>(text.len()))?;
                let mut bytes = Vec::with_capacity(text.len());
                bytes.extend(text.bytes().filter(|byte| !byte.is_ascii_whitespace()));
                let decoded = Base64::decode_in_place(&mut bytes).map(<[u8]>::len);
                let length = decoded.map_err(|_| self.malformed("base64 is not well formed"))?;
                bytes.truncate(length);
                let text = String::from_utf8(bytes);
                Value::Text(text.map_err(|_| self.malformed("base64 does not hold UTF-8"))?)
            }
            _ => return Err(self.malformed("the type of a value is unknown")),
        };
        self.close("value")?;
        Ok(value)
    }

    fn array(&mut self, depth: usize) -> Result<Value, ReadError> {
        let mut values = Vec::new();
        match self.next_tag()? {
            Token::Close("array") => return Ok(Value::Array(values)),
            Token::Open("data") => {}
            _ => return Err(self.malformed("data is expected in array")),
        }
        loop {
            match self.next_tag()? {
                Token::Open("value") => {
                    let value = self.value(depth + 1)?;
                    self.push(&mut values, value)?;
                }
                Token::Close("data") => break,
                _ => return Err(self.malformed("value is expected in data")),
            }
        }
        self.close("array")?;
        Ok(Value::Array(values))
    }

    fn members(&mut self, depth: usize) -> Result<Value, ReadError> {
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
                        let text = self.text_of("name")?;
                        name = Some(self.kept(text)?);
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
                (Some(name), Some(value)) => self.push(&mut members, (name, value))?,
                _ => return Err(self.malformed("one name and one value are expected in member")),
            }
        }
    }
}

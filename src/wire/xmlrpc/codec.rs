//! XML-RPC as text: calls to values, values to answers.
//!
//! What is read is generous, since clients in many languages write it: white space and comments
//! anywhere, values without a type, numbers in every spelling. It is bounded before anything is
//! built of it. Errors say where and what, and never what was sent: that can be a password.

mod print;

pub use print::{answer, call, fault};

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(params: &str) -> Result<Call, Malformed> {
        let text = format!(
            "<?xml version='1.0'?>\n<methodCall><methodName>m</methodName>{params}</methodCall>"
        );
        read_call(text.as_bytes(), &Limits { depth: 3, count: 10 })
    }

    fn value(text: &str) -> Value {
        read(&format!("<params><param><value>{text}</value></param></params>"))
            .unwrap()
            .params
            .remove(0)
    }

    #[test]
    fn every_spelling_of_a_value() {
        for (text, wanted) in [
            ("plain", Value::text("plain")),
            (" a &lt;b&gt; &#65;&#x42; ", Value::text(" a <b> AB ")),
            ("", Value::text("")),
            ("<string>a<![CDATA[<&]]>b</string>", Value::text("a<&b")),
            ("<string/>", Value::text("")),
            ("\n<int> -7 </int>\n", Value::Int(-7)),
            ("<i4>7</i4>", Value::Int(7)),
            ("<i8>9223372036854775807</i8>", Value::Int(i64::MAX)),
            ("<boolean>1</boolean>", Value::Bool(true)),
            ("<boolean>false</boolean>", Value::Bool(false)),
            ("<double>1.5</double>", Value::Double(1.5)),
            ("<nil/>", Value::Nil),
            ("<ex:nil/>", Value::Nil),
            (
                "<dateTime.iso8601>20090710T09:01:27</dateTime.iso8601>",
                Value::Time("20090710T09:01:27".into()),
            ),
            ("<array/>", Value::Array(vec![])),
            (
                "<array> <data> <value>a</value> <!-- one --> </data> </array>",
                Value::Array(vec![Value::text("a")]),
            ),
            (
                "<struct><member><value>1</value><name>k</name></member></struct>",
                Value::Struct(vec![("k".into(), Value::text("1"))]),
            ),
        ] {
            assert_eq!(value(text), wanted, "{text}");
        }
        assert_eq!(read("").unwrap().params, []);
        assert_eq!(read("<params/>").unwrap().params, []);
    }

    #[test]
    fn what_is_no_call_is_told_by_its_place_and_not_by_its_text() {
        for (text, why) in [
            ("<params><param><value><int>geheim</int></value></param></params>", "no whole number"),
            (
                "<params><param><value><boolean>geheim</boolean></value></param></params>",
                "neither 0 nor 1",
            ),
            ("<params><param><value><base64>geheim</base64></value></param></params>", "base64"),
            ("<params><param><value>geheim</valeu></param></params>", "well formed"),
            ("<params><param><value>&geheim;</value></param></params>", "entity"),
            ("<params><param>geheim</param></params>", "text where"),
            ("<params><param><value><geheim/></value></param></params>", "not known"),
            (
                "<params><param><value><array><value/></array></value></param></params>",
                "data is expected",
            ),
            ("<params><param><value>", "well formed"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.to_string().contains(why), "{text}: {error}");
            assert!(!error.to_string().contains("geheim") && error.at > 40, "{error}");
        }
        let bomb = "<!DOCTYPE a [<!ENTITY b \"c\">]><methodCall/>";
        assert!(
            read_call(bomb.as_bytes(), &Limits::default()).unwrap_err().reason.contains("DOCTYPE")
        );
        assert_eq!(read_call(b"<a>\xff", &Limits::default()).unwrap_err().at, 3);
        assert!(read_call(b"", &Limits::default()).is_err());
        let two = "<methodCall><methodName>m</methodName></methodCall><methodCall/>";
        assert!(
            read_call(two.as_bytes(), &Limits::default()).unwrap_err().reason.contains("follows")
        );
    }

    #[test]
    fn there_is_a_limit_to_depth_and_count() {
        let nested = |n: usize| {
            let (open, close) =
                ("<array><data><value>".repeat(n), "</value></data></array>".repeat(n));
            read(&format!("<params><param><value>{open}{close}</value></param></params>"))
        };
        assert!(nested(3).is_ok());
        assert!(nested(4).unwrap_err().reason.contains("deep"));
        let many =
            |n: usize| read(&format!("<params>{}</params>", "<param><value/></param>".repeat(n)));
        assert!(many(10).is_ok());
        assert!(many(11).unwrap_err().reason.contains("more than 10"));
    }

    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        let text = answer(&Value::text("a\u{7}\0b<&>'\"\r\n\u{ffff}ü"));
        assert!(text.contains(
            "<value><string>a\u{fffd}\u{fffd}b&lt;&amp;&gt;'\"&#13;\n\u{fffd}ü</string></value>"
        ));
        assert!(
            fault(3, "no<")
                .contains("<member><name>faultCode</name><value><int>3</int></value></member>")
        );
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Nil),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<f64>().prop_filter("a number", |n| n.is_finite()).prop_map(Value::Double),
            "[^\0-\x08\x0b\x0c\x0e-\x1f\u{fffe}\u{ffff}]*".prop_map(Value::Text),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
                prop::collection::vec(("[a-z<&]*", inner), 0..8).prop_map(Value::Struct),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(value in any_value()) {
            let read = read_call(call("a<b", std::slice::from_ref(&value)).as_bytes(), &Limits::default()).unwrap();
            prop_assert_eq!((read.method.as_str(), &read.params), ("a<b", &vec![value.clone()]));
            let answered = read_answer(&answer(&value), &Limits::default()).unwrap();
            prop_assert_eq!(answered, Ok(value));
        }

        #[test]
        fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[<>/a-z&;!\\[\\]\" ]*") {
            let _ = read_call(&bytes, &Limits::default());
            let _ = read_call(format!("<methodCall>{text}").as_bytes(), &Limits::default());
        }
    }
}

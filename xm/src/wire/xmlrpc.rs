//! XML-RPC, for the few calls that xend's HTTP has no page for.

use quick_xml::Reader;
use quick_xml::escape::{escape, unescape};
use quick_xml::events::Event;
use serde::Serialize;
use std::fmt::Write as _;
use xend_sxp::Sxp;

/// The deepest answer that is read.
const MAX_DEPTH: usize = 64;

/// A value of a call or an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Array(Vec<Value>),
    /// A struct, whose names are not needed in any order.
    #[serde(serialize_with = "as_map")]
    Struct(Vec<(String, Value)>),
}

fn as_map<S: serde::Serializer>(
    members: &[(String, Value)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(members.iter().map(|(name, value)| (name, value)))
}

impl Value {
    /// A text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// The items of an array; none of anything else.
    pub(crate) fn items(&self) -> &[Self] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }

    /// The text of a text or number.
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Nil | Self::Array(_) | Self::Struct(_) => String::new(),
            Self::Bool(value) => u8::from(*value).to_string(),
            Self::Int(value) => value.to_string(),
            Self::Double(value) => value.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

impl From<&Value> for Sxp {
    /// A struct becomes a list of pairs.
    fn from(value: &Value) -> Self {
        match value {
            Value::Array(items) => Self::list(items.iter().map(Self::from)),
            Value::Struct(members) => Self::list(
                members.iter().map(|(name, value)| Self::list([Self::atom(name), value.into()])),
            ),
            other => Self::atom(other.to_text()),
        }
    }
}

/// An answer: a value, or the code and the text of a fault.
pub(crate) type Outcome = Result<Value, (i64, String)>;

/// The text of a call.
pub(crate) fn call(method: &str, parameters: &[Value]) -> String {
    let mut out = format!(
        "<?xml version='1.0'?>\n<methodCall><methodName>{}</methodName><params>",
        escape(method)
    );
    for parameter in parameters {
        out.push_str("<param>");
        write(&mut out, parameter);
        out.push_str("</param>");
    }
    out.push_str("</params></methodCall>\n");
    out
}

fn write(out: &mut String, value: &Value) {
    out.push_str("<value>");
    let _ = match value {
        Value::Nil => write!(out, "<nil/>"),
        Value::Bool(value) => write!(out, "<boolean>{}</boolean>", u8::from(*value)),
        Value::Int(value) => write!(out, "<int>{value}</int>"),
        Value::Double(value) => write!(out, "<double>{value}</double>"),
        Value::Text(text) => write!(out, "<string>{}</string>", escape(text.as_str())),
        Value::Array(items) => {
            out.push_str("<array><data>");
            for item in items {
                write(out, item);
            }
            write!(out, "</data></array>")
        }
        Value::Struct(members) => {
            out.push_str("<struct>");
            for (name, value) in members {
                let _ = write!(out, "<member><name>{}</name>", escape(name.as_str()));
                write(out, value);
                out.push_str("</member>");
            }
            write!(out, "</struct>")
        }
    };
    out.push_str("</value>");
}

/// Reads an answer. The error says what is wrong with its text.
pub(crate) fn answer(text: &[u8]) -> Result<Outcome, String> {
    let text = std::str::from_utf8(text).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut reader = AnswerReader { reader: Reader::from_str(text) };
    let mut is_fault = false;
    loop {
        match reader.next()? {
            Token::Open(name) if name == "fault" => is_fault = true,
            Token::Open(name) if name == "value" => {
                let value = reader.value(0)?;
                return Ok(if is_fault { Err(fault(&value)) } else { Ok(value) });
            }
            Token::End => return Err("it has no value".to_owned()),
            _ => {}
        }
    }
}

fn fault(value: &Value) -> (i64, String) {
    let Value::Struct(members) = value else { return (0, String::new()) };
    let of = |wanted: &str| members.iter().find(|(name, _)| name == wanted).map(|(_, v)| v);
    let code = match of("faultCode") {
        Some(Value::Int(code)) => *code,
        _ => 0,
    };
    (code, of("faultString").map(Value::to_text).unwrap_or_default())
}

enum Token {
    Open(String),
    Close(String),
    Text(String),
    End,
}

struct AnswerReader<'a> {
    reader: Reader<&'a [u8]>,
}

impl AnswerReader<'_> {
    fn next(&mut self) -> Result<Token, String> {
        loop {
            let event = self.reader.read_event().map_err(|error| error.to_string())?;
            let name = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
            return Ok(match event {
                Event::Start(tag) => Token::Open(name(tag.name().as_ref())),
                // `<nil/>` and other empty elements: xend writes only this one.
                Event::Empty(tag) => Token::Text(format!("<{}/>", name(tag.name().as_ref()))),
                Event::End(tag) => Token::Close(name(tag.name().as_ref())),
                Event::Text(text) => Token::Text(String::from_utf8_lossy(&text).into_owned()),
                Event::GeneralRef(entity) => {
                    Token::Text(format!("&{};", String::from_utf8_lossy(&entity)))
                }
                Event::Eof => Token::End,
                _ => continue,
            });
        }
    }

    /// Reads a value, after its opening tag, up to its closing tag.
    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err("it is too deep".to_owned());
        }
        let mut text = String::new();
        let mut read = None;
        loop {
            match self.next()? {
                Token::Text(part) if part == "<nil/>" => read = Some(Value::Nil),
                Token::Text(part) => text.push_str(&part),
                Token::Open(kind) => {
                    read = Some(match kind.as_str() {
                        "array" => Value::Array(self.array(depth)?),
                        "struct" => Value::Struct(self.members(depth)?),
                        kind => scalar(kind, &self.text(kind)?)?,
                    });
                }
                Token::Close(name) if name == "value" => break,
                Token::Close(_) => {}
                Token::End => return Err("it is cut".to_owned()),
            }
        }
        read.map_or_else(|| unescaped(&text).map(Value::Text), Ok)
    }

    /// The text up to a closing tag.
    fn text(&mut self, tag: &str) -> Result<String, String> {
        let mut text = String::new();
        loop {
            match self.next()? {
                Token::Text(part) => text.push_str(&part),
                Token::Close(name) if name == tag => return unescaped(&text),
                Token::End => return Err("it is cut".to_owned()),
                Token::Open(_) | Token::Close(_) => {}
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Value>, String> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                Token::Open(name) if name == "value" => items.push(self.value(depth + 1)?),
                Token::Close(name) if name == "array" => return Ok(items),
                Token::End => return Err("it is cut".to_owned()),
                _ => {}
            }
        }
    }

    fn members(&mut self, depth: usize) -> Result<Vec<(String, Value)>, String> {
        let mut members = Vec::new();
        let mut name = String::new();
        loop {
            match self.next()? {
                Token::Open(tag) if tag == "name" => name = self.text("name")?,
                Token::Open(tag) if tag == "value" => {
                    members.push((std::mem::take(&mut name), self.value(depth + 1)?));
                }
                Token::Close(tag) if tag == "struct" => return Ok(members),
                Token::End => return Err("it is cut".to_owned()),
                _ => {}
            }
        }
    }
}

fn unescaped(text: &str) -> Result<String, String> {
    unescape(text).map(std::borrow::Cow::into_owned).map_err(|error| error.to_string())
}

fn scalar(kind: &str, text: &str) -> Result<Value, String> {
    let wrong = || format!("'{text}' is no {kind}");
    Ok(match kind {
        "int" | "i4" | "i8" => Value::Int(text.trim().parse().map_err(|_| wrong())?),
        "boolean" => Value::Bool(text.trim() == "1"),
        "double" => Value::Double(text.trim().parse().map_err(|_| wrong())?),
        "nil" => Value::Nil,
        _ => Value::Text(text.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_escaped() {
        let text = call("xend.cpu_pool.list", &[Value::Array(vec![Value::text("a<b")])]);
        let value = "<value><array><data><value><string>a&lt;b</string></value></data></array>";
        assert!(text.contains(&format!("<param>{value}</value></param>")), "{text}");
    }

    #[test]
    fn what_is_written_reads_back() {
        let value = Value::Array(vec![
            Value::Nil,
            Value::Bool(true),
            Value::Int(-3),
            Value::Double(1.5),
            Value::text("a & <b> \"c\" 'd'"),
            Value::text(""),
            Value::Struct(vec![("x".to_owned(), Value::Array(vec![]))]),
        ]);
        let mut text = "<methodResponse><params><param>".to_owned();
        write(&mut text, &value);
        text.push_str("</param></params></methodResponse>");
        assert_eq!(answer(text.as_bytes()), Ok(Ok(value)));
    }

    #[test]
    fn faults_and_bare_values_are_read() {
        let text = b"<methodResponse><fault><value><struct><member><name>faultCode</name>\
            <value><int>3</int></value></member><member><name>faultString</name>\
            <value>no &#97;</value></member></struct></value></fault></methodResponse>";
        assert_eq!(answer(text), Ok(Err((3, "no a".to_owned()))));
    }

    #[test]
    fn wrong_answers_are_errors() {
        let deep = format!("{}{}", "<value><array><data>".repeat(100), "x");
        for text in ["", "<a>", "<value><int>x</int></value>", "<value><string>a", deep.as_str()] {
            assert!(answer(text.as_bytes()).is_err(), "{text}");
        }
    }
}

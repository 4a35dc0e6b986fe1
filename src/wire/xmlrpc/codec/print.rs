//! Writes XML-RPC text.

use crate::wire::xmlrpc::value::Value;
use std::fmt::Write as _;

/// A call, as a client sends it.
pub fn call(method: &str, params: &[Value]) -> String {
    let mut out = String::from("<?xml version='1.0'?>\n<methodCall>\n<methodName>");
    escape(&mut out, method);
    out.push_str("</methodName>\n<params>\n");
    for param in params {
        out.push_str("<param>");
        print(&mut out, param);
        out.push_str("</param>\n");
    }
    out.push_str("</params>\n</methodCall>\n");
    out
}

/// An answer with a value. There is no white space between its elements, which some clients would
/// take for a child.
pub fn answer(value: &Value) -> String {
    let mut out = String::from("<?xml version='1.0'?><methodResponse><params><param>");
    print(&mut out, value);
    out.push_str("</param></params></methodResponse>");
    out
}

/// An answer that is a fault.
pub fn fault(code: i64, text: &str) -> String {
    let mut out = String::from("<?xml version='1.0'?><methodResponse><fault>");
    let members = vec![
        ("faultCode".to_owned(), Value::Int(code)),
        ("faultString".to_owned(), Value::text(text)),
    ];
    print(&mut out, &Value::Struct(members));
    out.push_str("</fault></methodResponse>");
    out
}

/// Writes a value without white space inside, which libxen takes for text.
fn print(out: &mut String, value: &Value) {
    out.push_str("<value>");
    // Writing to a string never fails.
    let _ = match value {
        Value::Nil => out.write_str("<nil/>"),
        Value::Bool(on) => write!(out, "<boolean>{}</boolean>", u8::from(*on)),
        Value::Int(n) => write!(out, "<int>{n}</int>"),
        Value::Double(n) => write!(out, "<double>{n:?}</double>"),
        Value::Text(text) => {
            out.push_str("<string>");
            escape(out, text);
            out.write_str("</string>")
        }
        Value::Time(time) => {
            out.push_str("<dateTime.iso8601>");
            escape(out, time);
            out.write_str("</dateTime.iso8601>")
        }
        Value::Array(values) => {
            out.push_str("<array><data>");
            for value in values {
                print(out, value);
            }
            out.write_str("</data></array>")
        }
        Value::Struct(members) => {
            out.push_str("<struct>");
            for (name, value) in members {
                out.push_str("<member><name>");
                escape(out, name);
                out.push_str("</name>");
                print(out, value);
                out.push_str("</member>");
            }
            out.write_str("</struct>")
        }
    };
    out.push_str("</value>");
}

/// Writes text. Characters that XML 1.0 cannot hold are replaced. An unescaped carriage return
/// would be read as a newline.
fn escape(out: &mut String, text: &str) {
    let mut plain = 0;
    for (at, character) in text.char_indices() {
        let instead = match character {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '\r' => "&#13;",
            '\t' | '\n' => continue,
            '\u{fffe}' | '\u{ffff}' => "\u{fffd}",
            character if character < ' ' => "\u{fffd}",
            _ => continue,
        };
        out.push_str(&text[plain..at]);
        out.push_str(instead);
        plain = at + character.len_utf8();
    }
    out.push_str(&text[plain..]);
}

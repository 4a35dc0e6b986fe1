//! Writes XML-RPC text.

use crate::answer_memory::{AnswerMemory, SharedText};
use crate::memory_budget::{MemoryBudget, OverBudget, ReservedBuffer};
use crate::wire::xmlrpc::value::Value;
use bytes::Bytes;
use std::fmt::Write as _;
use std::mem;
use std::ops::Range;

/// From this length in bytes on, a value that is printed already is sent from where it is, and not
/// copied into the rest of an answer.
const SENT_IN_PLACE: usize = 4096;

const ANSWER: &str = "<?xml version='1.0'?><methodResponse><params><param>";
const ANSWER_END: &str = "</param></params></methodResponse>";

/// Text that is being written. Printed values that are long stand between pieces of it.
#[derive(Default)]
struct Output {
    /// Each piece of text that has ended, with the printed value that follows it.
    before: Vec<(String, SharedText)>,
    text: String,
}

impl Output {
    /// Adds a value that is printed already.
    fn push_printed(&mut self, value: &SharedText) {
        if value.len() < SENT_IN_PLACE {
            self.text.push_str(&String::from_utf8_lossy(value.text()));
        } else {
            self.before.push((mem::take(&mut self.text), value.clone()));
        }
    }

    /// The text in chunks that hold their memory. What stands in no printed value is of this answer
    /// alone.
    fn into_chunks(self, budget: &MemoryBudget) -> Result<Vec<Bytes>, OverBudget> {
        let own: usize = self.before.iter().map(|(text, _)| text.len()).sum();
        let memory = AnswerMemory::reserve(budget, own + self.text.len())?;
        let mut chunks = Vec::with_capacity(2 * self.before.len() + 1);
        for (text, value) in self.before {
            chunks.push(memory.hold(text));
            chunks.push(value.send(budget)?);
        }
        chunks.push(memory.hold(self.text));
        Ok(chunks)
    }

    fn into_text(self) -> String {
        let mut all = String::new();
        for (text, value) in self.before {
            all.push_str(&text);
            all.push_str(&String::from_utf8_lossy(value.text()));
        }
        if all.is_empty() { self.text } else { all + &self.text }
    }
}

/// A call, as a client sends it.
pub fn call(method: &str, params: &[Value]) -> String {
    let mut out = Output::default();
    out.text.push_str("<?xml version='1.0'?>\n<methodCall>\n<methodName>");
    escape(&mut out.text, method);
    out.text.push_str("</methodName>\n<params>\n");
    for param in params {
        out.text.push_str("<param>");
        print(&mut out, param);
        out.text.push_str("</param>\n");
    }
    out.text.push_str("</params>\n</methodCall>\n");
    out.into_text()
}

/// An answer with a value. There is no white space between its elements, which some clients would
/// take for a child.
pub fn answer(value: &Value) -> String {
    written_answer(value).into_text()
}

/// The same in chunks, of which those that are printed values are not copied. They are reserved for
/// as long as they are on their way.
pub fn answer_chunks(value: &Value, budget: &MemoryBudget) -> Result<Vec<Bytes>, OverBudget> {
    written_answer(value).into_chunks(budget)
}

fn written_answer(value: &Value) -> Output {
    let mut out = Output::default();
    out.text.push_str(ANSWER);
    print(&mut out, value);
    out.text.push_str(ANSWER_END);
    out
}

/// An answer that is a fault.
pub fn fault(code: i64, text: &str) -> String {
    let mut out = Output::default();
    out.text.push_str("<?xml version='1.0'?><methodResponse><fault>");
    let members = vec![
        ("faultCode".to_owned(), Value::Int(code)),
        ("faultString".to_owned(), Value::text(text)),
    ];
    print(&mut out, &Value::Struct(members));
    out.text.push_str("</fault></methodResponse>");
    out.into_text()
}

/// A value for [`Value::Printed`].
pub fn printed(value: &Value) -> Bytes {
    let mut out = Output::default();
    print_content(&mut out, value);
    out.into_text().into()
}

/// A struct that is made of members whose values are printed already. Its memory is reserved while
/// it grows.
pub struct PrintedStruct(ReservedBuffer);

impl PrintedStruct {
    /// A struct without members, with room for this many bytes.
    pub fn new(mut buffer: ReservedBuffer, capacity: usize) -> Result<Self, OverBudget> {
        buffer.reserve(capacity)?;
        buffer.extend(b"<struct>")?;
        Ok(Self(buffer))
    }

    /// Adds a member. Returns where its value stands in the text.
    pub fn add(&mut self, name: &str, value: &[u8]) -> Result<Range<usize>, OverBudget> {
        let mut escaped = String::new();
        escape(&mut escaped, name);
        for part in ["<member><name>", &escaped, "</name><value>"] {
            self.0.extend(part.as_bytes())?;
        }
        let begin = self.0.len();
        self.0.extend(value)?;
        let end = self.0.len();
        self.0.extend(b"</value></member>")?;
        Ok(begin..end)
    }

    /// The whole struct, for [`Value::Printed`].
    pub fn finish(mut self) -> Result<Bytes, OverBudget> {
        self.0.extend(b"</struct>")?;
        Ok(self.0.into_bytes().into())
    }
}

/// Writes a value without white space inside, which libxen takes for text.
fn print(out: &mut Output, value: &Value) {
    out.text.push_str("<value>");
    print_content(out, value);
    out.text.push_str("</value>");
}

/// Writes what stands inside of a value's element.
fn print_content(out: &mut Output, value: &Value) {
    // Writing to a string never fails.
    let _ = match value {
        Value::Nil => out.text.write_str("<nil/>"),
        Value::Bool(on) => write!(out.text, "<boolean>{}</boolean>", u8::from(*on)),
        Value::Int(n) => write!(out.text, "<int>{n}</int>"),
        Value::Double(n) => write!(out.text, "<double>{n:?}</double>"),
        Value::Text(text) => {
            out.text.push_str("<string>");
            escape(&mut out.text, text);
            out.text.write_str("</string>")
        }
        Value::Time(time) => {
            out.text.push_str("<dateTime.iso8601>");
            escape(&mut out.text, time);
            out.text.write_str("</dateTime.iso8601>")
        }
        Value::Array(values) => {
            out.text.push_str("<array><data>");
            for value in values {
                print(out, value);
            }
            out.text.write_str("</data></array>")
        }
        Value::Struct(members) => {
            out.text.push_str("<struct>");
            for (name, value) in members {
                out.text.push_str("<member><name>");
                escape(&mut out.text, name);
                out.text.push_str("</name>");
                print(out, value);
                out.text.push_str("</member>");
            }
            out.text.write_str("</struct>")
        }
        Value::Printed(content) => {
            out.push_printed(content);
            Ok(())
        }
    };
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

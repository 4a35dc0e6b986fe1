//! `xend check`: what a text says as a domain's configuration.

use crate::shape::{self, ShapeError, TreeSink};
use crate::sxp::{Limits, ReadError, Sxp, position, read_all};
use std::fmt;

/// What is to be said of a text.
#[derive(Debug)]
pub struct Report {
    /// What is probably not meant.
    pub warnings: Vec<Note>,
    /// What the configuration means, every default spelt out; or why it is none.
    pub meaning: Result<Sxp, Note>,
}

/// Something about a place in the text, shown as `LINE:COLUMN: message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    line: usize,
    column: usize,
    message: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl Note {
    fn new((line, column): (usize, usize), message: impl Into<String>) -> Self {
        Self { line, column, message: message.into() }
    }

    fn of_read(error: &ReadError) -> Self {
        Self::new((error.line(), error.column()), error.to_string())
    }

    fn of_shape(error: &ShapeError, text: &[u8]) -> Self {
        Self::new(error.position(text), error.to_string())
    }
}

/// Says what a text is as a domain's configuration.
pub fn check(text: &[u8]) -> Report {
    let mut warnings = Vec::new();
    let meaning = meaning(text, &mut warnings);
    Report { warnings, meaning }
}

fn meaning(text: &[u8], warnings: &mut Vec<Note>) -> Result<Sxp, Note> {
    if let Some((at, what)) = foreign(text) {
        return Err(Note::new(position(text, at), what));
    }
    // A file of one's own can be as large as it is.
    let limits = Limits { bytes: text.len().max(1), count: text.len().max(1), ..Limits::default() };
    let all = read_all(text, &limits).map_err(|error| Note::of_read(&error))?;
    let Some((first, others)) = all.split_first() else {
        return Err(Note::new((1, 1), "the file holds no configuration"));
    };
    let config = shape::read_config(first).map_err(|error| Note::of_shape(&error, text))?;
    warnings.extend(shape::lint(first).iter().map(|error| Note::of_shape(error, text)));
    if let Some(second) = others.first() {
        let message = "the first expression is the configuration, this and what follows is ignored";
        warnings.push(Note::new(position(text, second.offset() as usize), message));
    }
    let mut sink = TreeSink::default();
    shape::config(&mut sink, &config);
    sink.into_values().pop().ok_or_else(|| Note::new((1, 1), "the configuration says nothing"))
}

/// The other forms that configurations of Xen's domains have, where they begin, and how an
/// S-expression is made of them.
fn foreign(text: &[u8]) -> Option<(usize, &'static str)> {
    const XML: &str = "this is libvirt's XML, an S-expression is expected: virsh domxml-to-native xen-sxpr FILE prints one";
    const PYTHON: &str = "this is a configuration of xm's in Python, an S-expression is expected: xm create --dryrun FILE prints one";
    let mut at = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let code = line
            .trim_ascii_start()
            .strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(line.trim_ascii_start());
        let start = at + (line.len() - code.len());
        at += line.len();
        match code {
            [] | [b'#', ..] => {}
            [b'<', ..] => return Some((start, XML)),
            code => return is_python(code).then_some((start, PYTHON)),
        }
    }
    None
}

/// Whether a line is one of a Python program: an assignment, an import, a function, a text.
fn is_python(line: &[u8]) -> bool {
    let word =
        line.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    let (word, rest) = line.split_at(word);
    let assigned = !word.is_empty() && rest.trim_ascii_start().starts_with(b"=");
    let keyword =
        [&b"import"[..], b"from", b"def", b"if"].contains(&word) && rest.starts_with(b" ");
    assigned || keyword || line.starts_with(b"\"\"\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        check(text.as_bytes()).meaning.unwrap_err().to_string()
    }

    #[test]
    fn other_forms_are_recognised() {
        for text in ["<domain type='xen'>", "<?xml version='1.0'?>\n<domain/>", "\u{feff}<domain/>"]
        {
            assert!(refused(text).contains("libvirt's XML"), "{text}");
        }
        for text in [
            "# mine\n\nname = \"web\"\nmemory=64\n",
            "import os\n",
            "kernel='/k'",
            "\"\"\"Mine\"\"\"",
        ] {
            assert!(refused(text).contains("xm's in Python"), "{text}");
        }
        assert!(refused("# mine\n\n  name = 'web'").starts_with("3:3: "));
        for text in ["", "# nothing\n", "vm", "import", "'= a'"] {
            assert!(!refused(text).contains("this is"), "{text}");
        }
    }

    #[test]
    fn the_first_expression_counts() {
        let report = check(b"(vm (name a) (memory 64) (image (hvm)))\n (vm (name b))\n (c)");
        assert_eq!(
            report.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["2:2: the first expression is the configuration, this and what follows is ignored"]
        );
        assert_eq!(report.meaning.unwrap().value("name").and_then(Sxp::as_str), Some("a"));
    }
}

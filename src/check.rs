//! `xend check`: checks the text of a domain configuration.

use crate::shape::{self, ShapeError, TreeSink};
use crate::sxp::{Limits, ReadError, Sxp, position, read_all};
use std::fmt;

/// The result of a check.
#[derive(Debug)]
pub struct Report {
    /// Likely mistakes.
    pub warnings: Vec<Diagnostic>,
    /// The configuration with every default spelt out, or the error that makes it invalid.
    pub config: Result<Sxp, Diagnostic>,
}

/// A message about a position in the text, shown as `LINE:COLUMN: message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    line: usize,
    column: usize,
    message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl Diagnostic {
    fn new((line, column): (usize, usize), message: impl Into<String>) -> Self {
        Self { line, column, message: message.into() }
    }

    fn from_read_error(error: &ReadError) -> Self {
        Self::new((error.line(), error.column()), error.to_string())
    }

    fn from_shape_error(error: &ShapeError, text: &[u8]) -> Self {
        Self::new(error.position(text), error.to_string())
    }
}

/// Checks the text of a domain configuration.
pub fn check(text: &[u8]) -> Report {
    let mut warnings = Vec::new();
    let config = read_config(text, &mut warnings);
    Report { warnings, config }
}

fn read_config(text: &[u8], warnings: &mut Vec<Diagnostic>) -> Result<Sxp, Diagnostic> {
    if let Some((at, message)) = other_format(text) {
        return Err(Diagnostic::new(position(text, at), message));
    }
    // A local file is trusted: only its own length limits it.
    let limits = Limits { bytes: text.len().max(1), count: text.len().max(1), ..Limits::default() };
    let all = read_all(text, &limits).map_err(|error| Diagnostic::from_read_error(&error))?;
    let Some((first, others)) = all.split_first() else {
        return Err(Diagnostic::new((1, 1), "the file contains no configuration"));
    };
    let config =
        shape::read_config(first).map_err(|error| Diagnostic::from_shape_error(&error, text))?;
    warnings
        .extend(shape::lint(first).iter().map(|error| Diagnostic::from_shape_error(error, text)));
    if let Some(second) = others.first() {
        let message = "only the first expression is used, this and the rest are ignored";
        warnings.push(Diagnostic::new(position(text, second.offset() as usize), message));
    }
    let mut sink = TreeSink::default();
    shape::config(&mut sink, &config);
    sink.into_values().pop().ok_or_else(|| Diagnostic::new((1, 1), "the configuration is empty"))
}

/// Detects other formats of domain configurations. Returns where the text begins and a message that
/// says how to convert it to an S-expression.
fn other_format(text: &[u8]) -> Option<(usize, &'static str)> {
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

/// Whether a line is Python: an assignment, an import, a function or a docstring.
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
        check(text.as_bytes()).config.unwrap_err().to_string()
    }

    #[test]
    fn other_formats_are_recognised() {
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
    fn only_the_first_expression_is_the_configuration() {
        let report = check(b"(vm (name a) (memory 64) (image (hvm)))\n (vm (name b))\n (c)");
        assert_eq!(
            report.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["2:2: only the first expression is used, this and the rest are ignored"]
        );
        assert_eq!(report.config.unwrap().value("name").and_then(Sxp::as_str), Some("a"));
    }
}

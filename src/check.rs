//! `xend check` and `xend convert`: the text of a domain configuration, an S-expression, a file of
//! xm or xl, or libvirt's XML.

use crate::shape::{self, ShapeError, TreeSink};
use crate::sxp::{Limits, ReadError, Sxp, position, read_all};
use crate::xmconfig::{self, Defaults, XmConfigError};
use std::fmt;
use xend_libvirt_xml::{self as libvirt_xml, XmlError};

/// The result of a check or a conversion.
#[derive(Debug)]
pub struct Report {
    /// Likely mistakes, or what has no place in an S-expression.
    pub warnings: Vec<Diagnostic>,
    /// The configuration, which a check spells out with every default, or the error that makes it
    /// invalid.
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

    fn from_xm_error(error: &XmConfigError) -> Self {
        Self::new((error.line(), error.column()), error.to_string())
    }

    fn from_xml_error(error: &XmlError) -> Self {
        Self::new((error.line(), error.column()), error.to_string())
    }

    fn from_shape_error(error: &ShapeError, text: &[u8]) -> Self {
        Self::new(error.position(text), error.to_string())
    }
}

/// Checks the text of a domain configuration. xm gives a domain whose file sets no name the base
/// name of the file, `file_name`.
pub fn check(text: &[u8], file_name: &str) -> Report {
    let mut warnings = Vec::new();
    let config = read_config(text, file_name, &mut warnings);
    Report { warnings, config }
}

/// Converts the text of a domain configuration to an S-expression, as it is written: nothing is
/// checked or added. Warnings are about what has no place in it.
pub fn convert(text: &[u8], file_name: &str) -> Report {
    let mut warnings = Vec::new();
    let config = converted(text, file_name, &mut warnings);
    Report { warnings, config }
}

fn converted(
    text: &[u8],
    file_name: &str,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Sxp, Diagnostic> {
    match format_of(text) {
        Format::Xml => {
            let converted =
                libvirt_xml::convert(text).map_err(|error| Diagnostic::from_xml_error(&error))?;
            warnings.extend(converted.warnings.iter().map(Diagnostic::from_xml_error));
            Ok(converted.config)
        }
        Format::Python => {
            let defaults = Defaults { name: Some(file_name), ..Defaults::default() };
            let converted = xmconfig::convert(text, &defaults)
                .map_err(|error| Diagnostic::from_xm_error(&error))?;
            warnings.extend(converted.warnings.iter().map(Diagnostic::from_xm_error));
            Ok(converted.config)
        }
        Format::Sxp => first_expression(text, warnings),
    }
}

fn read_config(
    text: &[u8],
    file_name: &str,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Sxp, Diagnostic> {
    let config = converted(text, file_name, warnings)?;
    let domain =
        shape::read_config(&config).map_err(|error| Diagnostic::from_shape_error(&error, text))?;
    domain.check_shared().map_err(|reason| {
        Diagnostic::new(position(text, config.offset() as usize), reason.to_string())
    })?;
    warnings
        .extend(shape::lint(&config).iter().map(|error| Diagnostic::from_shape_error(error, text)));
    warnings.sort_by_key(|warning| (warning.line, warning.column));
    let mut sink = TreeSink::default();
    shape::config(&mut sink, &domain);
    sink.into_values().pop().ok_or_else(|| Diagnostic::new((1, 1), "the configuration is empty"))
}

/// Reads the first expression, and warns of others.
fn first_expression(text: &[u8], warnings: &mut Vec<Diagnostic>) -> Result<Sxp, Diagnostic> {
    // What xend has stored itself can be checked, too.
    let all =
        read_all(text, &Limits::STORED).map_err(|error| Diagnostic::from_read_error(&error))?;
    let mut all = all.into_iter();
    let first = all.next();
    if let Some(second) = all.next() {
        let message = "only the first expression is used, this and the rest are ignored";
        warnings.push(Diagnostic::new(position(text, second.offset() as usize), message));
    }
    first.ok_or_else(|| Diagnostic::new((1, 1), "the file contains no configuration"))
}

/// A format of domain configurations.
enum Format {
    Sxp,
    /// A file of xm or xl.
    Python,
    /// libvirt's.
    Xml,
}

fn format_of(text: &[u8]) -> Format {
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii_start();
        match line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) {
            [] | [b'#', ..] => {}
            [b'<', ..] => return Format::Xml,
            code if is_python(code) => return Format::Python,
            _ => return Format::Sxp,
        }
    }
    Format::Sxp
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

    fn checked(text: &str) -> Report {
        check(text.as_bytes(), "web.cfg")
    }

    fn refused(text: &str) -> String {
        checked(text).config.unwrap_err().to_string()
    }

    fn name(report: &Report) -> Option<&str> {
        report.config.as_ref().unwrap().value("name").and_then(Sxp::as_str)
    }

    #[test]
    fn other_formats_are_recognised() {
        for text in
            ["<domain type='xen'/>", "<?xml version='1.0'?>\n<domain/>", "\u{feff}<domain/>"]
        {
            assert!(refused(text).ends_with("<memory> is expected"), "{text}");
        }
        assert!(
            refused("# mine\n\n  import socket").starts_with("3:10: socket cannot be imported")
        );
        for text in ["", "# nothing\n", "vm", "import", "'= a'"] {
            assert!(!refused(text).contains("this is"), "{text}");
        }
    }

    #[test]
    fn files_of_xm_are_checked() {
        for text in [
            "# mine\n\nname = \"web\"\nkernel = '/k'\nmemory=64\n",
            "\"\"\"Mine\"\"\"\nkernel='/k'; name='web'",
            "  type = 'pvh'\nname = 'web'\nkernel = '/k'\nvif = ['']",
        ] {
            let report = checked(text);
            assert_eq!(
                (name(&report), report.warnings.as_slice()),
                (Some("web"), &[][..]),
                "{text}"
            );
        }
        let report = checked("kernel = '/k'\n vcpsu = 2\nvif = ['mtu=1400']");
        assert_eq!(name(&report), Some("web.cfg"));
        assert_eq!(
            report.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["2:2: vcpsu: unknown variable, vcpus is one", "3:8: vif mtu: unknown key"]
        );
        assert!(
            refused("name = 'web'\nmemory = '12x'\n")
                .starts_with("2:10: memory: \"12x\" is not a whole number")
        );
    }

    #[test]
    fn xml_of_libvirt_is_checked() {
        let report = checked(
            "<domain type='xen'><name>web</name><memory unit='MiB'>64</memory>\n<title>Web</title>\
             <os><type>linux</type><kernel>/k</kernel></os></domain>",
        );
        assert_eq!(name(&report), Some("web"));
        assert_eq!(
            report.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["2:1: <title> of <domain> is left out"]
        );
        let wrong = "<domain type='xen'>\n<name>a b</name><memory>65536</memory></domain>";
        assert!(refused(wrong).starts_with("2:1: name: "), "{}", refused(wrong));
    }

    #[test]
    fn what_the_daemon_refuses_to_create_is_refused() {
        let vif = "(device (vif (mac 00:16:3e:00:00:01)))";
        let said = refused(&format!("\n(vm (name a) (memory 64) {vif} {vif})"));
        assert!(said.starts_with("2:1: ") && said.ends_with("is already defined"), "{said}");
    }

    #[test]
    fn a_conversion_adds_and_checks_nothing() {
        let converted = |text: &str, file_name| {
            let report = convert(text.as_bytes(), file_name);
            assert!(report.warnings.is_empty());
            report.config.unwrap()
        };
        assert_eq!(converted("(vm (name 'a b'))", "a.sxp").to_string(), "(vm (name 'a b'))");
        let config = converted("memory = '12x'", "web.cfg");
        assert_eq!(config.value("memory").and_then(Sxp::as_str), Some("12x"));
    }

    #[test]
    fn only_the_first_expression_is_the_configuration() {
        let report = checked("(vm (name a) (memory 64) (image (hvm)))\n (vm (name b))\n (c)");
        assert_eq!(
            report.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["2:2: only the first expression is used, this and the rest are ignored"]
        );
        assert_eq!(name(&report), Some("a"));
    }
}

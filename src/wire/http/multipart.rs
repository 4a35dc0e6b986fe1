//! Parser of `multipart/form-data`.
//!
//! Forms are read line by line, as Python's `cgi` read them for xend: a line ends in CR LF or in a
//! bare LF (xm 3.0.0 sends the latter), and the line end before a boundary belongs to the boundary.

/// The longest boundary that Python accepted.
const MAX_BOUNDARY: usize = 201;

/// The most fields of a form. Far fewer are read, but each takes many times its text until then.
const MAX_PARTS: usize = 10_000;

/// A field of a form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// `None` for a part without a name, which is no field.
    pub(super) name: Option<String>,
    /// Whether the value is the content of a file.
    pub(super) is_file: bool,
    pub(super) value: &'a [u8],
}

/// The boundary in a `Content-Type`.
pub(super) fn boundary(content_type: &str) -> Result<String, &'static str> {
    let boundary = parameter(content_type, "boundary").ok_or("its Content-Type has no boundary")?;
    let printable = boundary.bytes().all(|b| matches!(b, b' '..=b'~'));
    if boundary.is_empty() || boundary.len() > MAX_BOUNDARY || !printable || boundary.ends_with(' ')
    {
        return Err("its boundary is not a line of printable characters");
    }
    Ok(boundary)
}

/// The fields of a form, in order.
pub(super) fn parts<'a>(boundary: &str, body: &'a [u8]) -> Result<Vec<Part<'a>>, &'static str> {
    let begin = format!("--{boundary}");
    let end = format!("{begin}--");
    let mut lines = Lines { body, at: 0 };
    let mut parts = Vec::new();
    // The text before the first boundary is for people.
    let mut ended = loop {
        let line = lines.next().ok_or("its boundary is not in it")?;
        match line.text.trim_ascii_end() {
            text if text == begin.as_bytes() => break false,
            text if text == end.as_bytes() => break true,
            _ => {}
        }
    };
    while !ended {
        let mut part = Part { name: None, is_file: false, value: &[] };
        loop {
            let line = lines.next().ok_or("it ends within the headers of a field")?;
            if line.text.is_empty() {
                break;
            }
            read_header(line.text, &mut part);
        }
        let start = lines.at;
        let mut value_end = start;
        ended = loop {
            let line = lines.next().ok_or("it ends before its last boundary")?;
            match line.text.trim_ascii_end() {
                text if text == begin.as_bytes() => break false,
                text if text == end.as_bytes() => break true,
                _ => value_end = line.end,
            }
        };
        part.value = &body[start..value_end];
        if parts.len() >= MAX_PARTS {
            return Err("it has too many fields");
        }
        parts.push(part);
    }
    Ok(parts)
}

/// A line without its end.
struct Line<'a> {
    text: &'a [u8],
    /// The offset in the body at which the text ends.
    end: usize,
}

struct Lines<'a> {
    body: &'a [u8],
    /// The offset of the next line.
    at: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let rest = self.body.get(self.at..).filter(|rest| !rest.is_empty())?;
        let line_feed = rest.iter().position(|b| *b == b'\n');
        let line = &rest[..line_feed.unwrap_or(rest.len())];
        let text = line.strip_suffix(b"\r").filter(|_| line_feed.is_some()).unwrap_or(line);
        let end = self.at + text.len();
        self.at += line_feed.map_or(rest.len(), |at| at + 1);
        Some(Line { text, end })
    }
}

/// The name of a field with these headers, and whether its value is the content of a file.
pub(super) fn name_of(headers: &[u8]) -> (Option<String>, bool) {
    let mut part = Part { name: None, is_file: false, value: &[] };
    for line in headers.split(|byte| *byte == b'\n') {
        read_header(line.strip_suffix(b"\r").unwrap_or(line), &mut part);
    }
    (part.name, part.is_file)
}

fn read_header(line: &[u8], part: &mut Part<'_>) {
    let line = String::from_utf8_lossy(line);
    let Some((key, value)) = line.split_once(':') else { return };
    if key.trim().eq_ignore_ascii_case("content-disposition") {
        part.name = parameter(value, "name");
        part.is_file = parameter(value, "filename").is_some();
    }
}

/// A parameter of a header: `boundary` of `multipart/form-data; boundary="a b"`.
fn parameter(header: &str, name: &str) -> Option<String> {
    split_outside_quotes(header).skip(1).find_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| unquote(value.trim()))
    })
}

fn split_outside_quotes(header: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    header.split(move |c| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        c == ';' && !quoted
    })
}

fn unquote(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some(&next @ ('\\' | '"'))) => {
                out.push(next);
                chars.next();
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field<'a>(name: &str, value: &'a str) -> Part<'a> {
        Part { name: Some(name.to_owned()), is_file: false, value: value.as_bytes() }
    }

    #[test]
    fn lines_end_in_cr_lf_or_lf() {
        let body = "--B\nContent-Disposition: form-data; name=\"config\"; filename=\"/a;b.sxp\"\n\
             Content-Type: x\n\n(vm\r\n  (name a))\n\n\
             --B\r\ncontent-disposition: form-data; name=op\r\n\r\ncreate\r\n--B--\r\n";
        let config = Part { is_file: true, ..field("config", "(vm\r\n  (name a))\n") };
        assert_eq!(parts("B", body.as_bytes()).unwrap(), [config, field("op", "create")]);
    }

    #[test]
    fn text_around_the_fields_is_ignored() {
        let body = "for old readers\r\n--B  \r\nContent-Disposition: form-data; name=a\r\n\r\n\
                    --Bx\r\n\r\n--B--\r\nrest";
        assert_eq!(parts("B", body.as_bytes()).unwrap(), [field("a", "--Bx\r\n")]);
        assert_eq!(parts("B", b"--B--").unwrap(), []);
        assert_eq!(
            parts("B", b"--B\n\n--B--").unwrap(),
            [Part { name: None, is_file: false, value: b"" }]
        );
    }

    #[test]
    fn truncated_forms_are_refused() {
        let whole = "--B\r\nContent-Disposition: form-data; name=\"op\"\r\n\r\ncreate\r\n--B--";
        assert!(parts("B", whole.as_bytes()).is_ok());
        for n in 0..whole.len() {
            assert!(parts("B", &whole.as_bytes()[..n]).is_err(), "{n}");
        }
        let field = "--B\n\n";
        let fields = |number: usize| format!("{}--B--", field.repeat(number));
        assert_eq!(parts("B", fields(MAX_PARTS).as_bytes()).unwrap().len(), MAX_PARTS);
        assert!(parts("B", fields(MAX_PARTS + 1).as_bytes()).is_err());
        // xm 3.0.0 sends a file without a final line feed like this: the boundary is in the middle
        // of a line.
        assert!(parts("B", b"--B\n\n(vm (name a))--B\n\ncreate\n").is_err());
    }

    #[test]
    fn boundaries_are_read_from_the_content_type() {
        let of = |text: &str| boundary(&format!("multipart/form-data; {text}"));
        assert_eq!(of("charset=x; Boundary=abc").unwrap(), "abc");
        assert_eq!(of(r#"boundary="a \"b; c""#).unwrap(), r#"a "b; c"#);
        for bad in [
            "",
            "boundary=",
            "boundary=\"a \"",
            "boundary=ü",
            &format!("boundary={}", "x".repeat(202)),
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}

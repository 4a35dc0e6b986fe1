//! The reader, with limits.

use super::builder::Builder;
use super::bytes::{BARE, ENDS, SPACE, STARTS, class, is};
use super::error::{ReadError, ReadErrorKind};
use super::printer::is_bare;
use super::tree::Sxp;

/// Limits of a text. The reader checks them before it builds anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Length of the text; values above `u32::MAX` count as `u32::MAX`.
    pub bytes: usize,
    /// Levels of lists.
    pub depth: usize,
    /// Atoms and lists together.
    pub count: usize,
}

impl Limits {
    /// Ample for any configuration and harmless to a daemon: a text within these limits takes at
    /// most some 25 MiB.
    pub const DEFAULT: Self = Self { bytes: 1 << 20, depth: 1_000, count: 200_000 };

    /// For texts that the daemon wrote itself: more than any configuration from a wire needs, and
    /// still a limit, since a damaged file can contain anything.
    pub const STORED: Self = Self { bytes: 64 << 20, depth: 2_000, count: 4_000_000 };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Reads all expressions of a text.
pub fn read_all(text: &[u8], limits: &Limits) -> Result<Vec<Sxp>, ReadError> {
    let mut reader = Reader::new(text, limits);
    let mut all = Vec::new();
    while let Some(value) = reader.next()? {
        all.push(value);
    }
    Ok(all)
}

/// Reads a text of exactly one expression.
pub fn read_one(text: &[u8], limits: &Limits) -> Result<Sxp, ReadError> {
    let mut reader = Reader::new(text, limits);
    let Some(value) = reader.next()? else {
        return Err(reader.error(ReadErrorKind::Empty, reader.pos));
    };
    reader.expect_end()?;
    Ok(value)
}

/// Reads the first expression of a text. The rest counts for the limit of bytes only, as in xend.
pub fn read_first(text: &[u8], limits: &Limits) -> Result<Sxp, ReadError> {
    let mut reader = Reader::new(text, limits);
    let first = reader.next()?;
    first.ok_or_else(|| reader.error(ReadErrorKind::Empty, reader.pos))
}

/// Ctrl-D, which ends the text when it stands between values.
const END_OF_TEXT: u8 = 0x04;

/// Reads a text one expression at a time.
///
/// ```
/// use xend_sxp::{Limits, Reader};
///
/// let mut reader = Reader::new(b"(a b) c", &Limits::DEFAULT);
/// assert_eq!(reader.next()?.map(|list| list.to_string()).as_deref(), Some("(a b)"));
/// assert_eq!(reader.next()?.map(|atom| atom.to_string()).as_deref(), Some("c"));
/// assert_eq!(reader.next()?, None);
/// # Ok::<(), xend_sxp::ReadError>(())
/// ```
pub struct Reader<'a> {
    text: &'a [u8],
    limits: Limits,
    pos: usize,
    count: usize,
    builder: Builder,
    unescaped: Vec<u8>,
}

impl<'a> Reader<'a> {
    /// A reader at the start of a text. The limits hold for the whole text.
    pub fn new(text: &'a [u8], limits: &Limits) -> Self {
        Self {
            text,
            limits: *limits,
            pos: 0,
            count: 0,
            builder: Builder::with_room(),
            unescaped: Vec::new(),
        }
    }

    /// The next expression; `None` at the end of the text and after an error.
    #[expect(
        clippy::should_implement_trait,
        reason = "`?` on a result of an option reads better than the reverse"
    )]
    pub fn next(&mut self) -> Result<Option<Sxp>, ReadError> {
        let value = self.expression();
        if value.is_err() {
            *self = Self::new(&[], &self.limits);
        }
        value
    }

    /// Offset of the first byte that is not read yet: the end of the last expression.
    pub fn offset(&self) -> usize {
        self.pos
    }

    fn expression(&mut self) -> Result<Option<Sxp>, ReadError> {
        let bytes = self.limits.bytes.min(u32::MAX as usize);
        if self.text.len() > bytes {
            return Err(self.error(ReadErrorKind::Limit { name: "bytes", max: bytes }, bytes));
        }
        while let Some(byte) = self.skip_space() {
            match byte {
                _ if is(byte, STARTS) => {
                    self.check_count()?;
                    self.word();
                }
                b'(' => {
                    self.check_depth()?;
                    self.check_count()?;
                    self.builder.open(offset(self.pos));
                    self.pos += 1;
                }
                b')' => {
                    if !self.builder.close() {
                        return Err(self.error(ReadErrorKind::Syntax, self.pos));
                    }
                    self.pos += 1;
                }
                b'\'' | b'"' => {
                    self.check_count()?;
                    self.string(byte)?;
                }
                _ => return Err(self.error(ReadErrorKind::InvalidCharacter(byte), self.pos)),
            }
            if let Some(value) = self.builder.take_finished() {
                return Ok(Some(value));
            }
        }
        if self.builder.depth() > 0 {
            return Err(self.error(ReadErrorKind::UnexpectedEof, self.pos));
        }
        Ok(None)
    }

    fn expect_end(&mut self) -> Result<(), ReadError> {
        let kind = match self.skip_space() {
            None => return Ok(()),
            Some(b')') => ReadErrorKind::Syntax,
            Some(byte) if is(byte, STARTS) || matches!(byte, b'(' | b'\'' | b'"') => {
                ReadErrorKind::TrailingExpression
            }
            Some(byte) => ReadErrorKind::InvalidCharacter(byte),
        };
        Err(self.error(kind, self.pos))
    }

    /// Skips spaces and comments and returns the next byte without consuming it; `None` at the end.
    #[inline]
    fn skip_space(&mut self) -> Option<u8> {
        let text = self.text;
        let mut pos = self.pos;
        let found = loop {
            match text.get(pos) {
                Some(&byte) if is(byte, SPACE) => pos += 1,
                Some(b'#') => pos = find(text, pos, |byte| byte == b'\n'),
                Some(&END_OF_TEXT) | None => break None,
                Some(&byte) => break Some(byte),
            }
        };
        self.pos = pos;
        found
    }

    /// Reads an atom without quotes. Its first byte can be one that ends the atom before it.
    #[inline]
    fn word(&mut self) {
        let start = self.pos;
        let mut common = class(self.text[start]);
        self.pos = find(self.text, start + 1, |byte| {
            let class = class(byte);
            let ends = class & ENDS != 0;
            common &= if ends { common } else { class };
            ends
        });
        let text = &self.text[start..self.pos];
        // `@` alone is bare, too.
        self.builder.atom(text, common & BARE != 0 || text == b"@", offset(start));
    }

    #[inline]
    fn string(&mut self, quote: u8) -> Result<(), ReadError> {
        let start = self.pos;
        let end = find(self.text, start + 1, |byte| byte == quote || byte == b'\\');
        if self.text.get(end) == Some(&quote) {
            self.pos = end + 1;
            let text = &self.text[start + 1..end];
            self.builder.atom(text, is_bare(text), offset(start));
            return Ok(());
        }
        self.escaped_string(quote)
    }

    fn escaped_string(&mut self, quote: u8) -> Result<(), ReadError> {
        let start = self.pos;
        self.pos += 1;
        self.unescaped.clear();
        loop {
            let end = find(self.text, self.pos, |byte| byte == quote || byte == b'\\');
            self.unescaped.extend_from_slice(&self.text[self.pos..end]);
            self.pos = end;
            if self.next_byte()? == quote {
                let bare = is_bare(&self.unescaped);
                self.builder.atom(&self.unescaped, bare, offset(start));
                return Ok(());
            }
            self.escape(end)?;
        }
    }

    /// Reads the rest of an escape whose backslash is at `start`.
    fn escape(&mut self, start: usize) -> Result<(), ReadError> {
        let byte = match self.next_byte()? {
            b'a' => 0x07,
            b'b' => 0x08,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 0x0b,
            b'f' => 0x0c,
            b'r' => b'\r',
            byte @ (b'\\' | b'\'' | b'"') => byte,
            digit @ b'0'..=b'7' => self.octal(digit, start)?,
            b'x' => self.hex_digit()? << 4 | self.hex_digit()?,
            other => {
                self.unescaped.push(b'\\');
                other
            }
        };
        self.unescaped.push(byte);
        Ok(())
    }

    fn octal(&mut self, first: u8, start: usize) -> Result<u8, ReadError> {
        let mut value = u16::from(first - b'0');
        for _ in 0..2 {
            let Some(digit @ b'0'..=b'7') = self.text.get(self.pos) else { break };
            value = value << 3 | u16::from(digit - b'0');
            self.pos += 1;
        }
        u8::try_from(value).map_err(|_| self.error(ReadErrorKind::OctalRange(value), start))
    }

    fn hex_digit(&mut self) -> Result<u8, ReadError> {
        match self.next_byte()? {
            digit @ b'0'..=b'9' => Ok(digit - b'0'),
            digit @ b'a'..=b'f' => Ok(digit - b'a' + 10),
            digit @ b'A'..=b'F' => Ok(digit - b'A' + 10),
            other => Err(self.error(ReadErrorKind::HexDigit(other), self.pos - 1)),
        }
    }

    fn next_byte(&mut self) -> Result<u8, ReadError> {
        let Some(&byte) = self.text.get(self.pos) else {
            return Err(self.error(ReadErrorKind::UnexpectedEof, self.pos));
        };
        self.pos += 1;
        Ok(byte)
    }

    #[inline]
    fn check_depth(&self) -> Result<(), ReadError> {
        let max = self.limits.depth;
        if self.builder.depth() < max {
            return Ok(());
        }
        Err(self.error(ReadErrorKind::Limit { name: "depth", max }, self.pos))
    }

    #[inline]
    fn check_count(&mut self) -> Result<(), ReadError> {
        let max = self.limits.count;
        if self.count < max {
            self.count += 1;
            return Ok(());
        }
        Err(self.error(ReadErrorKind::Limit { name: "count", max }, self.pos))
    }

    fn error(&self, kind: ReadErrorKind, offset: usize) -> ReadError {
        ReadError::new(kind, self.text, offset)
    }
}

/// Offset of the first byte from `from` on that is `wanted`; the end when there is none.
#[inline]
fn find(text: &[u8], from: usize, wanted: impl FnMut(u8) -> bool) -> usize {
    text[from..].iter().copied().position(wanted).map_or(text.len(), |distance| from + distance)
}

/// An offset as the tree stores it. [`Limits::bytes`] keeps it from saturating.
fn offset(pos: usize) -> u32 {
    u32::try_from(pos).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(text: &str) -> (ReadErrorKind, usize) {
        let error = read_one(text.as_bytes(), &Limits::DEFAULT).unwrap_err();
        (error.kind(), error.offset())
    }

    fn text_of(text: &str) -> Vec<u8> {
        read_one(text.as_bytes(), &Limits::DEFAULT).unwrap().as_bytes().unwrap().to_vec()
    }

    #[test]
    fn escapes() {
        assert_eq!(text_of(r"'\a\b\t\n\v\f\r\\\'\x22'"), b"\x07\x08\t\n\x0b\x0c\r\\'\"");
        assert_eq!(text_of(r"'caf\xc3\xA9'"), "caf\u{e9}".as_bytes());
        assert_eq!(text_of(r"'\1018\0'"), b"A8\0");
        assert_eq!(text_of(r"'\q\8\X'"), br"\q\8\X");
        assert_eq!(text_of("'\\\n'"), b"\\\n");
    }

    #[test]
    fn errors_have_kind_and_offset() {
        use ReadErrorKind::{
            Empty, HexDigit, InvalidCharacter, OctalRange, Syntax, TrailingExpression,
            UnexpectedEof,
        };
        for (text, kind, offset) in [
            ("", Empty, 0),
            (" # nothing", Empty, 10),
            ("\u{4}(a)", Empty, 0),
            (" )", Syntax, 1),
            ("(a) )", Syntax, 4),
            ("(a) b", TrailingExpression, 4),
            ("(a)''", TrailingExpression, 3),
            ("(a) \u{1}", InvalidCharacter(1), 4),
            ("(a \u{7f})", InvalidCharacter(127), 3),
            ("(a", UnexpectedEof, 2),
            ("(a # b", UnexpectedEof, 6),
            ("(a \u{4})", UnexpectedEof, 3),
            ("(a 'b\\", UnexpectedEof, 6),
            (r"'a\x", UnexpectedEof, 4),
            (r"'a\x4g'", HexDigit(b'g'), 5),
            (r"'a\777'", OctalRange(0o777), 2),
        ] {
            assert_eq!(failure(text), (kind, offset), "{text}");
        }
    }

    #[test]
    fn limits_are_exact_and_named_in_the_error() {
        let limits = Limits { bytes: 12, depth: 2, count: 4 };
        for (text, offset, words) in [
            ("((a) b      ", None, "unexpected EOF"),
            ("((a) b       ", Some(12), "bytes limit of 12 exceeded"),
            ("((())", Some(2), "depth limit of 2 exceeded"),
            ("(a b c d)", Some(7), "count limit of 4 exceeded"),
            ("() () '' a b", Some(11), "count limit of 4 exceeded"),
        ] {
            let error = read_all(text.as_bytes(), &limits).unwrap_err();
            assert_eq!(error.to_string(), words, "{text}");
            assert_eq!(error.offset(), offset.unwrap_or(text.len()), "{text}");
        }
        assert_eq!(read_all(b"((a) b)", &limits).unwrap().len(), 1);
        assert_eq!(read_all(b"a b c d", &limits).unwrap().len(), 4);
    }

    #[test]
    fn a_reader_stands_at_the_end_of_the_last_expression() {
        let mut reader = Reader::new(b" (a 'b c') d# e", &Limits::DEFAULT);
        for end in [10, 12, 15] {
            reader.next().unwrap();
            assert_eq!(reader.offset(), end);
        }
    }

    #[test]
    fn nothing_is_read_after_an_error() {
        let mut reader = Reader::new(b"a ) b", &Limits::DEFAULT);
        assert!(reader.next().unwrap().is_some());
        assert!(reader.next().is_err());
        assert_eq!(reader.next(), Ok(None));
    }
}

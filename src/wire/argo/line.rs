//! Lines of a client, read without any I/O.

use std::mem;

/// The longest line, in bytes, without its end.
pub const MAX_LINE: usize = 1024;

/// A line of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A line of text without its end.
    Text(String),
    /// A line that is longer than [`MAX_LINE`]. Reported as soon as it is, once.
    TooLong,
    /// A line that is not UTF-8, or has control characters.
    NotText,
}

/// Puts lines together from bytes as they arrive.
///
/// A line ends with LF, CR LF or telnet's CR NUL. Telnet's negotiation of options is skipped. What
/// has arrived of a line is kept, up to [`MAX_LINE`] bytes; a line that has no end is no line.
#[derive(Debug, Default)]
pub struct LineReader {
    telnet: Telnet,
    line: Vec<u8>,
    /// Whether the last byte was a CR, which may be a part of the end.
    after_cr: bool,
    /// Whether the rest of the line is skipped.
    skipping: bool,
}

impl LineReader {
    /// Takes bytes off the front of `input` until a line is complete; `None` if more are needed.
    pub fn next(&mut self, input: &mut &[u8]) -> Option<Line> {
        while let Some((byte, rest)) = input.split_first() {
            *input = rest;
            if let Some(line) = self.telnet.data(*byte).and_then(|byte| self.add(byte)) {
                return Some(line);
            }
        }
        None
    }

    /// Adds a byte of data to the line.
    fn add(&mut self, byte: u8) -> Option<Line> {
        let after_cr = mem::take(&mut self.after_cr);
        match byte {
            b'\n' => return self.end(),
            0 if after_cr => return self.end(),
            b'\r' if !after_cr => {
                self.after_cr = true;
                return None;
            }
            _ => {}
        }
        if self.skipping {
            return None;
        }
        if after_cr {
            self.line.push(b'\r');
        }
        self.line.push(byte);
        if self.line.len() > MAX_LINE {
            self.skipping = true;
            self.line = Vec::new();
            return Some(Line::TooLong);
        }
        None
    }

    /// The line that has ended, unless it was reported before.
    fn end(&mut self) -> Option<Line> {
        if mem::take(&mut self.skipping) {
            return None;
        }
        let is_control = |c: char| c.is_control() && c != '\t';
        Some(match String::from_utf8(mem::take(&mut self.line)) {
            Ok(text) if !text.contains(is_control) => Line::Text(text),
            _ => Line::NotText,
        })
    }
}

/// The place in telnet's commands (RFC 854), which begin with IAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Telnet {
    /// Between commands.
    #[default]
    Data,
    /// After IAC.
    Command,
    /// After WILL, WONT, DO or DONT, which an option follows.
    Option,
    /// Within the parameters of an option.
    Parameters,
    /// After IAC within the parameters.
    ParametersCommand,
}

impl Telnet {
    const END_OF_PARAMETERS: u8 = 240;
    const PARAMETERS: u8 = 250;
    const WILL: u8 = 251;
    const DONT: u8 = 254;
    const IAC: u8 = 255;

    /// The byte, if it is data.
    fn data(&mut self, byte: u8) -> Option<u8> {
        let (next, data) = match (*self, byte) {
            (Self::Data, Self::IAC) => (Self::Command, None),
            (Self::Data, _) | (Self::Command, Self::IAC) => (Self::Data, Some(byte)),
            (Self::Command, Self::WILL..=Self::DONT) => (Self::Option, None),
            (Self::Command, Self::PARAMETERS) => (Self::Parameters, None),
            (Self::Command | Self::Option, _)
            | (Self::ParametersCommand, Self::END_OF_PARAMETERS) => (Self::Data, None),
            (Self::Parameters, Self::IAC) => (Self::ParametersCommand, None),
            (Self::Parameters | Self::ParametersCommand, _) => (Self::Parameters, None),
        };
        *self = next;
        data
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The lines of pieces that arrive one after the other.
    fn lines<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Line> {
        let mut reader = LineReader::default();
        let mut found = Vec::new();
        for mut piece in pieces {
            while let Some(line) = reader.next(&mut piece) {
                found.push(line);
            }
            assert!(reader.line.len() <= MAX_LINE);
        }
        found
    }

    fn text(line: &str) -> Line {
        Line::Text(line.to_owned())
    }

    #[test]
    fn lines_end_in_three_ways() {
        let read = lines([&b"one\ntwo\r\nthree\r\0\n\r\nhalf"[..]]);
        assert_eq!(read, [text("one"), text("two"), text("three"), text(""), text("")]);
    }

    #[test]
    fn negotiation_is_skipped() {
        let read = lines([
            &b"\xff\xfb\x18\xff\xfd\x03p\xff\xf1ause \xff\xfa\x18\0ab\n\xff\xff\xff\xf0lj\n"[..],
        ]);
        assert_eq!(read, [text("pause lj")]);
        assert_eq!(lines([&b"\xff\xff\n"[..]]), [Line::NotText], "a doubled IAC is data");
    }

    #[test]
    fn a_long_line_is_reported_once_and_skipped() {
        let longest = "x".repeat(MAX_LINE);
        let input = format!("{longest}\r\n{longest}y{longest}\nnop\n");
        assert_eq!(lines([input.as_bytes()]), [text(&longest), Line::TooLong, text("nop")]);
    }

    #[test]
    fn lines_that_are_no_text_are_told_apart() {
        let read = lines([&b"caf\xe9\na\0b\na\rb\nx\r\r\na\tb\n\xc3\xa9\n"[..]]);
        let no = Line::NotText;
        assert_eq!(read, [no.clone(), no.clone(), no.clone(), no, text("a\tb"), text("é")]);
    }

    /// Bytes that mean something to the reader, more often than others.
    fn byte() -> impl Strategy<Value = u8> {
        let special = prop::sample::select(b"\xff\xfb\xfa\xf0\r\n\0ab \"".to_vec());
        prop_oneof![4 => special, 1 => any::<u8>()]
    }

    proptest! {
        /// However bytes are split into packets, the lines are the same.
        #[test]
        fn packets_make_no_difference(
            bytes in prop::collection::vec(byte(), 0..3000),
            cuts in prop::collection::vec(1_usize..200, 1..20),
        ) {
            let whole = lines([bytes.as_slice()]);
            prop_assert_eq!(&whole, &lines(bytes.chunks(1)));
            let mut pieces = Vec::new();
            let mut rest = bytes.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            prop_assert_eq!(whole, lines(pieces));
        }

        /// A text comes back as it was, with any end and with negotiation in the middle.
        #[test]
        fn texts_come_back(
            words in "[ -~\u{e9}\u{4e00}]{0,300}",
            end in prop::sample::select(vec!["\n", "\r\n", "\r\0"]),
            at in 0_usize..300,
        ) {
            let mut bytes = [words.as_bytes(), end.as_bytes()].concat();
            let at = at.min(words.len());
            bytes.splice(at..at, *b"\xff\xfd\x01");
            prop_assert_eq!(lines([bytes.as_slice()]), [text(&words)]);
        }
    }
}

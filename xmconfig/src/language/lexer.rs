//! The words of a file.

use super::literal::{Prefix, newline, number, string};
use super::value::Data;
use crate::error::Fault;

/// A word of a file. It has no `Debug`, since a string can be a password.
pub(super) enum Token<'a> {
    Name(&'a str),
    /// A string or a number.
    Literal(Data),
    /// An operator, bracket or separator.
    Sign(&'static str),
    /// The end of a line outside of brackets.
    Newline,
    /// The end of the file.
    End,
}

/// The signs of Python, each before its own beginning. Those without a use here are named in
/// errors.
const SIGNS: [&str; 45] = [
    "**=", "//=", "<<=", ">>=", "**", "//", "<<", ">>", "==", "!=", "<>", "<=", ">=", "+=", "-=",
    "*=", "/=", "%=", "&=", "|=", "^=", "(", ")", "[", "]", "{", "}", ",", ":", ";", ".", "+", "-",
    "*", "/", "%", "=", "<", ">", "&", "|", "^", "~", "@", "`",
];

/// Reads a file word by word. A copy reads ahead.
#[derive(Clone)]
pub(super) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    /// Open brackets: the end of a line within them is space.
    open: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        let mark = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        Self { text, at: mark, open: 0 }
    }

    /// The next word and its offset.
    pub(super) fn next(&mut self) -> Result<(Token<'a>, u32), Fault> {
        self.skip_space()?;
        let start = self.at;
        let rest = self.text.get(start..).unwrap_or_default();
        let token = match rest {
            [] => Token::End,
            [b'\n' | b'\r', ..] => {
                self.at += newline(rest);
                Token::Newline
            }
            [b'0'..=b'9', ..] | [b'.', b'0'..=b'9', ..] => {
                let (data, end) = number(self.text, start)?;
                self.at = end;
                Token::Literal(data)
            }
            _ => self.word_or_sign(rest)?,
        };
        Ok((token, offset(start)))
    }

    /// The column of an offset, from 0. A tab goes on to the next multiple of 8, as in Python 2.
    pub(super) fn column(&self, offset: u32) -> usize {
        let after =
            |column, byte: &u8| if *byte == b'\t' { column / 8 * 8 + 8 } else { column + 1 };
        let before = self.text.get(..offset as usize).unwrap_or_default();
        let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let line = before.rsplit(is_end).next().unwrap_or_default();
        line.iter().fold(0, after)
    }

    fn word_or_sign(&mut self, rest: &'a [u8]) -> Result<Token<'a>, Fault> {
        let in_word = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        let length = rest.iter().take_while(in_word).count();
        let (word, after) = rest.split_at(length);
        if let ([b'\'' | b'"', ..], Some(prefix)) = (after, Prefix::of(word)) {
            let (bytes, end) = string(self.text, self.at + length, prefix)?;
            self.at = end;
            return Ok(Token::Literal(Data::Text(bytes)));
        }
        if !word.is_empty() {
            self.at += length;
            return Ok(Token::Name(std::str::from_utf8(word).unwrap_or_default()));
        }
        let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign.as_bytes())) else {
            let reason = "this character is not allowed outside of strings and comments";
            return Err(Fault::new(offset(self.at), reason));
        };
        match sign {
            "(" | "[" | "{" => self.open += 1,
            ")" | "]" | "}" => self.open = self.open.saturating_sub(1),
            _ => {}
        }
        self.at += sign.len();
        Ok(Token::Sign(sign))
    }

    /// Skips blanks, comments and continued lines.
    fn skip_space(&mut self) -> Result<(), Fault> {
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            self.at += match rest {
                [b' ' | b'\t' | b'\x0c', ..] => 1,
                [b'#', ..] => rest.iter().take_while(|byte| !matches!(byte, b'\n' | b'\r')).count(),
                [b'\n' | b'\r', ..] if self.open > 0 => newline(rest),
                [b'\\', after @ ..] => match newline(after) {
                    0 => {
                        let reason = "a backslash outside of a string must end its line";
                        return Err(Fault::new(offset(self.at), reason));
                    }
                    length => 1 + length,
                },
                _ => return Ok(()),
            };
        }
    }
}

/// The limit on a file's length keeps offsets below 2^32.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut lexer = Lexer::new(text.as_bytes());
        let mut words = Vec::new();
        loop {
            words.push(match lexer.next() {
                Ok((Token::Name(name), at)) => format!("{at}:{name}"),
                Ok((Token::Literal(data), at)) => {
                    format!("{at}:{}", String::from_utf8_lossy(&data.repr()))
                }
                Ok((Token::Sign(sign), at)) => format!("{at}:{sign}"),
                Ok((Token::Newline, at)) => format!("{at}:newline"),
                Ok((Token::End, _)) => return words,
                Err(fault) => {
                    words.push(format!("{}:fault", fault.offset()));
                    return words;
                }
            });
        }
    }

    #[test]
    fn words_have_their_offsets() {
        assert_eq!(
            words("\u{feff}a = 'b' # c\r\nd+=[1,\n\n 2]\\\n//3\rr"),
            [
                "3:a",
                "5:=",
                "7:'b'",
                "14:newline",
                "16:d",
                "17:+=",
                "19:[",
                "20:1",
                "21:,",
                "25:2",
                "26:]",
                "29://",
                "31:3",
                "32:newline",
                "33:r"
            ]
        );
        assert_eq!(words("a\\b"), ["0:a", "1:fault"]);
        assert_eq!(words("a\u{e9}"), ["0:a", "1:fault"]);
        assert_eq!(words("a\0"), ["0:a", "1:fault"]);
        assert_eq!(words("a='b"), ["0:a", "1:=", "2:fault"]);
        assert_eq!(words("x'a'"), ["0:x", "1:'a'"]);
    }

    #[test]
    fn longer_signs_come_before_shorter_ones() {
        for (n, sign) in SIGNS.iter().enumerate() {
            assert!(!SIGNS[..n].iter().any(|before| sign.starts_with(before)), "{sign}");
        }
    }
}

//! The words of a line.

use std::borrow::Cow;

/// A quote without its end, or with something right behind its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadQuotes;

/// Splits a line into words. They are separated by blanks; a word that begins with `"` or `'` ends
/// with the same mark and may hold blanks. Between `"`, `\"` stands for `"` and `\\` for `\`.
/// Everywhere else quotes and backslashes are ordinary characters.
pub fn split_words(line: &str) -> Result<Vec<String>, BadQuotes> {
    let mut words = Vec::new();
    let mut rest = line.trim_start_matches(is_blank);
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '"' | '\'' => quoted_word(rest.get(1..).unwrap_or_default(), first)?,
            _ => {
                let end = rest.find(is_blank).unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                (word.to_owned(), after)
            }
        };
        words.push(word);
        rest = after.trim_start_matches(is_blank);
    }
    Ok(words)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

/// The word up to the closing `quote`, and the rest of the line.
fn quoted_word(text: &str, quote: char) -> Result<(String, &str), BadQuotes> {
    let mut word = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next().ok_or(BadQuotes)? {
            end if end == quote => break,
            '\\' if quote == '"' => match chars.next().ok_or(BadQuotes)? {
                escaped @ ('"' | '\\') => word.push(escaped),
                other => word.extend(['\\', other]),
            },
            other => word.push(other),
        }
    }
    let rest = chars.as_str();
    if rest.is_empty() || rest.starts_with(is_blank) { Ok((word, rest)) } else { Err(BadQuotes) }
}

/// The text as one word of a line.
pub(super) fn as_word(text: &str) -> Cow<'_, str> {
    if !text.is_empty() && !text.contains(is_blank) && !text.starts_with(['"', '\'']) {
        return text.into();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_split_on_blanks() {
        let cases: [(&str, &[&str]); 8] = [
            ("", &[]),
            (" \t ", &[]),
            (" pause\t lj ", &["pause", "lj"]),
            ("auth steve \"a b\"", &["auth", "steve", "a b"]),
            ("auth steve 'a \"b\\'", &["auth", "steve", "a \"b\\"]),
            (r#"auth steve "\"a\\ \n""#, &["auth", "steve", r#""a\ \n"#]),
            ("auth st'eve a\"b\\", &["auth", "st'eve", "a\"b\\"]),
            ("'' \"\"", &["", ""]),
        ];
        for (line, words) in cases {
            assert_eq!(split_words(line).unwrap(), words, "{line}");
        }
    }

    #[test]
    fn quotes_must_be_closed_before_a_blank() {
        for line in ["\"", "a \"b", "'a", "\"a\\\"", "\"a\"b", "'a''b'"] {
            assert_eq!(split_words(line), Err(BadQuotes), "{line}");
        }
    }

    proptest! {
        #[test]
        fn a_text_is_one_word(text in "[^\n\r]{0,40}") {
            prop_assert_eq!(split_words(&as_word(&text)), Ok(vec![text]));
        }

        #[test]
        fn any_line_is_split_or_refused(line in ".{0,100}") {
            let _ = split_words(&line);
        }
    }
}

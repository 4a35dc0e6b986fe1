//! What Python has and a configuration file cannot have.

use super::lexer::Token;

/// Python's keywords.
#[rustfmt::skip]
const KEYWORDS: [&str; 31] = [
    "and", "as", "assert", "break", "class", "continue", "def", "del", "elif", "else", "except",
    "exec", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "not", "or",
    "pass", "print", "raise", "return", "try", "while", "with", "yield",
];

/// Signs that have a meaning here; the others are only known by name.
const USED_SIGNS: [&str; 17] =
    ["=", "+=", "+", "-", "*", "/", "//", "%", "(", ")", "[", "]", "{", "}", ",", ":", ";"];

pub(super) fn is_keyword(name: &str) -> bool {
    KEYWORDS.contains(&name)
}

/// The reason why a word is refused wherever it stands; `None` if it only stands in a wrong place.
pub(super) fn unsupported(token: &Token<'_>) -> Option<String> {
    let what = match *token {
        Token::Name(name) if is_keyword(name) => name,
        Token::Sign("(") => "a call",
        Token::Sign("[") => "an index",
        Token::Sign(".") => "an attribute",
        Token::Sign(sign) if !USED_SIGNS.contains(&sign) => sign,
        _ => return None,
    };
    Some(format!(
        "{what} is not supported: a file only sets variables to strings, numbers, lists, tuples, \
         dictionaries, earlier variables, and + - * / // % str() int() of these"
    ))
}

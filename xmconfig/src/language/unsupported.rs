//! What Python has and a configuration file cannot have.

use super::lexer::Token;

/// Python's keywords.
#[rustfmt::skip]
const KEYWORDS: [&str; 31] = [
    "and", "as", "assert", "break", "class", "continue", "def", "del", "elif", "else", "except",
    "exec", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "not", "or",
    "pass", "print", "raise", "return", "try", "while", "with", "yield",
];

/// Keywords that have a meaning here, where they stand in their place.
const USED_KEYWORDS: [&str; 10] =
    ["and", "elif", "else", "if", "import", "in", "is", "not", "or", "pass"];

const SUPPORTED: &str = "a file sets variables to strings, numbers, lists, tuples, dictionaries \
                         and what operators, str() int() len() max() min() and methods of strings make of them";

/// Whether a word is one of Python's.
pub(super) fn is_keyword(name: &str) -> bool {
    KEYWORDS.contains(&name)
}

/// The reason why a word is refused wherever it stands; `None` if it only stands in a wrong place.
pub(super) fn unsupported(token: &Token<'_>) -> Option<String> {
    let (what, instead) = match *token {
        Token::Name(name) if is_keyword(name) && !USED_KEYWORDS.contains(&name) => {
            (name, instead_of(name))
        }
        Token::Sign("(") => ("a call", SUPPORTED),
        Token::Sign("[") => ("an item that is set", "set the whole list"),
        Token::Sign(sign @ ("@" | "`")) => (sign, SUPPORTED),
        _ => return None,
    };
    Some(format!("{what} is not supported: {instead}"))
}

fn instead_of(keyword: &str) -> &'static str {
    match keyword {
        "def" => {
            "leave out the function and xm_vars, write int(NAME) for a number, and give NAME=VALUE \
             on the command line"
        }
        "for" | "while" => "write the items one by one",
        "from" => "leave the line out, and write values instead of what was imported",
        "print" => "leave the line out",
        "assert" | "exec" | "raise" | "try" | "except" | "finally" => {
            "leave it out: a file checks nothing and runs nothing"
        }
        _ => SUPPORTED,
    }
}

/// The reason why a module cannot be imported.
pub(super) fn unsupported_module(name: &str) -> String {
    format!("{name} cannot be imported: leave it out, and write values instead of what it told")
}

/// The reason why a function cannot be called.
pub(super) fn unsupported_call(path: &str) -> String {
    let instead = match path {
        "os.uname" => "only os.uname()[0] and os.uname()[4] are, the system and the processor",
        path if path.starts_with("os.") || path.starts_with("sys.") => {
            "a file asks nothing of the host. Write the value, or give it as NAME=VALUE on the \
             command line"
        }
        path if path.starts_with("xm_vars") => instead_of("def"),
        "range" => instead_of("for"),
        _ => SUPPORTED,
    };
    format!("{path} is not supported: {instead}")
}

/// The reason why a method cannot be called.
pub(super) fn unsupported_method(name: &str) -> String {
    match name {
        "append" | "extend" | "insert" => {
            format!("{name} is a statement of its own: write LIST.append(ITEM) or LIST += [ITEM]")
        }
        "format" => "format is not supported: write 'TEXT %s' % VALUE".to_owned(),
        _ => format!(
            "{name} is not supported: strings have upper lower strip lstrip rstrip replace split \
             join startswith endswith"
        ),
    }
}

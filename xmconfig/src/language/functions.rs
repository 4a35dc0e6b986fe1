//! Functions of Python that have a meaning here.

use super::budget::Budget;
use super::numbers::extreme;
use super::operators::{to_int, to_string};
use super::text::contains;
use super::value::{Data, Value};
use std::cmp::Ordering;

/// The modules that a file may import. What is not a [`Function`] in them is refused where it is
/// used.
const MODULES: [&str; 5] = ["os", "os.path", "re", "string", "sys"];

/// A function.
#[derive(Clone, Copy)]
pub(super) enum Function {
    Str,
    Int,
    Len,
    Max,
    Min,
    /// `re.search`, of a pattern that is plain text.
    Search,
    /// `re.match`, of a pattern that is plain text.
    Match,
}

impl Function {
    /// The function of a module, or without one.
    pub(super) fn named(module: &str, name: &str) -> Option<Self> {
        match (module, name) {
            ("", "str") => Some(Self::Str),
            ("", "int") => Some(Self::Int),
            ("", "len") => Some(Self::Len),
            ("", "max") => Some(Self::Max),
            ("", "min") => Some(Self::Min),
            ("re", "search") => Some(Self::Search),
            ("re", "match") => Some(Self::Match),
            _ => None,
        }
    }
}

/// Whether a file may import a module of this name.
pub(super) fn is_module(name: &str) -> bool {
    MODULES.contains(&name)
}

/// Calls a function. The error is the reason.
pub(super) fn call(
    function: Function,
    arguments: &[Value],
    budget: &mut Budget,
) -> Result<Data, String> {
    match (function, arguments) {
        (Function::Str, [value]) => to_string(&value.data, budget),
        (Function::Int, [value]) => to_int(&value.data),
        (Function::Len, [value]) => length(&value.data),
        (Function::Max, arguments) => extreme("max", Ordering::Greater, items_of(arguments)),
        (Function::Min, arguments) => extreme("min", Ordering::Less, items_of(arguments)),
        (Function::Str | Function::Int | Function::Len, _) => {
            Err("one value is expected within the brackets".to_owned())
        }
        (Function::Search | Function::Match, [pattern, text]) => {
            let (Data::Text(pattern), Data::Text(text)) = (&pattern.data, &text.data) else {
                return Err("a pattern and a string are expected".to_owned());
            };
            if pattern.iter().any(|byte| br"\.^$*+?{}[]|()".contains(byte)) {
                return Err("only patterns of plain text are supported: write 'PART' in TEXT, \
                            TEXT.startswith('PART') or TEXT.endswith('PART')"
                    .to_owned());
            }
            Ok(Data::Bool(match function {
                Function::Match => text.starts_with(pattern),
                _ => contains(text, pattern),
            }))
        }
        (Function::Search | Function::Match, _) => {
            Err("a pattern and a string are expected".to_owned())
        }
    }
}

/// The items of a single list or tuple, else the arguments themselves.
fn items_of(arguments: &[Value]) -> &[Value] {
    match arguments {
        [Value { data: Data::List(items) | Data::Tuple(items), .. }] => items,
        arguments => arguments,
    }
}

fn length(data: &Data) -> Result<Data, String> {
    let length = match data {
        Data::Text(text) => text.len(),
        Data::List(items) | Data::Tuple(items) => items.len(),
        Data::Dict(entries) => entries.len(),
        other => return Err(format!("len() does not take {}", other.kind())),
    };
    Ok(Data::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

//! Conversion to and from `lexpr` values, for Rust programs that use that crate.
//!
//! To `lexpr`, an atom becomes a number if it is an integer in its usual form, a symbol if `lexpr`
//! reads it as one, a string if it is UTF-8, and bytes otherwise. Nothing is lost: converting back
//! gives the same tree.
//!
//! From `lexpr`, every value with a text becomes that text: numbers and booleans as the printer
//! prints them, symbols, strings, keywords and characters as they are. Lists, vectors, the empty
//! list and nil become lists. Dotted pairs have no counterpart.

use super::atom::Atom;
use super::builder::Builder;
use super::bytes::all_bare;
use super::printer;
use super::reader::Limits;
use super::tree::Sxp;
use super::walk::{Token, Walk};
use lexpr::Value;
use std::error::Error;
use std::fmt;
use std::slice;

/// Limit of the cells between the root of a `lexpr` value and any part of it.
///
/// `lexpr` drops, clones and compares values by recursion, one call per cell, along a list as well
/// as into it. The longest path through a value decides whether that overflows the stack; this
/// length fits even the small stacks of worker threads.
const MAX_PATH: usize = 4_096;

/// A value that cannot be converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BridgeError {
    /// More levels of lists than this.
    Depth(usize),
    /// More atoms and lists than this.
    Count(usize),
    /// A longer path of cells from the root than this.
    Length(usize),
    /// A pair whose second half is not a list.
    Dotted,
}

impl fmt::Display for BridgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Depth(max) => write!(f, "depth limit of {max} exceeded"),
            Self::Count(max) => write!(f, "count limit of {max} exceeded"),
            Self::Length(max) => write!(f, "length limit of {max} exceeded"),
            Self::Dotted => f.write_str("a dotted pair is not a list"),
        }
    }
}

impl Error for BridgeError {}

/// Checks the reader's limits.
#[derive(Default)]
struct LimitCheck {
    count: usize,
}

impl LimitCheck {
    fn add(&mut self, depth: usize) -> Result<(), BridgeError> {
        let Limits { depth: max_depth, count: max_count, .. } = Limits::DEFAULT;
        if depth > max_depth {
            return Err(BridgeError::Depth(max_depth));
        }
        if self.count == max_count {
            return Err(BridgeError::Count(max_count));
        }
        self.count += 1;
        Ok(())
    }
}

impl TryFrom<&Sxp> for Value {
    type Error = BridgeError;

    fn try_from(expression: &Sxp) -> Result<Self, BridgeError> {
        let mut limits = LimitCheck::default();
        // The finished elements of all open lists, outermost list first.
        let mut values = Vec::new();
        let mut open = Vec::new();
        for token in Walk::new(slice::from_ref(expression)) {
            if values.len() + open.len() >= MAX_PATH {
                return Err(BridgeError::Length(MAX_PATH));
            }
            match token {
                Token::Open(_) => {
                    limits.add(open.len() + 1)?;
                    open.push(values.len());
                }
                Token::Atom(atom) => {
                    limits.add(open.len())?;
                    values.push(atom_value(atom));
                }
                Token::Close => {
                    let items = values.drain(open.pop().unwrap_or(0)..);
                    let list = items.rev().fold(Value::Null, |rest, item| Value::cons(item, rest));
                    values.push(list);
                }
            }
        }
        Ok(values.pop().unwrap_or(Value::Null))
    }
}

impl TryFrom<Sxp> for Value {
    type Error = BridgeError;

    fn try_from(expression: Sxp) -> Result<Self, BridgeError> {
        Self::try_from(&expression)
    }
}

fn atom_value(atom: &Atom) -> Value {
    let Some(text) = atom.as_str() else {
        return Value::bytes(atom.as_bytes());
    };
    if let Some(number) = integer(text) {
        return number;
    }
    if text.starts_with(|first: char| first.is_ascii_alphabetic()) && all_bare(text.as_bytes()) {
        Value::symbol(text)
    } else {
        Value::string(text)
    }
}

/// The number that prints as exactly this text, which `007`, `+1` and `-0` are not.
fn integer(text: &str) -> Option<Value> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if text == "0" {
        return Some(Value::from(0));
    }
    if !digits.starts_with(|first: char| matches!(first, '1'..='9')) {
        return None;
    }
    text.parse::<u64>().map(Value::from).or_else(|_| text.parse::<i64>().map(Value::from)).ok()
}

impl TryFrom<&Value> for Sxp {
    type Error = BridgeError;

    fn try_from(value: &Value) -> Result<Self, BridgeError> {
        let mut limits = LimitCheck::default();
        let mut builder = Builder::default();
        let mut open = Vec::new();
        let mut next = Some(value);
        loop {
            match next.map(|value| (value, Elements::of(value))) {
                Some((_, Some(elements))) => {
                    limits.add(builder.depth() + 1)?;
                    builder.open(0);
                    open.push(elements);
                }
                Some((atom, None)) => {
                    limits.add(builder.depth())?;
                    builder.push(value_atom(atom));
                }
                None => {
                    open.pop();
                    builder.close();
                }
            }
            if let Some(value) = builder.take_finished() {
                return Ok(value);
            }
            next = open.last_mut().map_or(Ok(None), Elements::next)?;
        }
    }
}

impl TryFrom<Value> for Sxp {
    type Error = BridgeError;

    fn try_from(value: Value) -> Result<Self, BridgeError> {
        Self::try_from(&value)
    }
}

/// The remaining elements of a list or vector.
enum Elements<'a> {
    Cells(&'a Value),
    Items(slice::Iter<'a, Value>),
}

impl<'a> Elements<'a> {
    /// All elements; `None` when the value is neither a list nor a vector.
    fn of(value: &'a Value) -> Option<Self> {
        match value {
            Value::Nil | Value::Null | Value::Cons(_) => Some(Self::Cells(value)),
            Value::Vector(items) => Some(Self::Items(items.iter())),
            _ => None,
        }
    }

    fn next(&mut self) -> Result<Option<&'a Value>, BridgeError> {
        match self {
            Self::Items(items) => Ok(items.next()),
            Self::Cells(rest) => match *rest {
                Value::Cons(cell) => {
                    *rest = cell.cdr();
                    Ok(Some(cell.car()))
                }
                Value::Null | Value::Nil => Ok(None),
                _ => Err(BridgeError::Dotted),
            },
        }
    }
}

fn value_atom(value: &Value) -> Atom {
    let mut text = Vec::new();
    match value {
        Value::Bool(value) => printer::boolean(&mut text, *value),
        Value::Number(number) => {
            if let Some(number) = number.as_u64() {
                printer::uint(&mut text, number);
            } else if let Some(number) = number.as_i64() {
                printer::int(&mut text, number);
            } else if let Some(number) = number.as_f64() {
                printer::float(&mut text, number);
            }
        }
        Value::Char(character) => return Atom::new(character.encode_utf8(&mut [0; 4])),
        Value::String(name) | Value::Symbol(name) | Value::Keyword(name) => {
            return Atom::new(&**name);
        }
        Value::Bytes(bytes) => return Atom::new(bytes),
        Value::Nil | Value::Null | Value::Cons(_) | Value::Vector(_) => {}
    }
    Atom::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_one;
    use lexpr::sexp;

    fn read(text: &str) -> Sxp {
        read_one(text.as_bytes(), &Limits::DEFAULT).unwrap()
    }

    #[test]
    fn a_value_of_the_sexp_macro_is_a_configuration() {
        let vm = Sxp::try_from(sexp!((vm (name web1) (memory 128)))).unwrap();
        assert_eq!(vm, read("(vm (name web1) (memory 128))"));
        assert_eq!(Value::try_from(&vm).unwrap(), sexp!((vm (name web1) (memory 128))));
    }

    #[test]
    fn values_with_a_text_become_that_text() {
        let value = sexp!((a "b c" #:d 1 (-2) 1.5 #t #f () #nil #(f (g))));
        assert_eq!(
            Sxp::try_from(&value).unwrap(),
            read("(a 'b c' d 1 (-2) 1.5 True False () () (f (g)))")
        );
        assert_eq!(Sxp::try_from(Value::from('\u{e9}')).unwrap(), read("'\u{e9}'"));
        assert_eq!(Sxp::try_from(Value::bytes([0xff])).unwrap(), read(r"'\xff'"));
        assert_eq!(Sxp::try_from(Value::from(u64::MAX)).unwrap(), read("18446744073709551615"));
    }

    #[test]
    fn atoms_become_numbers_symbols_strings_or_bytes() {
        for (text, value) in [
            ("web1", Value::symbol("web1")),
            ("phy:/dev/vg0/x", Value::symbol("phy:/dev/vg0/x")),
            ("128", Value::from(128)),
            ("-128", Value::from(-128)),
            ("0", Value::from(0)),
            ("007", Value::string("007")),
            ("-0", Value::string("-0")),
            ("'+1'", Value::string("+1")),
            ("1.5", Value::string("1.5")),
            ("99999999999999999999", Value::string("99999999999999999999")),
            ("00:16:3e:01:02:03", Value::string("00:16:3e:01:02:03")),
            ("/boot/vmlinuz", Value::string("/boot/vmlinuz")),
            ("'ro quiet'", Value::string("ro quiet")),
            ("''", Value::string("")),
            (r"'\xff'", Value::bytes([0xff])),
            ("()", Value::Null),
        ] {
            assert_eq!(Value::try_from(read(text)).unwrap(), value, "{text}");
            assert_eq!(Sxp::try_from(value).unwrap(), read(text), "{text}");
        }
    }

    #[test]
    fn a_dotted_pair_is_refused() {
        for value in [sexp!((a.b)), sexp!((x (a b . c))), Value::vector([Value::cons(1, 2)])] {
            assert_eq!(Sxp::try_from(value), Err(BridgeError::Dotted));
        }
        assert_eq!(
            Sxp::try_from(Value::cons(Value::symbol("a"), Value::Nil)).unwrap(),
            read("(a)")
        );
    }

    #[test]
    fn a_tree_that_lexpr_cannot_drop_is_refused() {
        let flat = |len| Sxp::list((0..len).map(|_| Sxp::from("x")));
        assert!(Value::try_from(flat(MAX_PATH - 2)).is_ok());
        assert_eq!(Value::try_from(flat(100_000)), Err(BridgeError::Length(MAX_PATH)));

        let nested = |levels| {
            (0..levels)
                .fold(flat(99), |inner, _| flat(99).tail().iter().cloned().chain([inner]).collect())
        };
        assert!(Value::try_from(nested(30)).is_ok());
        assert_eq!(Value::try_from(nested(60)), Err(BridgeError::Length(MAX_PATH)));

        // Wide, but without a long path.
        assert!(Value::try_from(Sxp::list((0..1_000).map(|_| flat(100)))).is_ok());
    }

    #[test]
    fn depth_is_bounded_both_ways() {
        let deep = |levels| (0..levels).fold(Sxp::from("x"), |inner, _| Sxp::list([inner]));
        let value = Value::try_from(deep(1_000)).unwrap();
        assert_eq!(Value::try_from(deep(1_001)), Err(BridgeError::Depth(1_000)));
        assert_eq!(Sxp::try_from(&value).unwrap(), deep(1_000));
        assert_eq!(Sxp::try_from(Value::list([value])), Err(BridgeError::Depth(1_000)));
    }

    #[test]
    fn count_is_bounded() {
        let row = Value::vector(vec![0; 1_000]);
        let table = Value::vector(vec![row; 200]);
        assert_eq!(Sxp::try_from(table), Err(BridgeError::Count(200_000)));
    }
}

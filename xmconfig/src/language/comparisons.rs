//! Operators whose results are truth values.

use super::numbers::compared;
use super::text::contains;
use super::value::{Data, Value};
use std::cmp::Ordering;

/// A key and a value.
type Entry = (Value, Value);

/// An operator whose result is a truth value.
#[derive(Clone, Copy)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
    Is,
    IsNot,
}

/// Compares two values as Python 2 does. The error is the reason.
pub(super) fn compare(left: &Data, operator: Comparison, right: &Data) -> Result<bool, String> {
    match operator {
        Comparison::Equal => Ok(is_equal(left, right)),
        Comparison::NotEqual => Ok(!is_equal(left, right)),
        Comparison::Less => Ok(order(left, right)?.is_lt()),
        Comparison::LessOrEqual => Ok(order(left, right)?.is_le()),
        Comparison::Greater => Ok(order(left, right)?.is_gt()),
        Comparison::GreaterOrEqual => Ok(order(left, right)?.is_ge()),
        Comparison::In => is_in(left, right),
        Comparison::NotIn => Ok(!is_in(left, right)?),
        Comparison::Is => is_same(left, right),
        Comparison::IsNot => Ok(!is_same(left, right)?),
    }
}

/// Whether Python takes two values for equal. The limit on a value's depth bounds the recursion.
pub(super) fn is_equal(left: &Data, right: &Data) -> bool {
    let all = |left: &[Value], right: &[Value]| {
        left.len() == right.len()
            && left.iter().zip(right).all(|(left, right)| is_equal(&left.data, &right.data))
    };
    match (left, right) {
        (Data::None, Data::None) => true,
        (Data::Text(left), Data::Text(right)) => left == right,
        (Data::List(left), Data::List(right)) | (Data::Tuple(left), Data::Tuple(right)) => {
            all(left, right)
        }
        // In the order of the text, which two equal dictionaries of a file have as a rule.
        (Data::Dict(left), Data::Dict(right)) => {
            let is_equal_entry = |((key, value), (other_key, other)): (&Entry, &Entry)| {
                is_equal(&key.data, &other_key.data) && is_equal(&value.data, &other.data)
            };
            left.len() == right.len() && left.iter().zip(right).all(is_equal_entry)
        }
        (left, right) => compared(left, right) == Some(Ordering::Equal),
    }
}

fn order(left: &Data, right: &Data) -> Result<Ordering, String> {
    match (left, right) {
        (Data::Text(left), Data::Text(right)) => Ok(left.cmp(right)),
        (left, right) => compared(left, right).ok_or_else(|| {
            let hint = match (left, right) {
                (Data::Text(_), _) | (_, Data::Text(_)) => ", int() makes a number of a string",
                _ => "",
            };
            format!("{} and {} have no order{hint}", left.kind(), right.kind())
        }),
    }
}

fn is_in(item: &Data, container: &Data) -> Result<bool, String> {
    match (item, container) {
        (Data::Text(part), Data::Text(text)) => Ok(contains(text, part)),
        (item, Data::List(items) | Data::Tuple(items)) => {
            Ok(items.iter().any(|other| is_equal(item, &other.data)))
        }
        (item, Data::Dict(entries)) => Ok(entries.iter().any(|(key, _)| is_equal(item, &key.data))),
        (item, other) => Err(format!("in does not take {} and {}", item.kind(), other.kind())),
    }
}

/// Python's `is`, of the values that exist once.
fn is_same(left: &Data, right: &Data) -> Result<bool, String> {
    match (left, right) {
        (Data::None, other) | (other, Data::None) => Ok(*other == Data::None),
        (Data::Bool(left), Data::Bool(right)) => Ok(left == right),
        _ => Err("is only compares with None, True and False: write ==".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(left: &Data, operator: Comparison, right: &Data) -> String {
        match compare(left, operator, right) {
            Ok(is_true) => is_true.to_string(),
            Err(reason) => reason,
        }
    }

    #[test]
    fn values_compare_as_in_python_2() {
        let text = |text: &str| Data::Text(text.into());
        let value = |data: &Data| Value { offset: 7, data: data.clone() };
        let list = |data: &[Data]| Data::List(data.iter().map(value).collect());
        for (left, operator, right, wanted) in [
            (Data::Int(1), Comparison::Equal, Data::Float(1.0), "true"),
            (Data::Int(1), Comparison::Equal, text("1"), "false"),
            (Data::Int(1), Comparison::NotEqual, Data::Bool(true), "false"),
            (Data::Int(i64::MAX), Comparison::Greater, Data::Int(i64::MAX - 1), "true"),
            (Data::Int(1), Comparison::LessOrEqual, Data::Float(0.5), "false"),
            (text("a"), Comparison::Less, text("b"), "true"),
            (text("b"), Comparison::GreaterOrEqual, text("b"), "true"),
            (text("64"), Comparison::In, text("x86_64"), "true"),
            (text("64"), Comparison::NotIn, text("i686"), "true"),
            (text("a"), Comparison::In, list(&[text("a")]), "true"),
            (list(&[text("a")]), Comparison::Equal, list(&[text("a")]), "true"),
            (list(&[]), Comparison::Equal, Data::Tuple(Vec::new()), "false"),
            (Data::None, Comparison::Is, Data::None, "true"),
            (Data::None, Comparison::IsNot, text(""), "true"),
            (
                text(""),
                Comparison::Is,
                text(""),
                "is only compares with None, True and False: write ==",
            ),
            (Data::Int(1), Comparison::In, text("1"), "in does not take a number and a string"),
            (
                text("2"),
                Comparison::Less,
                Data::Int(1),
                "a string and a number have no order, int() makes a number of a string",
            ),
            (list(&[]), Comparison::Less, list(&[]), "a list and a list have no order"),
        ] {
            assert_eq!(compared(&left, operator, &right), wanted, "{left:?} {right:?}");
        }
        let dict = |key: &str| Data::Dict(vec![(value(&text(key)), value(&Data::None))]);
        assert!(is_equal(&dict("a"), &dict("a")) && !is_equal(&dict("a"), &dict("b")));
        assert_eq!(compared(&text("a"), Comparison::In, &dict("a")), "true");
    }
}

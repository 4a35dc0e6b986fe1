//! Operators and functions.

use super::budget::Budget;
use super::format::format;
use super::numbers::{calculated, integer_of};
use super::value::{Data, Value};
use std::iter::repeat_n;

/// Applies an operator between two values as Python 2 does. The error is the reason.
pub(super) fn apply(
    sign: &str,
    left: Data,
    right: Data,
    budget: &mut Budget,
) -> Result<Data, String> {
    let result = match (sign, left, right) {
        ("+", Data::Text(mut left), Data::Text(right)) => {
            left.extend_from_slice(&right);
            Data::Text(left)
        }
        ("+", Data::List(mut left), Data::List(right)) => {
            left.extend(right);
            Data::List(left)
        }
        ("+", Data::Tuple(mut left), Data::Tuple(right)) => {
            left.extend(right);
            Data::Tuple(left)
        }
        ("%", Data::Text(text), right) => return format(&text, &right, budget).map(Data::Text),
        ("*", left @ (Data::Text(_) | Data::List(_) | Data::Tuple(_)), Data::Int(times)) => {
            return repeated(&left, times, budget);
        }
        ("*", Data::Int(times), right @ (Data::Text(_) | Data::List(_) | Data::Tuple(_))) => {
            return repeated(&right, times, budget);
        }
        (sign, left, right) => calculated(sign, &left, &right)?,
    };
    // The parts of a sum were charged when they were read.
    budget.charge(1, 0)?;
    Ok(result)
}

fn repeated(data: &Data, times: i64, budget: &mut Budget) -> Result<Data, String> {
    let times = usize::try_from(times).unwrap_or(0);
    let copies = |items: &Vec<Value>| repeat_n(items, times).flatten().cloned().collect();
    budget.charge_copies(data, times)?;
    Ok(match data {
        Data::Text(text) => Data::Text(text.repeat(times)),
        Data::List(items) => Data::List(copies(items)),
        Data::Tuple(items) => Data::Tuple(copies(items)),
        other => other.clone(),
    })
}

/// `str(...)`.
pub(super) fn to_string(data: &Data, budget: &mut Budget) -> Result<Data, String> {
    let text = data.to_text();
    budget.charge(1, text.len())?;
    Ok(Data::Text(text))
}

/// `int(...)`.
pub(super) fn to_int(data: &Data) -> Result<Data, String> {
    integer_of(data)
        .map(Data::Int)
        .ok_or_else(|| format!("int() does not take this, {} of a whole number can", data.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::numbers::signed;

    fn calculate(left: Data, sign: &str, right: Data) -> Result<String, String> {
        let data = apply(sign, left, right, &mut Budget::new())?;
        Ok(String::from_utf8(data.repr()).unwrap())
    }

    #[test]
    fn numbers_are_calculated_as_by_python_2() {
        let int = Data::Int;
        let float = Data::Float;
        for (left, sign, right, wanted) in [
            (int(7), "/", int(2), "3"),
            (int(-7), "/", int(2), "-4"),
            (int(7), "//", int(-2), "-4"),
            (int(-7), "%", int(3), "2"),
            (int(7), "%", int(-3), "-2"),
            (int(6), "%", int(-3), "0"),
            (int(2), "*", float(0.5), "1.0"),
            (float(7.0), "/", int(2), "3.5"),
            (float(-7.0), "//", int(2), "-4.0"),
            (float(-7.0), "%", int(3), "2.0"),
            (float(6.0), "%", int(-3), "0.0"),
            (int(100), "//", float(0.01), "9999.0"),
            (int(1), "-", int(2), "-1"),
            (Data::Bool(true), "+", int(1), "2"),
            (int(2), "**", int(10), "1024"),
            (int(2), "**", int(-1), "0.5"),
            (float(2.0), "**", int(3), "8.0"),
            (int(1), "<<", int(10), "1024"),
            (int(-5), ">>", int(1), "-3"),
            (int(1), ">>", int(100), "0"),
            (int(6), "&", int(3), "2"),
            (int(6), "|", int(3), "7"),
            (int(6), "^", int(3), "5"),
        ] {
            let shown = format!("{sign} {wanted}");
            assert_eq!(calculate(left, sign, right).as_deref(), Ok(wanted), "{shown}");
        }
    }

    #[test]
    fn what_cannot_be_calculated_is_an_error() {
        let text = || Data::Text(b"secret".to_vec());
        for (left, sign, right, wanted) in [
            (Data::Int(1), "/", Data::Int(0), "division by zero"),
            (Data::Float(1.0), "%", Data::Float(0.0), "division by zero"),
            (Data::Int(i64::MAX), "+", Data::Int(1), "the result is too large"),
            (Data::Int(i64::MIN), "/", Data::Int(-1), "the result is too large"),
            (Data::Int(2), "**", Data::Int(63), "the result is too large"),
            (Data::Int(2), "**", Data::Int(i64::MAX), "the result is too large"),
            (Data::Int(1), "<<", Data::Int(63), "the result is too large"),
            (Data::Int(1), "<<", Data::Int(i64::MAX), "the result is too large"),
            (Data::Int(1), "<<", Data::Int(-1), "<< does not take a negative number of bits"),
            (Data::Int(1), "&", Data::Float(1.0), "& takes whole numbers"),
            (Data::Int(i64::MIN), "%", Data::Int(-1), "the result is too large"),
            (Data::Float(1e308), "*", Data::Int(10), "the result is too large"),
            (
                text(),
                "+",
                Data::Int(1),
                "+ does not take a string and a number, str() makes a string of it",
            ),
            (Data::List(Vec::new()), "+", text(), "+ does not take a list and a string"),
            (text(), "-", text(), "- does not take a string and a string"),
            (text(), "*", Data::Int(1 << 40), "the file has more than 100000 values"),
            (
                Data::Int(50_000),
                "*",
                Data::Text(vec![b'x'; 1000]),
                "the file's strings are longer than 8388608 bytes",
            ),
        ] {
            assert_eq!(calculate(left, sign, right), Err(wanted.to_owned()), "{sign} {wanted}");
        }
        assert!(to_int(&text()).is_err() && signed(b'-', text()).is_err());
        assert!(signed(b'+', text()).is_err() && signed(b'~', Data::Float(1.0)).is_err());
    }

    #[test]
    fn text_and_lists_are_joined_and_repeated() {
        let text = |text: &str| Data::Text(text.into());
        assert_eq!(calculate(text("a"), "+", text("b")).as_deref(), Ok("'ab'"));
        assert_eq!(calculate(text("ab"), "*", Data::Int(2)).as_deref(), Ok("'abab'"));
        assert_eq!(calculate(Data::Int(-2), "*", text("ab")).as_deref(), Ok("''"));
        assert!(to_int(&text(" 12 ")).unwrap() == Data::Int(12));
        assert!(to_int(&Data::Float(-1.9)).unwrap() == Data::Int(-1));
        assert!(to_int(&Data::Float(1e19)).is_err());
    }
}

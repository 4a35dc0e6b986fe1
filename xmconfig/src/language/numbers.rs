//! Numbers.

use super::value::{Data, Value};
use std::cmp::Ordering;

/// A number that operators take.
#[derive(Clone, Copy)]
enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    fn of(data: &Data) -> Option<Self> {
        match data {
            Data::Bool(on) => Some(Self::Int(i64::from(*on))),
            Data::Int(number) => Some(Self::Int(*number)),
            Data::Float(number) => Some(Self::Float(*number)),
            _ => None,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "Python rounds here, too")]
    fn float(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Float(number) => number,
        }
    }
}

/// Applies an operator to two numbers. The error is the reason.
pub(super) fn calculated(sign: &str, left: &Data, right: &Data) -> Result<Data, String> {
    let (Some(one), Some(other)) = (Number::of(left), Number::of(right)) else {
        let hint = match (sign, left, right) {
            ("+", Data::Text(_), Data::Int(_) | Data::Float(_)) => ", str() makes a string of it",
            _ => "",
        };
        return Err(format!("{sign} does not take {} and {}{hint}", left.kind(), right.kind()));
    };
    let is_of_bits = matches!(sign, "<<" | ">>" | "&" | "|" | "^");
    let is_of_integers = matches!((one, other), (Number::Int(_), Number::Int(_)));
    if is_of_bits && !is_of_integers {
        return Err(format!("{sign} takes whole numbers"));
    }
    if matches!(sign, "<<" | ">>") && other.float() < 0.0 {
        return Err(format!("{sign} does not take a negative number of bits"));
    }
    let is_division = matches!(sign, "/" | "//" | "%");
    if is_division && other.float() == 0.0 {
        return Err("division by zero".to_owned());
    }
    let data = match (one, other) {
        (Number::Int(one), Number::Int(other)) if sign != "**" || other >= 0 => {
            whole(sign, one, other).map(Data::Int)
        }
        (one, other) => Some(fractional(sign, one.float(), other.float()))
            .filter(|n| n.is_finite())
            .map(Data::Float),
    };
    data.ok_or_else(|| "the result is too large".to_owned())
}

/// `None` if the result is too large.
fn whole(sign: &str, one: i64, other: i64) -> Option<i64> {
    // Python rounds down, Rust towards zero.
    let rounds_down = |rest: i64| rest != 0 && (rest < 0) != (other < 0);
    match sign {
        "+" => one.checked_add(other),
        "-" => one.checked_sub(other),
        "*" => one.checked_mul(other),
        "**" => one.checked_pow(u32::try_from(other).ok()?),
        "<<" => one.checked_mul(1_i64.checked_shl(u32::try_from(other).ok()?).filter(|n| *n > 0)?),
        ">>" => Some(one >> other.min(63)),
        "&" => Some(one & other),
        "|" => Some(one | other),
        "^" => Some(one ^ other),
        "%" => {
            let rest = one.checked_rem(other)?;
            Some(if rounds_down(rest) { rest + other } else { rest })
        }
        _ => {
            let rest = one.checked_rem(other)?;
            Some(one.checked_div(other)? - i64::from(rounds_down(rest)))
        }
    }
}

fn fractional(sign: &str, one: f64, other: f64) -> f64 {
    let rest = one % other;
    let rest = if rest != 0.0 && (rest < 0.0) != (other < 0.0) { rest + other } else { rest };
    match sign {
        "+" => one + other,
        "-" => one - other,
        "*" => one * other,
        "/" => one / other,
        "%" => rest,
        "**" => one.powf(other),
        _ => ((one - rest) / other).round(),
    }
}

/// How two numbers compare; `None` if one is no number.
pub(super) fn compared(left: &Data, right: &Data) -> Option<Ordering> {
    match (Number::of(left)?, Number::of(right)?) {
        (Number::Int(left), Number::Int(right)) => Some(left.cmp(&right)),
        (left, right) => left.float().partial_cmp(&right.float()),
    }
}

/// A number behind `+`, `-` or `~`.
pub(super) fn signed(sign: u8, data: Data) -> Result<Data, String> {
    let refused = || format!("{} does not take {}", char::from(sign), data.kind());
    match (sign, Number::of(&data)) {
        (_, None) => Err(refused()),
        (b'~', Some(Number::Int(number))) => Ok(Data::Int(!number)),
        (b'~', Some(Number::Float(_))) => Err("~ takes a whole number".to_owned()),
        (b'-', Some(_)) => calculated("-", &Data::Int(0), &data).map_err(|_| refused()),
        (_, Some(_)) => Ok(data),
    }
}

/// The largest number, or the smallest. The error is the reason.
pub(super) fn extreme(name: &str, wanted: Ordering, numbers: &[Value]) -> Result<Data, String> {
    let refused = || format!("{name}() takes numbers");
    let mut numbers = numbers.iter().map(|value| &value.data);
    let mut found = numbers.next().filter(|data| Number::of(data).is_some()).ok_or_else(refused)?;
    for data in numbers {
        if compared(data, found).ok_or_else(refused)? == wanted {
            found = data;
        }
    }
    Ok(found.clone())
}

/// The whole number that a value is or has as its text. Fractions are cut off.
pub(crate) fn integer_of(data: &Data) -> Option<i64> {
    match data {
        Data::Text(text) => std::str::from_utf8(text).ok()?.trim().parse().ok(),
        Data::Float(number) => whole_part(*number),
        other => match Number::of(other)? {
            Number::Int(number) => Some(number),
            Number::Float(number) => whole_part(number),
        },
    }
}

fn whole_part(number: f64) -> Option<i64> {
    // Both bounds are exact as floats.
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number);
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked, fractions are cut")]
    fits.then_some(number as i64)
}

/// The number that a value is, as a float.
pub(super) fn float_of(data: &Data) -> Option<f64> {
    Number::of(data).map(Number::float)
}

//! Methods of strings, and parts of values.

use super::budget::Budget;
use super::comparisons::is_equal;
use super::text::{count, replace, split};
use super::value::{Data, Value};

/// A method of strings.
#[derive(Clone, Copy)]
pub(super) enum Method {
    EndsWith,
    Join,
    Lower,
    Replace,
    Split,
    StartsWith,
    Strip,
    StripLeft,
    StripRight,
    Upper,
}

impl Method {
    /// The method that Python calls so.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "endswith" => Self::EndsWith,
            "join" => Self::Join,
            "lower" => Self::Lower,
            "lstrip" => Self::StripLeft,
            "replace" => Self::Replace,
            "rstrip" => Self::StripRight,
            "split" => Self::Split,
            "startswith" => Self::StartsWith,
            "strip" => Self::Strip,
            "upper" => Self::Upper,
            _ => return None,
        })
    }
}

/// Applies a method to a value that has a place in the file. The error is the reason.
pub(super) fn apply_method(
    method: Method,
    value: &Value,
    arguments: &[Value],
    budget: &mut Budget,
) -> Result<Data, String> {
    let Data::Text(text) = &value.data else {
        return Err(format!("{} has no such method, strings have", value.data.kind()));
    };
    if let Method::Join = method {
        return join(text, arguments, budget);
    }
    let arguments: Vec<&[u8]> = arguments
        .iter()
        .map(|argument| match &argument.data {
            Data::Text(text) => Ok(text.as_slice()),
            other => Err(format!("the method takes strings, not {}", other.kind())),
        })
        .collect::<Result<_, _>>()?;
    let result = match (method, arguments.as_slice()) {
        (Method::Upper, []) => Data::Text(text.to_ascii_uppercase()),
        (Method::Lower, []) => Data::Text(text.to_ascii_lowercase()),
        (Method::Strip, [] | [_]) => Data::Text(stripped(text, &arguments, true, true)),
        (Method::StripLeft, [] | [_]) => Data::Text(stripped(text, &arguments, true, false)),
        (Method::StripRight, [] | [_]) => Data::Text(stripped(text, &arguments, false, true)),
        (Method::StartsWith, [part]) => Data::Bool(text.starts_with(part)),
        (Method::EndsWith, [part]) => Data::Bool(text.ends_with(part)),
        (Method::Replace, [old, new]) if !old.is_empty() => {
            let longer = count(text, old).saturating_mul(new.len());
            budget.charge(0, longer)?;
            Data::Text(replace(text, old, new))
        }
        (Method::Split, []) => {
            let is_space = |byte: &u8| byte.is_ascii_whitespace();
            let words = text.split(is_space).filter(|word| !word.is_empty());
            return parts(words.map(<[u8]>::to_vec), value.offset, budget);
        }
        (Method::Split, [separator]) if !separator.is_empty() => {
            budget.charge(count(text, separator), 0)?;
            return parts(split(text, separator).into_iter(), value.offset, budget);
        }
        _ => return Err("the method takes other values".to_owned()),
    };
    budget.charge(1, text.len())?;
    Ok(result)
}

fn stripped(text: &[u8], unwanted: &[&[u8]], left: bool, right: bool) -> Vec<u8> {
    let is_unwanted = |byte: &&u8| match unwanted.first() {
        Some(bytes) => bytes.contains(byte),
        None => byte.is_ascii_whitespace(),
    };
    let start = if left { text.iter().take_while(is_unwanted).count() } else { 0 };
    let text = text.get(start..).unwrap_or_default();
    let end = if right { text.iter().rev().take_while(is_unwanted).count() } else { 0 };
    text.get(..text.len() - end).unwrap_or_default().to_vec()
}

/// A list of strings, whose place is that of the whole.
fn parts(
    texts: impl Iterator<Item = Vec<u8>>,
    offset: u32,
    budget: &mut Budget,
) -> Result<Data, String> {
    let mut items = Vec::new();
    for text in texts {
        budget.charge(1, text.len())?;
        items.push(Value { offset, data: Data::Text(text) });
    }
    budget.charge(1, 0)?;
    Ok(Data::List(items))
}

fn join(separator: &[u8], arguments: &[Value], budget: &mut Budget) -> Result<Data, String> {
    let [Value { data: Data::List(items) | Data::Tuple(items), .. }] = arguments else {
        return Err("join() takes a list of strings".to_owned());
    };
    let mut joined = Vec::new();
    for (n, item) in items.iter().enumerate() {
        let Data::Text(text) = &item.data else {
            return Err("join() takes a list of strings".to_owned());
        };
        let separator = if n == 0 { &b""[..] } else { separator };
        budget.charge(0, separator.len() + text.len())?;
        joined.extend_from_slice(separator);
        joined.extend_from_slice(text);
    }
    budget.charge(1, 0)?;
    Ok(Data::Text(joined))
}

/// `data[place]`. The error is the reason.
pub(super) fn index(data: Data, place: &Data) -> Result<Data, String> {
    let missing = || "there is no item of this number".to_owned();
    match (data, place) {
        (Data::Dict(entries), key) => {
            let found = entries.into_iter().rev().find(|(known, _)| is_equal(&known.data, key));
            found.map(|(_, value)| value.data).ok_or_else(|| "there is no such key".to_owned())
        }
        (Data::List(mut items) | Data::Tuple(mut items), Data::Int(number)) => {
            let at = position(*number, items.len()).filter(|at| *at < items.len());
            Ok(items.swap_remove(at.ok_or_else(missing)?).data)
        }
        (Data::Text(text), Data::Int(number)) => {
            let byte = position(*number, text.len()).and_then(|at| text.get(at).copied());
            byte.map(|byte| Data::Text(vec![byte])).ok_or_else(missing)
        }
        (data, place) => Err(format!("{} is no index of {}", place.kind(), data.kind())),
    }
}

/// `data[from:to]`. The error is the reason.
pub(super) fn slice(data: Data, from: Option<&Data>, to: Option<&Data>) -> Result<Data, String> {
    let length = match &data {
        Data::Text(text) => text.len(),
        Data::List(items) | Data::Tuple(items) => items.len(),
        other => return Err(format!("{} has no parts", other.kind())),
    };
    let bound = |bound: Option<&Data>, otherwise: usize| match bound {
        None | Some(Data::None) => Ok(otherwise),
        Some(Data::Int(number)) => Ok(position(*number, length).unwrap_or(0).min(length)),
        Some(other) => Err(format!("{} is no index", other.kind())),
    };
    let from = bound(from, 0)?;
    let to = bound(to, length)?.max(from);
    let mut data = data;
    match &mut data {
        Data::Text(text) => {
            text.truncate(to);
            text.drain(..from);
        }
        Data::List(items) | Data::Tuple(items) => {
            items.truncate(to);
            items.drain(..from);
        }
        _ => {}
    }
    Ok(data)
}

/// A position from the start; a negative one counts from the end. `None` if it is before the start.
fn position(number: i64, length: usize) -> Option<usize> {
    match usize::try_from(number) {
        Ok(number) => Some(number),
        Err(_) => length.checked_sub(usize::try_from(number.unsigned_abs()).ok()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Data {
        Data::Text(text.into())
    }

    fn shown(data: Result<Data, String>) -> String {
        data.map_or_else(|reason| reason, |data| String::from_utf8(data.repr()).unwrap())
    }

    fn applied(data: &Data, name: &str, arguments: &[Data]) -> String {
        let value = |data: &Data| Value { offset: 0, data: data.clone() };
        let arguments: Vec<Value> = arguments.iter().map(value).collect();
        let method = Method::named(name).unwrap();
        shown(apply_method(method, &value(data), &arguments, &mut Budget::new()))
    }

    #[test]
    fn strings_have_pythons_methods() {
        for (data, name, arguments, wanted) in [
            (" a b ", "strip", &[][..], "'a b'"),
            ("xax", "lstrip", &[text("x")], "'ax'"),
            ("xax", "rstrip", &[text("yx")], "'xa'"),
            ("   ", "strip", &[], "''"),
            ("aB", "upper", &[], "'AB'"),
            ("aB", "lower", &[], "'ab'"),
            ("a.b.c", "replace", &[text("."), text("--")], "'a--b--c'"),
            ("\u{e9}.a", "replace", &[text("."), text("")], "'\\xc3\\xa9a'"),
            ("web1", "startswith", &[text("web")], "True"),
            ("web1", "endswith", &[text("2")], "False"),
            (" a  b ", "split", &[], "['a', 'b']"),
            ("a,,b", "split", &[text(",")], "['a', '', 'b']"),
            ("", "split", &[text(",")], "['']"),
            ("a", "replace", &[text(""), text("x")], "the method takes other values"),
            ("a", "upper", &[text("")], "the method takes other values"),
            ("a", "strip", &[Data::Int(1)], "the method takes strings, not a number"),
            ("a", "join", &[Data::Int(1)], "join() takes a list of strings"),
        ] {
            assert_eq!(applied(&text(data), name, arguments), wanted, "{data:?}.{name}");
        }
        let two = Value { offset: 3, data: text("a b") };
        let words = apply_method(Method::Split, &two, &[], &mut Budget::new()).unwrap();
        assert_eq!(applied(&text(", "), "join", &[words]), "'a, b'");
        assert!(applied(&Data::Int(1), "upper", &[]).starts_with("a number has no such method"));
    }

    #[test]
    fn what_methods_make_is_limited() {
        let long = text(&"x".repeat(100_000));
        let error = applied(&long, "replace", &[text("x"), text(&"y".repeat(100))]);
        assert!(error.contains("longer than"), "{error}");
        let error = applied(&text(&",".repeat(200_000)), "split", &[text(",")]);
        assert!(error.contains("more than 100000 values"), "{error}");
    }

    #[test]
    fn parts_are_counted_from_both_ends() {
        let at = |place: i64| shown(index(text("abc"), &Data::Int(place)));
        assert_eq!([at(0), at(2), at(-1), at(-3)], ["'a'", "'c'", "'c'", "'a'"]);
        for place in [3, -4, i64::MIN, i64::MAX] {
            assert_eq!(at(place), "there is no item of this number");
        }
        let part = |from: Option<i64>, to: Option<i64>| {
            shown(slice(text("abcd"), from.map(Data::Int).as_ref(), to.map(Data::Int).as_ref()))
        };
        assert_eq!(part(Some(1), Some(3)), "'bc'");
        assert_eq!(part(None, Some(-1)), "'abc'");
        assert_eq!(part(Some(-2), None), "'cd'");
        assert_eq!(part(Some(3), Some(1)), "''");
        assert_eq!(part(Some(i64::MIN), Some(i64::MAX)), "'abcd'");
        assert_eq!(shown(index(Data::None, &Data::Int(0))), "a number is no index of None");
    }
}

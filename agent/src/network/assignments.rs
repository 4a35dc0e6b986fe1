//! Files of shell assignments, `KEY=value`, as distributions have them in `/etc/sysconfig` and
//! `/etc/conf.d`. They are edited, not made anew: other people's lines stay.

use super::files::{NewFile, read_text};
use crate::root::Root;
use std::io;

/// A file with these assignments, see [`edit`].
pub(super) fn edit_file(
    root: &Root,
    path: impl Into<String>,
    new: &[(String, String)],
    is_ours: impl Fn(&str) -> bool,
) -> io::Result<NewFile> {
    let path = path.into();
    let old = read_text(root, &path)?.unwrap_or_default();
    Ok(NewFile::new(path, edit(&old, new, is_ours)))
}

/// Changes the assignments of a file and keeps everything else. Those in `new` stand where the same
/// key stood, or at the end; other keys for which `is_ours` holds are removed. Values in `new` are
/// complete, with quotes where they need them.
pub(super) fn edit(old: &str, new: &[(String, String)], is_ours: impl Fn(&str) -> bool) -> String {
    let mut text = String::with_capacity(old.len());
    let mut written = vec![false; new.len()];
    for statement in statements(old) {
        let Some((key, old_value)) = assignment(statement) else {
            text.push_str(statement);
            continue;
        };
        let Some(at) = new.iter().position(|(new_key, _)| new_key == key) else {
            if !is_ours(key) {
                text.push_str(statement);
            }
            continue;
        };
        let (Some((_, value)), Some(is_written)) = (new.get(at), written.get_mut(at)) else {
            continue;
        };
        if *is_written {
            continue;
        }
        *is_written = true;
        // The same value with other quotes stays as it is.
        if unquoted(old_value) == unquoted(value) && statement.ends_with('\n') {
            text.push_str(statement);
        } else {
            text.push_str(&assign(key, value));
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for ((key, value), _) in new.iter().zip(written).filter(|(_, is_written)| !is_written) {
        text.push_str(&assign(key, value));
    }
    text
}

fn assign(key: &str, value: &str) -> String {
    format!("{key}={value}\n")
}

/// The value of a key; the last one if it is assigned several times.
pub(super) fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let assignments = statements(text).filter_map(assignment);
    assignments.filter(|(other, _)| *other == key).last().map(|(_, value)| unquoted(value))
}

/// The lines of a text; lines within quotes, or after `\`, belong to the line before. The final
/// newline is a part.
fn statements(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (statement, after) = rest.split_at(statement_length(rest));
        rest = after;
        (!statement.is_empty()).then_some(statement)
    })
}

fn statement_length(text: &str) -> usize {
    let mut quote = None;
    let mut is_escaped = false;
    let mut is_comment = false;
    let mut before = '\n';
    for (at, character) in text.char_indices() {
        let is_end = character == '\n' && quote.is_none() && !is_escaped;
        if is_end {
            return at + 1;
        }
        if is_escaped {
            is_escaped = false;
        } else if !is_comment {
            match (character, quote) {
                ('\\', None | Some('"')) => is_escaped = true,
                ('#', None) if before.is_ascii_whitespace() => is_comment = true,
                ('"' | '\'', None) => quote = Some(character),
                (_, Some(open)) if open == character => quote = None,
                _ => {}
            }
        }
        before = character;
    }
    text.len()
}

/// The key and the value of a statement that assigns something.
fn assignment(statement: &str) -> Option<(&str, &str)> {
    let statement = statement.trim();
    let (key, value) = statement.strip_prefix("export ").unwrap_or(statement).split_once('=')?;
    let is_key = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    is_key.then_some((key, value))
}

fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        let inner = value.strip_prefix(quote).and_then(|value| value.strip_suffix(quote));
        if let Some(inner) = inner.filter(|inner| !inner.contains(['"', '\'', '\\', '$'])) {
            return inner;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn other_lines_stay() {
        let old =
            "# mine\nZONE=public\nIPADDR=\"192.0.2.1\"\nIPADDR1=192.0.2.2\n\nif x; then y; fi\n";
        let new = edit(old, &set(&[("IPADDR", "203.0.113.10"), ("ONBOOT", "yes")]), |key| {
            key.starts_with("IPADDR")
        });
        let expected = "# mine\nZONE=public\nIPADDR=203.0.113.10\n\nif x; then y; fi\nONBOOT=yes\n";
        assert_eq!(new, expected);
    }

    #[test]
    fn what_is_right_is_not_touched() {
        let old = "export DEVICE='eth0'\nONBOOT=\"yes\"\n";
        assert_eq!(edit(old, &set(&[("DEVICE", "eth0"), ("ONBOOT", "yes")]), |_| true), old);
    }

    #[test]
    fn a_key_that_is_assigned_twice_is_assigned_once() {
        assert_eq!(edit("A=1\nB=2\nA=3\n", &set(&[("A", "4")]), |_| false), "A=4\nB=2\n");
    }

    #[test]
    fn values_have_several_lines() {
        let old =
            "config_eth0=\"192.0.2.1/24\n192.0.2.2/24\"\n# it's \"mine\nA=1\nB='x\ny' \\\n z\n";
        let new = edit(old, &set(&[("B", "2")]), |key| key == "config_eth0");
        assert_eq!(new, "# it's \"mine\nA=1\nB=2\n");
    }

    #[test]
    fn a_file_without_a_final_newline_gets_one() {
        assert_eq!(edit("A=1", &set(&[("B", "2")]), |_| false), "A=1\nB=2\n");
        assert_eq!(edit("", &set(&[("B", "2")]), |_| false), "B=2\n");
        assert_eq!(edit("B=1\nA=\"1", &set(&[("B", "2")]), |_| false), "B=2\nA=\"1\n");
    }

    #[test]
    fn the_last_value_counts() {
        assert_eq!(value("A=1\n#A=2\nA='3'\n", "A"), Some("3"));
        assert_eq!(value("AB=1\n", "A"), None);
    }
}

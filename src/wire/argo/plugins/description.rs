//! What a program says about itself when it is run with `--describe`.

use crate::core::rights::{Need, Right};
use crate::wire::argo::signature::Signature;
use std::borrow::Cow;

/// The longest value of a key, in bytes.
const MAX_VALUE: usize = 200;

/// The description of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Description {
    pub(super) signature: Signature,
    /// The user as whom it runs; `None` for the default.
    pub(super) run_as: Option<String>,
}

impl Description {
    /// Reads the output of the command `name`: lines of `key: value`. The error is one line.
    pub(super) fn parse(name: &str, text: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(text).map_err(|_| "the description is not UTF-8")?;
        let mut arguments = String::new();
        let mut right = None;
        let mut help = String::new();
        let mut run_as = None;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let invalid = || format!("key: value is expected in place of {line:?}");
            let (key, value) = line.split_once(':').ok_or_else(invalid)?;
            let value = value.trim();
            if value.len() > MAX_VALUE || value.chars().any(char::is_control) {
                return Err(format!("{key}: too long, or not one line"));
            }
            match key.trim() {
                "arguments" => value.clone_into(&mut arguments),
                "right" => right = Some(value),
                "help" => value.clone_into(&mut help),
                "run-as" => run_as = Some(value.to_owned()),
                _ => return Err(format!("{key}: unknown, use arguments, right, help or run-as")),
            }
        }
        if help.is_empty() {
            return Err("help: missing".to_owned());
        }
        check_arguments(&arguments)?;
        let mut signature = Signature {
            name: Cow::Owned(name.to_owned()),
            arguments: arguments.split_whitespace().collect::<Vec<_>>().join(" ").into(),
            need: Need::Operator,
            help: help.into(),
        };
        signature.need = need(right, signature.is_on_instance())?;
        Ok(Self { signature, run_as })
    }
}

fn check_arguments(arguments: &str) -> Result<(), String> {
    let mut optional = false;
    for (at, argument) in arguments.split_whitespace().enumerate() {
        let inner = argument.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_|".contains(c);
        if !inner.unwrap_or(argument).chars().all(allowed) {
            return Err(format!("arguments: {argument:?} is neither WORD, [WORD] nor a|b"));
        }
        if inner.is_none() && optional {
            return Err(format!("arguments: {argument} follows one that may be left out"));
        }
        optional = inner.is_some();
        if at > 0 && argument == Signature::INSTANCE {
            return Err("arguments: NAME must be the first".to_owned());
        }
    }
    Ok(())
}

/// The right of a command. A command without a right is the operator's.
fn need(right: Option<&str>, is_on_instance: bool) -> Result<Need, String> {
    match right {
        None | Some("operator") => Ok(Need::Operator),
        Some("anyone") if !is_on_instance => Ok(Need::Anyone),
        Some("host-facts") if !is_on_instance => Ok(Need::HostFacts),
        Some(word) => {
            let right: Right = word.parse().map_err(|_| {
                format!("right: {word:?} is unknown, use operator, anyone or a right of accounts")
            })?;
            if !is_on_instance || right == Right::HostFacts {
                return Err(format!("right: {right} does not fit the arguments"));
            }
            Ok(Need::Domain(right))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_read() {
        let text = b"arguments: NAME  [COUNT]\nright: power\n\nhelp: Ping it: now.\nrun-as: root\n";
        let description = Description::parse("ping", text).unwrap();
        assert_eq!(description.signature.usage(), "ping NAME [COUNT]");
        assert_eq!(description.signature.need, Need::Domain(Right::Power));
        assert_eq!(description.signature.help, "Ping it: now.");
        assert_eq!(description.run_as.as_deref(), Some("root"));
        let least = Description::parse("x", b"help: X.").unwrap();
        assert_eq!((least.signature.need, least.run_as), (Need::Operator, None));
        let host = Description::parse("x", b"help: X.\nright: host-facts").unwrap();
        assert_eq!(host.signature.need, Need::HostFacts);
    }

    #[test]
    fn wrong_descriptions_say_what_is_wrong() {
        let cases: [(&[u8], &str); 11] = [
            (b"", "help: missing"),
            (b"\xff", "not UTF-8"),
            (b"hello", "key: value is expected"),
            (b"help: X.\nfly: yes", "fly: unknown"),
            (b"help: X.\nright: fly\narguments: NAME", "right: \"fly\" is unknown"),
            (b"help: X.\nright: see", "right: see does not fit"),
            (b"help: X.\nright: host-facts\narguments: NAME", "right: host-facts does not fit"),
            (b"help: X.\nright: anyone\narguments: NAME", "right: \"anyone\" is unknown"),
            (b"help: X.\narguments: COUNT NAME", "NAME must be the first"),
            (b"help: X.\narguments: [A] B", "B follows one"),
            (b"help: X.\narguments: a;b", "neither WORD"),
        ];
        for (text, reason) in cases {
            let error = Description::parse("x", text).unwrap_err();
            assert!(error.contains(reason), "{error} {reason}");
        }
        let long = format!("help: {}", "x".repeat(MAX_VALUE + 1));
        assert!(Description::parse("x", long.as_bytes()).is_err());
    }
}

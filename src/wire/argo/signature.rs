//! Commands as `help` and the documentation show them.

use crate::core::rights::{Access, Need};
use std::borrow::Cow;

/// The name, the arguments and the right of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature {
    pub(super) name: Cow<'static, str>,
    /// Words separated by blanks: `NAME` in front for an instance, `a|b` for one of these,
    /// `[WORD]` for one that may be left out.
    pub(super) arguments: Cow<'static, str>,
    pub(super) need: Need,
    /// One line.
    pub(super) help: Cow<'static, str>,
}

impl Signature {
    /// The argument that is an instance.
    pub(super) const INSTANCE: &'static str = "NAME";

    /// The signature of a command of this file tree.
    pub(super) const fn new(
        name: &'static str,
        arguments: &'static str,
        need: Need,
        help: &'static str,
    ) -> Self {
        Self {
            name: Cow::Borrowed(name),
            arguments: Cow::Borrowed(arguments),
            need,
            help: Cow::Borrowed(help),
        }
    }

    /// The command with its arguments.
    pub(super) fn usage(&self) -> String {
        if self.arguments.is_empty() {
            return self.name.to_string();
        }
        format!("{} {}", self.name, self.arguments)
    }

    /// Whether the first argument is an instance.
    pub(super) fn is_on_instance(&self) -> bool {
        self.arguments.split_whitespace().next() == Some(Self::INSTANCE)
    }

    /// Whether somebody with this access may use the command on anything.
    pub(super) fn is_for(&self, access: &Access) -> bool {
        access.meets(self.need)
    }

    /// Whether the command can have these arguments.
    pub(super) fn takes(&self, words: &[String]) -> bool {
        let known: Vec<&str> = self.arguments.split_whitespace().collect();
        let least = known.iter().filter(|argument| !argument.starts_with('[')).count();
        let fits = |(argument, word): (&&str, &String)| {
            let argument = argument.trim_start_matches('[').trim_end_matches(']');
            !argument.contains('|') || argument.split('|').any(|choice| choice == word)
        };
        (least..=known.len()).contains(&words.len()) && known.iter().zip(words).all(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_counted_and_compared() {
        let takes = |arguments: &'static str, words: &str| {
            let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
            Signature::new("x", arguments, Need::Anyone, "").takes(&words)
        };
        assert!(takes("", "") && !takes("", "a"));
        assert!(takes("NAME", "a") && !takes("NAME", "") && !takes("NAME", "a b"));
        assert!(takes("running|available", "running") && !takes("running|available", "runnin"));
        assert!(takes("NAME [COUNT]", "a") && takes("NAME [COUNT]", "a 1"));
        assert!(!takes("NAME [COUNT]", "a 1 2") && !takes("NAME [a|b]", "a c"));
    }

    #[test]
    fn usage_has_the_arguments() {
        let pause = Signature::new("pause", "NAME", Need::Anyone, "");
        assert_eq!((pause.usage().as_str(), pause.is_on_instance()), ("pause NAME", true));
        let nop = Signature::new("nop", "", Need::Anyone, "");
        assert_eq!((nop.usage().as_str(), nop.is_on_instance()), ("nop", false));
    }
}

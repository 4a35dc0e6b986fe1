//! What a command is.

use super::option::OptionSpec;
use super::words::{Syntax, Words};
use crate::context::Context;
use crate::failure::Failure;
use std::ffi::OsStr;

/// A command of xm.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// Older names.
    pub(crate) aliases: &'static [&'static str],
    /// The arguments as the usage line shows them.
    pub(crate) arguments: &'static str,
    /// One sentence.
    pub(crate) about: &'static str,
    pub(crate) options: &'static [OptionSpec],
    /// How many arguments it takes at least and at most, options apart.
    pub(crate) count: (usize, usize),
    /// Whether it takes names of files, which need not be UTF-8.
    pub(crate) has_files: bool,
    pub(crate) shown: Shown,
    pub(crate) action: Action,
}

/// In which lists a command stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// In the short list, too.
    Common,
    /// In the full list.
    Full,
    /// In no list, like those that xm did not list.
    Nowhere,
}

/// What a command does.
pub(crate) enum Action {
    /// It asks or changes the host.
    Run(fn(&Context, &Words) -> Result<(), Failure>),
    /// It prints from the table.
    Help,
}

impl Command {
    /// Reads the words behind the command. The error is what is wrong with them.
    pub(crate) fn read(&self, words: &[impl AsRef<OsStr>]) -> Result<Words, String> {
        let Self { name, options, count, has_files, .. } = *self;
        Words::read(&Syntax { name, options, count, has_files }, words)
    }

    /// The argument that is one of some words, from 0 on, and these: `<start|stop>` in the usage.
    pub(crate) fn choices(&self) -> Option<(usize, Vec<&'static str>)> {
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        let arguments = self.arguments.split_whitespace().enumerate();
        let mut choices = arguments.filter_map(|(at, argument)| {
            let words = argument.strip_prefix('<')?.strip_suffix('>')?.split('|');
            let words: Vec<&str> = words.collect();
            (words.len() > 1 && words.iter().all(|word| is_word(word))).then_some((at, words))
        });
        choices.next()
    }

    /// A command in the full list, without options.
    pub(crate) const fn new(
        name: &'static str,
        arguments: &'static str,
        about: &'static str,
        count: (usize, usize),
        run: fn(&Context, &Words) -> Result<(), Failure>,
    ) -> Self {
        Self {
            name,
            aliases: &[],
            arguments,
            about,
            options: &[],
            count,
            has_files: false,
            shown: Shown::Full,
            action: Action::Run(run),
        }
    }

    /// The same command in the short list.
    pub(crate) const fn common(mut self) -> Self {
        self.shown = Shown::Common;
        self
    }

    /// The same command in no list.
    pub(crate) const fn unlisted(mut self) -> Self {
        self.shown = Shown::Nowhere;
        self
    }

    /// The same command, which takes names of files.
    pub(crate) const fn of_files(mut self) -> Self {
        self.has_files = true;
        self
    }

    /// The same command with options.
    pub(crate) const fn with(mut self, options: &'static [OptionSpec]) -> Self {
        self.options = options;
        self
    }

    /// The same command with older names.
    pub(crate) const fn also(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }
}

/// Commands that help shows together.
pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) commands: &'static [&'static [Command]],
}

/// All commands of these groups, in the order of help.
pub(crate) fn commands(groups: &'static [Group]) -> impl Iterator<Item = &'static Command> {
    groups.iter().flat_map(|group| group.commands.iter().copied().flatten())
}

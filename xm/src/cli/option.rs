//! What the words behind a command may be.

/// An option. In a command line, a long name may be shortened as long as it is unique.
pub(crate) struct OptionSpec {
    pub(crate) short: Option<char>,
    pub(crate) long: &'static str,
    /// The word that stands for the option's value in help; `None` for a flag.
    pub(crate) value: Option<&'static str>,
    pub(crate) about: &'static str,
    /// The values that there are; empty if there are too many.
    pub(crate) choices: &'static [&'static str],
}

impl OptionSpec {
    /// The same option, which has one of these values.
    pub(crate) const fn of(mut self, choices: &'static [&'static str]) -> Self {
        self.choices = choices;
        self
    }
}

/// A flag.
pub(crate) const fn flag(short: char, long: &'static str, about: &'static str) -> OptionSpec {
    OptionSpec { short: Some(short), long, value: None, about, choices: &[] }
}

/// A flag without a short name.
pub(crate) const fn long_flag(long: &'static str, about: &'static str) -> OptionSpec {
    OptionSpec { short: None, long, value: None, about, choices: &[] }
}

/// An option with a value.
pub(crate) const fn option(
    short: char,
    long: &'static str,
    value: &'static str,
    about: &'static str,
) -> OptionSpec {
    OptionSpec { short: Some(short), long, value: Some(value), about, choices: &[] }
}

/// An option with a value and without a short name.
pub(crate) const fn long_option(
    long: &'static str,
    value: &'static str,
    about: &'static str,
) -> OptionSpec {
    OptionSpec { short: None, long, value: Some(value), about, choices: &[] }
}

/// `--json`, which every listing has.
pub(crate) const JSON: OptionSpec = long_flag("json", "Print JSON");
/// `--long`, which many listings have.
pub(crate) const LONG: OptionSpec = flag('l', "long", "Print S-expressions with all details");

/// More than any command line has.
pub(crate) const ANY: usize = usize::MAX;

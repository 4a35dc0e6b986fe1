//! Reads the words of a command line as Python's `gnu_getopt` did for xm: options may stand behind
//! arguments, short flags may be joined, long names may be shortened, and `--` ends the options.

use super::option::OptionSpec;
use crate::failure::Failure;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::str::FromStr;

/// What may stand behind a command.
pub(crate) struct Syntax<'a> {
    /// The command's name, for messages.
    pub(crate) name: &'a str,
    pub(crate) options: &'a [OptionSpec],
    /// How many arguments it takes at least and at most, options apart.
    pub(crate) count: (usize, usize),
    /// Whether it takes names of files, which need not be UTF-8.
    pub(crate) has_files: bool,
}

/// The options and arguments behind a command.
#[derive(Debug, Default)]
pub(crate) struct Words {
    /// Long names, with the values of those that have one.
    options: Vec<(&'static str, Word)>,
    arguments: Vec<String>,
    /// The arguments as they were given.
    given: Vec<OsString>,
}

/// The value of an option, as it was given and as text.
#[derive(Debug, Default)]
struct Word {
    given: OsString,
    text: String,
}

impl Word {
    fn new(given: &OsStr) -> Self {
        Self { given: given.to_owned(), text: given.to_string_lossy().into_owned() }
    }
}

impl Words {
    /// Reads what stands behind the command. The error is what is wrong with it.
    pub(crate) fn read(syntax: &Syntax<'_>, words: &[impl AsRef<OsStr>]) -> Result<Self, String> {
        let mut read = Self::default();
        let words = words.iter().map(AsRef::as_ref);
        let foreign = words.clone().find(|word| !syntax.has_files && word.to_str().is_none());
        if let Some(word) = foreign {
            return Err(format!("'{}' is not UTF-8", word.to_string_lossy()));
        }
        let mut rest = words;
        while let Some(word) = rest.next() {
            let bytes = word.as_bytes();
            if bytes == b"--" {
                rest.for_each(|word| read.argument_is(word));
                break;
            }
            if let Some(long) = bytes.strip_prefix(b"--") {
                read.long_option(syntax, long, &mut rest)?;
            } else if bytes.len() > 1 && bytes.starts_with(b"-") {
                read.short_options(syntax, &bytes[1..], &mut rest)?;
            } else {
                read.argument_is(word);
            }
        }
        read.check_count(syntax)?;
        Ok(read)
    }

    fn argument_is(&mut self, word: &OsStr) {
        self.arguments.push(word.to_string_lossy().into_owned());
        self.given.push(word.to_owned());
    }

    fn long_option<'a>(
        &mut self,
        syntax: &Syntax<'_>,
        word: &[u8],
        rest: &mut impl Iterator<Item = &'a OsStr>,
    ) -> Result<(), String> {
        let (name, given) = match word.iter().position(|byte| *byte == b'=') {
            Some(at) => (&word[..at], Some(OsStr::from_bytes(&word[at + 1..]))),
            None => (word, None),
        };
        let name = String::from_utf8_lossy(name);
        let option = find_long(syntax.options, &name)?;
        let value = match (option.value, given) {
            (None, Some(_)) => return Err(format!("option --{name} must not have an argument")),
            (None, None) => Word::default(),
            (Some(_), Some(value)) => Word::new(value),
            (Some(_), None) => match rest.next() {
                Some(value) => Word::new(value),
                None => return Err(format!("option --{name} requires argument")),
            },
        };
        self.options.push((option.long, value));
        Ok(())
    }

    fn short_options<'a>(
        &mut self,
        syntax: &Syntax<'_>,
        letters: &[u8],
        rest: &mut impl Iterator<Item = &'a OsStr>,
    ) -> Result<(), String> {
        let mut letters = letters.iter();
        while let Some(&byte) = letters.next() {
            let letter = char::from(byte);
            let option = syntax.options.iter().find(|option| option.short == Some(letter));
            let option = option.ok_or_else(|| {
                let rest = [&[byte][..], letters.as_slice()].concat();
                let shown = String::from_utf8_lossy(&rest).chars().next().unwrap_or(letter);
                format!("option -{shown} not recognized")
            })?;
            if option.value.is_none() {
                self.options.push((option.long, Word::default()));
                continue;
            }
            let joined = letters.as_slice();
            let value =
                if joined.is_empty() { rest.next() } else { Some(OsStr::from_bytes(joined)) };
            let value = value.ok_or_else(|| format!("option -{letter} requires argument"))?;
            self.options.push((option.long, Word::new(value)));
            break;
        }
        Ok(())
    }

    fn check_count(&self, syntax: &Syntax<'_>) -> Result<(), String> {
        let (least, most) = syntax.count;
        let given = self.arguments.len();
        if (least..=most).contains(&given) {
            return Ok(());
        }
        let name = syntax.name;
        Err(match (least, most) {
            (0, 0) => format!("'xm {name}' takes no arguments."),
            (least, most) if least == most => {
                let s = if least == 1 { "" } else { "s" };
                format!("'xm {name}' requires {least} argument{s}.")
            }
            (least, usize::MAX) => {
                let s = if least == 1 { "" } else { "s" };
                format!("'xm {name}' requires at least {least} argument{s}.")
            }
            (least, most) => {
                format!("'xm {name}' requires between {least} and {most} arguments.")
            }
        })
    }

    /// Whether an option was given.
    pub(crate) fn has(&self, long: &str) -> bool {
        self.options.iter().any(|(name, _)| *name == long)
    }

    fn found(&self, long: &str) -> Option<&Word> {
        let found = self.options.iter().rev().find(|(name, _)| *name == long);
        found.map(|(_, value)| value)
    }

    /// The value of an option; the last one counts.
    pub(crate) fn value(&self, long: &str) -> Option<&str> {
        self.found(long).map(|word| word.text.as_str())
    }

    /// The value of an option that names a file.
    pub(crate) fn file_value(&self, long: &str) -> Option<&Path> {
        self.found(long).map(|word| Path::new(&word.given))
    }

    /// The value of an option as a number; `meaning` says what it counts.
    pub(crate) fn number<T: FromStr>(
        &self,
        long: &str,
        meaning: &str,
    ) -> Result<Option<T>, Failure> {
        self.value(long).map(|text| number(&format!("--{long}"), meaning, text)).transpose()
    }

    /// The arguments.
    pub(crate) fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// The arguments as they were given, for a command that takes files.
    pub(crate) fn given(&self) -> &[OsString] {
        &self.given
    }

    /// An argument; empty if there is none.
    pub(crate) fn argument(&self, at: usize) -> &str {
        self.arguments.get(at).map_or("", String::as_str)
    }

    /// An argument that names a file; empty if there is none.
    pub(crate) fn file(&self, at: usize) -> &Path {
        self.given.get(at).map_or(Path::new(""), Path::new)
    }
}

/// The option whose long name this is or begins with.
fn find_long<'a>(options: &'a [OptionSpec], name: &str) -> Result<&'a OptionSpec, String> {
    if let Some(option) = options.iter().find(|option| option.long == name) {
        return Ok(option);
    }
    let mut matching = options.iter().filter(|option| option.long.starts_with(name));
    match (matching.next(), matching.next()) {
        (Some(option), None) if !name.is_empty() => Ok(option),
        (Some(_), Some(_)) => Err(format!("option --{name} not a unique prefix")),
        _ => {
            let known = options.iter().map(|option| option.long);
            let hint = xend_spelling::nearest(name, known);
            let hint = hint.map(|long| format!(", --{long} is one")).unwrap_or_default();
            Err(format!("option --{name} not recognized{hint}"))
        }
    }
}

/// A number in a command line. `name` is the argument or option as the usage has it; `meaning` says
/// what it counts, with the unit and the range.
pub(crate) fn number<T: FromStr>(name: &str, meaning: &str, text: &str) -> Result<T, Failure> {
    text.trim().parse().map_err(|_| invalid(name, meaning, text))
}

/// The failure for an argument or option that is not what it means.
pub(crate) fn invalid(name: &str, meaning: &str, text: &str) -> Failure {
    Failure::new(format!("Invalid argument: {name} is {meaning}, not '{text}'."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::option::{ANY, flag, long_option, option};

    const OPTIONS: &[OptionSpec] = &[
        flag('l', "long", ""),
        flag('v', "vcpus", ""),
        option('d', "domain", "DOMAIN", ""),
        long_option("state", "STATE", ""),
        long_option("status", "STATUS", ""),
    ];

    fn read(line: &str) -> Result<Words, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Words::read(
            &Syntax { name: "list", options: OPTIONS, count: (0, 2), has_files: false },
            &words,
        )
    }

    #[test]
    fn options_stand_anywhere() {
        let words = read("a -lv --state=paused b").unwrap();
        assert!(words.has("long") && words.has("vcpus") && !words.has("domain"));
        assert_eq!((words.value("state"), words.arguments().len()), (Some("paused"), 2));
        let words = read("-d a --lo -- -l").unwrap();
        assert_eq!((words.value("domain"), words.argument(0)), (Some("a"), "-l"));
        assert_eq!(read("-da").unwrap().value("domain"), Some("a"));
        assert_eq!(read("-d a -d b --dom c").unwrap().value("domain"), Some("c"));
    }

    #[test]
    fn mistakes_are_named() {
        for (line, mistake) in [
            ("-x", "option -x not recognized"),
            ("--domian a", "option --domian not recognized, --domain is one"),
            ("--stat=x", "option --stat not a unique prefix"),
            ("--long=x", "option --long must not have an argument"),
            ("--state", "option --state requires argument"),
            ("-d", "option -d requires argument"),
            ("a b c", "'xm list' requires between 0 and 2 arguments."),
        ] {
            assert_eq!(read(line).unwrap_err(), mistake, "{line}");
        }
        for (name, count, expected) in [
            ("pause", (1, 1), "'xm pause' requires 1 argument."),
            ("create", (1, ANY), "'xm create' requires at least 1 argument."),
        ] {
            let mistake =
                Words::read(&Syntax { name, options: &[], count, has_files: false }, &[""; 0])
                    .unwrap_err();
            assert_eq!(mistake, expected);
        }
    }

    #[test]
    fn names_of_files_keep_their_bytes() {
        let given = [&b"\xfc.cfg"[..], b"--domain=\xfc", b"-d\xe4", b"--", b"\xf6"];
        let given = given.map(OsStr::from_bytes);
        let mut syntax = Syntax { name: "x", options: OPTIONS, count: (0, 2), has_files: true };
        let words = Words::read(&syntax, &given).unwrap();
        assert_eq!(words.file(0), Path::new(given[0]));
        assert_eq!(words.file(1), Path::new(given[4]));
        assert_eq!(words.file_value("domain").unwrap().as_os_str().as_bytes(), b"\xe4");
        assert_eq!(words.argument(0), "\u{fffd}.cfg");
        syntax.has_files = false;
        let mistake = Words::read(&syntax, &given[4..]).unwrap_err();
        assert_eq!(mistake, "'\u{fffd}' is not UTF-8");
    }

    #[test]
    fn numbers_are_checked() {
        let domain = |line| read(line).unwrap().number::<u16>("domain", "a domid");
        assert_eq!(domain("-d 12").unwrap(), Some(12));
        let failure = domain("-d x").unwrap_err();
        assert_eq!(failure.to_string(), "Invalid argument: --domain is a domid, not 'x'.");
    }
}

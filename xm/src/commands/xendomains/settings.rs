//! The file `xendomains`: what is done with domains when the host starts and stops.

use super::super::migrate;
use super::super::shutdown::{self, Mode};
use super::assignments::read;
use crate::cli::command::Command;
use crate::cli::words::Words;
use std::path::PathBuf;
use std::time::Duration;

/// What the variables say. A variable that a file does not have, as Debian's has not all of them,
/// counts as [`Settings::default`] says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// The keys of Magic `SysRq` that each guest gets.
    pub(super) sysrq: Vec<char>,
    /// How long a guest has after each of them.
    pub(super) after_sysrq: Duration,
    /// How long a new domain has before the next one starts.
    pub(super) after_create: Duration,
    /// The words of `xm migrate` behind the domain; empty for none.
    pub(super) migrate: Vec<String>,
    /// Where domains are saved, and restored from.
    pub(super) save: Option<PathBuf>,
    /// How each domain is shut down.
    pub(super) shutdown: Option<Shutdown>,
    /// How those that are left in the end are shut down.
    pub(super) shutdown_all: Option<Shutdown>,
    pub(super) restore: bool,
    /// The directory of the configurations of domains that start with the host.
    pub(super) auto: Option<PathBuf>,
    /// The variables of directories that have none, since their value is wrong.
    pub(super) without_directory: Vec<&'static str>,
    /// Whether only their domains are migrated, saved and shut down.
    pub(super) auto_only: bool,
    /// How long each step may take; `None` for as long as it does.
    pub(super) limit: Option<Duration>,
}

/// The words of `xm shutdown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shutdown {
    pub(super) mode: Mode,
    /// Whether to wait for the guest.
    pub(super) waits: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let wait = Some(Shutdown { mode: Mode::Poweroff, waits: true });
        Self {
            sysrq: Vec::new(),
            after_sysrq: Duration::from_millis(100),
            after_create: Duration::ZERO,
            migrate: Vec::new(),
            save: None,
            shutdown: wait,
            shutdown_all: wait,
            restore: false,
            auto: None,
            without_directory: Vec::new(),
            auto_only: false,
            limit: Some(Duration::from_secs(300)),
        }
    }
}

const VARIABLES: [&str; 11] = [
    "XENDOMAINS_SYSRQ",
    "XENDOMAINS_USLEEP",
    "XENDOMAINS_CREATE_USLEEP",
    "XENDOMAINS_MIGRATE",
    "XENDOMAINS_SAVE",
    "XENDOMAINS_SHUTDOWN",
    "XENDOMAINS_SHUTDOWN_ALL",
    "XENDOMAINS_RESTORE",
    "XENDOMAINS_AUTO",
    "XENDOMAINS_AUTO_ONLY",
    "XENDOMAINS_STOP_MAXWAIT",
];

impl Settings {
    /// Reads a file. What is wrong in it is named, and the rest counts: a host that shuts down with
    /// a mistake in its file must not lose its guests.
    pub(super) fn read(text: &str) -> (Self, Vec<String>) {
        // What editors of Windows begin a file with.
        let found = read(text.strip_prefix('\u{feff}').unwrap_or(text));
        let mut settings = Self::default();
        let mut mistakes: Vec<(usize, String)> =
            found.unreadable.into_iter().map(|one| (one.line, one.reason)).collect();
        for one in found.read {
            if let Err(reason) = settings.set(&one.name, &one.value) {
                mistakes.push((one.line, format!("{}: {reason}", one.name)));
            }
        }
        mistakes.sort();
        let named = mistakes.into_iter().map(|(line, reason)| format!("line {line}: {reason}"));
        (settings, named.collect())
    }

    fn directory(&mut self, name: &'static str, value: &str) -> Result<Option<PathBuf>, String> {
        self.without_directory.retain(|other| *other != name);
        directory(value).inspect_err(|_| self.without_directory.push(name))
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "XENDOMAINS_SYSRQ" => self.sysrq = letters(value)?,
            "XENDOMAINS_USLEEP" => self.after_sysrq = Duration::from_micros(number(value)?),
            "XENDOMAINS_CREATE_USLEEP" => self.after_create = Duration::from_micros(number(value)?),
            "XENDOMAINS_MIGRATE" => self.migrate = migration(value)?,
            "XENDOMAINS_SAVE" => {
                self.save = None;
                self.save = self.directory("XENDOMAINS_SAVE", value)?;
            }
            "XENDOMAINS_SHUTDOWN" => self.shutdown = words_of_shutdown(value)?,
            "XENDOMAINS_SHUTDOWN_ALL" => self.shutdown_all = words_of_shutdown(value)?,
            "XENDOMAINS_RESTORE" => self.restore = is_true(value)?,
            "XENDOMAINS_AUTO" => {
                self.auto = None;
                self.auto = self.directory("XENDOMAINS_AUTO", value)?;
            }
            "XENDOMAINS_AUTO_ONLY" => self.auto_only = is_true(value)?,
            "XENDOMAINS_STOP_MAXWAIT" => {
                self.limit = Some(number(value)?).filter(|s| *s > 0).map(Duration::from_secs);
            }
            other if other.starts_with("XENDOMAINS_") => {
                let near = xend_spelling::nearest(other, VARIABLES);
                let hint = near.map(|near| format!(", {near} is one")).unwrap_or_default();
                return Err(format!("there is no such variable{hint}"));
            }
            _ => {}
        }
        Ok(())
    }
}

fn letters(value: &str) -> Result<Vec<char>, String> {
    let letter = |word: &str| {
        let mut letters = word.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) if letter.is_ascii_alphanumeric() => Ok(letter),
            _ => Err(format!("'{word}' is not a key of SysRq: letters are expected, \"s u\"")),
        }
    };
    value.split_whitespace().map(letter).collect()
}

fn number(value: &str) -> Result<u64, String> {
    match value.trim() {
        "" => Ok(0),
        text => text.parse().map_err(|_| format!("'{text}' is not a number")),
    }
}

fn is_true(value: &str) -> Result<bool, String> {
    match value.trim() {
        "true" | "yes" | "1" => Ok(true),
        "" | "false" | "no" | "0" => Ok(false),
        other => Err(format!("'{other}' is neither true nor false")),
    }
}

fn directory(value: &str) -> Result<Option<PathBuf>, String> {
    match value {
        "" => Ok(None),
        path if path.starts_with('/') => Ok(Some(path.into())),
        path => Err(format!("'{path}' is not an absolute path")),
    }
}

/// Reads the words of a command as xm does.
fn words_of(command: &Command, words: &[String]) -> Result<Words, String> {
    let named = |mistake: String| format!("xm {}: {}", command.name, mistake.trim_end_matches('.'));
    command.read(words).map_err(named)
}

fn migration(value: &str) -> Result<Vec<String>, String> {
    let words: Vec<String> = value.split_whitespace().map(str::to_owned).collect();
    if !words.is_empty() {
        migration_words("0", &words)?;
    }
    Ok(words)
}

/// The words of `xm migrate` for a domain.
pub(super) fn migration_words(domain: &str, words: &[String]) -> Result<Words, String> {
    let line: Vec<String> = [domain.to_owned()].into_iter().chain(words.iter().cloned()).collect();
    words_of(&migrate::COMMANDS[0], &line)
}

fn words_of_shutdown(value: &str) -> Result<Option<Shutdown>, String> {
    let line: Vec<String> = value.split_whitespace().map(str::to_owned).collect();
    if line.is_empty() {
        return Ok(None);
    }
    let words = words_of(&shutdown::COMMANDS[0], &line)?;
    if let Some(domain) = words.arguments().first() {
        return Err(format!("'{domain}' is not an option of xm shutdown"));
    }
    match Mode::of(&words) {
        Ok(Mode::Reboot) => Err("a guest that reboots does not stop".to_owned()),
        Ok(mode) => Ok(Some(Shutdown { mode, waits: words.has("wait") })),
        Err(failure) => Err(failure.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../../../dist/xendomains.default");

    #[test]
    fn the_sample_is_read() {
        let (settings, mistakes) = Settings::read(SAMPLE);
        assert_eq!(mistakes, Vec::<String>::new());
        let expected = Settings {
            after_create: Duration::from_secs(5),
            save: Some("/var/lib/xen/save".into()),
            restore: true,
            auto: Some("/etc/xen/auto".into()),
            auto_only: true,
            ..Settings::default()
        };
        assert_eq!(settings, expected);
        for name in VARIABLES {
            assert!(SAMPLE.lines().any(|line| line.starts_with(&format!("{name}="))), "{name}");
        }
    }

    #[test]
    fn values_are_read() {
        let (settings, mistakes) = Settings::read(
            "XENDOMAINS_SYSRQ=\"s e i u\"\nXENDOMAINS_USLEEP=1200000\nXENDOMAINS_STOP_MAXWAIT=0\n\
             XENDOMAINS_MIGRATE=\"--live -p 8002 other\"\nXENDOMAINS_SHUTDOWN='--halt'\n\
             XENDOMAINS_SHUTDOWN_ALL=\nXENDOMAINS_RESTORE=yes\nPATH=/bin\n",
        );
        assert_eq!(mistakes, Vec::<String>::new());
        assert_eq!(settings.sysrq, ['s', 'e', 'i', 'u']);
        assert_eq!(settings.after_sysrq, Duration::from_millis(1200));
        assert_eq!((settings.limit, settings.shutdown_all), (None, None));
        assert_eq!(settings.migrate.len(), 4);
        assert_eq!(settings.shutdown, Some(Shutdown { mode: Mode::Halt, waits: false }));
        assert!(settings.restore && !settings.auto_only);
    }

    #[test]
    fn mistakes_are_named_and_the_rest_counts() {
        let (settings, mistakes) = Settings::read(
            "XENDOMAINS_SAVE=save\nXENDOMAINS_SHUTDWON=--wait\nXENDOMAINS_SHUTDOWN=--bogus\n\
             XENDOMAINS_MIGRATE=$HOST\nXENDOMAINS_RESTORE=maybe\nXENDOMAINS_SYSRQ=sync\n\
             XENDOMAINS_SHUTDOWN_ALL=\"--all -R\"\nXENDOMAINS_MIGRATE=\"a b c\"\n\
             XENDOMAINS_AUTO=/auto\n",
        );
        assert_eq!(
            mistakes,
            [
                "line 1: XENDOMAINS_SAVE: 'save' is not an absolute path",
                "line 2: XENDOMAINS_SHUTDWON: there is no such variable, XENDOMAINS_SHUTDOWN is one",
                "line 3: XENDOMAINS_SHUTDOWN: xm shutdown: option --bogus not recognized",
                "line 4: $ is for a shell, and none runs: write the value itself",
                "line 5: XENDOMAINS_RESTORE: 'maybe' is neither true nor false",
                "line 6: XENDOMAINS_SYSRQ: 'sync' is not a key of SysRq: letters are expected, \
                 \"s u\"",
                "line 7: XENDOMAINS_SHUTDOWN_ALL: a guest that reboots does not stop",
                "line 8: XENDOMAINS_MIGRATE: xm migrate: 'xm migrate' requires 2 arguments",
            ]
        );
        assert_eq!(
            settings,
            Settings {
                auto: Some("/auto".into()),
                without_directory: vec!["XENDOMAINS_SAVE"],
                ..Settings::default()
            }
        );
    }
}

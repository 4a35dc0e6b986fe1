//! Entries of the configuration file, and the readers of their values.

use super::address::ListenIp;
use super::diagnostic::Position;
use super::listener::Auth;
use super::log_filter;
use super::options::{Hypervisor, LogFormat};
use crate::core::fleet::HostName;
use crate::core::model::{Scheduler, Text, Unit};
use crate::fleet::{ClusterName, EtcdEndpoint};
use crate::sxp::{self, Sxp};
use clap::ValueEnum as _;
use std::ffi::OsStr;
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// The most memory in MiB, of a host or a domain.
pub(super) const MOST_MEMORY: u64 = 1 << 30;

/// A wrong value, with its byte offset in the file.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) offset: u32,
    pub(super) message: String,
}

/// A file and its text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a [u8],
}

impl Source<'_> {
    pub(super) fn position(&self, offset: u32) -> Position {
        Position::new(self.path, sxp::position(self.text, offset as usize))
    }
}

/// An entry `(key value ...)`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) source: Source<'a>,
    pub(super) key: &'a str,
    pub(super) values: &'a [Sxp],
    pub(super) offset: u32,
}

impl<'a> Entry<'a> {
    pub(super) fn problem(&self, offset: u32, message: &str) -> Problem {
        Problem { offset, message: format!("{}: {message}", self.key) }
    }

    /// The only value as text, with its offset.
    fn single(&self) -> Result<(u32, &'a str), Problem> {
        let (offset, bytes) = self.single_bytes()?;
        Ok((offset, self.text_of(offset, bytes)?))
    }

    /// The only value, in whatever encoding, with its offset.
    fn single_bytes(&self) -> Result<(u32, &'a [u8]), Problem> {
        match self.values {
            [value] => match value.as_bytes() {
                Some(bytes) => Ok((value.offset(), bytes)),
                None => Err(self.problem(value.offset(), "needs a plain value, not a list")),
            },
            [] => Err(self.problem(self.offset, "needs a value")),
            [_, second, ..] => Err(self.problem(second.offset(), "takes one value only")),
        }
    }

    /// Paths and free texts may have the encoding of an old host, as in xend. Everything else is
    /// compared with names, and so is UTF-8.
    fn text_of<'b>(&self, offset: u32, bytes: &'b [u8]) -> Result<&'b str, Problem> {
        std::str::from_utf8(bytes).map_err(|_| {
            self.problem(
                offset,
                "the value is not UTF-8: convert the file, as iconv -f LATIN1 -t UTF-8 does",
            )
        })
    }

    /// The only value as a path that `is_right` accepts.
    fn parse_path(
        &self,
        expected: &str,
        is_right: impl FnOnce(&Path) -> bool,
    ) -> Result<PathBuf, Problem> {
        let (offset, bytes) = self.single_bytes()?;
        let path = PathBuf::from(OsStr::from_bytes(bytes));
        if is_right(&path) {
            return Ok(path);
        }
        let shown = bytes.escape_ascii();
        Err(self.problem(offset, &format!("'{shown}' is not {expected}")))
    }

    /// The only value as `read` reads it; `expected` describes it in the error.
    fn parse<T>(&self, expected: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, Problem> {
        let (offset, text) = self.single()?;
        read(text).ok_or_else(|| {
            self.problem(offset, &format!("'{}' is not {expected}", text.escape_debug()))
        })
    }

    pub(super) fn yes_no(&self) -> Result<bool, Problem> {
        self.parse("yes or no", |text| match text.to_ascii_lowercase().as_str() {
            "yes" | "y" | "true" | "t" | "on" | "1" => Some(true),
            "no" | "n" | "false" | "f" | "off" | "0" => Some(false),
            _ => None,
        })
    }

    /// A decimal number in `range`. `noun` names it with its article.
    pub(super) fn number<T: TryFrom<u64>>(
        &self,
        noun: &str,
        range: RangeInclusive<u64>,
    ) -> Result<T, Problem> {
        let expected = format!("{noun} ({} to {})", range.start(), range.end());
        self.parse(&expected, |text| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            let number = text.parse().ok().filter(|number| digits && range.contains(number))?;
            T::try_from(number).ok()
        })
    }

    pub(super) fn port(&self) -> Result<u16, Problem> {
        self.number("a port", 1..=65_535)
    }

    /// A number of MiB. Somebody who writes `2G` is told the number.
    pub(super) fn mebibytes<T: TryFrom<u64>>(
        &self,
        range: RangeInclusive<u64>,
    ) -> Result<T, Problem> {
        self.number("a number of MiB", range).map_err(|problem| {
            let meant = self.single().ok().and_then(|(_, text)| Unit::Mebibytes.meant(text));
            let Some(meant) = meant else { return problem };
            Problem { message: format!("{}, write {meant}", problem.message), ..problem }
        })
    }

    /// A duration of `min` seconds to a day.
    pub(super) fn seconds(&self, min: u64) -> Result<Duration, Problem> {
        self.number("a number of seconds", min..=86_400).map(Duration::from_secs)
    }

    pub(super) fn ip(&self) -> Result<ListenIp, Problem> {
        self.parse("an IP address, localhost or ''", |text| text.parse().ok())
    }

    /// An IP address; all interfaces when there is no value.
    pub(super) fn optional_ip(&self) -> Result<ListenIp, Problem> {
        if self.values.is_empty() { Ok(ListenIp::ANY) } else { self.ip() }
    }

    pub(super) fn path(&self) -> Result<PathBuf, Problem> {
        self.parse_path("an absolute path", Path::is_absolute)
    }

    /// A file; a relative name is beside the configuration file, as in xend 4.
    pub(super) fn file(&self) -> Result<PathBuf, Problem> {
        let file = self.parse_path("a file", |path| path.file_name().is_some())?;
        Ok(self.beside_the_file(file))
    }

    /// The path of a file whose relative name is beside the configuration file.
    pub(super) fn beside_the_file(&self, file: PathBuf) -> PathBuf {
        match self.source.path.parent() {
            Some(dir) => dir.join(file),
            None => file,
        }
    }

    /// Any text; empty when there is no value. Errors do not show it: it can be a password.
    pub(super) fn free_text(&self) -> Result<Text, Problem> {
        match self.values {
            [] => Ok(Text::default()),
            [value @ Sxp::Atom(_)] => Ok(value.as_bytes().unwrap_or_default().into()),
            [value, ..] => {
                Err(self
                    .problem(value.offset(), "takes one plain value, in quotes if it has blanks"))
            }
        }
    }

    /// The login method of a listener without sessions.
    pub(super) fn auth(&self) -> Result<Auth, Problem> {
        self.parse("none or users", |text| match text {
            "none" => Some(Auth::None),
            "users" => Some(Auth::Users),
            _ => None,
        })
    }

    /// The name of a file in one of Xen's directories; empty when there is no value.
    pub(super) fn optional_file_name(&self) -> Result<Text, Problem> {
        let text = self.free_text()?;
        if text.is_empty() || is_file_name(&text.to_string()) {
            return Ok(text);
        }
        self.parse("a file name without a directory", |_| None)
    }

    pub(super) fn mode(&self) -> Result<u32, Problem> {
        self.parse("a mode in octal (such as 0600)", |text| {
            let mode = u32::from_str_radix(text, 8).ok()?;
            (mode <= 0o777 && !text.starts_with('+')).then_some(mode)
        })
    }

    /// A text that is not empty. `noun` names it with its article.
    pub(super) fn text(&self, noun: &str) -> Result<String, Problem> {
        self.parse(noun, |text| (!text.is_empty()).then(|| text.to_owned()))
    }

    /// Regular expressions separated by blanks; there can be none.
    pub(super) fn patterns(&self) -> Result<String, Problem> {
        if let [_, second, ..] = self.values {
            let message = "takes one value: put all expressions into one pair of quotes";
            return Err(self.problem(second.offset(), message));
        }
        self.parse("regular expressions", |text| Some(text.to_owned()))
    }

    pub(super) fn hypervisor(&self) -> Result<Hypervisor, Problem> {
        let (offset, text) = self.single()?;
        text.parse().map_err(|reason: String| self.problem(offset, &reason))
    }

    /// The name of a fleet, of a build that knows fleets.
    pub(super) fn fleet(&self) -> Result<ClusterName, Problem> {
        let (offset, name) = self.single()?;
        if cfg!(not(feature = "fleet")) {
            let advice = "this xend knows no fleets: build it with cargo build --profile dist \
                          --features fleet";
            return Err(self.problem(offset, advice));
        }
        name.parse().map_err(|error| self.problem(offset, &format!("{error}")))
    }

    pub(super) fn fleet_host(&self) -> Result<HostName, Problem> {
        let (offset, name) = self.single()?;
        name.parse().map_err(|error| self.problem(offset, &format!("{error}")))
    }

    /// The servers of etcd, at least one.
    pub(super) fn etcd_endpoints(&self) -> Result<Vec<EtcdEndpoint>, Problem> {
        let expected = "a URL of etcd, such as https://etcd1:2379";
        let endpoints = self.words(expected, |url| url.parse().ok())?;
        if endpoints.is_empty() {
            return Err(self.problem(self.offset, &format!("needs {expected}")));
        }
        Ok(endpoints)
    }

    /// Names of storages.
    pub(super) fn storages(&self) -> Result<Vec<String>, Problem> {
        self.words("a name of a storage: letters, digits and - . _", |name| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            (name.len() <= 255 && name.bytes().all(plain)).then(|| name.to_owned())
        })
    }

    pub(super) fn scheduler(&self) -> Result<Scheduler, Problem> {
        self.parse("credit, credit2, sedf or rtds", |text| text.parse().ok())
    }

    /// A log level of xend's as a filter of `tracing`. CRITICAL shows errors, too: `tracing` has no
    /// level above them.
    pub(super) fn log_level(&self) -> Result<String, Problem> {
        let level = self.parse("DEBUG, INFO, WARNING, ERROR or CRITICAL", |text| {
            let filter = match text.to_ascii_uppercase().as_str() {
                "DEBUG" => "warn,xend=debug",
                // Of the libraries, warnings and errors only.
                "INFO" => "warn,xend=info",
                "WARNING" => "warn",
                "ERROR" | "CRITICAL" => "error",
                _ => return None,
            };
            Some(filter.to_owned())
        });
        level.map_err(|problem| {
            let meant = self.single().ok().and_then(|(_, text)| log_filter::level_of_file(text));
            let Some(meant) = meant else { return problem };
            Problem { message: format!("{}, did you mean {meant}?", problem.message), ..problem }
        })
    }

    pub(super) fn log_format(&self) -> Result<LogFormat, Problem> {
        self.parse("auto, xend, json or journal", |text| LogFormat::from_str(text, false).ok())
    }

    /// Host names in lower case.
    pub(super) fn hosts(&self) -> Result<Vec<String>, Problem> {
        self.words("a host name, which has no port and no *", |host| {
            let name = host.trim_end_matches('.').to_ascii_lowercase();
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            (!name.is_empty() && name.bytes().all(plain)).then_some(name)
        })
    }

    /// Users of this machine, by name or number, as numbers.
    pub(super) fn users(&self) -> Result<Vec<u32>, Problem> {
        self.words("a user of this machine", |user| match user.parse() {
            Ok(uid) => Some(uid),
            Err(_) => uzers::get_user_by_name(user).map(|user| user.uid()),
        })
    }

    /// One absolute path or more. A path can have blanks.
    pub(super) fn directories(&self) -> Result<Vec<PathBuf>, Problem> {
        let read = |path: &str| {
            let path = PathBuf::from(path);
            let is_plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
            path.components().all(is_plain).then_some(path).filter(|path| path.is_absolute())
        };
        let directories = self.list("an absolute path without ..", |text| vec![text], read)?;
        if directories.is_empty() {
            return Err(self.problem(self.offset, "needs a directory"));
        }
        Ok(directories)
    }

    /// Words: `(key a b)`, `(key (a b))` and `(key 'a b')` are the same.
    fn words<T>(
        &self,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, Problem> {
        self.list(expected, |text| text.split_whitespace().collect(), read)
    }

    /// Any number of values, or one list of them. Each is split before it is read; `expected`
    /// describes a part in the error.
    fn list<T>(
        &self,
        expected: &str,
        split: impl Fn(&str) -> Vec<&str>,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, Problem> {
        let values = match self.values {
            [single] => single.as_list().unwrap_or(self.values),
            several => several,
        };
        let mut found = Vec::new();
        for value in values {
            let wrong = |text: &str| {
                let message = format!("'{}' is not {expected}", text.escape_debug());
                self.problem(value.offset(), &message)
            };
            let bytes = value.as_bytes().ok_or_else(|| {
                self.problem(value.offset(), "needs plain values, not lists in a list")
            })?;
            for part in split(self.text_of(value.offset(), bytes)?) {
                found.push(read(part).ok_or_else(|| wrong(part))?);
            }
        }
        Ok(found)
    }
}

/// Whether a text is a plain file name: without a directory, and not `.` or `..`.
pub(super) fn is_file_name(text: &str) -> bool {
    Path::new(text).file_name().is_some_and(|name| name == text) && !text.contains(char::is_control)
}

//! Values of the configuration file, each with the message for a bad one.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::error::Position;
use crate::core::model::{Scheduler, Text};
use crate::sxp::{self, Sxp};

/// What is logged unless someone says otherwise: our own doings, and trouble in the libraries
/// below.
pub(super) const DEFAULT_FILTER: &str = "warn,xend=info";

/// A message about a place in the text, by byte offset.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) at: u32,
    pub(super) message: String,
}

/// A file and what is in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a [u8],
}

impl Source<'_> {
    pub(super) fn position(&self, at: u32) -> Position {
        Position::new(self.path, sxp::position(self.text, at as usize))
    }
}

/// One `(key value ...)` of the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) source: Source<'a>,
    pub(super) key: &'a str,
    pub(super) values: &'a [Sxp],
    pub(super) at: u32,
}

impl<'a> Entry<'a> {
    pub(super) fn problem(&self, at: u32, message: &str) -> Problem {
        Problem { at, message: format!("{}: {message}", self.key) }
    }

    /// The one value, where it is, as text.
    fn one(&self) -> Result<(u32, &'a str), Problem> {
        match self.values {
            [value] => match value.as_str() {
                Some(text) => Ok((value.offset(), text)),
                None => Err(self.problem(value.offset(), "needs a plain value, not a list")),
            },
            [] => Err(self.problem(self.at, "needs a value")),
            [_, second, ..] => Err(self.problem(second.offset(), "takes one value only")),
        }
    }

    /// The one value as `read` understands it, or the complaint that it is not `wanted`.
    fn parse<T>(&self, wanted: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, Problem> {
        let (at, text) = self.one()?;
        read(text)
            .ok_or_else(|| self.problem(at, &format!("'{}' is not {wanted}", text.escape_debug())))
    }

    pub(super) fn yes_no(&self) -> Result<bool, Problem> {
        self.parse("yes or no", |text| match text.to_ascii_lowercase().as_str() {
            "yes" | "y" | "true" | "t" | "on" | "1" => Some(true),
            "no" | "n" | "false" | "f" | "off" | "0" => Some(false),
            _ => None,
        })
    }

    /// A decimal number in `range`; `what` names it with its article.
    pub(super) fn number<T: TryFrom<u64>>(
        &self,
        what: &str,
        range: &RangeInclusive<u64>,
    ) -> Result<T, Problem> {
        let wanted = format!("{what} ({} to {})", range.start(), range.end());
        self.parse(&wanted, |text| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            let number = text.parse().ok().filter(|number| digits && range.contains(number))?;
            T::try_from(number).ok()
        })
    }

    pub(super) fn address(&self) -> Result<IpAddr, Problem> {
        self.parse("an IP address, localhost or ''", address)
    }

    pub(super) fn path(&self) -> Result<PathBuf, Problem> {
        self.parse("an absolute path", |text| {
            Some(PathBuf::from(text)).filter(|path| path.is_absolute())
        })
    }

    /// A file; a relative name is one beside the configuration file, as in xend 4.
    pub(super) fn file_beside(&self) -> Result<PathBuf, Problem> {
        let file = self.parse("a file", |text| {
            Some(PathBuf::from(text)).filter(|path| path.file_name().is_some())
        })?;
        Ok(self.source.path.parent().map_or(file.clone(), |dir| dir.join(file)))
    }

    /// Any text, or none. A message about it does not show it: it can be a password.
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

    /// An address to listen on, or none.
    pub(super) fn free_address(&self) -> Result<Text, Problem> {
        let text = self.free_text()?;
        if text.is_empty() {
            return Ok(text);
        }
        Ok(self.address()?.to_string().into())
    }

    /// The name of a file in a directory of Xen's, or none.
    pub(super) fn free_file_name(&self) -> Result<Text, Problem> {
        let text = self.free_text()?;
        if text.is_empty() || is_file_name(&text.to_string()) {
            return Ok(text);
        }
        self.parse("a file name without a directory", |_| None)
    }

    pub(super) fn mode(&self) -> Result<u32, Problem> {
        self.parse("a mode in octal (such as 0600)", |text| {
            u32::from_str_radix(text, 8)
                .ok()
                .filter(|mode| *mode <= 0o777 && !text.starts_with('+'))
        })
    }

    pub(super) fn text(&self, what: &str) -> Result<String, Problem> {
        self.parse(what, |text| (!text.is_empty()).then(|| text.to_owned()))
    }

    /// Regular expressions, separated by blanks; none at all is a value too.
    pub(super) fn patterns(&self) -> Result<String, Problem> {
        self.parse("regular expressions", |text| Some(text.to_owned()))
    }

    pub(super) fn scheduler(&self) -> Result<Scheduler, Problem> {
        self.parse("credit, credit2, sedf or rtds", |text| text.parse().ok())
    }

    /// A level of xend as a filter of `tracing`. There is nothing above an error, so CRITICAL shows
    /// errors as well.
    pub(super) fn log_level(&self) -> Result<String, Problem> {
        self.parse("DEBUG, INFO, WARNING, ERROR or CRITICAL", |text| {
            let filter = match text.to_ascii_uppercase().as_str() {
                "DEBUG" => "warn,xend=debug",
                "INFO" => DEFAULT_FILTER,
                "WARNING" => "warn",
                "ERROR" | "CRITICAL" => "error",
                _ => return None,
            };
            Some(filter.to_owned())
        })
    }

    /// Host names: `(key a b)`, `(key (a b))` and `(key 'a b')` are the same.
    pub(super) fn hosts(&self) -> Result<Vec<String>, Problem> {
        let values = match self.values {
            [one] => one.as_list().unwrap_or(self.values),
            many => many,
        };
        let mut hosts = Vec::new();
        for value in values {
            let text =
                value.as_str().ok_or_else(|| self.problem(value.offset(), "needs host names"))?;
            for host in text.split_whitespace() {
                let name = host.trim_end_matches('.').to_ascii_lowercase();
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
                if name.is_empty() || !name.bytes().all(plain) {
                    let message = format!("'{}' is not a host name", host.escape_debug());
                    return Err(self.problem(value.offset(), &message));
                }
                hosts.push(name);
            }
        }
        Ok(hosts)
    }
}

/// Whether a text is the name of a file, and not a path or one of the names that mean directories.
pub(super) fn is_file_name(text: &str) -> bool {
    Path::new(text).file_name().is_some_and(|name| name == text) && !text.contains(char::is_control)
}

/// An address to listen on, in xend's words: `''` is every interface.
pub(crate) fn address(text: &str) -> Option<IpAddr> {
    match text {
        "" => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        ip => ip.parse().ok(),
    }
}

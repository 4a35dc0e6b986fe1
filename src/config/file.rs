//! Reads `xend-config.sxp`.

use super::diagnostic::{Diagnostic, KeyPositions, Origin, Position};
use super::entry::{Entry, Problem, Source};
use super::error::ConfigError;
use super::keys::{Key, ListenerGroup, OnError};
use super::obsolete::{self, OBSOLETE_KEYS};
use super::options::Hypervisor;
use super::settings::FileSettings;
use super::table::{self, keys};
use crate::bounded_file;
use crate::sxp::{self, Limits, ReadError, ReadErrorKind, Sxp};
use std::collections::HashSet;
use std::io;
use std::mem;
use std::path::Path;
use xend_spelling::nearest;

/// A configuration file that was read.
#[derive(Debug)]
pub(super) struct ConfigFile {
    pub(super) settings: FileSettings,
    pub(super) positions: KeyPositions,
    /// Errors in entries of listeners, until `is_served` is asked for the listener.
    listener_errors: Vec<(ListenerGroup, Diagnostic)>,
    /// The error in the hypervisor, until `hypervisor` is asked.
    hypervisor_error: Option<Diagnostic>,
    /// What keeps the daemon from starting.
    refusals: Vec<Diagnostic>,
    diagnostics: Vec<Diagnostic>,
}

impl ConfigFile {
    /// A file without entries.
    pub(super) fn empty() -> Self {
        Self {
            settings: FileSettings::defaults(),
            positions: KeyPositions::default(),
            listener_errors: Vec::new(),
            hypervisor_error: None,
            refusals: Vec::new(),
            diagnostics: Vec::new(),
        }
    }

    /// Reads a file that must exist.
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = bounded_file::read(path, Limits::DEFAULT.bytes)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let mut file = Self { positions: KeyPositions::of(path), ..Self::empty() };
        file.parse(&Source { path, text: &text });
        Ok(file)
    }

    /// Reads a file; a missing one is empty.
    pub(super) fn read_if_exists(path: &Path) -> Result<Self, ConfigError> {
        match Self::read(path) {
            Err(ConfigError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(Self::empty())
            }
            result => result,
        }
    }

    /// Position of the first of these keys that the file has.
    pub(super) fn origin(&self, keys: &[&str]) -> Origin {
        Origin(keys.iter().find_map(|key| self.positions.get(key)).cloned())
    }

    /// Whether listeners can be served: not if one of their entries is wrong, which is reported. To
    /// be asked once a group, before whether it is turned on, unless the command line decides about
    /// it.
    pub(super) fn is_served(&mut self, group: ListenerGroup) -> bool {
        let (errors, others): (Vec<_>, Vec<_>) =
            mem::take(&mut self.listener_errors).into_iter().partition(|(of, _)| *of == group);
        self.listener_errors = others;
        let is_served = errors.is_empty();
        let consequence = format!("{} is not served", group.name());
        self.diagnostics
            .extend(errors.into_iter().map(|(_, error)| error.with_consequence(&consequence)));
        is_served
    }

    /// The hypervisor: that of the command line, which counts, or else the file's.
    pub(super) fn hypervisor(&mut self, option: Option<Hypervisor>) -> Hypervisor {
        match (option, self.hypervisor_error.take()) {
            (Some(hypervisor), error) => {
                let consequence = format!("the command line decides, {hypervisor}");
                let warning =
                    error.map(|error| error.with_consequence(&consequence).into_warning());
                self.diagnostics.extend(warning);
                hypervisor
            }
            (None, error) => {
                self.refusals.extend(error);
                self.settings.hypervisor
            }
        }
    }

    /// Keeps the daemon from starting, unless an entry does so already whose value nothing can
    /// replace: what others say together with it need not be wrong.
    pub(super) fn refuse_together(&mut self, error: Diagnostic) {
        if self.refusals.is_empty() {
            self.refuse(error);
        }
    }

    fn refuse(&mut self, error: Diagnostic) {
        self.refusals.push(error);
    }

    /// What keeps the daemon from starting.
    pub(super) fn take_refusals(&mut self) -> Vec<Diagnostic> {
        mem::take(&mut self.refusals)
    }

    /// Warns of the value of a key.
    pub(super) fn warn(&mut self, key: &str, message: impl Into<String>) {
        let warning = Diagnostic::warning_at(self.positions.get(key), message);
        self.diagnostics.push(warning);
    }

    /// Reports that a listener is not served. A listener of the command line has no position, and
    /// no report.
    pub(super) fn report_unserved(&mut self, origin: &Origin, listener: &str, reason: &str) {
        if let Some(position) = &origin.0 {
            self.diagnostics.push(position.error(format!("{listener} is not served: {reason}")));
        }
    }

    /// The messages about the file. Errors in entries of listeners that the command line decides
    /// about are warnings.
    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        let overridden = self.listener_errors.into_iter().map(|(group, error)| {
            let consequence = format!("the command line decides about {}", group.name());
            error.with_consequence(&consequence).into_warning()
        });
        self.diagnostics.into_iter().chain(overridden).collect()
    }

    fn parse(&mut self, source: &Source<'_>) {
        let expressions = match sxp::read_all(source.text, &Limits::DEFAULT) {
            Ok(expressions) => expressions,
            Err(error) => {
                let position = Position::new(source.path, (error.line(), error.column()));
                return self.refuse(position.error(unreadable(source.text, &error)));
            }
        };
        let mut seen = HashSet::new();
        let mut after_word = false;
        for expression in &expressions {
            let position = source.position(expression.offset());
            if let Some(key) = strange_key(expression) {
                self.diagnostics.push(position.warning(format!("Unknown key {key} is ignored")));
                continue;
            }
            let Some(key) = expression.head() else {
                // Several words without parentheses are one mistake. The message does not show
                // them: one can be a password.
                let is_word = expression.as_list().is_none();
                if !(mem::replace(&mut after_word, is_word) && is_word) {
                    self.diagnostics.push(position.warning(not_an_entry(expression)));
                }
                continue;
            };
            after_word = false;
            if seen.insert(key) {
                self.read_entry(&Entry {
                    source: *source,
                    key,
                    values: expression.tail(),
                    offset: expression.offset(),
                });
            } else {
                // As in xend.
                let key = key.escape_debug();
                let message = format!("{key} is repeated and ignored, the first one counts");
                self.diagnostics.push(position.warning(message));
            }
        }
    }

    fn read_entry(&mut self, entry: &Entry<'_>) {
        let Some(key) = table::find(entry.key) else {
            let warning = unknown_or_obsolete(entry);
            self.diagnostics.extend(warning);
            return;
        };
        self.positions.insert(key.name, entry.source.position(entry.offset));
        let result = (key.field.read)(&mut self.settings, entry, &mut self.diagnostics);
        let Err(Problem { offset, message }) = result else { return };
        let error = entry.source.position(offset).error(message);
        match key.on_error {
            OnError::Refuse => self.refuse(error),
            OnError::DropListener(group) => self.listener_errors.push((group, error)),
            OnError::RefuseWithoutOption => self.hypervisor_error = Some(error),
            OnError::UseDefault => self.diagnostics.push(error.with_consequence(&default_of(key))),
        }
    }
}

/// Why a file cannot be read, and what to do. Bytes that are not ASCII are part of comments and of
/// quoted values, in whatever encoding, as in xend.
fn unreadable(text: &[u8], error: &ReadError) -> String {
    let ReadErrorKind::InvalidCharacter(0x80..) = error.kind() else { return error.to_string() };
    let advice = match text {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "the file is UTF-16, save it as UTF-8",
        [0xef, 0xbb, 0xbf, ..] if error.offset() == 0 => {
            "the file begins with a byte order mark, save it without"
        }
        _ => "put a value with other letters than those of ASCII in quotes",
    };
    format!("{error}: {advice}")
}

/// The key of an entry, for people, if it is not UTF-8: no key is like that.
fn strange_key(expression: &Sxp) -> Option<String> {
    let bytes = expression.as_list()?.first()?.as_bytes()?;
    std::str::from_utf8(bytes).is_err().then(|| bytes.escape_ascii().to_string())
}

fn default_of(key: &Key) -> String {
    let default = if key.default.is_empty() { "none" } else { key.default };
    format!("the default is used, {default}")
}

/// The warning about a key without an effect; `None` when its value needs none.
fn unknown_or_obsolete(entry: &Entry<'_>) -> Option<Diagnostic> {
    let position = entry.source.position(entry.offset);
    let key = entry.key.escape_debug();
    let Some(obsolete) = obsolete::find(entry.key) else {
        let names = keys().map(|key| key.name).chain(OBSOLETE_KEYS.iter().map(|key| key.name));
        let hint = match nearest(entry.key, names) {
            Some(name) => format!(", did you mean {name}?"),
            None => String::new(),
        };
        return Some(position.warning(format!("Unknown key {key} is ignored{hint}")));
    };
    let mut words = Vec::new();
    collect_words(entry.values, &mut words);
    let is_harmless = match words.as_slice() {
        [] => true,
        [word] => obsolete.is_harmless(entry.key, word),
        _ => false,
    };
    let message = format!("{key} has no effect: {}", obsolete.reason);
    (!is_harmless).then(|| position.warning(message))
}

/// Collects the words of a value, including those in lists. Recursion is bounded by the reader's
/// depth limit.
fn collect_words<'a>(values: &'a [Sxp], words: &mut Vec<&'a str>) {
    for value in values {
        match value.as_list() {
            Some(items) => collect_words(items, words),
            None => words.push(value.as_str().unwrap_or("?")),
        }
    }
}

/// The message about an expression that is not an entry.
fn not_an_entry(expression: &Sxp) -> String {
    let is_key = |word: &&str| table::find(word).is_some() || obsolete::find(word).is_some();
    match expression.as_str().filter(is_key) {
        Some(key) => format!("{key} is ignored: write ({key} VALUE), in parentheses"),
        None => "This is ignored: an entry is (key value), in parentheses".to_owned(),
    }
}

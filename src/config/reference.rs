//! The tables of keys, printed for people.

use super::keys::Key;
use super::obsolete::OBSOLETE_KEYS;
use super::table::{SECTIONS, keys};

/// Longest line of the sample file.
const WIDTH: usize = 100;

const HEADER: &[&str] = &[
    "xend-config.sxp: the configuration of xend.",
    "The file is a sequence of (key value); # starts a comment. The commented-out entries show \
     the defaults. Instead of yes, a value can be true, on or 1; instead of no, false, off or 0.",
    "Options of the command line override this file, see xend --help. [reload] marks the keys \
     that SIGHUP (systemctl reload xend, or xend-sim) applies; the others need a restart.",
    "A file written for an old xend works as it is. If a key is repeated, the first one counts. \
     The log has a warning for each unknown key, and for each key that has no effect any more \
     and asks for something. A listener with a wrong entry is not served; everything else is. \
     xend --check-config prints these messages without serving, and xend keys lists all keys.",
];

/// What the manual says of a key.
pub struct KeyText {
    /// The entry with its default, `(xend-port 8000)`.
    pub entry: String,
    /// Sentences.
    pub text: String,
    /// Other entries.
    pub examples: &'static [&'static str],
}

/// The keys that have an effect, by section.
pub fn key_texts() -> Vec<(&'static str, Vec<KeyText>)> {
    let key_text = |key: &Key| KeyText {
        entry: entry(key.name, key.default),
        text: sentences(key),
        examples: key.examples,
    };
    SECTIONS
        .iter()
        .map(|section| (section.title, section.keys.iter().map(key_text).collect()))
        .collect()
}

/// The keys without effect, each with the reason.
pub fn obsolete_keys() -> impl Iterator<Item = (&'static str, &'static str)> {
    OBSOLETE_KEYS.iter().map(|key| (key.name, key.reason))
}

/// All keys, one a line, for `xend keys`.
pub fn reference() -> String {
    let used = keys().map(|key| {
        let entry = entry(key.name, key.default);
        format!("{entry}  {}{}\n", key.about, reload_mark(key.reload))
    });
    let obsolete =
        obsolete_keys().map(|(name, reason)| format!("({name})  has no effect: {reason}\n"));
    used.chain(obsolete).collect()
}

/// The commented sample file, `dist/xend-config.sxp`.
pub fn sample_file() -> String {
    let mut text = String::new();
    for (number, paragraph) in HEADER.iter().enumerate() {
        if number > 0 {
            text.push_str("#\n");
        }
        push_comment(&mut text, paragraph);
    }
    for section in SECTIONS {
        text.push_str("\n\n## ");
        text.push_str(section.title);
        text.push('\n');
        for key in section.keys {
            text.push('\n');
            push_comment(&mut text, &sentences(key));
            // An example is not the default: it is indented, so that removing "#(" finds defaults
            // only.
            for example in key.examples {
                text.push_str("#   ");
                text.push_str(example);
                text.push('\n');
            }
            if !key.default.is_empty() {
                text.push('#');
                text.push_str(&entry(key.name, key.default));
                text.push('\n');
            }
        }
    }
    text
}

/// All that is said of a key.
fn sentences(key: &Key) -> String {
    let gap = if key.details.is_empty() { "" } else { " " };
    format!("{}{gap}{}{}", key.about, key.details, reload_mark(key.reload))
}

fn entry(name: &str, value: &str) -> String {
    if value.is_empty() { format!("({name})") } else { format!("({name} {value})") }
}

fn reload_mark(reload: bool) -> &'static str {
    if reload { " [reload]" } else { "" }
}

/// Appends a paragraph as comment lines of at most [`WIDTH`] characters.
fn push_comment(text: &mut String, paragraph: &str) {
    let mut line = String::from("#");
    for word in paragraph.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH && line.len() > 1 {
            text.push_str(&line);
            text.push('\n');
            line.truncate(1);
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}

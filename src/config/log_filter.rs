//! The log filter of the command line, in the syntax of `tracing`: levels and `TARGET=LEVEL`.
//!
//! In that syntax, a word that is no level is a target, of which everything is logged. So a
//! misspelt level would silence the daemon.

use tracing_subscriber::EnvFilter;
use xend_spelling::nearest;

/// The levels of a filter.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// The levels of the configuration file, with their counterparts in a filter.
const LEVELS_OF_FILE: [(&str, &str); 5] = [
    ("DEBUG", "debug"),
    ("INFO", "info"),
    ("WARNING", "warn"),
    ("ERROR", "error"),
    ("CRITICAL", "error"),
];

/// The filter, if it can be read and no word in it is a misspelt level.
pub(super) fn checked(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map_err(|error| error.to_string())?;
    let parts = || text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let has_level = parts().any(|part| is_level(part) || part.contains('='));
    let is_plain = |part: &&str| !is_level(part) && !part.contains(['=', '[', ']', ':']);
    // Beside a level, a word can be the name of a library.
    let is_mistake = |part: &&str| *part != "xend" && (!has_level || meant(part).is_some());
    match parts().filter(is_plain).find(is_mistake) {
        Some(word) => Err(not_a_level(word)),
        None => Ok(text.to_owned()),
    }
}

/// The level of the configuration file that a misspelt one probably means.
pub(super) fn level_of_file(word: &str) -> Option<&'static str> {
    let of_filter = LEVELS_OF_FILE.iter().find(|(_, level)| level.eq_ignore_ascii_case(word));
    let names = LEVELS_OF_FILE.iter().map(|(name, _)| *name);
    of_filter.map(|(name, _)| *name).or_else(|| nearest(word, names))
}

fn is_level(word: &str) -> bool {
    // `tracing` takes numbers, too.
    LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word))
        || matches!(word.as_bytes(), [b'0'..=b'5'])
}

/// The level that a word probably means.
fn meant(word: &str) -> Option<&'static str> {
    let of_file = LEVELS_OF_FILE.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    of_file.map(|(_, level)| *level).or_else(|| nearest(word, LEVELS))
}

fn not_a_level(word: &str) -> String {
    let word = word.escape_debug();
    let advice = match meant(&word.to_string()) {
        Some(level) => format!("did you mean {level}?"),
        None => format!("for all of a target, write {word}=trace"),
    };
    format!("'{word}' is not a level ({}): {advice}", LEVELS.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_level_is_refused() {
        for (text, wanted) in [
            ("debgu", "did you mean debug?"),
            ("verbose", "for all of a target, write verbose=trace"),
            ("WARNING", "did you mean warn?"),
            ("inof,xend=debug", "did you mean info?"),
            ("blah,foo", "for all of a target, write blah=trace"),
        ] {
            let refused = checked(text).unwrap_err();
            assert!(refused.ends_with(wanted), "{refused}");
            assert!(refused.contains("(off, error, warn, info, debug, trace)"), "{refused}");
        }
        assert!(checked("xend=loud").is_err());
    }

    #[test]
    fn what_is_a_filter_stays_one() {
        for text in [
            "debug",
            "DEBUG",
            "off",
            "3",
            "",
            "warn,xend=debug",
            "xend",
            "xend=trace,hyper",
            "info,hyper",
            "xend::wire",
            "xend[op]=debug",
            "[op{name=\"a\"}]",
            "warn,",
        ] {
            assert_eq!(checked(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn levels_of_the_file_are_suggested_for_those_of_a_filter() {
        assert_eq!(level_of_file("debgu"), Some("DEBUG"));
        assert_eq!(level_of_file("warn"), Some("WARNING"));
        assert_eq!(level_of_file("trace"), None);
    }
}

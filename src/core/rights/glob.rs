//! Patterns for names.

/// Whether `text` matches `pattern`, in which `*` stands for any characters, also for none. In time
/// proportional to the product of the lengths.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return text.ends_with(part);
        }
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text) in [
            ("lj", "lj"),
            ("*", ""),
            ("*", "lj"),
            ("web*", "web"),
            ("web*", "web1"),
            ("*.my.flat", "one.my.flat"),
            ("one.*.flat", "one.my.flat"),
            ("a*b*c", "aXbbYc"),
            ("a**b", "ab"),
            ("*ab", "abab"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("lj", "lj1"),
            ("", "a"),
            ("web*", "we"),
            ("web*", "Web1"),
            ("ab*ba", "aba"),
            ("a*b*c", "ac"),
            ("*b", "ba"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}

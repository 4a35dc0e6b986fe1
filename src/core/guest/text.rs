//! Texts of a guest, which can hold anything.

/// The characters of a text that a reader sees: none that control a terminal, or the direction of
/// what stands beside them.
pub(super) fn printable(text: &str) -> impl Iterator<Item = char> {
    let is_invisible = |c: char| {
        matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        )
    };
    text.chars().filter(move |c| !c.is_control() && !is_invisible(*c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_reader_sees_is_left_out() {
        let text: String = printable("a\u{202e}b\u{1b}[31m\n\u{200b}ä 日本").collect();
        assert_eq!(text, "ab[31mä 日本");
    }
}

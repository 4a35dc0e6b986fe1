//! The search in the reference.

/// The words that somebody looks for. Without words, everything is found.
pub(super) struct Search(Vec<String>);

impl Search {
    pub(super) fn new(text: &str) -> Self {
        Self(text.split_whitespace().map(str::to_lowercase).collect())
    }

    /// Whether the texts have all words, in any case.
    pub(super) fn finds<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let texts: Vec<String> = texts.into_iter().map(str::to_lowercase).collect();
        self.0.iter().all(|word| texts.iter().any(|text| text.contains(word.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_words_are_found_in_any_place() {
        let finds = |words: &str| Search::new(words).finds(["Pause", "Stops the VCPUs"]);
        assert!(finds("") && finds("pause") && finds("VCPU pause") && finds("stops  the"));
        assert!(!finds("pause memory"));
    }
}

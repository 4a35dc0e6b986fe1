//! The nodes of a report.

/// The longest value, in bytes. XenStore takes 2015 from a guest.
pub(super) const MAX_VALUE: usize = 256;

/// Nodes with their values, in the order in which they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Report(Vec<(String, String)>);

impl Report {
    /// Adds a node. Values are text of 7 bits by XenStore's rules: what is not printable becomes
    /// `?`. A value that is empty or blank is left out.
    pub(super) fn add(&mut self, path: impl Into<String>, value: &str) {
        let printable = |char: char| if matches!(char, ' '..='~') { char } else { '?' };
        let value: String = value.trim().chars().take(MAX_VALUE).map(printable).collect();
        if !value.is_empty() {
            self.0.push((path.into(), value));
        }
    }

    /// The nodes, in order.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, value)| (path.as_str(), value.as_str()))
    }

    /// Adds the nodes of another report after those of this one.
    pub(super) fn append(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_printable_and_not_empty() {
        let mut report = Report::default();
        report.add("a", " two words \n");
        report.add("b", "");
        report.add("c", " \t\n");
        report.add("d", "a\0b\x1b[31m\u{202e}é");
        let nodes: Vec<_> = report.nodes().collect();
        assert_eq!(nodes, [("a", "two words"), ("d", "a?b?[31m??")]);
    }

    proptest! {
        #[test]
        fn any_text_becomes_a_value_or_none(text in any::<String>()) {
            let mut report = Report::default();
            report.add("node", &text);
            for (_, value) in report.nodes() {
                prop_assert!((1..=MAX_VALUE).contains(&value.len()));
                prop_assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            }
        }
    }
}

//! What wires have printed of a domain. It is kept with the view of the domain, and with later
//! views that differ in figures alone: whatever lists the domain next, for whomever, puts present
//! figures into the same text.

use std::fmt;
use std::sync::{Arc, OnceLock};

/// A printed text with gaps for figures.
#[derive(Debug)]
pub struct GappedText {
    text: Box<[u8]>,
    /// Where the gaps are, in order.
    gaps: Box<[usize]>,
    digest: [u64; 2],
}

/// A form of a domain that is printed once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextForm {
    /// xend's S-expression.
    Sxp,
    /// JSON with all keys.
    Json,
}

/// The texts of a domain that were printed. A copy is empty: it belongs to a view that may show
/// something else.
#[derive(Default)]
pub(in crate::core) struct KeptTexts(Arc<[OnceLock<Box<GappedText>>; 2]>);

impl GappedText {
    /// A text with gaps at these places, which are in order.
    pub fn new(text: Vec<u8>, gaps: Vec<usize>) -> Self {
        Self { text: text.into(), gaps: gaps.into(), digest: [0; 2] }
    }

    /// The text with what tells it from others, for a wire that compares answers.
    #[must_use]
    pub fn with_digest(self, digest: [u64; 2]) -> Self {
        Self { digest, ..self }
    }

    /// What tells the text from others; zeros if nobody has said so.
    pub fn digest(&self) -> [u64; 2] {
        self.digest
    }

    /// Appends the text to `out`. `fill` appends what belongs into each gap, counted from 0.
    pub fn write(&self, out: &mut Vec<u8>, mut fill: impl FnMut(&mut Vec<u8>, usize)) {
        let mut begin = 0;
        for (number, gap) in self.gaps.iter().enumerate() {
            out.extend_from_slice(self.text.get(begin..*gap).unwrap_or_default());
            fill(out, number);
            begin = *gap;
        }
        out.extend_from_slice(self.text.get(begin..).unwrap_or_default());
    }
}

impl KeptTexts {
    /// The text in this form, which is printed if it has not been yet.
    pub(in crate::core) fn get(
        &self,
        form: TextForm,
        print: impl FnOnce() -> GappedText,
    ) -> &GappedText {
        let [sxp, json] = &*self.0;
        let slot = match form {
            TextForm::Sxp => sxp,
            TextForm::Json => json,
        };
        slot.get_or_init(|| {
            #[cfg(test)]
            counted::PRINTED.set(counted::PRINTED.get() + 1);
            Box::new(print())
        })
    }

    /// The same texts, for a view that differs in figures alone.
    pub(in crate::core) fn share(&self) -> Self {
        Self(self.0.clone())
    }
}

impl Clone for KeptTexts {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Views are the same whatever has been printed of them.
impl PartialEq for KeptTexts {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for KeptTexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeptTexts")
    }
}

#[cfg(test)]
mod counted {
    use std::cell::Cell;

    thread_local! {
        pub(super) static PRINTED: Cell<usize> = const { Cell::new(0) };
    }
}

/// How many texts this thread has printed since this was last asked.
#[cfg(test)]
pub(crate) fn take_printed() -> usize {
    counted::PRINTED.take()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_filled_in_order() {
        let written = |text: &str, gaps: &[usize]| {
            let text = GappedText::new(text.into(), gaps.to_vec());
            let mut out = b"> ".to_vec();
            text.write(&mut out, |out, gap| out.extend_from_slice(gap.to_string().as_bytes()));
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written("abc", &[]), "> abc");
        assert_eq!(written("abc", &[0, 2, 2, 3]), "> 0ab12c3");
        assert_eq!(written("", &[0]), "> 0");
    }

    #[test]
    fn a_text_is_printed_once_for_views_that_share_it() {
        let texts = KeptTexts::default();
        let text = |texts: &KeptTexts, form, text: &str| {
            let kept = texts.get(form, || GappedText::new(text.into(), vec![]));
            String::from_utf8_lossy(&kept.text).into_owned()
        };
        assert_eq!(text(&texts, TextForm::Sxp, "one"), "one");
        assert_eq!(text(&texts.share(), TextForm::Sxp, "two"), "one");
        assert_eq!(text(&texts, TextForm::Json, "three"), "three");
        assert_eq!(text(&texts.clone(), TextForm::Sxp, "four"), "four");
    }
}

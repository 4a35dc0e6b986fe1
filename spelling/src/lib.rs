//! Suggestions for misspelt words.

use std::cmp::Reverse;

/// Only this many characters of a word are compared.
const LONGEST: usize = 64;

/// The word of `known` that the misspelt `word` probably means.
///
/// ```
/// use xend_spelling::nearest;
///
/// assert_eq!(nearest("vcpsu", ["vcpu_avail", "vcpus"]), Some("vcpus"));
/// assert_eq!(nearest("PAUSE", ["pause", "unpause"]), Some("pause"));
/// assert_eq!(nearest("folder", ["vcpus", "name"]), None);
/// ```
///
/// Case makes no difference, except that a word is not suggested for itself. Of words that are
/// equally near, the one with the same beginning is meant: few mistype the first letters.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = match word.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    };
    let lower = word.to_lowercase();
    known
        .into_iter()
        .filter(|other| *other != word)
        .map(|other| (other.to_lowercase(), other))
        .map(|(known, other)| ((distance(&lower, &known), Reverse(shared(&lower, &known))), other))
        .filter(|((distance, _), _)| *distance <= limit)
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, other)| other)
}

/// The number of letters with which both words begin.
fn shared(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count()
}

/// The number of edits between two words: letters changed, added, removed, or swapped with their
/// neighbour.
fn distance(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.chars().take(LONGEST).collect();
    let other: Vec<char> = other.chars().take(LONGEST).collect();
    let width = other.len() + 1;
    // Row i, column j: the distance of the first i letters of one and the first j of the other.
    let mut table: Vec<usize> = (0..width).collect();
    for i in 1..=one.len() {
        table.push(i);
        for j in 1..width {
            let changed = usize::from(one[i - 1] != other[j - 1]);
            let mut least = (table[(i - 1) * width + j - 1] + changed)
                .min(table[(i - 1) * width + j] + 1)
                .min(table[i * width + j - 1] + 1);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                least = least.min(table[(i - 2) * width + j - 2] + 1);
            }
            table.push(least);
        }
    }
    table[one.len() * width + other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_is_one_edit() {
        for (one, other, steps) in [
            ("mode", "mode", 0),
            ("mod", "mode", 1),
            ("vcpsu", "vcpus", 1),
            ("", "ab", 2),
            ("memroy", "memory", 1),
        ] {
            assert_eq!(
                (distance(one, other), distance(other, one)),
                (steps, steps),
                "{one} {other}"
            );
        }
        assert_eq!(nearest("mod", ["mode", "mac"]), Some("mode"));
        assert_eq!(nearest("rw", ["r", "w"]), None);
        assert_eq!(nearest("R", ["rw", "r"]), Some("r"));
        assert_eq!(nearest("mode", ["mode", "modem"]), Some("modem"));
        assert_eq!(nearest("vcpu", ["cpu", "vcpus"]), Some("vcpus"));
        assert_eq!(nearest("xend-prot", ["xend-port", "xend-address"]), Some("xend-port"));
    }
}

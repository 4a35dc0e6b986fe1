//! The order in which people expect names: `build2` before `build10`.

use std::cmp::Ordering;

/// Compares texts with the numbers in them as numbers, and letters in any case. Texts that differ
/// in case or in leading zeros alone are in the order of their bytes, so that no two texts are
/// equal unless they are the same.
pub(super) fn natural_order(a: &str, b: &str) -> Ordering {
    let mut left = a.as_bytes();
    let mut right = b.as_bytes();
    while let (Some(l), Some(r)) = (left.first(), right.first()) {
        let order = if l.is_ascii_digit() && r.is_ascii_digit() {
            let left_number = take_number(&mut left);
            let right_number = take_number(&mut right);
            left_number.len().cmp(&right_number.len()).then_with(|| left_number.cmp(right_number))
        } else {
            let order = l.to_ascii_lowercase().cmp(&r.to_ascii_lowercase());
            left = &left[1..];
            right = &right[1..];
            order
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

/// Takes the digits at the beginning of a text, and returns them without leading zeros.
fn take_number<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    &digits[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_as_numbers() {
        let sorted = [
            "",
            "10",
            "100",
            "Build1",
            "build2",
            "build02x",
            "build2y",
            "build10",
            "Build10",
            "build99999999999999999999998",
            "build99999999999999999999999",
            "web",
            "web-1",
            "web1",
            "wéb",
        ];
        let mut shuffled = sorted;
        shuffled.reverse();
        shuffled.sort_by(|a, b| natural_order(a, b));
        // Upper case comes first among texts that differ in nothing else.
        let mut expected = sorted;
        expected.swap(7, 8);
        assert_eq!(shuffled, expected);
    }

    #[test]
    fn only_the_same_text_is_equal() {
        let texts = ["a", "A", "a1", "a01", "a001", "a1b", "a01b", "0", "00"];
        for (n, a) in texts.iter().enumerate() {
            for (m, b) in texts.iter().enumerate() {
                assert_eq!(natural_order(a, b) == Ordering::Equal, n == m, "{a} {b}");
                assert_eq!(natural_order(a, b), natural_order(b, a).reverse(), "{a} {b}");
            }
        }
    }
}

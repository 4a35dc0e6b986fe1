//! What to say of a text where a whole number is expected.

/// Settings in MiB.
const IN_MEBIBYTES: [&str; 4] = ["memory", "maxmem", "shadow_memory", "videoram"];

/// The sentence about the text of a setting, with the number that somebody means who writes `2G`.
/// The text itself is not in it.
pub(crate) fn expected(name: &str, text: &[u8]) -> String {
    let meant = || mebibytes(std::str::from_utf8(text).ok()?);
    match IN_MEBIBYTES.contains(&name).then(meant).flatten() {
        Some(number) => format!("a whole number of MiB is expected, write {number}"),
        None => "a whole number is expected".to_owned(),
    }
}

/// The MiB of an amount of memory with its unit; `None` if they are no whole number. xm and
/// everybody else mean powers of two.
pub(crate) fn mebibytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let kibibytes: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 1 << 10,
        "g" | "gb" | "gib" => 1 << 20,
        "t" | "tb" | "tib" => 1 << 30,
        _ => return None,
    };
    let kibibytes = number.parse::<u64>().ok()?.checked_mul(kibibytes)?;
    (kibibytes % 1024 == 0).then_some(kibibytes / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_writes_a_unit_is_told_the_number() {
        for (text, number) in [
            ("2G", Some(2048)),
            (" 512 MiB ", Some(512)),
            ("1t", Some(1 << 20)),
            ("1000k", None),
            ("1.5G", None),
            ("G", None),
            ("2", None),
            ("18446744073709551615T", None),
        ] {
            assert_eq!(mebibytes(text), number, "{text}");
        }
        let advice = "a whole number of MiB is expected, write 2048";
        assert_eq!(expected("maxmem", b"2G"), advice);
        assert_eq!(expected("vcpus", b"2G"), "a whole number is expected");
        assert_eq!(expected("memory", b"\xff"), "a whole number is expected");
    }
}

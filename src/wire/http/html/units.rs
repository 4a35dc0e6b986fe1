//! Sizes, rates and times in the unit that suits them.

const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/// `640 B`, `1.5 GiB`, `512 MiB`
pub(super) fn size(bytes: f64) -> String {
    let (unit, name) = unit_of(bytes);
    format!("{} {name}", amount(bytes / unit))
}

/// The same of a count.
#[allow(clippy::cast_precision_loss, reason = "it is printed with three digits")]
pub(crate) fn bytes(count: u64) -> String {
    size(count as f64)
}

/// A time in words: `12 s`, `12 min`, `2 h 5 min`
pub(crate) fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// `1.5 MiB/s`
pub(super) fn rate(bytes_per_second: f64) -> String {
    format!("{}/s", size(bytes_per_second))
}

/// `1.5 of 8.0 GiB`, both in the unit of the whole.
pub(super) fn part_of(bytes: f64, whole: f64) -> String {
    let (unit, name) = unit_of(whole);
    let digits = usize::from(unit > 1.0 && whole / unit < 100.0);
    format!("{:.digits$} of {:.digits$} {name}", bytes / unit, whole / unit)
}

/// The largest unit of which there is at least one, in bytes, and its name.
fn unit_of(bytes: f64) -> (f64, &'static str) {
    let mut unit = 1.0;
    let mut found = (unit, UNITS[0]);
    for name in &UNITS[1..] {
        unit *= 1024.0;
        if bytes < unit {
            break;
        }
        found = (unit, name);
    }
    found
}

/// Three digits are enough.
fn amount(number: f64) -> String {
    let is_whole = (number - number.round()).abs() < 0.05;
    if is_whole || number >= 100.0 { format!("{number:.0}") } else { format!("{number:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_suit_the_size() {
        for (bytes, text) in [
            (0.0, "0 B"),
            (1023.0, "1023 B"),
            (1024.0, "1 KiB"),
            (1536.0, "1.5 KiB"),
            (512.0 * 1024.0 * 1024.0, "512 MiB"),
            (2.25 * 1024.0 * 1024.0 * 1024.0, "2.2 GiB"),
            (5e15, "4.4 PiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!((bytes(0), bytes(10 << 30)), ("0 B".to_owned(), "10 GiB".to_owned()));
        assert_eq!(rate(2048.0), "2 KiB/s");
        let mib = |count: f64| count * 1024.0 * 1024.0;
        assert_eq!(part_of(mib(40.0), mib(128.0)), "40 of 128 MiB");
        assert_eq!(part_of(mib(1536.0), mib(8192.0)), "1.5 of 8.0 GiB");
        assert_eq!(part_of(0.0, 0.0), "0 of 0 B");
    }
}

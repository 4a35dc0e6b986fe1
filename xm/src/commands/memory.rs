//! `xm mem-set` and `xm mem-max`.

use crate::cli::command::Command;
use crate::cli::words::invalid;
use crate::failure::Failure;

pub(super) static COMMANDS: [Command; 2] = [
    Command::new(
        "mem-max",
        "<Domain> <Mem>",
        "Set the most memory that a domain may have.",
        (2, 2),
        |context, words| {
            let memory = mebibytes(words.argument(1))?.to_string();
            context.gateway.operate_on(words.argument(0), "maxmem_set", &[("memory", &memory)])?;
            Ok(())
        },
    ),
    Command::new(
        "mem-set",
        "<Domain> <Mem>",
        "Set the memory of a running domain.",
        (2, 2),
        |context, words| {
            let target = mebibytes(words.argument(1))?.to_string();
            let target = [("target", target.as_str())];
            context.gateway.operate_on(words.argument(0), "mem_target_set", &target).map(drop)
        },
    )
    .common()
    .also(&["balloon"]),
];

/// A size in MiB: a number, which may have a unit (k, m, g).
fn mebibytes(text: &str) -> Result<u64, Failure> {
    let (digits, unit) = match text.char_indices().last() {
        Some((at, unit)) if unit.is_ascii_alphabetic() => (&text[..at], unit),
        _ => (text, 'm'),
    };
    let size = digits.trim().parse::<u64>().ok().and_then(|size| match unit.to_ascii_lowercase() {
        'k' => Some(size / 1024),
        'm' => Some(size),
        'g' => size.checked_mul(1024),
        _ => None,
    });
    size.ok_or_else(|| invalid("<Mem>", "a number of MiB, or with a unit such as 2g or 512k", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, size) in [("80", 80), ("80m", 80), ("2G", 2048), ("2047k", 1), ("0", 0)] {
            assert_eq!(mebibytes(text).unwrap(), size, "{text}");
        }
        for text in ["", "m", "12x", "1.5", "-1", "99999999999999999g"] {
            assert!(mebibytes(text).is_err(), "{text}");
        }
    }
}

//! What `create --help_config` prints: the variables of configuration files.

use crate::cli::help::wrap;
use std::fmt::Write as _;
use xend_xmconfig::OPTIONS;

/// The width of a variable with its value; the text beside a longer one begins in the next line.
const NAME_WIDTH: usize = 28;
/// The width of the text.
const ABOUT_WIDTH: usize = 47;

/// The variables with their values and defaults, in the order of what they are about.
pub(super) fn variables() -> String {
    let mut out = String::from(
        "The variables of configuration files, which can be given as NAME=VALUE as well. The \
         value\nin brackets counts if none is given.\n\n",
    );
    for option in OPTIONS {
        let name = format!("{}={}", option.name, option.value);
        let default = match option.default {
            "" => String::new(),
            default => format!(" [{default}]"),
        };
        let lines = wrap(&format!("{}{default}", option.help), ABOUT_WIDTH);
        let mut lines = lines.iter();
        if name.chars().count() <= NAME_WIDTH {
            let first = lines.next().map_or("", String::as_str);
            let _ = writeln!(out, "  {name:<NAME_WIDTH$}  {first}");
        } else {
            let _ = writeln!(out, "  {name}");
        }
        for line in lines {
            let _ = writeln!(out, "{:width$}{line}", "", width = NAME_WIDTH + 4);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_variable_has_its_value_default_and_meaning() {
        let text = variables();
        for row in [
            "\n  memory=MIB                    memory at the start [128]\n",
            "\n  kernel=FILE                   the kernel\n",
            "\n  disk=TYPE:PATH,DEVICE,MODE[,BACKEND]\n                                a disk, like ",
        ] {
            assert!(text.contains(row), "{row}: {text}");
        }
        for option in OPTIONS {
            assert!(text.contains(&format!("\n  {}={}", option.name, option.value)));
        }
    }
}

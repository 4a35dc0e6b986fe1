//! The units of systemd in `dist/`: what they leave to an intruder, in systemd's own measure, of 0
//! for nothing to 10 for everything.

use std::path::{Path, PathBuf};
use std::process::Command;

fn unit(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dist").join(name)
}

/// What `systemd-analyze` prints about a unit; `None` without it, or without the command.
fn analyzed(args: &[&str], name: &str) -> Option<String> {
    let Ok(output) = Command::new("systemd-analyze").args(args).arg(unit(name)).output() else {
        println!("Skipped: there is no systemd-analyze");
        return None;
    };
    Some(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn the_units_leave_little_to_an_intruder() {
    for (name, below) in [
        ("xend-sim.service", 2.0),
        ("xend.service", 4.0),
        ("xend-guard.service", 2.5),
        ("xendomains.service", 2.0),
    ] {
        let Some(text) = analyzed(&["security", "--offline=true", "--no-pager"], name) else {
            return;
        };
        let level = text.split("Overall exposure level for ").nth(1);
        let level = level.and_then(|rest| rest.split(' ').nth(1));
        let Some(level) = level.and_then(|level| level.parse::<f64>().ok()) else {
            println!("Skipped: this systemd-analyze judges no files: {text}");
            return;
        };
        println!("{name}: {level}");
        assert!(level < below, "{name}: {level} is not below {below}:\n{text}");
    }
}

#[test]
fn systemd_knows_every_directive_of_the_units() {
    for name in ["xend-sim.service", "xend.service", "xend-guard.service", "xendomains.service"] {
        let Some(text) = analyzed(&["verify", "--man=no"], name) else { return };
        let complaints = ["Unknown", "Failed to parse", "Invalid", "ignoring"];
        let about_it: Vec<_> = text
            .lines()
            .filter(|line| line.contains(name) && complaints.iter().any(|word| line.contains(word)))
            .collect();
        assert!(about_it.is_empty(), "{about_it:#?}");
    }
}

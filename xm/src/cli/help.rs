//! `xm help`: lists of commands, and the usage of one.

use super::command::{Command, Group, Shown, commands};
use super::option::OptionSpec;
use std::fmt::Write as _;

const INTRODUCTION: &str = "Usage: xm <subcommand> [args]\n\n\
    Manages the domains of a Xen host.\n\n";

const FOOTER: &str = "<Domain> is a name, a domid or a UUID.\n\
    Another host: xm -H [USER@]HOST <subcommand>, or XM_SERVER in the environment.\n\
    More: xm(1), xm help <subcommand>.\n";

/// The width of the text beside a command's name.
const ABOUT_WIDTH: usize = 50;
/// The width of the text beside an option.
const OPTION_WIDTH: usize = 43;

/// The common commands, as xm without a command prints them.
pub(crate) fn short(groups: &'static [Group]) -> String {
    let mut out = format!("{INTRODUCTION}The commands that are used most:\n\n");
    for command in commands(groups).filter(|command| command.shown == Shown::Common) {
        list(&mut out, command);
    }
    let _ = write!(out, "\n{FOOTER}All commands: xm help.\n");
    out
}

/// All commands.
pub(crate) fn long(groups: &'static [Group]) -> String {
    let mut out = format!("{INTRODUCTION}All commands:\n\n");
    for command in commands(groups).filter(|command| command.shown != Shown::Nowhere) {
        list(&mut out, command);
    }
    let _ = write!(out, "\n{FOOTER}");
    out
}

/// The usages of all commands.
pub(crate) fn usages(groups: &'static [Group]) -> String {
    let listed = commands(groups).filter(|command| command.shown != Shown::Nowhere);
    listed.map(usage).collect::<Vec<_>>().join("\n\n")
}

/// The usage of a command.
pub(crate) fn usage(command: &Command) -> String {
    let mut out = format!("{}\n\n{}\n", usage_line(command), command.about);
    if command.options.is_empty() {
        return out;
    }
    out.push('\n');
    for option in command.options {
        let lines = wrap(option.about, OPTION_WIDTH);
        let mut lines = lines.iter();
        let first = lines.next().map_or("", String::as_str);
        let _ = writeln!(out, "  {:<30} {first}", names(option));
        for line in lines {
            let _ = writeln!(out, "{:33}{line}", "");
        }
    }
    out
}

/// `Usage: xm pause <Domain>`
pub(crate) fn usage_line(command: &Command) -> String {
    format!("Usage: xm {} {}", command.name, command.arguments).trim_end().to_owned()
}

/// `-d DOMAIN, --domain=DOMAIN`
pub(crate) fn names(option: &OptionSpec) -> String {
    let long = match option.value {
        Some(value) => format!("--{}={value}", option.long),
        None => format!("--{}", option.long),
    };
    match (option.short, option.value) {
        (None, _) => long,
        (Some(short), Some(value)) => format!("-{short} {value}, {long}"),
        (Some(short), None) => format!("-{short}, {long}"),
    }
}

fn list(out: &mut String, command: &Command) {
    let lines = wrap(command.about, ABOUT_WIDTH);
    let mut lines = lines.iter();
    let first = lines.next().map_or("", String::as_str);
    let _ = writeln!(out, " {:<20} {first}", command.name);
    for line in lines {
        let _ = writeln!(out, "{:22}{line}", "");
    }
}

/// Breaks a text into lines of at most `width` characters, if its words allow it.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::option::{flag, option};

    static COMMANDS: [Command; 2] = [
        Command::new("pause", "<Domain>", "Pause a domain.", (1, 1), |_, _| Ok(())).common(),
        Command::new("reset", "<Domain>", "Start a domain anew at once.", (1, 1), |_, _| Ok(()))
            .with(&[
                flag('f', "force", "Force it"),
                option(
                    'd',
                    "domain",
                    "DOMAIN",
                    "A text that is as long as it takes to fill two lines",
                ),
            ]),
    ];
    static GROUPS: [Group; 1] = [Group { title: "Domains", commands: &[&COMMANDS] }];

    #[test]
    fn lists_have_their_commands() {
        let line = " pause                Pause a domain.\n";
        assert!(short(&GROUPS).contains(line) && !short(&GROUPS).contains("reset"));
        assert!(long(&GROUPS).contains(line) && long(&GROUPS).contains(" reset  "));
    }

    #[test]
    fn usage_shows_options() {
        assert_eq!(usage(&COMMANDS[0]), "Usage: xm pause <Domain>\n\nPause a domain.\n");
        let expected = "Usage: xm reset <Domain>\n\nStart a domain anew at once.\n\n\
            \x20 -f, --force                    Force it\n\
            \x20 -d DOMAIN, --domain=DOMAIN     A text that is as long as it takes to fill\n\
            \x20                                two lines\n";
        assert_eq!(usage(&COMMANDS[1]), expected);
    }
}

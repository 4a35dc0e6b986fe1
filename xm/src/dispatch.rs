//! From a command line to the command that it names.

use crate::cli::command::{Action, Command, Shown, commands};
use crate::cli::words::Words;
use crate::cli::{completions, help, manual};
use crate::commands::table::GROUPS;
use crate::commands::version;
use crate::context::Context;
use crate::failure::Failure;
use crate::gateway::Gateway;
use crate::output::{note, print, print_line};
use crate::wire::address::Address;
use std::ffi::OsString;

/// Carries out a command line, without the name of the program. It gives the exit status.
pub(crate) fn main(words: &[OsString]) -> u8 {
    let (address, words) = match host_option(words) {
        Ok(found) => found,
        Err(failure) => return report(&failure),
    };
    let address = match address {
        Some(text) => Address::parse(&text),
        None => Address::from_environment(),
    };
    match address {
        Ok(address) => interpret(&Context { gateway: Gateway::new(address), interpret }, words),
        Err(reason) => report(&Failure::new(reason)),
    }
}

/// `-H HOST`, `-HHOST`, `--host HOST` or `--host=HOST` in front of the command.
fn host_option(words: &[OsString]) -> Result<(Option<String>, &[OsString]), Failure> {
    let text = |word: &OsString| word.to_string_lossy().into_owned();
    match words {
        [option, host, rest @ ..] if option == "-H" || option == "--host" => {
            Ok((Some(text(host)), rest))
        }
        [option] if option == "-H" || option == "--host" => {
            Err(Failure::new(format!("option {} requires argument", text(option))))
        }
        [option, rest @ ..] => {
            let option = text(option);
            let host = option.strip_prefix("--host=").or_else(|| option.strip_prefix("-H"));
            Ok(host.map_or((None, words), |host| (Some(host.to_owned()), rest)))
        }
        [] => Ok((None, words)),
    }
}

fn interpret(context: &Context, words: &[OsString]) -> u8 {
    match carry_out(context, words) {
        Ok(()) => 0,
        Err(failure) => report(&failure),
    }
}

fn report(failure: &Failure) -> u8 {
    if failure.has_message() {
        note(format!("Error: {failure}"));
    }
    failure.status()
}

fn carry_out(context: &Context, words: &[OsString]) -> Result<(), Failure> {
    let Some((name, rest)) = words.split_first() else {
        note(help::short(&GROUPS).trim_end());
        return Err(Failure::silent(1));
    };
    let name = name.to_string_lossy();
    match &*name {
        "-h" | "--help" => return print(help::long(&GROUPS)),
        "-V" | "--version" => return print_line(version::of_xm()),
        _ => {}
    }
    let command = find(&name)?;
    let mut before_end = rest.iter().take_while(|word| *word != "--");
    if before_end.any(|word| word == "-h" || word == "--help") {
        return print(help::usage(command));
    }
    let words = command.read(rest).map_err(|mistake| {
        let is_host_option =
            ["option -H not", "option --host not"].iter().any(|text| mistake.starts_with(text));
        if is_host_option {
            return Failure::new(format!(
                "-H goes before the command: xm -H HOST {}",
                command.name
            ));
        }
        let mistake = mistake.trim_end_matches('.');
        Failure::new(format!("{mistake}. {}", help::usage_line(command)))
    })?;
    match command.action {
        Action::Run(run) => run(context, &words),
        Action::Help => show_help(&words),
    }
}

/// The command that this is the name of, an older name, or the beginning of as xm allowed.
fn find(name: &str) -> Result<&'static Command, Failure> {
    let all = || commands(&GROUPS);
    if let Some(command) = all().find(|command| command.name == name) {
        return Ok(command);
    }
    if let Some(command) = all().find(|command| command.aliases.contains(&name)) {
        note(format!("xm {name} is xm {} today", command.name));
        return Ok(command);
    }
    let mut beginning = all().filter(|command| name.len() > 1 && command.name.starts_with(name));
    if let (Some(command), None) = (beginning.next(), beginning.next()) {
        return Ok(command);
    }
    let listed = all().filter(|command| command.shown != Shown::Nowhere);
    let known = listed.flat_map(|command| std::iter::once(&command.name).chain(command.aliases));
    let hint = match xend_spelling::nearest(name, known.copied()) {
        Some(near) => format!("Did you mean '{near}'?"),
        None => "'xm help' lists them.".to_owned(),
    };
    Err(Failure::new(format!("Subcommand {name} not found! {hint}")))
}

fn show_help(words: &Words) -> Result<(), Failure> {
    if words.has("man") {
        return print(manual::page(&GROUPS));
    }
    if let Some(shell) = words.value("completions") {
        let text = completions::completions(shell, &GROUPS);
        let unknown = || Failure::new(format!("No completions for '{shell}': bash, fish or zsh"));
        return print(text.ok_or_else(unknown)?);
    }
    match words.arguments().first() {
        Some(name) => print(help::usage(find(name)?)),
        None if words.has("long") => print(help::usages(&GROUPS)),
        None => print(help::long(&GROUPS)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn line(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn the_host_stands_in_front() {
        for text in
            ["-H host1 list -H", "-Hhost1 list -H", "--host host1 list -H", "--host=host1 list -H"]
        {
            let words = line(text);
            let (host, rest) = host_option(&words).unwrap();
            assert_eq!((host.as_deref(), rest.len()), (Some("host1"), 2), "{text}");
        }
        assert!(host_option(&line("-H")).is_err());
        assert_eq!(host_option(&line("list -H x")).unwrap().0, None);
    }

    #[test]
    fn commands_are_found_by_name_alias_and_beginning() {
        for (name, command) in [
            ("list", "list"),
            ("li", "list"),
            ("vcpu-l", "vcpu-list"),
            ("balloon", "mem-set"),
            ("pool-list", "cpupool-list"),
        ] {
            assert_eq!(find(name).unwrap().name, command);
        }
        for (name, hint) in [
            ("lsit", "Subcommand lsit not found! Did you mean 'list'?"),
            ("destory", "Subcommand destory not found! Did you mean 'destroy'?"),
            // In no list.
            ("makepolicyy", "Subcommand makepolicyy not found! 'xm help' lists them."),
            ("re", "Subcommand re not found! 'xm help' lists them."),
        ] {
            assert_eq!(find(name).err().unwrap().to_string(), hint);
        }
    }

    #[test]
    fn names_and_options_are_unique() {
        let mut names = BTreeSet::new();
        for command in commands(&GROUPS) {
            for name in std::iter::once(&command.name).chain(command.aliases) {
                assert!(names.insert(*name), "{name}");
            }
            assert!(command.about.ends_with('.'), "{}", command.name);
            let mut options = BTreeSet::new();
            for option in command.options {
                assert!(options.insert(option.long.to_owned()), "{} {}", command.name, option.long);
                let short = option.short.map(String::from);
                assert!(short.is_none_or(|short| options.insert(short)), "{}", command.name);
            }
        }
        // xm 4.2 had 118 commands, help included.
        assert!(names.len() > 110, "{}", names.len());
    }

    #[test]
    fn everything_is_printed_from_the_table() {
        let page = manual::page(&GROUPS);
        let bash = completions::completions("bash", &GROUPS).unwrap();
        let fish = completions::completions("fish", &GROUPS).unwrap();
        for command in commands(&GROUPS) {
            let is_listed = command.shown != Shown::Nowhere;
            let entry = format!("\\fB{}\\fR", command.name.replace('-', "\\-"));
            assert_eq!(page.contains(&entry), is_listed, "{}", command.name);
            assert_eq!(help::long(&GROUPS).contains(&format!("\n {} ", command.name)), is_listed);
            assert_eq!(fish.contains(&format!(" -a {} ", command.name)), is_listed);
        }
        assert!(bash.contains("list:*:-*) words='--long"), "{bash}");
        assert!(completions::completions("tcsh", &GROUPS).is_none());
    }
}

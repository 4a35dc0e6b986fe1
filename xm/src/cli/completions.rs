//! Completions for shells, from the table.

use super::command::{Group, Shown, commands};
use std::fmt::Write as _;

/// The completions for a shell; `None` for one that is not known.
pub(crate) fn completions(shell: &str, groups: &'static [Group]) -> Option<String> {
    match shell {
        "bash" => Some(bash(groups)),
        "zsh" => Some(format!(
            "#compdef xm\nautoload -U +X bashcompinit && bashcompinit\n{}",
            bash(groups)
        )),
        "fish" => Some(fish(groups)),
        _ => None,
    }
}

fn listed(groups: &'static [Group]) -> impl Iterator<Item = &'static super::command::Command> {
    commands(groups).filter(|command| command.shown != Shown::Nowhere)
}

/// Options behind a dash, and the names of domains where the usage begins with one.
fn bash(groups: &'static [Group]) -> String {
    let names: Vec<&str> = listed(groups).map(|command| command.name).collect();
    let mut out = format!(
        "_xm() {{\n    local word=${{COMP_WORDS[COMP_CWORD]}} command=${{COMP_WORDS[1]}} words=\n    \
         if [ \"$COMP_CWORD\" -eq 1 ]; then\n        words='{}'\n    else\n        \
         case $command:$word in\n",
        names.join(" ")
    );
    for command in listed(groups).filter(|command| !command.options.is_empty()) {
        let options: Vec<String> =
            command.options.iter().map(|option| format!("--{}", option.long)).collect();
        let _ = writeln!(out, "        {}:-*) words='{}' ;;", command.name, options.join(" "));
    }
    let domains: Vec<String> = listed(groups)
        .filter(|command| command.arguments.contains("omain"))
        .map(|command| format!("{}:*", command.name))
        .collect();
    let _ = write!(
        out,
        "        {}) words=$(xm list 2>/dev/null | awk 'NR > 1 {{ print $1 }}') ;;\n        esac\n    \
         fi\n    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n}}\n\
         complete -o default -F _xm xm\n",
        domains.join("|")
    );
    out
}

fn fish(groups: &'static [Group]) -> String {
    let mut out = String::new();
    for command in listed(groups) {
        let about = command.about.replace('\'', "\\'");
        let name = command.name;
        let _ = writeln!(out, "complete -c xm -n __fish_use_subcommand -a {name} -d '{about}'");
        for option in command.options {
            let short = option.short.map(|short| format!(" -s {short}")).unwrap_or_default();
            let value = if option.value.is_some() { " -r" } else { "" };
            let about = option.about.replace('\'', "\\'");
            let _ = writeln!(
                out,
                "complete -c xm -n '__fish_seen_subcommand_from {name}'{short} -l {}{value} -d \
                 '{about}'",
                option.long
            );
        }
    }
    out
}

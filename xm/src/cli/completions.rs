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

/// Options behind a dash, and the names of domains where the usage begins with one. `-H HOST` may
/// stand in front; the words of the line are counted by their blanks, since a shell may split an
/// address at its colons.
fn bash(groups: &'static [Group]) -> String {
    let names: Vec<&str> = listed(groups).map(|command| command.name).collect();
    let mut out = format!(
        "_xm() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} words= at=1 line host
    line=(${{COMP_LINE:0:COMP_POINT}}x) host=()
    case ${{line[1]}} in
    -H|--host) host=(\"${{line[@]:1:2}}\") at=3 ;;
    --host=*) host=(\"${{line[1]}}\") at=2 ;;
    esac
    if [ \"${{#line[@]}}\" -eq $((at + 1)) ]; then
        words='{}'
    elif [ \"${{#line[@]}}\" -gt \"$at\" ]; then
        case ${{line[at]}}:$word in
",
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
        "        {})
            words=$(xm \"${{host[@]}}\" list 2>/dev/null </dev/null | awk 'NR > 1 {{ print $1 }}') ;;
        esac
    fi
    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))
}}
complete -o default -F _xm xm
",
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

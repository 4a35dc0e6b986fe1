//! Completions for shells, from the table.

use super::command::{Action, Group, Shown, commands};
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

/// Options behind a dash, the values of those that have few, the words of an argument, and the
/// names of domains where the usage begins with one. `-H HOST` may stand in front. The words of the
/// line are counted by their blanks, since a shell may split an address at its colons, and an
/// option from its value.
fn bash(groups: &'static [Group]) -> String {
    let names: Vec<&str> = listed(groups).map(|command| command.name).collect();
    let mut out = format!(
        "_xm() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} words= at=1 line host option last prefix= part count=0
    local names='{}'
    line=(${{COMP_LINE:0:COMP_POINT}}x) host=()
    case ${{line[1]}} in
    -H|--host) host=(\"${{line[@]:1:2}}\") at=3 ;;
    --host=*|-H?*) host=(\"${{line[1]}}\") at=2 ;;
    esac
    last=${{line[${{#line[@]}}-1]}} option=${{line[${{#line[@]}}-2]}}
    last=${{last%x}}
    case $last in
    --*=*)
        option=${{last%%=*}} word=${{last#*=}}
        case $COMP_WORDBREAKS in *=*) ;; *) prefix=$option= ;; esac
        ;;
    esac
    if [ \"${{#line[@]}}\" -eq $((at + 1)) ]; then
        words=$names
    elif [ \"${{#line[@]}}\" -gt \"$at\" ]; then
        for part in \"${{line[@]:$((at + 1)):$((${{#line[@]}} - at - 2))}}\"; do
            case $part in -*) ;; *) count=$((count + 1)) ;; esac
        done
        case ${{line[at]}}:$option:$count:$last in
",
        names.join(" ")
    );
    for command in listed(groups) {
        let name = command.name;
        for option in command.options.iter().filter(|option| !option.choices.is_empty()) {
            let choices = option.choices.join(" ");
            let _ = writeln!(out, "        {name}:--{}:*) words='{choices}' ;;", option.long);
        }
        if !command.options.is_empty() {
            let options: Vec<String> =
                command.options.iter().map(|option| format!("--{}", option.long)).collect();
            let _ = writeln!(out, "        {name}:*:-*) words='{}' ;;", options.join(" "));
        }
        if let Some((at, choices)) = command.choices() {
            let choices = choices.join(" ");
            let _ = writeln!(out, "        {name}:*:{at}:*) words='{choices}' ;;");
        }
        if matches!(command.action, Action::Help) {
            let _ = writeln!(out, "        {name}:*) words=$names ;;");
        }
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
    COMPREPLY=($(compgen -P \"$prefix\" -W \"$words\" -- \"$word\"))
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
            let value = match (option.value, option.choices) {
                (None, _) => String::new(),
                (Some(_), []) => " -r".to_owned(),
                (Some(_), choices) => format!(" -x -a '{}'", choices.join(" ")),
            };
            let about = option.about.replace('\'', "\\'");
            let _ = writeln!(
                out,
                "complete -c xm -n '__fish_seen_subcommand_from {name}'{short} -l {}{value} -d \
                 '{about}'",
                option.long
            );
        }
        let words = match (command.choices(), &command.action) {
            (Some((_, choices)), _) => choices,
            (None, Action::Help) => listed(groups).map(|command| command.name).collect(),
            (None, Action::Run(_)) => continue,
        };
        let words = words.join(" ");
        let _ =
            writeln!(out, "complete -c xm -n '__fish_seen_subcommand_from {name}' -f -a '{words}'");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::table::GROUPS;
    use std::process::Command;

    /// What a line is completed to; `None` without bash.
    fn completed(line: &str, words: &str) -> Option<String> {
        let script = format!(
            "PATH=/none\n{}COMP_LINE='{line}' COMP_WORDS=({words}) COMP_POINT=${{#COMP_LINE}}
            COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _xm; printf '%s ' \"${{COMPREPLY[@]}}\"",
            bash(&GROUPS)
        );
        let output = Command::new("bash").args(["-c", &script]).output();
        let output = output.ok()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    #[test]
    fn bash_completes_words_and_values() {
        let states = "all running paused halted suspended crashed";
        for (line, words, wanted) in [
            ("xm xendomains ", "xm xendomains ''", "start stop restart reload status"),
            ("xm xendomains st", "xm xendomains st", "start stop status"),
            ("xm xendomains --lo", "xm xendomains --lo", "--lockfile"),
            ("xm -H a xendomains re", "xm -H a xendomains re", "restart reload"),
            ("xm -Ha help li", "xm -Ha help li", "list"),
            ("xm help li", "xm help li", "list"),
            ("xm help --completions ", "xm help --completions ''", "bash fish zsh"),
            ("xm list --state=", "xm list --state =", states),
            ("xm list --state=ru", "xm list --state = ru", "running"),
            ("xm list --state ru", "xm list --state ru", "running"),
            ("xm trigger web s3", "xm trigger web s3", "s3resume"),
            ("xm xendomains start ", "xm xendomains start ''", ""),
        ] {
            let Some(completed) = completed(line, words) else {
                println!("Skipped: there is no bash");
                return;
            };
            assert_eq!(completed, wanted, "{line}");
        }
    }

    #[test]
    fn fish_knows_words_and_values() {
        let text = fish(&GROUPS);
        for line in [
            "from xendomains' -f -a 'start stop restart reload status'\n",
            "from list' -l state -x -a 'all running paused halted suspended crashed' -d ",
            "from help' -f -a 'help list create ",
        ] {
            assert!(text.contains(line), "{line}");
        }
    }
}

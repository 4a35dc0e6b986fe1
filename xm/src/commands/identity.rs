//! What a domain is called and how it is: `xm domid`, `domname`, `domstate`, `dominfo`, `rename`.

use crate::cli::command::Command;
use crate::cli::option::JSON;
use crate::cli::words::Words;
use crate::context::Context;
use crate::domain::Domain;
use crate::failure::Failure;
use crate::output::{print, print_json, print_line};
use crate::wire::xmlrpc::Value;
use std::fmt::Write as _;

pub(super) static COMMANDS: [Command; 5] = [
    Command::new(
        "domid",
        "<DomainName>",
        "Print the domid of a domain.",
        (1, 1),
        |context, words| {
            let domain = context.gateway.domain(words.argument(0))?;
            print_line(domain.text("domid").unwrap_or("None"))
        },
    ),
    Command::new("domname", "<DomId>", "Print the name of a domain.", (1, 1), |context, words| {
        print_line(context.gateway.domain(words.argument(0))?.name())
    }),
    Command::new("domstate", "<Domain>", "Show the state of a domain.", (1, 1), state).common(),
    Command::new("dominfo", "<Domain>", "Show a domain in a few lines.", (1, 1), info)
        .with(&[JSON]),
    Command::new(
        "rename",
        "<Domain> <NewDomainName>",
        "Give a domain another name.",
        (2, 2),
        |context, words| {
            let name = [("name", words.argument(1))];
            context.gateway.operate_on(words.argument(0), "rename", &name).map(drop)
        },
    ),
];

fn state(context: &Context, words: &Words) -> Result<(), Failure> {
    let domain = context.gateway.domain(words.argument(0))?;
    let word = state_word(&domain);
    if word != "paused" {
        return print_line(word);
    }
    let flag = context.gateway.query("xend.domain.getpauseflag", &[Value::text(domain.name())])?;
    print_line(if matches!(flag.to_text().as_str(), "1" | "True") {
        "paused by admin"
    } else {
        "paused"
    })
}

/// xm's word for a state. xm printed nothing for a running domain, by mistake.
fn state_word(domain: &Domain) -> &'static str {
    let state = domain.state();
    let words = [
        ('d', "shutdown"),
        ('c', "crashed"),
        ('s', "shutoff"),
        ('p', "paused"),
        ('r', "running"),
        ('b', "idle"),
    ];
    let word = words.iter().find(|(letter, _)| state.contains(*letter));
    match word {
        Some((_, word)) => word,
        None if state.is_empty() => "shutoff",
        // Between two time slices.
        None => "idle",
    }
}

fn info(context: &Context, words: &Words) -> Result<(), Failure> {
    if words.has("json") {
        return print_json(&context.gateway.domain_json(words.argument(0))?);
    }
    let domain = context.gateway.domain(words.argument(0))?;
    let kib = |mib: u64| format!("{} kB", mib * 1024);
    let mut out = String::new();
    for (key, value) in [
        ("Id", domain.text("domid").unwrap_or("-").to_owned()),
        ("Name", domain.name().to_owned()),
        ("UUID", domain.text("uuid").unwrap_or_default().to_owned()),
        ("State", state_word(&domain).to_owned()),
        ("CPU(s)", domain.vcpus().to_string()),
        ("CPU time", format!("{:.1}s", domain.cpu_time())),
        ("Max memory", kib(domain.number("maxmem").unwrap_or_default())),
        ("Used memory", kib(domain.memory())),
    ] {
        let _ = writeln!(out, "{:<15} {value}", format!("{key}:"));
    }
    print(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use xend_sxp::{Limits, read_one};

    #[test]
    fn states_have_words() {
        for (state, word) in [
            ("r-----", "running"),
            ("-b----", "idle"),
            ("------", "idle"),
            ("--p---", "paused"),
            ("---s--", "shutoff"),
            ("---sc-", "crashed"),
            ("-----d", "shutdown"),
        ] {
            let text = format!("(domain (name a) (state {state}))");
            let domain =
                Domain::read(read_one(text.as_bytes(), &Limits::DEFAULT).unwrap()).unwrap();
            assert_eq!(state_word(&domain), word, "{state}");
        }
        let halted =
            Domain::read(read_one(b"(domain (name a))", &Limits::DEFAULT).unwrap()).unwrap();
        assert_eq!(state_word(&halted), "shutoff");
    }
}

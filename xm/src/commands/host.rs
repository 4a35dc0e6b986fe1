//! The host: `xm info`, `dmesg`, `log`.

use super::config_file::read_file;
use crate::cli::command::Command;
use crate::cli::option::{JSON, flag};
use crate::cli::words::Words;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{print, print_json};
use serde::Serialize;
use serde_json::json;
use std::fmt::Write as _;
use xend_sxp::{Limits, Sxp, read_all};

pub(super) static COMMANDS: [Command; 3] = [
    Command::new(
        "info",
        "[-c|--config] [-n|--numa]",
        "Show the host: its CPUs, memory and Xen.",
        (0, 0),
        info,
    )
    .with(&[
        flag(
            'c',
            "config",
            "Show the entries of /etc/xen/xend-config.sxp, whatever file xend has read",
        ),
        flag('n', "numa", "Show where CPUs and memory are, too"),
        JSON,
    ]),
    Command::new("dmesg", "[-c|--clear]", "Print Xen's messages.", (0, 0), |context, words| {
        let messages = context.gateway.text("/xend/node/dmesg")?;
        if words.has("clear") {
            context.gateway.operate("/xend/node/dmesg", "clear", &[])?;
        }
        print(with_newline(messages))
    })
    .with(&[flag('c', "clear", "Clear them afterwards")]),
    Command::new("log", "", "Print the end of xend's log.", (0, 0), |context, _| {
        print(with_newline(context.gateway.text("/xend/node/log")?))
    }),
];

/// The file that `xm info -c` shows.
const CONFIG_FILE: &str = "/etc/xen/xend-config.sxp";

/// What `xm info` shows with `--numa` alone.
const NUMA: [&str; 2] = ["cpu_topology", "numa_info"];

fn with_newline(mut text: Vec<u8>) -> Vec<u8> {
    if !text.is_empty() && text.last() != Some(&b'\n') {
        text.push(b'\n');
    }
    text
}

fn info(context: &Context, words: &Words) -> Result<(), Failure> {
    if words.has("config") {
        return print(config(context)?);
    }
    if words.has("json") {
        let mut host = context.gateway.json("/xend/node")?;
        if let (true, Some(fields)) = (words.has("numa"), host.as_object_mut()) {
            let places = places_of_cpus(&context.gateway.page("/xend/node")?);
            fields.insert("cpu_topology".to_owned(), json!(places));
        }
        return print_json(&host);
    }
    print(table(&context.gateway.page("/xend/node")?, words.has("numa")))
}

/// Where a CPU is.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct PlaceOfCpu {
    cpu: u32,
    core: u32,
    socket: u32,
    node: u32,
}

/// Reads xend's table of CPUs: `cpu: core socket node`, and a line of numbers for each.
fn places_of_cpus(node: &Sxp) -> Vec<PlaceOfCpu> {
    let table = node.value("cpu_topology").and_then(Sxp::as_str).unwrap_or_default();
    let lines = table.lines().filter_map(|line| {
        let numbers = line.split([' ', ':']).filter(|word| !word.is_empty());
        let numbers = numbers.map(str::parse).collect::<Result<Vec<u32>, _>>().ok()?;
        match numbers[..] {
            [cpu, core, socket, node] => Some(PlaceOfCpu { cpu, core, socket, node }),
            _ => None,
        }
    });
    lines.collect()
}

/// What xm 4.1 showed: all but the system's name.
fn table(node: &Sxp, with_numa: bool) -> String {
    let mut out = String::new();
    for field in node.tail() {
        let key = field.head().unwrap_or_default();
        if key == "system" || (!with_numa && NUMA.contains(&key)) {
            continue;
        }
        let _ = writeln!(out, "{key:<23}: {}", value(field));
    }
    out
}

/// The value of a field: its text, else the S-expressions.
fn value(field: &Sxp) -> String {
    match field.tail() {
        [] => "(none)".to_owned(),
        [one] => match one.as_bytes() {
            Some(text) => String::from_utf8_lossy(text).into_owned(),
            None => one.to_string(),
        },
        several => several.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
    }
}

/// The entries of xend's configuration file on this machine.
fn config(context: &Context) -> Result<String, Failure> {
    if !context.gateway.is_local() {
        let advice = "use xm on that host";
        return Err(Failure::not_offered(format!("{CONFIG_FILE} is a file of the host: {advice}")));
    }
    let text = read_file(CONFIG_FILE)?;
    let entries = read_all(&text, &Limits::DEFAULT)
        .map_err(|error| Failure::new(format!("{CONFIG_FILE}: {error}")))?;
    let mut out = String::new();
    for entry in entries {
        let _ = writeln!(out, "{:<38}: {}", entry.head().unwrap_or_default(), value(&entry));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use xend_sxp::read_one;

    #[test]
    fn a_line_has_key_and_value() {
        let text = b"(node (system Linux) (host vm) (nr_cpus 4) (cc_compiler 'gcc 4 ') \
            (xen_caps '') (cpu_topology x) (nothing) (list (a b)))";
        let node = read_one(text, &Limits::DEFAULT).unwrap();
        let lines = "host                   : vm\n\
            nr_cpus                : 4\n\
            cc_compiler            : gcc 4 \n\
            xen_caps               : \n\
            nothing                : (none)\n\
            list                   : (a b)\n";
        assert_eq!(table(&node, false), lines);
        assert!(table(&node, true).contains("cpu_topology           : x\n"));
    }

    #[test]
    fn cpus_have_places() {
        let text = b"(node (cpu_topology '\ncpu:    core    socket     node\n  \
            0:       0        0        0\n  1:       1        0        0'))";
        let places = places_of_cpus(&read_one(text, &Limits::DEFAULT).unwrap());
        let second = PlaceOfCpu { cpu: 1, core: 1, socket: 0, node: 0 };
        assert_eq!((places.len(), &places[1]), (2, &second));
    }
}

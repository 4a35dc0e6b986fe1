//! CPU pools: `xm cpupool-*`.

use super::config_file::{find, split_overrides};
use crate::cli::command::Command;
use crate::cli::option::{ANY, JSON, LONG, OptionSpec, flag, long_option, option};
use crate::cli::words::{Words, number};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{print, print_json, print_line, print_pretty};
use crate::wire::xmlrpc::Value;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;
use xend_sxp::Sxp;
use xend_xmconfig::{Data, Variables};

pub(super) static COMMANDS: [Command; 9] = [
    Command::new(
        "cpupool-create",
        "<ConfigFile> [vars]",
        "Make a CPU pool and start it.",
        (0, ANY),
        |context, words| define(context, words, "xend.cpu_pool.create"),
    )
    .of_files()
    .also(&["pool-create"])
    .with(OPTIONS),
    Command::new(
        "cpupool-new",
        "<ConfigFile> [vars]",
        "Make a CPU pool that xend keeps.",
        (0, ANY),
        |context, words| define(context, words, "xend.cpu_pool.new"),
    )
    .of_files()
    .also(&["pool-new"])
    .with(OPTIONS),
    Command::new(
        "cpupool-start",
        "<CPU Pool>",
        "Start a CPU pool that xend keeps.",
        (1, 1),
        |context, words| call(context, words, "xend.cpu_pool.start"),
    )
    .also(&["pool-start"]),
    Command::new(
        "cpupool-list",
        "[<CPU Pool>] [-l|--long] [-c|--cpus]",
        "List the CPU pools.",
        (0, 1),
        list,
    )
    .also(&["pool-list"])
    .with(&[LONG, flag('c', "cpus", "List the CPUs of each pool"), JSON]),
    Command::new("cpupool-destroy", "<CPU Pool>", "Stop a CPU pool.", (1, 1), |context, words| {
        call(context, words, "xend.cpu_pool.destroy")
    })
    .also(&["pool-destroy"]),
    Command::new(
        "cpupool-delete",
        "<CPU Pool>",
        "Forget a CPU pool that xend keeps.",
        (1, 1),
        |context, words| call(context, words, "xend.cpu_pool.delete"),
    )
    .also(&["pool-delete"]),
    Command::new(
        "cpupool-cpu-add",
        "<CPU Pool> <CPU nr>",
        "Give a CPU pool a CPU.",
        (2, 2),
        |context, words| change_cpu(context, words, "xend.cpu_pool.cpu_add"),
    )
    .also(&["pool-cpu-add"]),
    Command::new(
        "cpupool-cpu-remove",
        "<CPU Pool> <CPU nr>",
        "Take a CPU from a CPU pool.",
        (2, 2),
        |context, words| change_cpu(context, words, "xend.cpu_pool.cpu_remove"),
    )
    .also(&["pool-cpu-remove"]),
    Command::new(
        "cpupool-migrate",
        "<Domain> <CPU Pool>",
        "Move a domain to a CPU pool.",
        (2, 2),
        |context, words| call(context, words, "xend.cpu_pool.migrate"),
    )
    .also(&["pool-migrate"]),
];

const OPTIONS: &[OptionSpec] = &[
    long_option("path", "PATH", "Search path for configuration files, directories and colons"),
    option('f', "defconfig", "FILE", "Use the given configuration file"),
    flag('n', "dryrun", "Print the configuration as an S-expression, and create nothing"),
];

fn call(context: &Context, words: &Words, method: &str) -> Result<(), Failure> {
    let arguments: Vec<Value> = words.arguments().iter().map(Value::text).collect();
    context.gateway.call(method, &arguments).map(drop)
}

fn change_cpu(context: &Context, words: &Words, method: &str) -> Result<(), Failure> {
    number::<u32>("<CPU nr>", "the number of a CPU", words.argument(1))?;
    call(context, words, method)
}

/// A pool.
#[derive(Debug, Serialize)]
struct Pool {
    name: String,
    uuid: String,
    scheduler: String,
    is_active: bool,
    cpus: Vec<u32>,
    domains: Vec<String>,
    /// The number of CPUs that it has or, if it is not active, takes when it is started.
    ncpu: usize,
}

impl Pool {
    /// Reads `[UUID, [key, value...]...]`.
    fn read(listed: &Value) -> Self {
        let fields = listed.items();
        let values = |key: &str| {
            let found = fields
                .iter()
                .find(|field| field.items().first().is_some_and(|name| name.to_text() == key));
            let values = found.map_or(&[][..], |field| field.items().get(1..).unwrap_or_default());
            values.iter().map(Value::to_text).collect::<Vec<_>>()
        };
        let text = |key: &str| values(key).into_iter().next().unwrap_or_default();
        let cpus = values("host_CPU_numbers");
        let mut cpus: Vec<u32> = cpus.iter().filter_map(|cpu| cpu.parse().ok()).collect();
        cpus.sort_unstable();
        let is_active = text("activated") == "1";
        let ncpu = if is_active { cpus.len() } else { text("ncpu").parse().unwrap_or_default() };
        Self {
            name: text("name_label"),
            uuid: fields.first().map(Value::to_text).unwrap_or_default(),
            scheduler: text("sched_policy"),
            is_active,
            cpus,
            domains: values("started_VM_names"),
            ncpu,
        }
    }
}

/// The name of a pool in the answer of `xend.cpu_pool.list`.
pub(super) fn name_of_pool(listed: &Value) -> String {
    Pool::read(listed).name
}

fn list(context: &Context, words: &Words) -> Result<(), Failure> {
    let names = words.arguments().iter().map(Value::text).collect();
    let answer = context.gateway.query("xend.cpu_pool.list", &[Value::Array(names)])?;
    let listed = answer.items();
    if listed.is_empty() && !words.arguments().is_empty() {
        return Err(Failure::new(format!("Pool '{}' does not exist.", words.argument(0))));
    }
    let pools: Vec<Pool> = listed.iter().map(Pool::read).collect();
    if words.has("json") {
        return print_json(&pools);
    }
    if words.has("long") {
        return listed.iter().try_for_each(|pool| print_pretty(&Sxp::from(pool)));
    }
    print(if words.has("cpus") { cpu_table(&pools) } else { table(&pools) })
}

fn table(pools: &[Pool]) -> String {
    let mut out = String::new();
    if !pools.is_empty() {
        out.push_str("Name               CPUs   Sched     Active   Domain count\n");
    }
    for pool in pools {
        let _ = writeln!(
            out,
            "{:<16}   {:>3}  {:>8}       {}          {}",
            pool.name,
            pool.ncpu,
            pool.scheduler,
            if pool.is_active { 'y' } else { 'n' },
            pool.domains.len()
        );
    }
    out
}

fn cpu_table(pools: &[Pool]) -> String {
    let mut out = String::new();
    if !pools.is_empty() {
        let _ = writeln!(out, "{:<16} CPU list", "Name");
    }
    for pool in pools {
        let cpus = pool.cpus.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let _ = writeln!(out, "{:<16} {}", pool.name, if cpus.is_empty() { "-" } else { &cpus });
    }
    out
}

fn define(context: &Context, words: &Words, method: &str) -> Result<(), Failure> {
    let (overrides, others) = split_overrides(words.given())?;
    let file = match (words.file_value("defconfig"), others.as_slice()) {
        (Some(file), []) => file,
        (None, [file]) => file,
        _ => return Err(Failure::new("One configuration file must be named")),
    };
    let source = find(file, words.file_value("path"))?;
    print_line(source.using())?;
    let variables = source.variables(&overrides)?;
    let config = configuration(&variables, &source.path);
    if words.has("dryrun") {
        return print_pretty(&Sxp::from(&config));
    }
    context.gateway.call(method, &[config]).map(drop)
}

/// What xm made of a pool's file: `[[name_label, NAME], [sched_policy, credit], ...]`.
fn configuration(variables: &Variables, path: &Path) -> Value {
    let texts = |name: &str| -> Vec<String> {
        let Some(variable) = variables.get(name) else { return Vec::new() };
        match &variable.value().data {
            Data::List(items) | Data::Tuple(items) => {
                items.iter().map(|item| text_of(&item.data)).collect()
            }
            one => text_of(one).split(',').map(str::to_owned).collect(),
        }
    };
    let first = |name: &str| texts(name).into_iter().find(|text| !text.is_empty());
    let name = first("name").unwrap_or_else(|| {
        let name = path.file_name();
        name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    });
    let cpus = texts("cpus");
    let ncpu = first("ncpu").unwrap_or_else(|| cpus.len().max(1).to_string());
    let scheduler = first("sched");
    let pair = |key: &str, value: Value| Value::Array(vec![Value::text(key), value]);
    let mut fields = vec![pair("name_label", Value::Text(name))];
    fields.extend(scheduler.map(|scheduler| pair("sched_policy", Value::Text(scheduler))));
    fields.push(pair("ncpu", Value::Text(ncpu)));
    let cpus = cpus.into_iter().map(|cpu| Value::text(cpu.trim())).collect();
    fields.push(pair("proposed_CPUs", Value::Array(cpus)));
    Value::Array(fields)
}

/// The text of a string or number.
fn text_of(data: &Data) -> String {
    match data {
        Data::Text(text) => String::from_utf8_lossy(text).into_owned(),
        Data::Int(number) => number.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use xend_xmconfig::read_variables;

    fn texts(words: &[&str]) -> Value {
        Value::Array(words.iter().map(|word| Value::text(*word)).collect())
    }

    #[test]
    fn tables_are_those_of_xm() {
        let active = Value::Array(vec![
            Value::text("uuid"),
            texts(&["name_label", "Pool-0"]),
            texts(&["sched_policy", "credit"]),
            Value::Array(vec![Value::text("activated"), Value::Bool(true)]),
            texts(&["host_CPU_numbers", "3", "0"]),
            texts(&["started_VM_names", "Domain-0"]),
            texts(&["ncpu", "1"]),
        ]);
        let halted = Value::Array(vec![
            Value::text("uuid"),
            texts(&["name_label", "p1"]),
            texts(&["sched_policy", "credit2"]),
            texts(&["ncpu", "2"]),
        ]);
        let pools = [Pool::read(&active), Pool::read(&halted)];
        let xm = "Name               CPUs   Sched     Active   Domain count\n\
            Pool-0               2    credit       y          1\n\
            p1                   2   credit2       n          0\n";
        assert_eq!(table(&pools), xm);
        let json = serde_json::to_value(&pools).unwrap();
        assert_eq!((&json[0]["cpus"], &json[0]["ncpu"]), (&json!([0, 3]), &2.into()));
        assert_eq!((&json[1]["cpus"], &json[1]["ncpu"]), (&json!([]), &2.into()));
        assert_eq!(
            cpu_table(&pools),
            "Name             CPU list\nPool-0           0,3\np1               -\n"
        );
    }

    #[test]
    fn a_file_describes_a_pool() {
        let variables =
            read_variables(b"name = 'p1'\nsched = 'credit'\ncpus = [1, '2']\n").unwrap();
        let config = Sxp::from(&configuration(&variables, Path::new("x"))).to_string();
        let expected = "((name_label p1) (sched_policy credit) (ncpu 2) (proposed_CPUs (1 2)))";
        assert_eq!(config, expected);
    }
}

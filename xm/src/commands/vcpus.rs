//! `xm vcpu-list`, `vcpu-pin`, `vcpu-set`.

use crate::cli::command::Command;
use crate::cli::option::{ANY, JSON};
use crate::cli::words::{Words, invalid, number};
use crate::context::Context;
use crate::domain::Domain;
use crate::failure::Failure;
use crate::output::{print, print_json};
use crate::targets::domain_path;
use serde::Serialize;
use std::fmt::Write as _;
use xend_sxp::Sxp;

pub(super) static COMMANDS: [Command; 3] = [
    Command::new("vcpu-list", "[Domain, ...]", "List the VCPUs of domains.", (0, ANY), list)
        .with(&[JSON]),
    Command::new("vcpu-pin", "<Domain> <VCPU|all> <CPUs|all>", "Bind a VCPU to CPUs.", (3, 3), pin),
    Command::new(
        "vcpu-set",
        "<Domain> <vCPUs>",
        "Set how many VCPUs a guest uses.",
        (2, 2),
        |context, words| {
            let vcpus = number::<u32>("<vCPUs>", "a number of VCPUs", words.argument(1))?;
            let vcpus = vcpus.to_string();
            context.gateway.operate_on(words.argument(0), "set_vcpus", &[("vcpus", &vcpus)])?;
            Ok(())
        },
    )
    .common()
    .also(&["set-vcpus"]),
];

/// A VCPU.
#[derive(Debug, Serialize)]
struct Vcpu {
    name: String,
    domid: Option<u32>,
    number: u32,
    /// The CPU it is on; `None` for a domain that is not on the host.
    cpu: Option<u32>,
    online: bool,
    running: bool,
    blocked: bool,
    #[serde(rename = "cpu_time_seconds")]
    cpu_time: f64,
    /// The CPUs that it may use.
    cpumap: Vec<u32>,
}

impl Vcpu {
    fn read(domain: &Domain, vcpu: &Sxp) -> Self {
        let text = |key: &str| vcpu.value(key).and_then(Sxp::as_str);
        let number = |key: &str| text(key).and_then(|text| text.parse::<i64>().ok()).unwrap_or(-1);
        let cpumap = vcpu.value("cpumap").and_then(Sxp::as_list).unwrap_or_default();
        Self {
            name: domain.name().to_owned(),
            domid: domain.domid(),
            number: u32::try_from(number("number")).unwrap_or_default(),
            cpu: u32::try_from(number("cpu")).ok(),
            online: number("online") == 1,
            running: number("running") == 1,
            blocked: number("blocked") == 1,
            cpu_time: text("cpu_time").and_then(|text| text.parse().ok()).unwrap_or_default(),
            cpumap: cpumap.iter().filter_map(|cpu| cpu.as_str()?.parse().ok()).collect(),
        }
    }

    fn row(&self, cpus: u32) -> String {
        let letter = |is: bool, letter: char| if is { letter } else { '-' };
        let (cpu, state) = match self.cpu {
            None => (String::new(), String::new()),
            Some(cpu) if self.online => {
                let state = [letter(self.running, 'r'), letter(self.blocked, 'b'), '-'];
                (cpu.to_string(), state.iter().collect())
            }
            Some(_) => ("-".to_owned(), "--p".to_owned()),
        };
        format!(
            "{:<32} {:>5} {:>5} {cpu:>5} {state:>5}  {:>8.1} {}",
            self.name,
            self.domid.map(|domid| domid.to_string()).unwrap_or_default(),
            self.number,
            self.cpu_time,
            affinity(&self.cpumap, cpus)
        )
    }
}

/// The VCPUs of the named or all domains.
pub(super) fn list(context: &Context, words: &Words) -> Result<(), Failure> {
    let mut vcpus = Vec::new();
    let names = match words.arguments() {
        [] => {
            let all = context.gateway.page("/xend/domain?state=all")?;
            let names = all.as_list().unwrap_or_default().iter().filter_map(Sxp::as_str);
            names.map(str::to_owned).collect()
        }
        names => names.to_vec(),
    };
    for name in names {
        match of_domain(context, &name) {
            Ok(found) => vcpus.extend(found),
            // It went after the list was read.
            Err(failure) if words.arguments().is_empty() && failure.is_no_such_domain() => {}
            Err(failure) => return Err(failure),
        }
    }
    if words.has("json") {
        return print_json(&vcpus);
    }
    let cpus = host_cpus(context)?;
    let mut out = format!(
        "{:<32} {:>5} {:>5} {:>5} {:>5} {:>9} {}\n",
        "Name", "ID", "VCPU", "CPU", "State", "Time(s)", "CPU Affinity"
    );
    for vcpu in &vcpus {
        let _ = writeln!(out, "{}", vcpu.row(cpus));
    }
    print(out)
}

fn of_domain(context: &Context, name: &str) -> Result<Vec<Vcpu>, Failure> {
    let answer = context.gateway.page(&format!("{}?op=vcpuinfo", domain_path(name)?));
    // Only the domain's own page tells that there is no such domain.
    let answer = match answer {
        Ok(answer) => Domain::read(answer)?,
        Err(failure) => return Err(context.gateway.domain(name).err().unwrap_or(failure)),
    };
    let vcpus = answer.description().tail().iter().filter(|item| item.head() == Some("vcpu"));
    Ok(vcpus.map(|vcpu| Vcpu::read(&answer, vcpu)).collect())
}

/// The number of CPUs of the host.
fn host_cpus(context: &Context) -> Result<u32, Failure> {
    let node = context.gateway.page("/xend/node")?;
    let cpus = node.value("nr_cpus").and_then(Sxp::as_str).and_then(|text| text.parse().ok());
    Ok(cpus.unwrap_or_default())
}

/// The CPUs of a map as ranges: `any cpu`, `0-1,3`.
fn affinity(cpumap: &[u32], host_cpus: u32) -> String {
    let mut cpus: Vec<u32> = cpumap.iter().copied().filter(|cpu| *cpu < host_cpus).collect();
    cpus.sort_unstable();
    cpus.dedup();
    if cpus.len() == host_cpus as usize {
        return "any cpu".to_owned();
    }
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for cpu in cpus {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == cpu => *last = cpu,
            _ => ranges.push((cpu, cpu)),
        }
    }
    if ranges.is_empty() {
        return "no cpus".to_owned();
    }
    let range = |(first, last): &(u32, u32)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    ranges.iter().map(range).collect::<Vec<_>>().join(",")
}

fn pin(context: &Context, words: &Words) -> Result<(), Failure> {
    let vcpu = words.argument(1);
    if vcpu != "all" {
        number::<u32>("<VCPU>", "the number of a VCPU, or all", vcpu)?;
    }
    let cpus = match words.argument(2) {
        "all" => format!("0-{}", host_cpus(context)?.saturating_sub(1)),
        cpus if is_list(cpus) => cpus.to_owned(),
        other => return Err(invalid("<CPUs>", "a list of CPUs such as 0-3,^1, or all", other)),
    };
    let parameters = [("vcpu", vcpu), ("cpumap", &cpus)];
    context.gateway.operate_on(words.argument(0), "pincpu", &parameters).map(drop)
}

/// Whether a text is made of numbers, ranges and exclusions. xend knows which CPUs there are.
fn is_list(text: &str) -> bool {
    text.split(',').all(|part| {
        let part = part.trim().trim_start_matches('^');
        part.split('-').all(|number| number.trim().parse::<u32>().is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use xend_sxp::{Limits, read_one};

    #[test]
    fn lists_are_told_from_other_words() {
        for (text, expected) in [
            ("0", true),
            ("0-3,^1", true),
            ("0, 2-3", true),
            ("", false),
            ("0-", false),
            ("x", false),
        ] {
            assert_eq!(is_list(text), expected, "{text}");
        }
    }

    #[test]
    fn rows_are_those_of_xm() {
        let row = |text: &str| {
            let domain =
                Domain::read(read_one(text.as_bytes(), &Limits::DEFAULT).unwrap()).unwrap();
            let vcpu = domain.description().get("vcpu").cloned().unwrap();
            Vcpu::read(&domain, &vcpu).row(4)
        };
        assert_eq!(
            row("(domain (domid 1) (name oldvm) (vcpu (number 1) (online 1) (blocked 1) \
                 (running 0) (cpu_time 0.75) (cpu 1) (cpumap (0 1 2 3))))"),
            "oldvm                                1     1     1   -b-       0.8 any cpu"
        );
        assert_eq!(
            row("(domain (domid 1) (name a) (vcpu (number 0) (online 0) (blocked 0) \
                 (running 0) (cpu_time 0.0) (cpu 2) (cpumap (1 2))))"),
            "a                                    1     0     -   --p       0.0 1-2"
        );
        assert_eq!(
            row("(domain (name a) (vcpu (number 0) (online 0) (blocked 0) \
                 (running 0) (cpu_time 0.0) (cpu -1) (cpumap (0 2))))"),
            "a                                          0                   0.0 0,2"
        );
    }

    #[test]
    fn maps_are_ranges() {
        for (map, text) in [
            (&[0, 1, 2, 3][..], "any cpu"),
            (&[3, 1, 0, 9], "0-1,3"),
            (&[2], "2"),
            (&[], "no cpus"),
            (&[63], "no cpus"),
        ] {
            assert_eq!(affinity(map, 4), text);
        }
    }
}

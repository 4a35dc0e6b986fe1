//! The page with what a domain or the host used.

use super::parts::{domain_link, frame};
use super::units;
use crate::core::model::{HostInfo, Level, Resource, Span, UsageHistory};
use crate::core::snapshot::DomainView;
use crate::wire::http::request::RequestInfo;
use xend_templates::{Link, Moment, TimeChart, TimeLine, UsagePage, UsageRow};

/// How much there is to use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    /// In percent of one CPU.
    pub(crate) cpu: f64,
    pub(crate) memory_mib: u32,
}

impl Scale {
    pub(crate) fn of_host(info: &HostInfo) -> Self {
        Self {
            cpu: f64::from(info.topology.cpus.max(1)) * 100.0,
            memory_mib: u32::try_from(info.total_memory).unwrap_or(u32::MAX),
        }
    }

    /// That of a domain. Domain-0 may have more memory than there is: the host's is its limit.
    pub(crate) fn of_domain(view: &DomainView, info: &HostInfo) -> Self {
        let config = &view.config;
        let memory = u32::try_from(config.maxmem.max(config.memory)).unwrap_or(u32::MAX);
        let own = Self { cpu: f64::from(config.vcpus.max(1)) * 100.0, memory_mib: memory };
        if !view.is_privileged() {
            return own;
        }
        let host = Self::of_host(info);
        Self { cpu: own.cpu.min(host.cpu), memory_mib: own.memory_mib.min(host.memory_mib) }
    }
}

/// Whose use a page shows.
pub(crate) struct UsageSubject {
    /// The name of the domain or of the host.
    pub(crate) name: String,
    link: Link,
    scale: Scale,
}

impl UsageSubject {
    pub(crate) fn of_domain(view: &DomainView, info: &HostInfo) -> Self {
        Self {
            name: view.name().to_string(),
            link: domain_link(view),
            scale: Scale::of_domain(view, info),
        }
    }

    pub(crate) fn of_host(scale: Scale, host: &str) -> Self {
        Self { name: host.to_owned(), link: Link::new("the host", "/xend/node"), scale }
    }
}

/// The charts: name, and the lines with their names.
const CHARTS: [(&str, &[(&str, Resource)]); 4] = [
    ("CPU", &[("used", Resource::Cpu)]),
    ("Memory", &[("used", Resource::Memory)]),
    ("Disks", &[("read", Resource::DiskRead), ("written", Resource::DiskWritten)]),
    ("Network", &[("received", Resource::NetReceived), ("sent", Resource::NetSent)]),
];

/// The headings of the table, in the order of [`Resource::ALL`].
const COLUMNS: [&str; Resource::ALL.len()] =
    ["CPU", "Memory", "Disks, read", "Disks, written", "Network, received", "Network, sent"];

pub(crate) fn page(request: &RequestInfo, usage: &UsageHistory, subject: &UsageSubject) -> String {
    let charts = CHARTS.iter().map(|(name, lines)| chart(name, lines, usage, subject.scale));
    let mut rows: Vec<UsageRow> = usage
        .timed()
        .filter(|(_, step)| !step.is_empty())
        .map(|(begins, step)| UsageRow {
            begins: moment(begins, "%Y-%m-%d %H:%M"),
            figures: Resource::ALL.map(|resource| texts(resource, step.of(resource))).to_vec(),
        })
        .collect();
    rows.reverse();
    UsagePage {
        frame: frame(request),
        title: format!("History of {}", subject.name),
        href: request.path.clone(),
        of: subject.link.clone(),
        spans: Span::ALL.map(|span| span.name().to_owned()).to_vec(),
        span: usage.span.name().to_owned(),
        step: step_length(usage.span.step_minutes()),
        charts: charts.collect(),
        columns: COLUMNS.map(str::to_owned).to_vec(),
        rows,
    }
    .render()
}

fn chart(name: &str, lines: &[(&str, Resource)], usage: &UsageHistory, scale: Scale) -> TimeChart {
    let highest = |resource| levels(usage, resource).map(|level| f64::from(level.max));
    let most = lines.iter().flat_map(|(_, resource)| highest(*resource)).fold(0.0, f64::max);
    let resource = lines.first().map_or(Resource::Cpu, |(_, resource)| *resource);
    let max = match resource {
        Resource::Cpu => scale.cpu,
        Resource::Memory => f64::from(scale.memory_mib) * 1024.0,
        // Their limits are not known.
        _ => round_up(most),
    };
    let format = if usage.span.step_minutes() < 120 { "%H:%M" } else { "%Y-%m-%d" };
    let begins: Vec<i64> = usage.timed().map(|(begins, _)| begins).collect();
    let time = |at: usize| moment(begins.get(at).copied().unwrap_or_default(), format).text;
    let last = begins.len().saturating_sub(1);
    TimeChart {
        name: name.to_owned(),
        lines: lines.iter().map(|(name, resource)| line(name, *resource, usage)).collect(),
        max,
        max_text: match resource {
            Resource::Cpu => format!("{max:.0} %"),
            _ => text(resource, max),
        },
        times: [time(0), time(last / 2), time(last)],
    }
}

fn line(name: &str, resource: Resource, usage: &UsageHistory) -> TimeLine {
    let step = |level: Level| (f64::from(level.mean), f64::from(level.max));
    let mut sum = 0.0;
    let mut count = 0.0_f64;
    let mut highest = 0.0;
    for level in levels(usage, resource) {
        sum += f64::from(level.mean);
        count += 1.0;
        highest = f64::from(level.max).max(highest);
    }
    let or_unknown = |figure| match count {
        0.0 => "unknown".to_owned(),
        _ => text(resource, figure),
    };
    TimeLine {
        name: name.to_owned(),
        steps: usage.steps.iter().map(|usage| usage.of(resource).map(step)).collect(),
        mean: or_unknown(sum / count.max(1.0)),
        highest: or_unknown(highest),
    }
}

fn levels(usage: &UsageHistory, resource: Resource) -> impl Iterator<Item = Level> + '_ {
    usage.steps.iter().filter_map(move |step| step.of(resource))
}

/// The mean and the maximum with their unit.
fn texts(resource: Resource, level: Option<Level>) -> Option<(String, String)> {
    let Level { mean, max } = level?;
    Some((text(resource, mean.into()), text(resource, max.into())))
}

/// A figure with its unit.
fn text(resource: Resource, figure: f64) -> String {
    match resource {
        Resource::Cpu => format!("{figure:.1} %"),
        Resource::Memory => units::size(figure * 1024.0),
        _ => units::rate(figure),
    }
}

/// A full scale for a figure: one, two or five times a power of two bytes.
fn round_up(figure: f64) -> f64 {
    let mut unit = 1.0;
    while unit * 1024.0 <= figure {
        unit *= 1024.0;
    }
    let steps = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1024.0];
    let fits = steps.into_iter().map(|step| step * unit).find(|full| *full >= figure);
    fits.unwrap_or(figure)
}

fn moment(seconds: i64, format: &str) -> Moment {
    let at = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    Moment {
        iso: at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        text: at.strftime(format).to_string(),
    }
}

/// `a minute`, `15 minutes`, `2 hours`
fn step_length(minutes: u32) -> String {
    match (minutes, minutes / 60) {
        (1, _) => "a minute".to_owned(),
        (_, 0) => format!("{minutes} minutes"),
        (_, hours) => format!("{hours} hours"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::Usage;

    #[test]
    fn domain_0_is_scaled_to_the_host() {
        let mut info = HostInfo { total_memory: 16_384, ..HostInfo::default() };
        info.topology.cpus = 4;
        let scale = Scale::of_host(&info);
        assert_eq!(scale, Scale { cpu: 400.0, memory_mib: 16_384 });
    }

    #[test]
    fn rates_have_a_round_scale() {
        for (most, full) in [(0.0, 1.0), (3.0, 5.0), (600.0, 1024.0), (1500.0, 2048.0)] {
            assert!((round_up(most) - full).abs() < 0.1, "{most}: {}", round_up(most));
        }
    }

    #[test]
    fn a_chart_tells_means_and_maxima_with_units() {
        let level = |mean, max| Level { mean, max };
        let step = Usage::default().with(Resource::DiskRead, level(1024.0, 3000.0));
        let steps = vec![Usage::default(), step];
        let usage = UsageHistory { span: Span::Hour, first: 0, steps };
        let scale = Scale { cpu: 100.0, memory_mib: 64 };
        let chart = |at: usize| chart(CHARTS[at].0, CHARTS[at].1, &usage, scale);
        let disks = chart(2);
        assert_eq!(disks.lines[0].mean, "1 KiB/s");
        assert_eq!(disks.lines[0].highest, "2.9 KiB/s");
        assert_eq!(disks.lines[0].steps, [None, Some((1024.0, 3000.0))]);
        assert_eq!(disks.lines[1].mean, "unknown");
        assert_eq!((disks.max_text.as_str(), &disks.times[2]), ("5 KiB/s", &"00:01".to_owned()));
        assert_eq!(chart(1).max_text, "64 MiB");
    }
}

//! A strict reader of the text format of OpenMetrics 1.0, as far as xend uses it: whatever the
//! standard does not allow is a panic.

use crate::http_support::fixture;
use std::collections::HashSet;

/// All metrics of a text.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    pub(crate) families: Vec<Family>,
}

/// A metric.
#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) kind: String,
    unit: Option<String>,
    /// Of the fixture alone.
    pub(crate) labels: Vec<String>,
    pub(crate) samples: Vec<Sample>,
}

/// A sample.
#[derive(Debug)]
pub(crate) struct Sample {
    name: String,
    pub(crate) labels: Vec<(String, String)>,
    value: f64,
}

impl Sample {
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }

    fn has(&self, labels: &[(&str, &str)]) -> bool {
        labels.iter().all(|(name, value)| self.label(name) == Some(value))
    }
}

impl Family {
    /// The names of its samples.
    pub(crate) fn sample_names(&self) -> Vec<String> {
        let suffixes: &[&str] = match self.kind.as_str() {
            "counter" => &["_total"],
            "gauge" => &[""],
            "info" => &["_info"],
            "histogram" => &["_bucket", "_sum", "_count"],
            other => panic!("{}: the type {other}", self.name),
        };
        suffixes.iter().map(|suffix| format!("{}{suffix}", self.name)).collect()
    }

    fn check(&self) {
        let Self { name, kind, unit, samples, .. } = self;
        if let Some(unit) = unit {
            assert!(name.ends_with(&format!("_{unit}")), "{name}: the unit {unit}");
        }
        let mut seen = HashSet::new();
        for sample in samples {
            let mut labels = sample.labels.clone();
            labels.sort();
            assert!(labels.windows(2).all(|pair| pair[0].0 != pair[1].0), "{sample:?}");
            assert!(seen.insert((&sample.name, labels)), "twice: {sample:?}");
            let value = sample.value;
            match kind.as_str() {
                "counter" | "histogram" => assert!(value.is_finite() && value >= 0.0, "{sample:?}"),
                "info" => assert!(value.to_bits() == 1.0_f64.to_bits(), "{sample:?}"),
                _ => assert!(!value.is_nan(), "{sample:?}"),
            }
        }
        if kind == "histogram" {
            self.check_histograms();
        }
    }

    /// The buckets of each histogram are in order, grow, and end with all.
    fn check_histograms(&self) {
        let of = |suffix: &str| {
            let name = format!("{}{suffix}", self.name);
            self.samples.iter().filter(move |sample| sample.name == name)
        };
        for count in of("_count") {
            let own: Vec<_> =
                count.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(of("_sum").filter(|sum| sum.has(&own)).count(), 1, "{count:?}");
            let buckets: Vec<_> = of("_bucket").filter(|bucket| bucket.has(&own)).collect();
            let ends: Vec<_> = buckets.iter().map(|one| number(one.label("le").unwrap())).collect();
            assert!(ends.is_sorted() && ends.last() == Some(&f64::INFINITY), "{ends:?}");
            let counts: Vec<_> = buckets.iter().map(|bucket| bucket.value).collect();
            assert!(counts.is_sorted() && counts.last() == Some(&count.value), "{counts:?}");
        }
        assert_eq!(of("_count").count(), of("_sum").count());
        assert_eq!(of("_bucket").count() % of("_count").count().max(1), 0);
    }
}

impl Exposition {
    /// Reads a whole text.
    pub(crate) fn parse(text: &str) -> Self {
        let body = text.strip_suffix("# EOF\n").expect("the text ends with # EOF");
        assert!(body.is_empty() || body.ends_with('\n'), "the last line has no end");
        let mut found = Self::default();
        let mut help = None;
        for line in body.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, text) = rest.split_once(' ').expect("a help text");
                assert!(is_name(name) && !text.is_empty(), "{line}");
                help = Some(name.to_owned());
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a type");
                assert_eq!(help.take().as_deref(), Some(name), "TYPE follows HELP: {line}");
                let is_new = found.families.iter().all(|family| family.name != name);
                assert!(is_new, "{name} comes twice");
                let family =
                    Family { name: name.to_owned(), kind: kind.to_owned(), ..Family::default() };
                family.sample_names();
                found.families.push(family);
            } else if let Some(rest) = line.strip_prefix("# UNIT ") {
                let (name, unit) = rest.split_once(' ').expect("a unit");
                let family = found.families.last_mut().expect("a TYPE before the UNIT");
                assert!(family.name == name && family.samples.is_empty(), "{line}");
                assert!(family.unit.replace(unit.to_owned()).is_none(), "{line}");
            } else {
                let sample = sample(line);
                let family = found.families.last_mut().expect("a TYPE before samples");
                assert!(help.is_none() && family.sample_names().contains(&sample.name), "{line}");
                family.samples.push(sample);
            }
        }
        assert!(help.is_none(), "HELP without TYPE");
        found.families.iter().for_each(Family::check);
        found
    }

    pub(crate) fn family(&self, name: &str) -> &Family {
        self.families.iter().find(|family| family.name == name).unwrap_or_else(|| panic!("{name}"))
    }

    /// All samples.
    pub(crate) fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.families.iter().flat_map(|family| &family.samples)
    }

    /// The value of the first sample with these labels, and perhaps others.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.matching(name, labels).next()
    }

    /// The number of samples with these labels.
    pub(crate) fn count(&self, name: &str, labels: &[(&str, &str)]) -> usize {
        self.matching(name, labels).count()
    }

    fn matching(&self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = f64> {
        let is_one = move |sample: &&Sample| sample.name == name && sample.has(labels);
        self.samples().filter(is_one).map(|sample| sample.value)
    }
}

fn is_name(name: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    name.chars().all(is_letter) && name.starts_with(|first: char| !first.is_ascii_digit())
}

fn number(text: &str) -> f64 {
    match text {
        "+Inf" => f64::INFINITY,
        _ => text.parse().unwrap_or_else(|_| panic!("{text:?} is no number")),
    }
}

/// `name{label="value",...} number`
fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("{line:?}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            assert!(is_name(label), "{line}");
            let (value, after) = quoted(after, line);
            labels.push((label.to_owned(), value));
            rest = &after[1..];
            match after.as_bytes()[0] {
                b',' => {}
                b'}' => break,
                _ => panic!("{line}"),
            }
        }
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line}"));
    Sample { name: name.to_owned(), labels, value: number(value) }
}

/// A value up to its closing quote, and what comes after it.
fn quoted<'a>(text: &'a str, line: &str) -> (String, &'a str) {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &text[at + 1..]),
            '\\' => match letters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, escaped @ ('"' | '\\'))) => value.push(escaped),
                _ => panic!("{line}"),
            },
            other => value.push(other),
        }
    }
    panic!("{line}")
}

/// The metrics of the fixture: the name, the type and the labels of each.
pub(crate) fn fixture_names() -> Vec<Family> {
    let text = std::fs::read_to_string(fixture("metrics/names")).unwrap();
    let family = |line: &str| {
        let mut words = line.split(' ').map(str::to_owned);
        let name = words.next().unwrap();
        let kind = words.next().unwrap();
        Family { name, kind, labels: words.collect(), ..Family::default() }
    };
    text.lines().map(family).collect()
}

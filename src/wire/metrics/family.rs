//! A metric, and its samples.

use super::sources::Figures;
use crate::core::metrics::{BOUNDS, Durations};
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry;
use std::fmt;
use std::time::Duration;

/// A metric: all samples with one name.
pub(super) struct Family {
    /// The name without the prefix `xend`, the unit, and what the type appends.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) unit: Option<Unit>,
    /// One sentence for people.
    pub(super) help: &'static str,
    /// The names of the labels.
    pub(super) labels: &'static [&'static str],
    /// Adds the samples.
    pub(super) read: fn(&Figures, &mut Samples<'_>) -> fmt::Result,
}

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Grows until the daemon ends, or its domain.
    Counter,
    Gauge,
    /// Durations.
    Histogram,
    /// A 1 whose labels are the information.
    Info,
}

/// The unit of a metric, which ends its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Bytes,
}

/// The value of a sample.
pub(super) enum Value {
    Integer(u64),
    Float(f64),
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Integer(value)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Integer(u64::try_from(value).unwrap_or(u64::MAX))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Integer(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl Kind {
    fn to_metric_type(self) -> MetricType {
        match self {
            Self::Counter => MetricType::Counter,
            Self::Gauge => MetricType::Gauge,
            Self::Histogram => MetricType::Histogram,
            Self::Info => MetricType::Info,
        }
    }
}

impl Unit {
    fn to_registry(self) -> registry::Unit {
        match self {
            Self::Seconds => registry::Unit::Seconds,
            Self::Bytes => registry::Unit::Bytes,
        }
    }
}

impl Family {
    /// Prints the metric with its samples.
    pub(super) fn encode(
        &self,
        figures: &Figures,
        encoder: &mut DescriptorEncoder<'_>,
    ) -> fmt::Result {
        let Self { name, help, kind, .. } = self;
        let unit = self.unit.map(Unit::to_registry);
        let encoder =
            encoder.encode_descriptor(name, help, unit.as_ref(), kind.to_metric_type())?;
        (self.read)(figures, &mut Samples { family: self, encoder })
    }
}

/// The samples of a metric, as they are added.
pub(super) struct Samples<'a> {
    family: &'a Family,
    encoder: MetricEncoder<'a>,
}

impl Samples<'_> {
    /// Adds a sample with these values of the metric's labels.
    pub(super) fn add(&mut self, labels: &[&str], value: impl Into<Value>) -> fmt::Result {
        let labels = self.labels(labels);
        if self.family.kind == Kind::Info {
            return self.encoder.encode_info(&labels);
        }
        let is_counter = self.family.kind == Kind::Counter;
        let mut encoder = self.encoder.encode_family(&labels)?;
        match value.into() {
            Value::Integer(value) if is_counter => {
                encoder.encode_counter::<NoLabelSet, u64, u64>(&value, None)
            }
            Value::Float(value) if is_counter => {
                encoder.encode_counter::<NoLabelSet, f64, f64>(&value, None)
            }
            Value::Integer(value) => encoder.encode_gauge(&value),
            Value::Float(value) => encoder.encode_gauge(&value),
        }
    }

    /// Adds an information.
    pub(super) fn add_info(&mut self, labels: &[&str]) -> fmt::Result {
        self.add(labels, 1_u64)
    }

    /// Adds durations to a histogram.
    pub(super) fn add_durations(&mut self, labels: &[&str], durations: &Durations) -> fmt::Result {
        let labels = self.labels(labels);
        let ends = BOUNDS.iter().map(Duration::as_secs_f64).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = ends.zip(durations.buckets).collect();
        let sum = durations.sum.as_secs_f64();
        let mut encoder = self.encoder.encode_family(&labels)?;
        encoder.encode_histogram::<NoLabelSet>(sum, durations.count(), &buckets, None)
    }

    fn labels<'l>(&self, values: &[&'l str]) -> Vec<(&'static str, &'l str)> {
        self.family.labels.iter().copied().zip(values.iter().copied()).collect()
    }
}

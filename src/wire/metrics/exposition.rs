//! Figures as text.

use super::families;
use super::sources::Figures;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;
use std::fmt;

/// The figures, which the library asks for when it prints a registry.
#[derive(Debug)]
struct Exposition(Figures);

impl Collector for Exposition {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        families::all().try_for_each(|family| family.encode(&self.0, &mut encoder))
    }
}

/// The text of all metrics. It takes milliseconds on a host with thousands of domains.
pub(super) fn print(figures: Figures) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("xend");
    registry.register_collector(Box::new(Exposition(figures)));
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(text)
}

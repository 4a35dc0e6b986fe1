//! Who uses the host's memory and CPUs: a bar for each, and the table that is their legend.

use crate::chart::to_f64;
use crate::parts::scroll;
use maud::{Markup, html};

/// Somebody who uses memory and CPUs.
#[derive(Debug, Clone, PartialEq)]
pub struct Consumer {
    pub kind: ConsumerKind,
    pub name: String,
    /// `None` for one without a page.
    pub href: Option<String>,
    pub memory_mib: u64,
    /// In percent of one CPU; `None` if it is unknown.
    pub cpu: Option<f64>,
}

/// What a consumer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsumerKind {
    Domain0,
    Domain,
    /// All domains that have no row of their own.
    Others,
    /// The hypervisor itself.
    Xen,
}

/// What the host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostTotals {
    pub memory_mib: u64,
    pub free_memory_mib: u64,
    pub cpus: u32,
}

/// Who uses the host.
#[derive(Debug, Clone, PartialEq)]
pub struct HostUse {
    /// At most [`MAX_NAMED_CONSUMERS`] of the kind [`ConsumerKind::Domain`].
    pub consumers: Vec<Consumer>,
    /// `None` for a user who does not see all consumers: the rest of a bar would not be free.
    pub totals: Option<HostTotals>,
}

/// The most domains with a row and a colour of their own. More colours look alike.
pub const MAX_NAMED_CONSUMERS: usize = 6;

/// The colours of domains; `style.css` has them.
const COLOURS: [&str; MAX_NAMED_CONSUMERS] = ["a", "b", "c", "d", "e", "f"];

/// The narrowest rectangle with a gap after it, and the gap, in percent of the bar.
const MIN_WITH_GAP: f64 = 1.0;
const GAP: f64 = 0.2;

impl HostUse {
    pub(crate) fn markup(&self) -> Markup {
        html! {
            @if let Some(totals) = &self.totals {
                (self.bar("Memory", "MiB", mib(totals.memory_mib), mib(totals.free_memory_mib), |one| {
                    mib(one.memory_mib)
                }))
                @let cpus = f64::from(totals.cpus) * 100.0;
                @let used: f64 = self.consumers.iter().filter_map(|one| one.cpu).sum();
                (self.bar("CPU", "%", cpus, (cpus - used).max(0.0), |one| one.cpu.unwrap_or(0.0)))
            }
            (self.table())
        }
    }

    fn bar(
        &self,
        name: &str,
        unit: &str,
        total: f64,
        free: f64,
        amount: impl Fn(&Consumer) -> f64,
    ) -> Markup {
        let used = (total - free).max(0.0);
        let of_total = format!("{used:.0} of {total:.0} {unit}");
        html! {
            figure {
                figcaption { span { (name) } b { (of_total) ", " (format!("{free:.0}")) " free" } }
                svg.big.bar viewBox="0 0 100 10" preserveAspectRatio="none" role="img"
                    aria-label={ (name) ": " (of_total) " used" } {
                    @for (class, consumer, from, width) in self.rectangles(total, &amount) {
                        rect class=(class) x=(format!("{from:.2}")) y="0"
                            width=(format!("{width:.2}")) height="10" {
                            title {
                                (consumer.name) ": " (format!("{:.0}", amount(consumer))) " " (unit)
                            }
                        }
                    }
                }
            }
        }
    }

    /// The class, the consumer, the left edge and the width of each rectangle.
    fn rectangles(
        &self,
        total: f64,
        amount: impl Fn(&Consumer) -> f64,
    ) -> Vec<(&'static str, &Consumer, f64, f64)> {
        let total = if total > 0.0 { total } else { 1.0 };
        let mut from = 0.0;
        let mut rectangles = Vec::new();
        for (class, consumer) in self.with_classes() {
            let width = (amount(consumer) / total * 100.0).clamp(0.0, 100.0 - from);
            let shown = if width > MIN_WITH_GAP { width - GAP } else { width };
            rectangles.push((class, consumer, from, shown));
            from += width;
        }
        rectangles
    }

    /// The consumers with the classes of their colours.
    fn with_classes(&self) -> impl Iterator<Item = (&'static str, &Consumer)> {
        let mut colours = COLOURS.into_iter();
        self.consumers.iter().map(move |consumer| {
            let class = match consumer.kind {
                ConsumerKind::Domain0 => "dom0",
                ConsumerKind::Domain => colours.next().unwrap_or("others"),
                ConsumerKind::Others => "others",
                ConsumerKind::Xen => "xen",
            };
            (class, consumer)
        })
    }

    fn table(&self) -> Markup {
        html! {
            (scroll("Usage by domain", &html! {
                table.legend {
                    thead {
                        tr {
                            th scope="col" { "Domain" }
                            th.num scope="col" { "Memory" }
                            th.num scope="col" { "CPU" }
                        }
                    }
                    tbody {
                        @for (class, consumer) in self.with_classes() {
                            tr {
                                th scope="row" {
                                    span.dot.(class) aria-hidden="true" {}
                                    @match &consumer.href {
                                        Some(href) => a href=(href) { (consumer.name) },
                                        None => (consumer.name),
                                    }
                                }
                                td.num { (consumer.memory_mib) " MiB" }
                                td.num {
                                    @match consumer.cpu {
                                        Some(cpu) => { (format!("{cpu:.1}")) " %" }
                                        None => "–",
                                    }
                                }
                            }
                        }
                    }
                }
            }))
        }
    }
}

fn mib(count: u64) -> f64 {
    to_f64(usize::try_from(count).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn consumer(kind: ConsumerKind, name: &str, memory_mib: u64) -> Consumer {
        let href = Some(format!("/xend/domain/{name}"));
        Consumer { kind, name: name.into(), href, memory_mib, cpu: Some(50.0) }
    }

    fn host_use(consumers: Vec<Consumer>) -> HostUse {
        let totals = HostTotals { memory_mib: 1024, free_memory_mib: 100, cpus: 4 };
        HostUse { consumers, totals: Some(totals) }
    }

    #[test]
    fn shares_are_side_by_side_and_within_the_bar() {
        let of = host_use(vec![
            consumer(ConsumerKind::Domain0, "Domain-0", 256),
            consumer(ConsumerKind::Domain, "pv1", 512),
            consumer(ConsumerKind::Domain, "pv2", 512),
        ]);
        let rectangles = of.rectangles(1024.0, |one| mib(one.memory_mib));
        let shown: Vec<_> =
            rectangles.iter().map(|(class, _, from, width)| (*class, *from, *width)).collect();
        assert_eq!(
            shown,
            [("dom0", 0.0, 25.0 - GAP), ("a", 25.0, 50.0 - GAP), ("b", 75.0, 25.0 - GAP)]
        );
    }

    #[test]
    fn a_small_share_has_all_of_its_width() {
        let of = host_use(vec![consumer(ConsumerKind::Domain, "small", 2)]);
        let rectangles = of.rectangles(1000.0, |one| mib(one.memory_mib));
        assert!((rectangles[0].3 - 0.2).abs() < 1e-9, "{rectangles:?}");
    }

    #[test]
    fn no_two_consumers_have_the_same_colour() {
        let mut consumers = vec![consumer(ConsumerKind::Domain0, "Domain-0", 1)];
        for n in 0..MAX_NAMED_CONSUMERS {
            consumers.push(consumer(ConsumerKind::Domain, &format!("pv{n}"), 1));
        }
        consumers.push(consumer(ConsumerKind::Others, "994 others", 1));
        consumers.push(consumer(ConsumerKind::Xen, "Xen", 1));
        let of = host_use(consumers);
        let classes: BTreeSet<_> = of.with_classes().map(|(class, _)| class).collect();
        assert_eq!(classes.len(), of.consumers.len(), "{classes:?}");
    }

    #[test]
    fn what_is_free_is_what_the_hypervisor_says() {
        let mut of = host_use(vec![consumer(ConsumerKind::Domain, "pv1", 512)]);
        let text = of.markup().into_string();
        assert!(text.contains("924 of 1024 MiB, 100 free"), "{text}");
        assert!(text.contains("50 of 400 %, 350 free"), "{text}");
        of.totals = None;
        let text = of.markup().into_string();
        assert!(!text.contains("free") && !text.contains("<svg") && text.contains("512 MiB"));
    }
}

//! Figures as pictures: what was used in the last minutes, and what is used of the whole. Drawn by
//! the server, without a style of their own, so that a strict Content-Security-Policy lets them be.

use maud::{Markup, html};

/// What something used in the last minutes.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What is shown.
    pub name: String,
    /// The figures, the oldest first.
    pub points: Vec<f64>,
    /// How many figures the whole width is.
    pub width: usize,
    /// What the whole height is.
    pub most: f64,
    /// The unit of figures and height.
    pub unit: String,
    /// How long the whole width is: `5 minutes`.
    pub span: String,
}

impl Chart {
    pub(crate) fn markup(&self, class: &str) -> Markup {
        let Self { name, unit, .. } = self;
        let now = self.points.last().copied().unwrap_or(0.0);
        let highest = self.points.iter().copied().fold(0.0, f64::max);
        let told =
            format!("{name}, now {now:.0} {unit}, highest {highest:.0} {unit} in {}", self.span);
        let line = self.line();
        html! {
            figure {
                figcaption { span { (name) } b { (format!("{now:.1}")) " " (unit) } }
                svg.chart.(class) viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label=(told) {
                    @if let Some((first, last)) = line.first().zip(line.last()) {
                        polygon points={ (written(&line)) (format!(" {:.1},100 {:.1},100", last.0, first.0)) } {}
                        polyline points=(written(&line)) {}
                    }
                }
                div.axis { span { (self.span) " ago" } span { "top: " (format!("{:.0}", self.most)) " " (unit) } span { "now" } }
            }
        }
    }

    /// The figures as points of a square of 100, the last one at the right.
    fn line(&self) -> Vec<(f64, f64)> {
        let shown = self.width.max(2);
        let skipped = self.points.len().saturating_sub(shown);
        let points = &self.points[skipped..];
        let step = 100.0 / to_f64(shown - 1);
        let most = if self.most > 0.0 { self.most } else { 1.0 };
        let left = 100.0 - step * to_f64(points.len().saturating_sub(1));
        let height = |point: f64| 100.0 - (point / most).clamp(0.0, 1.0) * 100.0;
        points
            .iter()
            .enumerate()
            .map(|(n, point)| (left + step * to_f64(n), height(*point)))
            .collect()
    }
}

#[allow(clippy::cast_precision_loss, reason = "a count of figures in memory")]
fn to_f64(count: usize) -> f64 {
    count as f64
}

fn written(line: &[(f64, f64)]) -> String {
    let points: Vec<String> = line.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    points.join(" ")
}

/// Who uses how much of something.
#[derive(Debug, Clone, PartialEq)]
pub struct Shares {
    /// What it is.
    pub name: String,
    /// What all of it is.
    pub total: f64,
    /// The unit of all figures.
    pub unit: String,
    /// Who uses how much, Domain-0 first.
    pub parts: Vec<Share>,
}

/// A part.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// Whose it is.
    pub name: String,
    /// How much it is.
    pub amount: f64,
}

/// How many shares have a rectangle of their own; the smallest are put together.
const SHOWN: usize = 24;

impl Shares {
    /// A bar, and in words what it shows.
    pub(crate) fn markup(&self) -> Markup {
        let used: f64 = self.parts.iter().map(|part| part.amount).sum();
        let free = (self.total - used).max(0.0);
        let unit = &self.unit;
        let told = format!("{}: {used:.0} of {:.0} {unit} used", self.name, self.total);
        html! {
            figure {
                figcaption {
                    span { (self.name) }
                    b { (format!("{used:.0}")) " of " (format!("{:.0}", self.total)) " " (unit) ", " (format!("{free:.0}")) " free" }
                }
                svg.big.bar viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label=(told) {
                    @for (class, name, amount, from, width) in self.rectangles() {
                        rect class=(class) x=(format!("{from:.2}")) y="0" width=(format!("{width:.2}")) height="10" {
                            title { (name) ": " (format!("{amount:.0}")) " " (unit) }
                        }
                    }
                }
            }
        }
    }

    fn rectangles(&self) -> Vec<(&'static str, String, f64, f64, f64)> {
        let total = if self.total > 0.0 { self.total } else { 1.0 };
        let mut from = 0.0;
        let rest: f64 = self.parts.iter().skip(SHOWN).map(|part| part.amount).sum();
        let rest = (rest > 0.0).then(|| Share { name: "others".to_owned(), amount: rest });
        let parts = self.parts.iter().take(SHOWN).cloned().chain(rest);
        parts
            .enumerate()
            .map(|(n, part)| {
                let width = (part.amount / total * 100.0).clamp(0.0, 100.0 - from);
                let begins = from;
                from += width;
                (share_class(n), part.name, part.amount, begins, width)
            })
            .collect()
    }
}

/// The colour of the nth share: Domain-0's own, then three that take turns.
pub(crate) fn share_class(n: usize) -> &'static str {
    match n {
        0 => "dom0",
        n => ["a", "b", "c"][(n - 1) % 3],
    }
}

/// A small bar of a percentage.
pub(crate) fn small_bar(percent: f64) -> Markup {
    html! {
        svg.bar viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
            rect x="0" y="0" width=(format!("{:.0}", percent.clamp(0.0, 100.0))) height="10" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: &[f64]) -> Chart {
        let name = "CPU".to_owned();
        let unit = "%".to_owned();
        let span = "5 minutes".to_owned();
        Chart { name, points: points.to_vec(), width: 5, most: 200.0, unit, span }
    }

    #[test]
    fn the_last_figure_is_at_the_right_and_the_highest_at_the_top() {
        let chart = chart(&[0.0, 100.0, 200.0]);
        assert_eq!(chart.line(), [(50.0, 100.0), (75.0, 50.0), (100.0, 0.0)]);
        let text = chart.markup("a").into_string();
        assert!(text.contains(r#"<polyline points="50.0,100.0 75.0,50.0 100.0,0.0">"#), "{text}");
        assert!(text.contains("CPU, now 200 %, highest 200 % in 5 minutes"), "{text}");
    }

    #[test]
    fn nothing_breaks_without_figures_or_with_too_many() {
        assert!(!chart(&[]).markup("a").into_string().contains("<poly"));
        assert_eq!(chart(&[1.0; 9]).line().len(), 5);
        assert_eq!(Chart { most: 0.0, ..chart(&[3.0]) }.line(), [(100.0, 0.0)]);
    }

    #[test]
    fn shares_stand_side_by_side_and_never_beyond_the_end() {
        let part = |name: &str, amount| Share { name: name.into(), amount };
        let parts = vec![part("Domain-0", 256.0), part("pv1", 512.0), part("pv2", 512.0)];
        let shares = Shares { name: "Memory".into(), total: 1024.0, unit: "MiB".into(), parts };
        let rectangles: Vec<_> = shares
            .rectangles()
            .into_iter()
            .map(|(class, .., from, width)| (class, from, width))
            .collect();
        assert_eq!(rectangles, [("dom0", 0.0, 25.0), ("a", 25.0, 50.0), ("b", 75.0, 25.0)]);
        assert!(shares.markup().into_string().contains("1280 of 1024 MiB, 0 free"));
    }

    #[test]
    fn many_small_shares_are_one() {
        let parts = (0..99).map(|n| Share { name: n.to_string(), amount: 1.0 }).collect();
        let shares = Shares { name: "Memory".into(), total: 100.0, unit: "MiB".into(), parts };
        assert_eq!(shares.rectangles().len(), SHOWN + 1);
        assert_eq!(shares.rectangles().last().unwrap().1, "others");
    }
}

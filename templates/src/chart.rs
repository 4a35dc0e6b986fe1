//! Charts and bars as SVG, drawn by the server. They have no inline styles, which a strict
//! Content-Security-Policy would forbid.

use maud::{Markup, html};

/// A line chart of a figure over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    pub name: String,
    /// The figures, the oldest first.
    pub points: Vec<f64>,
    /// The number of points over the full width.
    pub width: usize,
    /// The figure at the full height.
    pub max: f64,
    pub unit: String,
    /// The time over the full width: `5 min`.
    pub span: String,
}

impl Chart {
    pub(crate) fn markup(&self, class: &str) -> Markup {
        let Self { name, unit, .. } = self;
        let now = self.points.last().copied().unwrap_or(0.0);
        let highest = self.points.iter().copied().fold(0.0, f64::max);
        let description =
            format!("{name}, now {now:.0} {unit}, highest {highest:.0} {unit} in {}", self.span);
        let line = self.line();
        html! {
            figure {
                figcaption { span { (name) } b { (format!("{now:.1}")) " " (unit) } }
                svg.chart.(class) viewBox="0 0 100 100" preserveAspectRatio="none" role="img"
                    aria-label=(description) {
                    @if let Some((first, last)) = line.first().zip(line.last()) {
                        @let base = format!(" {:.1},100 {:.1},100", last.0, first.0);
                        polygon points={ (svg_points(&line)) (base) } {}
                        polyline points=(svg_points(&line)) {}
                    }
                }
                div.axis {
                    span { (self.span) " ago" }
                    span { "max " (format!("{:.0}", self.max)) " " (unit) }
                    span { "now" }
                }
            }
        }
    }

    /// The figures as points in a square of 100, with the last one at the right edge.
    fn line(&self) -> Vec<(f64, f64)> {
        let shown = self.width.max(2);
        let skipped = self.points.len().saturating_sub(shown);
        let points = &self.points[skipped..];
        let step = 100.0 / to_f64(shown - 1);
        let left = 100.0 - step * to_f64(points.len().saturating_sub(1));
        points
            .iter()
            .enumerate()
            .map(|(n, point)| (left + step * to_f64(n), from_top(*point, self.max)))
            .collect()
    }
}

#[allow(clippy::cast_precision_loss, reason = "a count of figures in memory")]
pub(crate) fn to_f64(count: usize) -> f64 {
    count as f64
}

/// How far below the top of a chart a figure is; `max` is at the top.
pub(crate) fn from_top(figure: f64, max: f64) -> f64 {
    let max = if max > 0.0 { max } else { 1.0 };
    100.0 - (figure / max).clamp(0.0, 1.0) * 100.0
}

/// The value of an SVG `points` attribute.
pub(crate) fn svg_points(line: &[(f64, f64)]) -> String {
    let points: Vec<String> = line.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    points.join(" ")
}

/// A small bar that shows a percentage.
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
        Chart {
            name: "CPU".to_owned(),
            points: points.to_vec(),
            width: 5,
            max: 200.0,
            unit: "%".to_owned(),
            span: "5 minutes".to_owned(),
        }
    }

    #[test]
    fn the_last_point_is_at_the_right_edge_and_the_highest_at_the_top() {
        let chart = chart(&[0.0, 100.0, 200.0]);
        assert_eq!(chart.line(), [(50.0, 100.0), (75.0, 50.0), (100.0, 0.0)]);
        let text = chart.markup("a").into_string();
        assert!(text.contains(r#"<polyline points="50.0,100.0 75.0,50.0 100.0,0.0">"#), "{text}");
        assert!(text.contains("CPU, now 200 %, highest 200 % in 5 minutes"), "{text}");
    }

    #[test]
    fn charts_can_have_no_points_or_too_many() {
        assert!(!chart(&[]).markup("a").into_string().contains("<poly"));
        assert_eq!(chart(&[1.0; 9]).line().len(), 5);
        assert_eq!(Chart { max: 0.0, ..chart(&[3.0]) }.line(), [(100.0, 0.0)]);
    }
}

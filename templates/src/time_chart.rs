//! Charts of means and maxima over a longer time, with gaps where nothing is known.

use crate::chart::{from_top, svg_points, to_f64};
use maud::{Markup, html};

/// A chart of figures with one unit.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeChart {
    pub name: String,
    /// One or two.
    pub lines: Vec<TimeLine>,
    /// The figure at the full height.
    pub max: f64,
    /// The same with its unit.
    pub max_text: String,
    /// The times at the left edge, in the middle and at the right edge.
    pub times: [String; 3],
}

/// A line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeLine {
    pub name: String,
    /// The mean and the maximum of each step, the oldest first; `None` if they are not known.
    pub steps: Vec<Option<(f64, f64)>>,
    /// The mean over all steps, with its unit.
    pub mean: String,
    /// The maximum of all steps, with its unit.
    pub highest: String,
}

impl TimeChart {
    pub(crate) fn markup(&self) -> Markup {
        let about = |line: &TimeLine| {
            format!("{}: mean {}, highest {}", line.name, line.mean, line.highest)
        };
        let abouts: Vec<String> = self.lines.iter().map(about).collect();
        let description =
            format!("{}. {}. The table below has the figures", self.name, abouts.join(". "));
        html! {
            figure.usage {
                figcaption {
                    span { (self.name) }
                    span.keys {
                        @for (line, class) in self.classed() {
                            span {
                                span.dot.(class) aria-hidden="true" {}
                                (line.name) " " b { (line.mean) } " "
                                span.muted { "max " (line.highest) }
                            }
                        }
                    }
                }
                svg.chart viewBox="0 0 100 100" preserveAspectRatio="none" role="img"
                    aria-label=(description) {
                    @for (line, class) in self.classed() {
                        @let parts = line.parts();
                        @for part in &parts {
                            polygon.(class) points=(svg_points(&self.area(line, part))) {}
                        }
                        @for part in &parts {
                            polyline.(class) points=(svg_points(&self.line(line, part))) {}
                        }
                    }
                }
                div.axis { @for time in &self.times { span { (time) } } }
                div.axis { span { "0 to " (self.max_text) } }
            }
        }
    }

    fn classed(&self) -> impl Iterator<Item = (&TimeLine, &'static str)> {
        self.lines.iter().zip(["a", "b"])
    }

    /// The means of a part.
    fn line(&self, line: &TimeLine, part: &[Step]) -> Vec<(f64, f64)> {
        let means = part.iter().map(|&(at, (mean, _))| self.point(line, at, mean));
        let mut points: Vec<_> = means.collect();
        // A single step is a short line.
        if let [(at, (mean, _))] = *part {
            points.push(self.point(line, at + 1, mean));
        }
        points
    }

    /// The area between zero and the maxima of a part.
    fn area(&self, line: &TimeLine, part: &[Step]) -> Vec<(f64, f64)> {
        let base = |step: Option<&Step>| step.map(|&(at, _)| self.point(line, at, 0.0));
        let maxima = part.iter().map(|&(at, (_, max))| self.point(line, at, max));
        base(part.first()).into_iter().chain(maxima).chain(base(part.last())).collect()
    }

    fn point(&self, line: &TimeLine, at: usize, figure: f64) -> (f64, f64) {
        let width = to_f64(line.steps.len().saturating_sub(1).max(1));
        ((to_f64(at) / width * 100.0).min(100.0), from_top(figure, self.max))
    }
}

/// The number of a step, its mean and its maximum.
type Step = (usize, (f64, f64));

impl TimeLine {
    /// Known steps without a gap between them.
    fn parts(&self) -> Vec<Vec<Step>> {
        let numbered = self.steps.iter().copied().enumerate();
        let known: Vec<Step> = numbered.filter_map(|(at, step)| Some((at, step?))).collect();
        known.chunk_by(|(at, _), (next, _)| at + 1 == *next).map(<[Step]>::to_vec).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(steps: &[Option<(f64, f64)>]) -> String {
        let line = TimeLine {
            name: "read".into(),
            steps: steps.to_vec(),
            mean: "1 KiB/s".into(),
            highest: "2 KiB/s".into(),
        };
        let chart = TimeChart {
            name: "Disks".into(),
            lines: vec![line],
            max: 10.0,
            max_text: "10 B/s".into(),
            times: ["1".into(), "2".into(), "3".into()],
        };
        chart.markup().into_string()
    }

    #[test]
    fn a_gap_is_no_line() {
        let text = chart(&[Some((1.0, 5.0)), Some((2.0, 10.0)), None, None, Some((5.0, 5.0))]);
        assert!(text.contains(r#"<polyline class="a" points="0.0,90.0 25.0,80.0">"#), "{text}");
        assert!(text.contains(r#"<polyline class="a" points="100.0,50.0 100.0,50.0">"#), "{text}");
        assert!(text.contains(r#"points="0.0,100.0 0.0,50.0 25.0,0.0 25.0,100.0""#), "{text}");
        assert_eq!(text.matches("<polyline").count(), 2, "{text}");
        let about = "Disks. read: mean 1 KiB/s, highest 2 KiB/s. The table below has the figures";
        assert!(text.contains(about), "{text}");
    }

    #[test]
    fn nothing_may_be_known() {
        for steps in [&[][..], &[None], &[None, None]] {
            assert!(!chart(steps).contains("<poly"));
        }
    }
}

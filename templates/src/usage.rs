//! The page with what a domain or the host used over some time.

use crate::layout::{Frame, Layout};
use crate::parts::{Link, Moment, scroll};
use crate::time_chart::TimeChart;
use maud::{Markup, html};

/// The page of `/xend/domain/NAME/history` and `/xend/node/history`.
#[derive(Debug, Clone, PartialEq)]
pub struct UsagePage {
    pub frame: Frame,
    /// The heading.
    pub title: String,
    /// The page's path.
    pub href: String,
    /// The page of the domain or of the host.
    pub of: Link,
    /// The spans by their names, and the one that is shown.
    pub spans: Vec<String>,
    pub span: String,
    /// The length of a step: `15 minutes`.
    pub step: String,
    pub charts: Vec<TimeChart>,
    /// The headings of the figures.
    pub columns: Vec<String>,
    /// The steps of which something is known, the newest first.
    pub rows: Vec<UsageRow>,
}

/// A step with its figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    pub begins: Moment,
    /// The mean and the maximum for each column; `None` if they are not known.
    pub figures: Vec<Option<(String, String)>>,
}

impl UsagePage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            nav.tabs aria-label="Span" {
                @for span in &self.spans {
                    a href={ (self.href) "?span=" (span) }
                        aria-current=[(*span == self.span).then_some("true")] { "Last " (span) }
                    " "
                }
            }
            @if self.rows.is_empty() {
                section.card aria-label="Charts" {
                    p.hint { "Nothing was recorded in the last " (self.span) "." }
                }
            } @else {
                section.card aria-label="Charts" {
                    div.usage-charts { @for chart in &self.charts { (chart.markup()) } }
                    p.muted {
                        "Lines are means of " (self.step) ", areas reach to the highest figure in each. \
                         Times are UTC."
                    }
                }
                section.card aria-label="Figures" {
                    details {
                        summary { "Figures" }
                        (self.table())
                    }
                }
            }
            p.actions {
                a.button href={ (self.href) "?span=" (self.span) "&format=csv" } download {
                    "Download CSV"
                }
                " "
                a.button href={ (self.href) "?span=" (self.span) "&format=json" } { "JSON" }
                " "
                a.button href=(self.of.href) { "Back to " (self.of.name) }
            }
        };
        Layout::new(&self.title, &self.frame, body).render()
    }

    fn table(&self) -> Markup {
        html! {
            (scroll("Table of figures", &html! {
                table.figures {
                    caption { "Mean and maximum of each step of " (self.step) }
                    thead {
                        tr {
                            th scope="col" { "From (UTC)" }
                            @for column in &self.columns { th.num scope="col" { (column) } }
                        }
                    }
                    tbody {
                        @for row in &self.rows {
                            tr {
                                th scope="row" { (row.begins.markup()) }
                                @for figure in &row.figures {
                                    td.num {
                                        @match figure {
                                            Some((mean, max)) => {
                                                (mean) " " span.muted { "max " (max) }
                                            }
                                            None => span.muted { "unknown" },
                                        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, frame};
    use crate::time_chart::TimeLine;

    fn page(name: &str) -> UsagePage {
        let line = TimeLine {
            name: name.into(),
            steps: vec![Some((1.0, 2.0))],
            mean: "1 %".into(),
            highest: "2 %".into(),
        };
        UsagePage {
            frame: frame(&["xend", "domain", name, "history"]),
            title: format!("History of {name}"),
            href: "/xend/domain/pv1/history".into(),
            of: Link::new(name, "/xend/domain/pv1"),
            spans: vec!["hour".into(), "day".into()],
            span: "day".into(),
            step: "15 minutes".into(),
            charts: vec![TimeChart {
                name: name.into(),
                lines: vec![line],
                max: 100.0,
                max_text: "100 %".into(),
                times: [name.into(), name.into(), name.into()],
            }],
            columns: vec!["CPU".into(), name.into()],
            rows: vec![UsageRow {
                begins: Moment { iso: name.into(), text: name.into() },
                figures: vec![Some(("1 %".into(), "2 %".into())), None],
            }],
        }
    }

    #[test]
    fn the_page_has_charts_and_a_table() {
        let mut page = page("pv1");
        let text = page.render();
        assert_document(&text);
        for part in [
            r#"<a href="/xend/domain/pv1/history?span=day" aria-current="true">Last day</a>"#,
            r#"href="/xend/domain/pv1/history?span=day&amp;format=csv" download"#,
            r#"<td class="num">1 % <span class="muted">max 2 %</span></td>"#,
            r#"<td class="num"><span class="muted">unknown</span></td>"#,
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        page.rows.clear();
        let text = page.render();
        assert!(text.contains("Nothing was recorded in the last day.") && !text.contains("<svg"));
    }

    #[test]
    fn everything_is_escaped() {
        assert_document(&page(HOSTILE).render());
    }
}

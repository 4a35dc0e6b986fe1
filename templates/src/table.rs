//! Tables of what the host has. On a small screen each row is a block of its own.

use crate::chart::small_bar;
use crate::form::{self, Action};
use crate::parts::{Link, Moment, badge, scroll};
use maud::{Markup, html};

/// A table with a heading.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// A word that no other table of the page has. The script replaces the table by it.
    pub id: String,
    pub title: String,
    /// The first column names the row.
    pub columns: Vec<TableColumn>,
    pub rows: Vec<Vec<Cell>>,
    /// What is said if there are no rows.
    pub empty: String,
    /// `None` if the page has all rows.
    pub pager: Option<Pager>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableColumn {
    pub label: String,
    pub is_number: bool,
}

impl TableColumn {
    /// A column of texts.
    pub fn text(label: &str) -> Self {
        Self { label: label.to_owned(), is_number: false }
    }

    /// A column of numbers.
    pub fn number(label: &str) -> Self {
        Self { label: label.to_owned(), is_number: true }
    }
}

/// A value in a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Text, or a number with its unit.
    Text(String),
    /// A link that names the row, or another page.
    Link(Link),
    /// Links, and the number of further ones that are left out.
    Links {
        links: Vec<Link>,
        more: usize,
    },
    /// A state in a word.
    State(String),
    Moment(Moment),
    /// A share in percent with the amount in words.
    Share {
        percent: f64,
        text: String,
    },
    /// What can be done about the row.
    Actions {
        /// The target of the buttons.
        href: String,
        /// The row in the names of the buttons.
        name: String,
        actions: Vec<Action>,
    },
}

/// The place of a page within a long list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pager {
    /// `101–200 of 3412`
    pub text: String,
    /// The targets of the first page and of the one before; `None` on the first one.
    pub before: Option<(String, String)>,
    /// The targets of the page after and of the last one; `None` on the last one.
    pub after: Option<(String, String)>,
}

/// Which part of a list a page has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// The number of the page, from 1.
    pub page: usize,
    /// The most rows of a page.
    pub rows: usize,
    /// The number of all rows.
    pub total: usize,
}

impl Pager {
    /// The place of a page; `target` makes links of the numbers of pages.
    pub fn new(paging: Paging, target: impl Fn(usize) -> String) -> Self {
        let Paging { page, rows, total } = paging;
        let last = total.div_ceil(rows.max(1)).max(1);
        let start = page.saturating_sub(1).saturating_mul(rows);
        let text = if start < total {
            format!("{}–{} of {total}", start + 1, start.saturating_add(rows).min(total))
        } else {
            format!("There are {total}")
        };
        Self {
            text,
            before: (page > 1).then(|| (target(1), target((page - 1).min(last)))),
            after: (page < last).then(|| (target(page + 1), target(last))),
        }
    }

    pub(crate) fn markup(&self) -> Markup {
        html! {
            nav.pager aria-label="Pages of the list" {
                span { (self.text) } " "
                @if let Some((first, previous)) = &self.before {
                    a.button href=(first) { "First" } " "
                    a.button href=(previous) rel="prev" { "Previous" } " "
                }
                @if let Some((next, last)) = &self.after {
                    a.button href=(next) rel="next" { "Next" } " "
                    a.button href=(last) { "Last" }
                }
            }
        }
    }
}

impl Table {
    /// Whether a row has buttons, which need the page's form.
    pub(crate) fn has_actions(&self) -> bool {
        let has = |cell: &Cell| matches!(cell, Cell::Actions { .. });
        self.rows.iter().flatten().any(has)
    }

    /// A section of a page.
    pub(crate) fn markup(&self) -> Markup {
        let title = format!("{}-title", self.id);
        html! {
            section.card id=(self.id) data-live="always" aria-labelledby=(title) {
                h2 id=(title) { (self.title) }
                @if self.rows.is_empty() { p { (self.empty) } } @else { (self.table()) }
                @if let Some(pager) = &self.pager { (pager.markup()) }
            }
        }
    }

    fn table(&self) -> Markup {
        html! {
            (scroll(&self.title, &html! {
                table.rows {
                    thead {
                        tr {
                            @for column in &self.columns {
                                th.num[column.is_number] scope="col" { (column.label) }
                            }
                        }
                    }
                    tbody {
                        @for row in &self.rows {
                            tr {
                                @for (at, (cell, column)) in row.iter().zip(&self.columns).enumerate() {
                                    @if at == 0 {
                                        th scope="row" { (cell.markup()) }
                                    } @else {
                                        td.num[column.is_number] data-label=(column.label) {
                                            (cell.markup())
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

impl Cell {
    fn markup(&self) -> Markup {
        html! {
            @match self {
                Self::Text(text) => (text),
                Self::Link(link) => a href=(link.href) { (link.name) },
                Self::Links { links, more } => {
                    @for link in links { a href=(link.href) { (link.name) } " " }
                    @if *more > 0 { span.muted { "and " (more) " more" } }
                }
                Self::State(word) => (badge(word)),
                Self::Moment(moment) => (moment.markup()),
                Self::Share { percent, text } => { (text) " " (small_bar(*percent)) }
                Self::Actions { href, name, actions } => (form::actions(href, name, actions)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::HOSTILE;

    fn table(rows: Vec<Vec<Cell>>) -> Table {
        let columns = vec![TableColumn::text("Name"), TableColumn::number("Size")];
        Table { id: "images".into(), title: "Images".into(), columns, rows, ..Table::default() }
    }

    #[test]
    fn a_row_is_named_by_its_first_cell_and_labels_the_others() {
        let row = vec![Cell::Link(Link::new(HOSTILE, "/xend/x")), Cell::Text("1 GiB".into())];
        let text = table(vec![row]).markup().into_string();
        assert!(text.contains(r#"<th scope="row"><a href="/xend/x">&lt;script"#), "{text}");
        assert!(text.contains(r#"<td class="num" data-label="Size">1 GiB</td>"#), "{text}");
    }

    #[test]
    fn an_empty_table_says_so() {
        let empty = Table { empty: "No images.".into(), ..table(vec![]) };
        let text = empty.markup().into_string();
        assert!(text.contains("<p>No images.</p>") && !text.contains("<table"), "{text}");
    }

    #[test]
    fn links_beyond_those_that_are_shown_are_counted() {
        let cell = |more| Cell::Links { links: vec![Link::new("web1", "/xend/domain/web1")], more };
        assert!(cell(41).markup().into_string().contains("and 41 more"));
        assert!(!cell(0).markup().into_string().contains("more"));
    }

    #[test]
    fn a_pager_leads_to_the_pages_beside() {
        let pager = |page| {
            let paging = Paging { page, rows: 2, total: 5 };
            Pager::new(paging, |page| format!("/xend/journal?page={page}")).markup().into_string()
        };
        let text = pager(1);
        assert!(text.contains(r#"href="/xend/journal?page=2" rel="next""#), "{text}");
        assert!(text.contains(r#"href="/xend/journal?page=3">Last"#), "{text}");
        assert!(!text.contains("Previous") && text.contains("1–2 of 5"), "{text}");
        let text = pager(3);
        assert!(text.contains(r#"href="/xend/journal?page=2" rel="prev""#), "{text}");
        assert!(!text.contains("Next") && text.contains("5–5 of 5"), "{text}");
        let text = pager(9);
        assert!(text.contains(r#"href="/xend/journal?page=3" rel="prev""#), "{text}");
        assert!(text.contains("There are 5"), "{text}");
    }

    #[test]
    fn buttons_name_their_row() {
        let action = Action { op: "cancel".into(), label: "Cancel".into(), confirm: None };
        let href = "/xend/domain/web1".to_owned();
        let cell = Cell::Actions { href, name: "web1".into(), actions: vec![action] };
        let table = table(vec![vec![Cell::Text("web1".into()), cell]]);
        assert!(table.has_actions());
        let text = table.markup().into_string();
        assert!(
            text.contains(r#"formaction="/xend/domain/web1" name="op" value="cancel""#),
            "{text}"
        );
        assert!(text.contains(r#"aria-label="Cancel web1""#), "{text}");
    }
}

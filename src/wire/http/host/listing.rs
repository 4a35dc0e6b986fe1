//! What the pages of lists share: a search, a part of a long list, the links to the other parts,
//! and the answer in the format that a request asks for.

use crate::core::model::Invalid;
use crate::wire::http::answer::print;
use crate::wire::http::format::Format;
use crate::wire::http::html::parts::frame;
use crate::wire::http::operation::{Param, ParamKind, optional};
use crate::wire::http::params::{Params, bad_value};
use crate::wire::http::request::RequestInfo;
use crate::wire::http::response::{Content, ok};
use axum::response::Response;
use serde::Serialize;
use xend_templates::{FilterField, Link, ListPage, Pager, Paging, Table};

/// The most links in a cell of a table.
pub(super) const MAX_LINKS: usize = 12;

/// The parameter that chooses a part of a list.
pub(crate) const PAGE_PARAM: Param =
    optional("page", ParamKind::Number("from 1"), "1", "Part of the list to show", "2");

/// What operations have done that lead to a page, by the value of `done`.
const DONE: [(&str, &str); 7] = [
    ("created", "The image has been created."),
    ("cloned", "The image has been cloned."),
    ("resized", "The image has been resized."),
    ("uploaded", "The image has been uploaded."),
    ("deleted", "The image has been deleted."),
    ("removed", "The saved domain has been deleted."),
    ("cleared", "Xen's message buffer has been cleared."),
];

/// What an operation has done that led to the page.
pub(crate) fn notice(request: &RequestInfo) -> Option<String> {
    let done = request.query.text("done").ok().flatten()?;
    DONE.iter().find(|(word, _)| *word == done).map(|(_, text)| (*text).to_owned())
}

/// A page with the title and what led to it.
pub(super) fn list_page(request: &RequestInfo, title: &str, about: &str) -> ListPage {
    ListPage {
        frame: frame(request),
        title: title.to_owned(),
        notice: notice(request),
        about: about.to_owned(),
        ..ListPage::default()
    }
}

/// A page for people, or else JSON.
pub(super) fn respond(
    request: &RequestInfo,
    json: &impl Serialize,
    page: impl FnOnce() -> ListPage,
) -> Response {
    // Programs that take any format get the one that is made for them.
    ok(if request.format == (Format::Html { explicit: true }) {
        Content::Html(page().render())
    } else {
        Content::Json(print(json).into())
    })
}

/// A part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// From 1.
    number: usize,
    per_page: usize,
}

impl Part {
    /// The part that a query asks for.
    pub(super) fn of(query: &Params, per_page: usize) -> Result<Self, Invalid> {
        let Some(text) = query.text("page")? else { return Ok(Self { number: 1, per_page }) };
        match text.parse() {
            Ok(number @ 1..=1_000_000) => Ok(Self { number, per_page }),
            _ => Err(bad_value("page", "a number from 1 to 1000000 is expected")),
        }
    }

    /// Whether it is the first part.
    pub(super) const fn is_first(self) -> bool {
        self.number == 1
    }

    const fn start(self) -> usize {
        (self.number - 1).saturating_mul(self.per_page)
    }

    /// The items of the part.
    pub(super) fn select<T>(self, items: impl Iterator<Item = T>) -> Vec<T> {
        items.skip(self.start()).take(self.per_page).collect()
    }

    /// The links to the parts beside it; `None` for a list of one part. `total` is the number of
    /// all items.
    pub(super) fn pager(self, request: &RequestInfo, total: usize) -> Option<Pager> {
        let Self { number, per_page } = self;
        if total <= per_page && number == 1 {
            return None;
        }
        let target = |number: usize| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            for name in request.query.names() {
                if name == "page" || name == "done" {
                    continue;
                }
                if let Ok(Some(value)) = request.query.text(&name) {
                    query.append_pair(&name, &value);
                }
            }
            format!("{}?{}", request.path, query.append_pair("page", &number.to_string()).finish())
        };
        Some(Pager::new(Paging { page: number, rows: per_page, total }, target))
    }
}

/// A search for a text, and the part of what is found that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Search {
    part: Part,
    /// What somebody has typed.
    text: String,
}

impl Search {
    /// Reads the parameters `q` and `page` of a query.
    pub(super) fn of(query: &Params, per_page: usize) -> Result<Self, Invalid> {
        let part = Part::of(query, per_page)?;
        Ok(Self { part, text: query.text("q")?.unwrap_or_default() })
    }

    /// The text that is wanted; empty if all is.
    pub(super) fn wanted(&self) -> &str {
        self.text.trim()
    }

    /// The items with the text in their names, in whatever case.
    pub(super) fn by_name<T>(
        &self,
        items: impl Iterator<Item = T>,
        name: impl Fn(&T) -> &str,
    ) -> Vec<T> {
        let wanted = self.wanted().to_lowercase();
        items.filter(|item| name(item).to_lowercase().contains(&wanted)).collect()
    }

    /// The part of what is found that is shown.
    pub(super) fn select<T>(&self, found: Vec<T>) -> Vec<T> {
        self.part.select(found.into_iter())
    }

    /// The field of the filter with what is wanted.
    pub(super) fn field(&self) -> FilterField {
        text_field("q", "Find", &self.text)
    }

    /// The table of what is shown, of `total` that are found: with links to the other parts, and
    /// with what it says if it has no rows.
    pub(super) fn table(
        &self,
        request: &RequestInfo,
        what: &str,
        total: usize,
        table: Table,
    ) -> Table {
        let empty = empty_text(what, total, !self.wanted().is_empty());
        Table { pager: self.part.pager(request, total), empty, ..table }
    }
}

/// The first links of many, and the number of the others.
pub(super) fn some_links(links: impl ExactSizeIterator<Item = Link>) -> (Vec<Link>, usize) {
    let more = links.len().saturating_sub(MAX_LINKS);
    (links.take(MAX_LINKS).collect(), more)
}

/// What a table without rows says. `total` is the number of rows in all parts of the list.
pub(super) fn empty_text(what: &str, total: usize, is_filtered: bool) -> String {
    match (total, is_filtered) {
        (0, true) => format!("No matching {what}."),
        (0, false) => format!("No {what}."),
        _ => format!("No {what} in this part of the list."),
    }
}

/// A field of text in a filter.
pub(super) fn text_field(name: &str, label: &str, value: &str) -> FilterField {
    FilterField {
        name: name.to_owned(),
        label: label.to_owned(),
        value: value.to_owned(),
        choices: Vec::new(),
    }
}

/// A choice in a filter.
pub(super) fn choice_field(
    name: &str,
    label: &str,
    value: &str,
    choices: &[(&str, &str)],
) -> FilterField {
    let choices = choices.iter().map(|(key, word)| ((*key).to_owned(), (*word).to_owned()));
    FilterField { choices: choices.collect(), ..text_field(name, label, value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_table_says_whether_there_is_anything() {
        assert_eq!(empty_text("images", 0, false), "No images.");
        assert_eq!(empty_text("images", 0, true), "No matching images.");
        for is_filtered in [false, true] {
            let text = empty_text("images", 5, is_filtered);
            assert_eq!(text, "No images in this part of the list.");
        }
    }

    #[test]
    fn a_search_finds_names_in_whatever_case() {
        let search = |query: &str| Search::of(&Params::from_query(query), 2);
        let names = ["Web1", "db", "WEB2", "web3"];
        let found = |query: &str| {
            let search = search(query).unwrap();
            search.select(search.by_name(names.into_iter(), |name| name))
        };
        assert_eq!(found("q=+wEb+"), ["Web1", "WEB2"]);
        assert_eq!(found("q=web&page=2"), ["web3"]);
        assert_eq!(found("page=2"), ["WEB2", "web3"]);
        assert_eq!(found("q=zzz"), [""; 0]);
        assert_eq!(search("q=+wEb+").unwrap().field().value, " wEb ");
        assert!(search("page=0").is_err() && search("q=a&q=b").is_err());
    }

    #[test]
    fn a_part_is_chosen_by_its_number() {
        let part = |query: &str| Part::of(&Params::from_query(query), 10);
        assert_eq!(part("").unwrap().select(0..25), (0..10).collect::<Vec<_>>());
        assert_eq!(part("page=3").unwrap().select(0..25), (20..25).collect::<Vec<_>>());
        assert!(part("page=9").unwrap().select(0..25).is_empty());
        for wrong in ["page=0", "page=x", "page=-1", "page=99999999999999999999"] {
            assert!(part(wrong).is_err(), "{wrong}");
        }
    }
}

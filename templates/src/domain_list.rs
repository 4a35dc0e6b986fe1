//! The page with the list of domains.

use crate::assets::path;
use crate::domain_row::DomainRow;
use crate::form;
use crate::layout::{Frame, Layout};
use crate::list_columns::{Column, OPTIONAL_COLUMNS, Sorting};
use crate::list_help;
use crate::parts::encoded;
use crate::table::{Pager, Paging};
use maud::{Markup, html};

/// The page of `/xend/domain`.
#[derive(Debug, Clone, PartialEq)]
pub struct DomainList {
    pub frame: Frame,
    /// The query of `/xend/events` for the script.
    pub follow: String,
    /// The page's path, the start of its links.
    pub path: String,
    pub states: Vec<StateTab>,
    /// The filter as it was typed.
    pub filter: String,
    /// What is wrong with the filter.
    pub filter_error: Option<String>,
    /// The value of `state`.
    pub state: Option<String>,
    pub sort: Sorting,
    /// The domains of this page in their order.
    pub rows: Vec<DomainRow>,
    pub paging: Paging,
    /// The operations on selected domains: the values of `op`, and their labels.
    pub bulk: Vec<(String, String)>,
    /// The lines that monitors parse; `None` on a page for a browser.
    pub plain: Option<PlainList>,
    /// Whether the user may create domains.
    pub can_create: bool,
}

/// A link to the domains in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateTab {
    /// The value of `state`; `None` for the default list, the domains on the host.
    pub state: Option<String>,
    pub label: String,
    /// The number of domains.
    pub count: usize,
}

/// All domains on the host that match, in a form that scripts of 2006 parse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainList {
    /// The list's URL, which monitors find in each domain's.
    pub url: String,
    pub lines: Vec<PlainLine>,
}

/// A line of the plain list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainLine {
    pub name: String,
    /// The last segment of the domain's URL.
    pub segment: String,
    pub id: u32,
    /// The configured memory.
    pub memory_mib: u64,
}

impl DomainList {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            (self.state_links())
            (self.tools())
            (form::action_form())
            section.card #domains data-live="always" aria-label="Domains" {
                @if self.rows.is_empty() { (self.nothing()) } @else { (self.table()) }
                (self.page_links())
            }
            (list_help::markup())
            @if let Some(plain) = &self.plain { (plain.markup()) }
        };
        let head = html! { script src=(path("list.js")) defer {} };
        let layout = Layout::new("Domains", &self.frame, body);
        Layout { follow: Some(&self.follow), head: Some(head), ..layout }.render()
    }

    /// The filter, the columns, and what is done with selected domains.
    fn tools(&self) -> Markup {
        html! {
            div.tools {
                form #filter method="get" action=(self.path) role="search" {
                    label {
                        "Filter"
                        input type="search" name="q" value=(self.filter) autocomplete="off"
                            spellcheck="false" placeholder="state:running mem>1G name~web"
                            aria-keyshortcuts="/" aria-describedby="filter-error"
                            aria-invalid[self.filter_error.is_some()];
                    }
                    @if let Some(state) = &self.state {
                        input type="hidden" name="state" value=(state);
                    }
                    @if self.sort.by != Column::Name {
                        input type="hidden" name="sort" value=(self.sort.by.key());
                    }
                    @if self.sort.descending {
                        input type="hidden" name="desc" value="1";
                    }
                    button type="submit" { "Filter" }
                }
                @if !self.bulk.is_empty() { (self.bulk_form()) }
                (columns())
                @if self.can_create { a.button.primary href="/xend/new" { "New domain" } }
            }
            p #filter-error .error-text data-live="always" role="alert" {
                @if let Some(error) = &self.filter_error { (error) }
            }
        }
    }

    fn bulk_form(&self) -> Markup {
        html! {
            form #bulk method="get" action="/xend/selection" {
                label {
                    span #selected { "Selected domains" }
                    select name="op" {
                        (form::options(form::pairs(&self.bulk), ""))
                    }
                }
                button type="submit" { "Apply…" }
            }
        }
    }

    fn nothing(&self) -> Markup {
        if !self.filter.trim().is_empty() {
            return html! { p { "No matching domains." } };
        }
        let has_domains = self.states.iter().any(|tab| tab.count > 0);
        html! {
            p {
                @match self.state.as_deref().map(str::to_lowercase) {
                    None if has_domains => "No domains on the host.",
                    Some(state) if has_domains => { "No " (state) " domains." }
                    _ => {
                        "No domains."
                        @if self.can_create { " " a href="/xend/new" { "Create one" } "." }
                    }
                }
            }
        }
    }

    /// The query of a part of the list.
    fn query(&self, state: Option<&str>, sort: Sorting, page: usize) -> String {
        let mut query = String::new();
        let mut add = |key: &str, value: &str| {
            query.push(if query.is_empty() { '?' } else { '&' });
            query.extend([key, "=", value]);
        };
        if let Some(state) = state {
            add("state", &encoded(state));
        }
        if !self.filter.is_empty() {
            add("q", &encoded(&self.filter));
        }
        if sort.by != Column::Name {
            add("sort", sort.by.key());
        }
        if sort.descending {
            add("desc", "1");
        }
        if page > 1 {
            add("page", &page.to_string());
        }
        query
    }

    fn state_links(&self) -> Markup {
        let current = |tab: &StateTab| {
            let shown = match (self.state.as_deref(), tab.state.as_deref()) {
                (Some(filter), Some(state)) => filter.eq_ignore_ascii_case(state),
                (filter, state) => filter == state,
            };
            shown.then_some("true")
        };
        html! {
            nav.tabs #states data-live="always" aria-label="Domains by state" {
                @for tab in &self.states {
                    @let query = self.query(tab.state.as_deref(), self.sort, 1);
                    a href={ (self.path) (query) } aria-current=[current(tab)] {
                        (tab.label) " (" (tab.count) ")"
                    }
                    " "
                }
            }
        }
    }

    fn page_links(&self) -> Markup {
        let target = |page: usize| {
            format!("{}{}", self.path, self.query(self.state.as_deref(), self.sort, page))
        };
        html! {
            @if self.paging.total > 0 { (Pager::new(self.paging, target).markup()) }
        }
    }

    fn head(&self, column: Column) -> Markup {
        let sorted = self.sort.by == column;
        // A second click reverses the order. Numbers start with the largest.
        let descending =
            if sorted { !self.sort.descending } else { column.is_number() && column != Column::Id };
        let sorting = Sorting { by: column, descending };
        let href = format!("{}{}", self.path, self.query(self.state.as_deref(), sorting, 1));
        let class = format!("c-{}{}", column.key(), if column.is_number() { " num" } else { "" });
        let order = sorted.then_some(if self.sort.descending { "descending" } else { "ascending" });
        let arrow = if !sorted {
            ""
        } else if self.sort.descending {
            " ▾"
        } else {
            " ▴"
        };
        html! {
            th class=(class) scope="col" aria-sort=[order] {
                a href=(href) { (column.label()) (arrow) }
            }
        }
    }

    fn table(&self) -> Markup {
        html! {
            table.list {
                thead {
                    tr {
                        th.pick scope="col" {
                            label {
                                input #all type="checkbox" hidden
                                    aria-label="Select all on this page";
                            }
                        }
                        @for column in Column::ALL { (self.head(column)) }
                        th.c-address scope="col" { "Address" }
                        th.c-devices scope="col" { "Devices" }
                        th scope="col" { "Actions" }
                    }
                }
                tbody { @for row in &self.rows { (row.markup(&self.path)) } }
            }
        }
    }
}

/// The choice of columns, which the script shows and remembers.
fn columns() -> Markup {
    html! {
        details #columns .menu-box hidden {
            summary.button { "Columns" }
            div {
                @for column in &OPTIONAL_COLUMNS {
                    label {
                        input type="checkbox" value=(column.key) checked[column.usual];
                        (column.label)
                    }
                }
            }
        }
    }
}

impl PlainList {
    /// The lines that monitors parse: a `<li>` of this form for each domain, and no others on the
    /// page (see the crate's documentation).
    fn markup(&self) -> Markup {
        html! {
            details {
                summary { "Plain list" small { "for monitoring scripts" } }
                ul {
                    @for line in &self.lines {
                        "\n"
                        li {
                            a href={ (self.url) "/" (line.segment) } { "Domain " (line.name) }
                            ": id = " (line.id) ", memory = " (line.memory_mib) ", ssidref = 0."
                        }
                    }
                    "\n"
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! A page of tables: what the host has of a kind, with a filter and forms.

use crate::domain_operations::TargetForm;
use crate::form;
use crate::layout::{Frame, Layout};
use crate::parts::{Fact, Link, fact_table};
use crate::table::Table;
use maud::{Markup, html};

/// A page of tables.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListPage {
    pub frame: Frame,
    pub title: String,
    /// The query of `/xend/events` for the script; `None` for a page that is not updated.
    pub follow: Option<String>,
    /// The page that the script opens when this one is not found any more.
    pub parent: Option<String>,
    /// What an operation has done, which led here.
    pub notice: Option<String>,
    /// What the page shows, in a sentence; empty for none.
    pub about: String,
    /// Facts about all of it.
    pub facts: Vec<Fact>,
    /// The fields of the filter; empty for no filter.
    pub filter: Vec<FilterField>,
    pub tables: Vec<Table>,
    /// What can be done, below the tables.
    pub forms: Vec<TargetForm>,
    pub upload: Option<UploadForm>,
    /// Related pages.
    pub links: Vec<Link>,
}

/// A field of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterField {
    /// The parameter.
    pub name: String,
    pub label: String,
    pub value: String,
    /// The values and what they are called; empty for a field of text.
    pub choices: Vec<(String, String)>,
}

/// The form by which a file is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadForm {
    pub href: String,
    /// What is sent, and how large it may be.
    pub about: String,
}

impl ListPage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            @if let Some(notice) = &self.notice { p.message role="status" { (notice) } }
            @if !self.about.is_empty() { p.hint { (self.about) } }
            @if !self.facts.is_empty() {
                section.card #facts data-live="always" aria-label="Summary" {
                    (fact_table(&self.facts))
                }
            }
            @if !self.filter.is_empty() { (filter_form(&self.filter)) }
            @for table in &self.tables { (table.markup()) }
            @if self.tables.iter().any(Table::has_actions) { (form::action_form()) }
            @if !self.forms.is_empty() || self.upload.is_some() { (self.all_forms()) }
            @if !self.links.is_empty() {
                p.actions { @for link in &self.links { a.button href=(link.href) { (link.name) } " " } }
            }
        };
        Layout {
            follow: self.follow.as_deref(),
            parent: self.parent.as_deref(),
            ..Layout::new(&self.title, &self.frame, body)
        }
        .render()
    }

    fn all_forms(&self) -> Markup {
        html! {
            section.card aria-labelledby="operations-title" {
                h2 #operations-title { "Operations" }
                @for TargetForm { href, operation } in &self.forms {
                    (operation.folded(href))
                }
                @if let Some(upload) = &self.upload { (upload.markup()) }
            }
        }
    }
}

impl UploadForm {
    /// The name stands before the file: it is known when the file begins to arrive.
    fn markup(&self) -> Markup {
        html! {
            details {
                summary { "Upload" }
                p { (self.about) }
                form method="post" action=(self.href) enctype="multipart/form-data" {
                    label { "Name" small { "What the image is called" }
                        input type="text" name="name" autocomplete="off";
                    }
                    label { "File" small { "The file with the image" }
                        input type="file" name="file" required;
                    }
                    button type="submit" { "Upload" }
                }
            }
        }
    }
}

/// A form that asks for the page again.
pub(crate) fn filter_form(fields: &[FilterField]) -> Markup {
    html! {
        form.tools.filter method="get" role="search" {
            @for FilterField { name, label, value, choices } in fields {
                label {
                    (label)
                    @if choices.is_empty() {
                        " " input type="search" name=(name) value=(value) autocomplete="off";
                    } @else {
                        " " select name=(name) { (form::options(form::pairs(choices), value)) }
                    }
                }
            }
            button type="submit" { "Filter" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain_operations::OperationForm;
    use crate::form::Action;
    use crate::table::{Cell, TableColumn};
    use crate::testing::{HOSTILE, assert_document, assert_form, forms, frame};

    fn hostile() -> ListPage {
        let actions = vec![Action {
            op: "delete".into(),
            label: "Delete".into(),
            confirm: Some(HOSTILE.into()),
        }];
        let row = vec![
            Cell::Link(Link::new(HOSTILE, HOSTILE)),
            Cell::Actions { href: HOSTILE.into(), name: HOSTILE.into(), actions },
        ];
        let operation = OperationForm {
            op: "create".into(),
            label: "Create".into(),
            about: HOSTILE.into(),
            danger: false,
            fields: vec![],
        };
        ListPage {
            frame: frame(&["xend", "node", "storage"]),
            title: HOSTILE.into(),
            follow: Some(HOSTILE.into()),
            parent: Some(HOSTILE.into()),
            notice: Some(HOSTILE.into()),
            about: HOSTILE.into(),
            facts: vec![Fact::new(HOSTILE, HOSTILE)],
            filter: vec![
                FilterField {
                    name: "q".into(),
                    label: "Name".into(),
                    value: HOSTILE.into(),
                    choices: vec![],
                },
                FilterField {
                    name: "kind".into(),
                    label: "Kind".into(),
                    value: "a".into(),
                    choices: vec![("a".into(), "A".into()), ("b".into(), "B".into())],
                },
            ],
            tables: vec![Table {
                id: "images".into(),
                title: HOSTILE.into(),
                columns: vec![TableColumn::text(HOSTILE), TableColumn::text("Actions")],
                rows: vec![row],
                ..Table::default()
            }],
            forms: vec![TargetForm { href: "/xend/node/storage".into(), operation }],
            upload: Some(UploadForm {
                href: "/xend/node/storage/upload".into(),
                about: HOSTILE.into(),
            }),
            links: vec![Link::new(HOSTILE, HOSTILE)],
        }
    }

    #[test]
    fn a_page_escapes_all_that_it_is_given() {
        assert_document(&hostile().render());
        assert_document(&ListPage { frame: frame(&["xend"]), ..ListPage::default() }.render());
    }

    #[test]
    fn forms_post_and_the_filter_asks_again() {
        let page = hostile().render();
        let all = forms(&page);
        assert!(all[0].contains(r#"method="get""#) && all[0].contains("selected"), "{page}");
        assert!(all[1].starts_with(r#"id="act" method="post""#), "{page}");
        assert_form(all[2], "/xend/node/storage", &["create"], &[]);
        assert!(all[3].contains(r#"enctype="multipart/form-data""#), "{page}");
        assert!(all[3].find(r#"name="name""#) < all[3].find(r#"name="file""#), "{page}");
    }
}

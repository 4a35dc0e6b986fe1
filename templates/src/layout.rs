//! The frame of every page: head, menu, breadcrumbs, heading.

use crate::assets::path;
use crate::parts::Link;
use maud::{DOCTYPE, Markup, html};

/// The entries of the menu.
const MENU: [(&str, &str); 5] = [
    ("Domains", "/xend/domain"),
    ("New domain", "/xend/new"),
    ("Host", "/xend/node"),
    ("Networks", "/xend/vnet"),
    ("Reference", "/xend/help"),
];

/// A whole document. All pages are rendered through it.
#[derive(Default)]
pub(crate) struct Layout<'a> {
    /// The heading, and the start of the window's title.
    pub(crate) title: &'a str,
    /// The content beside the heading.
    pub(crate) aside: Option<Markup>,
    /// The breadcrumbs. The last one is this page.
    pub(crate) crumbs: &'a [Link],
    /// The content below the heading.
    pub(crate) body: Option<Markup>,
    /// The query of `/xend/events` for the script. A page without it is not updated.
    pub(crate) follow: Option<&'a str>,
    /// The page that the script opens when this one is not found any more.
    pub(crate) parent: Option<&'a str>,
    /// Whether the page is the result of an operation, which the script shows in a dialog.
    pub(crate) is_result: bool,
}

impl Layout<'_> {
    pub(crate) fn render(self) -> String {
        let events = self.follow.map(|query| format!("/xend/events{query}"));
        let here = self.crumbs.last().map_or("", |crumb| crumb.href.trim_end_matches('/'));
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " – xend" }
                    link rel="icon" href=(path("icon.svg")) type="image/svg+xml";
                    link rel="stylesheet" href=(path("style.css"));
                    script src=(path("xend.js")) defer {}
                }
                body data-events=[events] data-parent=[self.parent] {
                    header {
                        a.skip href="#content" { "Skip to content" }
                        div {
                            a.brand href="/xend/domain" {
                                img src=(path("icon.svg")) alt="";
                                "xend"
                            }
                            nav.menu aria-label="Main" {
                                @for (name, href) in MENU {
                                    a href=(href) aria-current=[current(here, href)] { (name) }
                                    " "
                                }
                            }
                            span.link-state hidden { }
                        }
                    }
                    (breadcrumbs(self.crumbs))
                    main #content data-result[self.is_result] {
                        div.title {
                            h1 { (self.title) }
                            @if let Some(aside) = self.aside { (aside) }
                        }
                        @if let Some(body) = self.body { (body) }
                    }
                    div #toasts aria-live="polite" {}
                }
            }
        };
        page.into_string()
    }
}

/// The `aria-current` of a menu entry: the page itself, or the page above it.
fn current(here: &str, href: &str) -> Option<&'static str> {
    match here.strip_prefix(href) {
        Some("") => Some("page"),
        Some(below) if below.starts_with('/') => Some("true"),
        _ => None,
    }
}

/// `/ xend/ domain/ pv1/`, as in xend. It is not a list, since monitors count list items (see the
/// crate's documentation).
fn breadcrumbs(crumbs: &[Link]) -> Markup {
    html! {
        nav.crumbs aria-label="Breadcrumbs" {
            @for (index, crumb) in crumbs.iter().enumerate() {
                @let current = (index + 1 == crumbs.len()).then_some("page");
                a href=(crumb.href) aria-current=[current] { (crumb.name) }
                // The root's name is the slash itself.
                @if crumb.name != "/" { "/" }
                " "
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, crumbs};

    #[test]
    fn the_last_crumb_is_the_current_page() {
        let crumbs = crumbs(&["xend", "domain", "pv1"]);
        let page = Layout { title: "pv1", crumbs: &crumbs, ..Layout::default() }.render();
        assert_document(&page);
        assert!(
            page.contains(r#"<a href="/xend/domain/pv1/" aria-current="page">pv1</a>/"#),
            "{page}"
        );
        assert!(page.contains(r#"<a href="/">/</a> <a href="/xend/">xend</a>/"#), "{page}");
    }

    #[test]
    fn the_menu_marks_the_current_page() {
        for (path, marked) in [
            (&["xend", "domain"][..], r#"<a href="/xend/domain" aria-current="page">"#),
            (&["xend", "domain", "pv1"], r#"<a href="/xend/domain" aria-current="true">"#),
            (&["xend", "node", "dmesg"], r#"<a href="/xend/node" aria-current="true">"#),
        ] {
            let page = Layout { title: "x", crumbs: &crumbs(path), ..Layout::default() }.render();
            assert!(page.contains(marked), "{page}");
        }
    }

    #[test]
    fn title_and_crumbs_are_escaped() {
        let crumbs = [Link::new(HOSTILE, HOSTILE)];
        let page = Layout {
            title: HOSTILE,
            crumbs: &crumbs,
            follow: Some(HOSTILE),
            parent: Some(HOSTILE),
            ..Layout::default()
        };
        assert_document(&page.render());
    }
}

//! The frame around every page: head, breadcrumbs, heading.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::parts::Link;

/// The stylesheet every page embeds, byte for byte the text of its `<style>` element, so that whoever serves
/// the pages can name its hash in a Content-Security-Policy.
pub const STYLESHEET: &str = include_str!("style.css");

/// One document. All pages are drawn through it, so none can forget the title or nest a document in another.
pub(crate) struct Layout<'a> {
    /// The heading, and the start of the window's title.
    pub(crate) title: &'a str,
    /// The way from `/` to this page; the last one is this page.
    pub(crate) crumbs: &'a [Link],
    /// What stands below the heading.
    pub(crate) body: Markup,
}

impl Layout<'_> {
    pub(crate) fn render(&self) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (self.title) " – xend" }
                    // Without it, browsers ask for /favicon.ico with every page.
                    link rel="icon" href="data:,";
                    style { (PreEscaped(STYLESHEET)) }
                }
                body {
                    header { (breadcrumbs(self.crumbs)) }
                    main {
                        h1 { (self.title) }
                        (self.body)
                    }
                }
            }
        };
        page.into_string()
    }
}

/// `/ xend/ domain/ pv1/`, as xend wrote it. Not a list, for the sake of those who count list items (see the
/// crate's documentation).
fn breadcrumbs(crumbs: &[Link]) -> Markup {
    html! {
        nav aria-label="Breadcrumbs" {
            @for (index, crumb) in crumbs.iter().enumerate() {
                @let current = (index + 1 == crumbs.len()).then_some("page");
                a href=(crumb.href) aria-current=[current] { (crumb.name) }
                // The root's own name is the slash.
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
        let page =
            Layout { title: "pv1", crumbs: &crumbs(&["xend", "domain", "pv1"]), body: html! {} }.render();
        assert_document(&page);
        assert_eq!(page.matches(" aria-current=\"").count(), 1);
        assert!(page.contains(r#"<a href="/xend/domain/pv1/" aria-current="page">pv1</a>/"#), "{page}");
        assert!(page.contains(r#"<a href="/">/</a> <a href="/xend/">xend</a>/"#), "{page}");
    }

    #[test]
    fn title_and_crumbs_are_escaped() {
        let page = Layout { title: HOSTILE, crumbs: &[Link::new(HOSTILE, HOSTILE)], body: html! {} }.render();
        assert_document(&page);
    }

    #[test]
    fn the_stylesheet_stays_within_its_element() {
        assert!(!STYLESHEET.contains("</"), "it would end the <style> element early");
    }
}

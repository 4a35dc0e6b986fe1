//! The page of `/` and `/xend`: a list of links.

use crate::layout::{Frame, Layout};
use crate::parts::Link;
use maud::html;

/// The page of `/` and `/xend`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// Its last breadcrumb gives the heading.
    pub frame: Frame,
    pub entries: Vec<Link>,
}

impl Directory {
    /// The whole document.
    pub fn render(&self) -> String {
        let title = self.frame.crumbs.last().map_or("/", |crumb| &crumb.name);
        let body = html! {
            ul {
                @for entry in &self.entries {
                    li { a href=(entry.href) { (entry.name) } }
                }
            }
        };
        Layout::new(title, &self.frame, body).render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, frame};

    #[test]
    fn entries_are_links_as_in_xend() {
        let entries =
            vec![Link::new("node", "http://127.0.0.1:8000/xend/node"), Link::new(HOSTILE, HOSTILE)];
        let page = Directory { frame: frame(&["xend"]), entries }.render();
        assert_document(&page);
        assert!(
            page.contains(r#"<li><a href="http://127.0.0.1:8000/xend/node">node</a></li>"#),
            "{page}"
        );
    }

    #[test]
    fn the_root_is_a_directory() {
        let page = Directory { frame: frame(&[]), entries: vec![] }.render();
        assert_document(&page);
        assert!(page.contains("<h1>/</h1>"), "{page}");
    }
}

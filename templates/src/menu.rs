//! The menu: the pages that a user may open. On a small screen it is folded.

use crate::parts::Link;
use maud::{Markup, html};

/// The entries of the menu.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Menu {
    /// The pages that are a click away everywhere.
    pub main: Vec<Link>,
    /// The pages about the host. On a large screen they are shown on the pages among them.
    pub host: Vec<Link>,
}

impl Menu {
    /// Whether there are no entries: a visitor who is not let in has no menu.
    pub(crate) fn is_empty(&self) -> bool {
        self.main.is_empty() && self.host.is_empty()
    }

    /// The menu of the page at `here`.
    ///
    /// The fold is an element that works without a script. The stylesheet shows its content on
    /// large screens, whether it is open or not.
    pub(crate) fn markup(&self, here: &str) -> Markup {
        let is_about_host = self.host.iter().any(|entry| current(here, &entry.href).is_some());
        html! {
            details.menu {
                summary { "Menu" }
                nav aria-label="Main" { (links(&self.main, here)) }
                @if !self.host.is_empty() {
                    nav.host.here[is_about_host] aria-label="Host" { (links(&self.host, here)) }
                }
            }
        }
    }
}

fn links(entries: &[Link], here: &str) -> Markup {
    // A page below another entry marks that entry alone.
    let nearest = entries
        .iter()
        .filter(|entry| current(here, &entry.href).is_some())
        .map(|entry| entry.href.len())
        .max();
    html! {
        @for entry in entries {
            @let current = current(here, &entry.href).filter(|_| nearest == Some(entry.href.len()));
            a href=(entry.href) aria-current=[current] { (entry.name) }
            " "
        }
    }
}

/// The `aria-current` of an entry: the page itself, or the page above it.
fn current(here: &str, href: &str) -> Option<&'static str> {
    match here.strip_prefix(href) {
        Some("") => Some("page"),
        Some(below) if below.starts_with('/') => Some("true"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn menu() -> Menu {
        Menu {
            main: vec![Link::new("Domains", "/xend/domain"), Link::new("Host", "/xend/node")],
            host: vec![
                Link::new("Overview", "/xend/node"),
                Link::new("Storage", "/xend/node/storage"),
            ],
        }
    }

    #[test]
    fn the_current_page_and_those_above_it_are_marked() {
        for (here, marked, unmarked) in [
            ("/xend/domain", r#"<a href="/xend/domain" aria-current="page">"#, "here"),
            ("/xend/domain/pv1", r#"<a href="/xend/domain" aria-current="true">"#, "here"),
            ("/xend/node/dmesg", r#"<a href="/xend/node" aria-current="true">Host"#, "nothing"),
            ("/xend/node/storage", r#"<a href="/xend/node" aria-current="true">Host"#, "nothing"),
            (
                "/xend/node/storage/1",
                r#"<a href="/xend/node/storage" aria-current="true">"#,
                r#"aria-current="true">Overview"#,
            ),
        ] {
            let text = menu().markup(here).into_string();
            assert!(text.contains(marked), "{here}: {text}");
            assert!(!text.contains(unmarked), "{here}: {text}");
        }
    }

    #[test]
    fn the_pages_about_the_host_are_shown_among_them() {
        let class = |here: &str| menu().markup(here).into_string().contains(r#"class="host here""#);
        assert!(class("/xend/node") && class("/xend/node/storage/1") && !class("/xend/domain"));
        let without = Menu { host: vec![], ..menu() };
        assert!(!without.markup("/xend/node").into_string().contains("Overview"));
    }
}

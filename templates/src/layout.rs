//! The frame of every page: head, menu, breadcrumbs, heading.

use crate::assets::path;
use crate::menu::Menu;
use crate::parts::Link;
use maud::{DOCTYPE, Markup, html};

/// The name and the version of the daemon, whose crates share the version.
const VERSION: &str = concat!("xend ", env!("CARGO_PKG_VERSION"));

/// The surroundings of a page's content: the menu, the user, the breadcrumbs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    /// The breadcrumbs; empty for none. The last one is this page.
    pub crumbs: Vec<Link>,
    /// Without entries there is no menu.
    pub menu: Menu,
    /// The user of the page; `None` for an operator without an account.
    pub user: Option<PageUser>,
    /// Whether the host is simulated, which every page says.
    pub is_simulated: bool,
}

/// The user of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageUser {
    /// The account's name.
    pub name: String,
    /// The path to which the button to log out posts; `None` for a user who has not logged in on a
    /// page.
    pub logout: Option<String>,
}

/// A whole document. All pages are rendered through it.
pub(crate) struct Layout<'a> {
    /// The heading, and the start of the window's title.
    pub(crate) title: &'a str,
    /// The content beside the heading.
    pub(crate) aside: Option<Markup>,
    pub(crate) frame: &'a Frame,
    /// The content below the heading.
    pub(crate) body: Markup,
    /// The query of `/xend/events` for the script. A page without it is not updated.
    pub(crate) follow: Option<&'a str>,
    /// The page that the script opens when this one is not found any more.
    pub(crate) parent: Option<&'a str>,
    /// Whether the page is the result of an operation, which the script shows in a dialog.
    pub(crate) is_result: bool,
    /// What the page has in its head beside what all pages have.
    pub(crate) head: Option<Markup>,
}

impl<'a> Layout<'a> {
    /// A page that is not updated.
    pub(crate) fn new(title: &'a str, frame: &'a Frame, body: Markup) -> Self {
        Self {
            title,
            aside: None,
            frame,
            body,
            follow: None,
            parent: None,
            is_result: false,
            head: None,
        }
    }

    pub(crate) fn render(self) -> String {
        let events = self.follow.map(|query| format!("/xend/events{query}"));
        let here = self.frame.crumbs.last().map_or("", |crumb| crumb.href.trim_end_matches('/'));
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
                    @if let Some(head) = &self.head { (head) }
                }
                body data-events=[events] data-parent=[self.parent] {
                    header {
                        a.skip href="#content" { "Skip to content" }
                        div {
                            a.brand href="/xend/domain" {
                                // Without the stylesheet it would be as wide as the window.
                                img src=(path("icon.svg")) alt="" width="24" height="24";
                                "xend"
                            }
                            @if self.frame.is_simulated { (simulator_badge()) }
                            @if !self.frame.menu.is_empty() { (self.frame.menu.markup(here)) }
                            span.link-state hidden { }
                            @if let Some(user) = &self.frame.user { (user.markup()) }
                        }
                    }
                    (breadcrumbs(&self.frame.crumbs))
                    main #content data-result[self.is_result] {
                        div.title {
                            h1 { (self.title) }
                            @if let Some(aside) = self.aside { (aside) }
                        }
                        (self.body)
                    }
                    footer { (VERSION) }
                    div #toasts aria-live="polite" {}
                }
            }
        };
        page.into_string()
    }
}

/// The mark of a simulated host.
fn simulator_badge() -> Markup {
    html! {
        span.simulator title="This host is simulated: none of its domains is real" { "Simulator" }
    }
}

impl PageUser {
    fn markup(&self) -> Markup {
        html! {
            div.user {
                span { (self.name) }
                @if let Some(logout) = &self.logout {
                    form method="post" action=(logout) { button type="submit" { "Log out" } }
                }
            }
        }
    }
}

/// `/ xend/ domain/ pv1/`, as in xend. It is not a list, since monitors count list items (see the
/// crate's documentation).
fn breadcrumbs(crumbs: &[Link]) -> Markup {
    html! {
        @if !crumbs.is_empty() {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, frame};

    #[test]
    fn the_last_crumb_is_the_current_page() {
        let page = Layout::new("pv1", &frame(&["xend", "domain", "pv1"]), html! {}).render();
        assert_document(&page);
        assert!(
            page.contains(r#"<a href="/xend/domain/pv1/" aria-current="page">pv1</a>/"#),
            "{page}"
        );
        assert!(page.contains(r#"<a href="/">/</a> <a href="/xend/">xend</a>/"#), "{page}");
    }

    #[test]
    fn a_user_has_a_name_and_a_button_to_log_out() {
        let with = |user| Frame { user, menu: Menu::default(), ..frame(&["xend"]) };
        let page = |user| Layout::new("x", &with(user), html! {}).render();
        let steve = |logout| Some(PageUser { name: "steve".into(), logout });
        let text = page(steve(Some("/xend/logout".into())));
        assert_document(&text);
        let form = r#"<span>steve</span><form method="post" action="/xend/logout"><button "#;
        assert!(text.contains(form), "{text}");
        assert!(!text.contains("aria-label=\"Main\""), "{text}");
        let text = page(steve(None));
        assert!(text.contains("steve") && !text.contains("<form"), "{text}");
        assert!(!page(None).contains("class=\"user\""));
    }

    #[test]
    fn a_page_tells_its_version_and_whether_the_host_is_simulated() {
        let page = |is_simulated| {
            let frame = Frame { is_simulated, ..frame(&["xend"]) };
            Layout::new("x", &frame, html! {}).render()
        };
        let footer = format!("<footer>xend {}</footer>", env!("CARGO_PKG_VERSION"));
        let badge = ">Simulator</span>";
        assert_document(&page(true));
        assert!(page(true).contains(&footer) && page(true).contains(badge));
        assert!(page(false).contains(&footer) && !page(false).contains(badge));
    }

    #[test]
    fn title_frame_and_query_are_escaped() {
        let frame = Frame {
            crumbs: vec![Link::new(HOSTILE, HOSTILE)],
            menu: Menu {
                main: vec![Link::new(HOSTILE, HOSTILE)],
                host: vec![Link::new(HOSTILE, HOSTILE)],
            },
            user: Some(PageUser { name: HOSTILE.into(), logout: Some(HOSTILE.into()) }),
            is_simulated: true,
        };
        let page = Layout {
            follow: Some(HOSTILE),
            parent: Some(HOSTILE),
            ..Layout::new(HOSTILE, &frame, html! {})
        };
        assert_document(&page.render());
    }
}

//! Paths that lead to no page: the segment that is wrong, and what it probably means.

use super::path::{decode, segments};
use xend_spelling::nearest;

/// The first segment of a canonical path that leads to no page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnknownSegment<'a> {
    pub(super) name: String,
    /// The segment that it probably means, or the path of the page.
    pub(super) meant: Option<&'a str>,
}

impl<'a> UnknownSegment<'a> {
    /// `pages` are the paths of all pages.
    pub(super) fn of(path: &str, pages: &[&'a str]) -> Self {
        let leads_on = |page: &str, depth: usize| {
            let mut of_page = segments(page);
            segments(path).take(depth).all(|segment| {
                of_page.next().is_some_and(|known| known.starts_with('{') || known == segment)
            })
        };
        let is_unknown = |depth: usize| !pages.iter().any(|page| leads_on(page, depth + 1));
        let unknown = segments(path).enumerate().find(|(depth, _)| is_unknown(*depth));
        let Some((depth, segment)) = unknown else {
            return Self { name: String::new(), meant: None };
        };
        let name = decode(segment);
        let beside = pages.iter().filter(|page| leads_on(page, depth));
        let beside = beside.filter_map(|page| segments(page).nth(depth));
        let meant = nearest(&name, beside.filter(|known| !known.starts_with('{')));
        // Somebody has left out `/xend`.
        let below = || {
            pages.iter().copied().find(|page| page.strip_prefix("/xend/") == Some(name.as_str()))
        };
        let meant = meant.or_else(|| if depth == 0 { below() } else { None });
        Self { name, meant }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_unknown_segment_is_named_with_what_it_means() {
        let pages = [
            "/",
            "/xend/domain",
            "/xend/domain/{domain}/console",
            "/xend/node",
            "/xend/host/{host}",
        ];
        for (path, name, meant) in [
            ("/nosuch", "nosuch", None),
            ("/xned/domain", "xned", Some("xend")),
            ("/domain/pv1", "domain", Some("/xend/domain")),
            ("/xend/nosuch/x", "nosuch", None),
            ("/xend/domian/x", "domian", Some("domain")),
            ("/xend/domain/pv1/vbd", "vbd", None),
            ("/xend/domain/pv1/consol", "consol", Some("console")),
            ("/xend/domain/pv1/console/x", "x", None),
            ("/xend/host/xen1/y/z", "y", None),
            ("/xend/node/x%20y", "x y", None),
        ] {
            let unknown = UnknownSegment { name: name.to_owned(), meant };
            assert_eq!(UnknownSegment::of(path, &pages), unknown, "{path}");
        }
    }
}

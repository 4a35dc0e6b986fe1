//! Helpers of the pages' tests.

use crate::assets::path;
use crate::layout::Frame;
use crate::menu::Menu;
use crate::parts::Link;

/// A name that does harm unless it is escaped, in text and in attributes.
pub(crate) const HOSTILE: &str = r#"<script>alert("&'")</script><li><form>"#;

/// A frame with the breadcrumbs `/`, then each of `names`, and a menu.
pub(crate) fn frame(names: &[&str]) -> Frame {
    let mut href = String::from("/");
    let mut crumbs = vec![Link::new("/", "/")];
    for name in names {
        href += name;
        href += "/";
        crumbs.push(Link::new(*name, href.clone()));
    }
    let menu = Menu {
        main: vec![Link::new("Domains", "/xend/domain"), Link::new("Host", "/xend/node")],
        host: vec![Link::new("Overview", "/xend/node")],
    };
    Frame { crumbs, menu, user: None, is_simulated: false }
}

/// Checks that a page is a single document with one heading, that hostile names are escaped, and
/// that each input has a label.
pub(crate) fn assert_document(page: &str) {
    assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{page}");
    assert!(page.ends_with("</html>"), "{page}");
    for tag in ["<html", "</html>", "<head>", "<body", "</body>", "<main", "<h1>"] {
        assert_eq!(page.matches(tag).count(), 1, "{tag} in {page}");
    }
    // Parts of an SVG can have titles, too.
    let head = page.split("</head>").next().unwrap_or_default();
    assert_eq!(head.matches("<title>").count(), 1, "{head}");
    let script = path("xend.js");
    let style = path("style.css");
    // Scripts are files.
    let of_files = ["<script src=\"/xend/assets/", "<script type=\"module\" src=\"/xend/assets/"];
    let of_files: usize = of_files.iter().map(|tag| page.matches(tag).count()).sum();
    assert_eq!(page.matches("<script").count(), of_files, "{page}");
    assert!(page.contains(&format!(r#"<script src="{script}" defer></script>"#)), "{page}");
    assert!(page.contains(&format!(r#"<link rel="stylesheet" href="{style}">"#)), "{page}");
    // The Content-Security-Policy forbids inline styles and handlers.
    for forbidden in [" style=\"", "<style", " onclick"] {
        assert!(!page.contains(forbidden), "{forbidden} in {page}");
    }
    assert!(!page.contains("alert(\""), "{page}");
    assert_eq!(page.matches("<form").count(), page.matches("</form>").count(), "{page}");
    for form in forms(page) {
        assert_labelled(form);
    }
}

/// The forms of a page, without `<form` and `</form>`.
pub(crate) fn forms(page: &str) -> Vec<&str> {
    page.split("<form ").skip(1).filter_map(|rest| rest.split("</form>").next()).collect()
}

/// The operations of the buttons on a page or in a form.
pub(crate) fn ops(html: &str) -> Vec<&str> {
    html.split(r#"name="op" value=""#).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// Checks the target, the operations and the fields of a form.
pub(crate) fn assert_form(form: &str, href: &str, expected_ops: &[&str], fields: &[&str]) {
    assert!(form.starts_with(&format!(r#"method="post" action="{href}""#)), "{form}");
    assert_eq!(ops(form), expected_ops, "{form}");
    let names = form.split(r#" name=""#).skip(1).filter_map(|rest| rest.split('"').next());
    assert_eq!(names.filter(|name| *name != "op").collect::<Vec<_>>(), fields, "{form}");
}

/// Checks that every visible input is within a label.
fn assert_labelled(form: &str) {
    for tag in ["<input", "<select", "<textarea"] {
        let found = form.match_indices(tag).map(|(at, _)| at);
        for at in found.filter(|at| !form[*at..].starts_with(r#"<input type="hidden""#)) {
            let before = &form[..at];
            assert!(before.rfind("<label") > before.rfind("</label>"), "{form}");
        }
    }
}

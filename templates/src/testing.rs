//! What the tests of all pages share.

use crate::assets::path;
use crate::parts::Link;

/// A name that would do harm if it were not escaped, in text as in an attribute.
pub(crate) const HOSTILE: &str = r#"<script>alert("&'")</script><li><form>"#;

/// The crumbs of a path: `/`, then each of `names`.
pub(crate) fn crumbs(names: &[&str]) -> Vec<Link> {
    let mut href = String::from("/");
    let mut crumbs = vec![Link::new("/", "/")];
    for name in names {
        href += name;
        href += "/";
        crumbs.push(Link::new(*name, href.clone()));
    }
    crumbs
}

/// Checks what holds of every page: it is one document, it has one heading, and nothing hostile got
/// through.
pub(crate) fn assert_document(page: &str) {
    assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{page}");
    assert!(page.ends_with("</html>"), "{page}");
    for tag in ["<html", "</html>", "<head>", "<body", "</body>", "<main", "<h1>"] {
        assert_eq!(page.matches(tag).count(), 1, "{tag} in {page}");
    }
    // A picture may have parts with titles of their own.
    let head = page.split("</head>").next().unwrap_or_default();
    assert_eq!(head.matches("<title>").count(), 1, "{head}");
    let script = path("xend.js");
    let style = path("style.css");
    assert_eq!(page.matches("<script").count(), 1, "{page}");
    assert!(page.contains(&format!(r#"<script src="{script}" defer></script>"#)), "{page}");
    assert!(page.contains(&format!(r#"<link rel="stylesheet" href="{style}">"#)), "{page}");
    // A strict Content-Security-Policy lets neither of these be.
    for forbidden in [" style=\"", "<style", " onclick"] {
        assert!(!page.contains(forbidden), "{forbidden} in {page}");
    }
    assert!(!page.contains("alert(\""), "{page}");
    assert_eq!(page.matches("<form").count(), page.matches("</form>").count(), "{page}");
    for form in forms(page) {
        assert_labelled(form);
    }
}

/// Every form of the page, from `<form` to before `</form>`.
pub(crate) fn forms(page: &str) -> Vec<&str> {
    page.split("<form ").skip(1).filter_map(|rest| rest.split("</form>").next()).collect()
}

/// The operations that the buttons of a page or form send.
pub(crate) fn ops(html: &str) -> Vec<&str> {
    html.split(r#"name="op" value=""#).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// Checks that a form posts to `href`, with these operations to choose from and these fields.
pub(crate) fn assert_form(form: &str, href: &str, expected_ops: &[&str], fields: &[&str]) {
    assert!(form.starts_with(&format!(r#"method="post" action="{href}""#)), "{form}");
    assert_eq!(ops(form), expected_ops, "{form}");
    let names = form.split(r#" name=""#).skip(1).filter_map(|rest| rest.split('"').next());
    assert_eq!(names.filter(|name| *name != "op").collect::<Vec<_>>(), fields, "{form}");
}

/// Checks that every input stands within a label.
fn assert_labelled(form: &str) {
    for tag in ["<input", "<select", "<textarea"] {
        for (at, _) in form.match_indices(tag) {
            let before = &form[..at];
            assert!(before.rfind("<label") > before.rfind("</label>"), "{form}");
        }
    }
}

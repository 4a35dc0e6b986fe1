//! The page on which users log in.

use super::parts::frame;
use crate::wire::http::path::LOGIN_PATH;
use crate::wire::http::request::RequestInfo;
use xend_templates::{LoginMessage, LoginPage, LoginRequiredPage};

/// The page, with the name that the form has already. `next` is the page to open after the login.
pub(crate) fn page(
    request: &RequestInfo,
    next: &str,
    user: &str,
    message: Option<LoginMessage>,
) -> String {
    LoginPage {
        frame: frame(request),
        href: LOGIN_PATH.to_owned(),
        next: next.to_owned(),
        user: user.to_owned(),
        message,
    }
    .render()
}

/// The page for a browser that does not say that it opens a page. `login` is the login page that
/// leads on.
pub(crate) fn required(request: &RequestInfo, login: &str) -> String {
    LoginRequiredPage { frame: frame(request), href: login.to_owned() }.render()
}

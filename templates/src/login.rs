//! The page on which users log in, and the one that leads there.

use crate::layout::{Frame, Layout};
use maud::html;

/// The page of `/xend/login`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginPage {
    pub frame: Frame,
    /// The target of the form.
    pub href: String,
    /// The path of the page to open after the login.
    pub next: String,
    /// The name in the form.
    pub user: String,
    /// The reason why the user has to log in again, or cannot.
    pub message: Option<LoginMessage>,
}

/// A message above the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginMessage {
    pub text: String,
    /// Whether a login has failed.
    pub failed: bool,
}

/// The page for a visitor who has not logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginRequiredPage {
    pub frame: Frame,
    /// The login page, which leads on to the page that was asked for.
    pub href: String,
}

impl LoginRequiredPage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            p.message.error role="alert" {
                "This page is for users who have logged in. "
                a href=(self.href) { "Log in" }
                ", or send the name and the password of an account with HTTP Basic."
            }
        };
        Layout::new("Log in", &self.frame, body).render()
    }
}

impl LoginPage {
    /// The whole document.
    pub fn render(&self) -> String {
        // Who has given a name goes on with the password.
        let is_named = !self.user.is_empty();
        let body = html! {
            section.card.login aria-label="Log in" {
                @if let Some(message) = &self.message {
                    @let role = if message.failed { "alert" } else { "status" };
                    p.message.error[message.failed] role=(role) { (message.text) }
                }
                form method="post" action=(self.href) {
                    input type="hidden" name="next" value=(self.next);
                    label {
                        "Name"
                        input type="text" name="user" value=(self.user) required maxlength="255"
                            autocomplete="username" autocapitalize="none" spellcheck="false"
                            autofocus[!is_named];
                    }
                    label {
                        "Password"
                        input type="password" name="password" required
                            autocomplete="current-password" autofocus[is_named];
                    }
                    button.primary type="submit" { "Log in" }
                }
            }
        };
        Layout::new("Log in", &self.frame, body).render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, forms};

    fn page(user: &str, message: Option<LoginMessage>) -> LoginPage {
        LoginPage {
            frame: Frame::default(),
            href: "/xend/login".into(),
            next: "/xend/domain/pv1".into(),
            user: user.into(),
            message,
        }
    }

    #[test]
    fn the_form_has_name_password_and_the_next_page() {
        let text = page("", None).render();
        assert_document(&text);
        let form = forms(&text)[0];
        assert!(form.starts_with(r#"method="post" action="/xend/login""#), "{form}");
        assert!(form.contains(r#"name="next" value="/xend/domain/pv1">"#), "{form}");
        for field in ["user", "password"] {
            assert!(form.contains(&format!(r#"name="{field}""#)), "{form}");
        }
        assert!(!text.contains("class=\"message") && !text.contains("<nav"), "{text}");
    }

    #[test]
    fn who_has_not_logged_in_is_led_to_the_login() {
        let href = format!("/xend/login?next={HOSTILE}");
        let text = LoginRequiredPage { frame: Frame::default(), href }.render();
        assert_document(&text);
        assert!(text.contains(r#"<a href="/xend/login?next="#), "{text}");
    }

    #[test]
    fn a_failed_login_keeps_the_name() {
        let message = LoginMessage { text: HOSTILE.into(), failed: true };
        let text = page(HOSTILE, Some(message.clone())).render();
        assert_document(&text);
        assert!(text.contains(r#"<p class="message error" role="alert">"#), "{text}");
        assert!(text.contains(r#"autocomplete="current-password" autofocus>"#), "{text}");
        let ended = LoginMessage { failed: false, ..message };
        let text = page("", Some(ended)).render();
        assert!(text.contains(r#"<p class="message" role="status">"#), "{text}");
        assert!(text.contains(r#"spellcheck="false" autofocus>"#), "{text}");
    }
}

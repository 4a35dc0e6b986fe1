//! Passwords.

use super::text::Text;
use std::fmt;

/// A password. Its `Debug` output hides the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Text);

impl Password {
    /// A password; `None` if the text is empty, which means no password.
    pub fn new(text: Text) -> Option<Self> {
        (!text.is_empty()).then_some(Self(text))
    }

    /// The text of the password.
    pub fn reveal(&self) -> &Text {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_hides_the_password() {
        assert_eq!(format!("{:?}", Password::new("geheim".into())), "Some(Password(hidden))");
        assert_eq!(Password::new("".into()), None);
    }
}

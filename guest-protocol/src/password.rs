//! A password on its way into the guest.

use std::fmt::{self, Debug, Formatter};
use thiserror::Error;
use zeroize::Zeroizing;

/// The longest password in bytes: crypt(3) takes 511.
pub const MAX_PASSWORD: usize = 511;

/// A password that a line of the guest's shadow can be made of. Zeroed on drop.
pub struct Password(Zeroizing<String>);

impl Password {
    /// A password: not empty, without newline, carriage return and NUL, at most [`MAX_PASSWORD`]
    /// bytes.
    pub fn new(text: &str) -> Result<Self, BadPassword> {
        if text.is_empty() {
            return Err(BadPassword::Empty);
        }
        if text.contains(['\n', '\r', '\0']) {
            return Err(BadPassword::Forbidden);
        }
        if text.len() > MAX_PASSWORD {
            return Err(BadPassword::TooLong);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// The password itself: never for a log, an error or an answer.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Debug for Password {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// Why a password is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadPassword {
    #[error("The password is empty")]
    Empty,
    #[error("The password has a newline or a NUL")]
    Forbidden,
    #[error("The password is longer than {MAX_PASSWORD} bytes")]
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_checked() {
        let checked = |text: &str| Password::new(text).map(|password| password.as_str().to_owned());
        assert_eq!(checked(" Gr\u{fc}n\t"), Ok(" Gr\u{fc}n\t".to_owned()));
        assert_eq!(checked(""), Err(BadPassword::Empty));
        for text in ["a\nb", "\n", "a\r", "a\0"] {
            assert_eq!(checked(text), Err(BadPassword::Forbidden), "{text:?}");
        }
        assert!(checked(&"a".repeat(MAX_PASSWORD)).is_ok());
        assert_eq!(checked(&"a".repeat(MAX_PASSWORD + 1)), Err(BadPassword::TooLong));
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(format!("{:?}", Password::new("Secret1").unwrap()), "Password(..)");
    }
}

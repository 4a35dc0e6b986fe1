//! The account of a caller, and its password: the first line of a file, or typed on the terminal.

use crate::failure::{Failure, reason};
use crate::wire::address::Address;
use base64ct::{Base64, Encoding as _};
use std::env;
use std::fs::File;
use std::io::{self, BufReader, IsTerminal as _};
use xend_password_prompt::{read_line, read_password};

/// The password of `user`.
fn password(user: &str) -> Result<String, Failure> {
    if let Ok(path) = env::var("XM_PASSWORD_FILE") {
        let line = File::open(&path).and_then(|file| read_line(&mut BufReader::new(file)));
        return line.map_err(|error| Failure::of_file("read", &path, &error));
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::new(format!(
            "The password of {user} is needed: write it into a file and name that in \
             XM_PASSWORD_FILE"
        )));
    }
    read_password(&format!("Password of {user}: "))
        .map_err(|error| Failure::new(format!("Unable to read a password: {}", reason(&error))))
}

/// HTTP Basic, for an address with an account.
pub(crate) fn authorization(address: &Address) -> Result<Option<String>, Failure> {
    let Address::Tcp { user: Some(user), .. } = address else { return Ok(None) };
    if address.is_in_the_clear() {
        return Err(Failure::new(
            "A password would cross the network in the clear: use https://, or a tunnel",
        ));
    }
    let login = format!("{user}:{}", password(user)?);
    Ok(Some(format!("Basic {}", Base64::encode_string(login.as_bytes()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_do_not_leave_in_the_clear() {
        let address = Address::parse("http://steve@xen.example.org").unwrap();
        assert!(authorization(&address).unwrap_err().to_string().contains("in the clear"));
        let address = Address::parse("https://xen.example.org").unwrap();
        assert_eq!(authorization(&address), Ok(None));
    }
}

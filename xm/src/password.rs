//! The password of an account: the first line of a file, or typed on the terminal.

use crate::failure::{Failure, reason};
use std::env;
use std::fs::File;
use std::io::{self, BufReader, IsTerminal as _};
use xend_password_prompt::{read_line, read_password};

/// The password of `user`.
pub(crate) fn password(user: &str) -> Result<String, Failure> {
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

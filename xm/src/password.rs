//! The password of an account: the first line of a file, or typed on the terminal.

use crate::failure::{Failure, reason};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::env;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Read as _, Write as _};

/// The longest password in bytes.
const MAX_BYTES: u64 = 1024;

/// The password of `user`.
pub(crate) fn password(user: &str) -> Result<String, Failure> {
    if let Ok(path) = env::var("XM_PASSWORD_FILE") {
        let file = File::open(&path);
        let line = file.and_then(|file| first_line(BufReader::new(file)));
        return line.map_err(|error| Failure::of_file("read", &path, &error));
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::new(format!(
            "The password of {user} is needed: write it into a file and name that in \
             XM_PASSWORD_FILE"
        )));
    }
    typed(&format!("Password of {user}: "))
        .map_err(|error| Failure::new(format!("Unable to read a password: {}", reason(&error))))
}

fn first_line(input: impl io::BufRead) -> io::Result<String> {
    let mut line = String::new();
    input.take(MAX_BYTES).read_line(&mut line)?;
    let line = line.trim_end_matches(['\r', '\n']);
    if line.is_empty() {
        return Err(io::Error::other("it has no password"));
    }
    Ok(line.to_owned())
}

/// Reads a line from the terminal without showing it.
fn typed(prompt: &str) -> io::Result<String> {
    let mut screen = io::stderr();
    screen.write_all(prompt.as_bytes())?;
    let line = {
        let _silent = Silent::begin()?;
        edited_line(io::stdin().lock())
    };
    screen.write_all(b"\n")?;
    line
}

/// A line of keys as they are typed: backspace takes one back, Ctrl-C and Ctrl-D give up.
fn edited_line(keys: impl io::BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    for key in keys.take(MAX_BYTES).bytes() {
        match key? {
            b'\r' | b'\n' => break,
            0x03 | 0x04 => return Err(io::ErrorKind::Interrupted.into()),
            0x08 | 0x7f => {
                // All bytes of a character.
                while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            byte => line.push(byte),
        }
    }
    first_line(line.as_slice())
}

/// While it lives, the terminal shows nothing that is typed, and gives keys one by one: an
/// interrupt must not leave it like that.
struct Silent {
    before: Termios,
}

impl Silent {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self { before })
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_password() {
        assert_eq!(first_line(&b"secret 1\r\nmore\n"[..]).unwrap(), "secret 1");
        assert!(first_line(&b"\n"[..]).is_err());
        assert!(first_line(&b""[..]).is_err());
    }
    #[test]
    fn keys_edit_the_line() {
        assert_eq!(edited_line(&b"secrex\x7ft\rmore"[..]).unwrap(), "secret");
        assert_eq!(edited_line("a\u{e4}\u{8}b\n".as_bytes()).unwrap(), "ab");
        for given_up in [&b"sec\x03"[..], b"\x04", b"\n"] {
            assert!(edited_line(given_up).is_err());
        }
    }
}

//! Passwords from the terminal, without echo, or from the first line of a text.

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use std::io::{self, BufRead, IsTerminal, Read, StdinLock, Write};

/// The longest password, in bytes.
const MAX_BYTES: usize = 1024;

/// Keys of a terminal.
const INTERRUPT: u8 = 0x03;
const END: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const ERASE_LINE: u8 = 0x15;
const DELETE: u8 = 0x7f;

/// A new password: typed twice on a terminal, or the first line of standard input.
pub fn read_new_password() -> io::Result<String> {
    let mut input = io::stdin().lock();
    if !input.is_terminal() {
        return read_line(&mut input);
    }
    let password = read_hidden(&mut input, "Password: ")?;
    if read_hidden(&mut input, "Again: ")? != password {
        return Err(io::Error::other("The passwords differ"));
    }
    Ok(password)
}

/// A password that is typed on the terminal, which standard input must be.
pub fn read_password(prompt: &str) -> io::Result<String> {
    read_hidden(&mut io::stdin().lock(), prompt)
}

/// The password in the first line of a text. One that is empty or longer than 1,024 bytes is an
/// error.
pub fn read_line(input: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    input.take(MAX_BYTES as u64 + 2).read_until(b'\n', &mut line)?;
    while line.ends_with(b"\n") || line.ends_with(b"\r") {
        line.pop();
    }
    to_text(line)
}

fn to_text(line: Vec<u8>) -> io::Result<String> {
    if line.is_empty() {
        return Err(io::Error::other("The password is empty"));
    }
    if line.len() > MAX_BYTES {
        return Err(io::Error::other(format!("The password is longer than {MAX_BYTES} bytes")));
    }
    String::from_utf8(line).map_err(|_| io::Error::other("The password is not UTF-8 text"))
}

/// Reads a line from the terminal without showing it.
fn read_hidden(terminal: &mut StdinLock<'_>, prompt: &str) -> io::Result<String> {
    let silent = Silent::begin(terminal)?;
    let mut screen = io::stderr();
    screen.write_all(prompt.as_bytes())?;
    let line = edit_line(terminal);
    screen.write_all(b"\n")?;
    drop(silent);
    to_text(line?)
}

/// Reads the keys of a line.
fn edit_line(keys: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut key = [0];
    loop {
        if keys.read(&mut key)? == 0 {
            return Ok(line);
        }
        match key {
            [b'\n' | b'\r' | END] => return Ok(line),
            [INTERRUPT] => return Err(io::Error::from(io::ErrorKind::Interrupted)),
            [BACKSPACE | DELETE] => erase_character(&mut line),
            [ERASE_LINE] => line.clear(),
            [byte] if byte.is_ascii_control() => {}
            // One more than allowed shows that it is too long.
            [byte] if line.len() <= MAX_BYTES => line.push(byte),
            [_] => {}
        }
    }
}

/// Takes the last character off a text in UTF-8.
fn erase_character(line: &mut Vec<u8>) {
    while let Some(byte) = line.pop() {
        let continues = byte & 0xc0 == 0x80;
        if !continues {
            return;
        }
    }
}

/// A terminal that shows nothing and sends each key at once, until this is dropped. Ctrl-C is a key
/// as well: a signal would end the process and leave the terminal like this.
struct Silent {
    before: Termios,
}

impl Silent {
    fn begin(terminal: &StdinLock<'_>) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        silent.special_codes[SpecialCodeIndex::VMIN] = 1;
        silent.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(terminal, OptionalActions::Now, &silent)?;
        Ok(Self { before })
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // Nothing can be done about an error.
        tcsetattr(io::stdin(), OptionalActions::Now, &self.before).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_standard_input_is_a_password() {
        let read = |text: &str| read_line(&mut text.as_bytes()).map_err(|error| error.to_string());
        assert_eq!(read("ge:heim\r\nnext"), Ok("ge:heim".to_owned()));
        assert_eq!(read(" a b "), Ok(" a b ".to_owned()));
        assert_eq!(read("\n"), Err("The password is empty".to_owned()));
        assert_eq!(read(""), Err("The password is empty".to_owned()));
        let long = "x".repeat(MAX_BYTES);
        assert_eq!(read(&long), Ok(long.clone()));
        assert!(read(&format!("{long}y")).unwrap_err().contains("longer than 1024 bytes"));
        assert!(read_line(&mut &b"\xff\n"[..]).is_err());
    }

    #[test]
    fn keys_edit_a_line() {
        let typed = |keys: &str| edit_line(&mut keys.as_bytes()).map(to_text).unwrap().ok();
        assert_eq!(typed("abc\r"), Some("abc".to_owned()));
        assert_eq!(typed("ab\u{7f}\u{8}\u{8}\u{8}c\u{1b}d\n"), Some("cd".to_owned()));
        assert_eq!(typed("a\u{e9}\u{20ac}\u{7f}\n"), Some("a\u{e9}".to_owned()));
        assert_eq!(typed("abc\u{15}de\u{4}"), Some("de".to_owned()));
        assert_eq!(typed(""), None);
        assert_eq!(typed(&format!("{}\n", "x".repeat(5000))), None);
        let error = edit_line(&mut &b"ab\x03"[..]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    }
}

//! The console of a guest: what its kernel and its login print, and a shell.
//!
//! It is in the daemon's memory alone: after a restart of the daemon, the console of a running
//! guest begins again with its kernel's messages and a login.

use super::record::Record;
use super::shell::{self, Seen};
use crate::core::model::{Password, ShutdownReason};
use crate::core::ports::CONSOLE_TAIL;
use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::time::SystemTime;

/// The most keys that wait for a guest that does not read them, as in the ring of a real console.
const MAX_TYPED: usize = 1024;

/// The longest line of the shell.
const MAX_LINE: usize = 1024;

/// How far a guest's life has been printed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    #[default]
    Off,
    Kernel,
    Booted,
    Stopped,
}

/// What a line that is typed means.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
enum Reader {
    /// Nobody reads it: the guest has not booted, or has stopped.
    #[default]
    Nobody,
    Login,
    /// The password of this user.
    Password(String),
    /// A command of this user.
    Shell(String),
}

/// Where in an escape sequence of the keyboard the last key was.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Begun,
    Parameters,
}

/// The console of a guest.
#[derive(Default)]
pub(super) struct Terminal {
    /// The end of what was printed.
    printed: VecDeque<u8>,
    /// How much was printed in all, in bytes.
    total: u64,
    stage: Stage,
    reader: Reader,
    /// Keys that the guest has not read.
    typed: VecDeque<u8>,
    line: Vec<u8>,
    escape: Escape,
    /// The last key was a carriage return: a line feed that follows is part of it.
    was_return: bool,
}

/// Shows nothing that was typed: passwords are among it.
impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").field("total", &self.total).finish_non_exhaustive()
    }
}

impl Terminal {
    /// Prints what the guest has printed by itself until now.
    pub(super) fn follow(&mut self, record: &Record, now: SystemTime) {
        let guest = &record.guest;
        let now = record.guest_time(now);
        if self.stage < Stage::Kernel && guest.has_run() {
            self.stage = Stage::Kernel;
            self.print_lines(&shell::kernel_messages(record));
        }
        if self.stage == Stage::Kernel && guest.has_booted(now) {
            self.stage = Stage::Booted;
            self.ask_login(record);
        }
        let Some(reason) = guest.stopped(now).filter(|_| self.stage < Stage::Stopped) else {
            return;
        };
        self.stage = Stage::Stopped;
        self.reader = Reader::Nobody;
        self.typed.clear();
        self.line.clear();
        match reason {
            ShutdownReason::Crash => self.print("\r\nKernel panic - not syncing: simulated\r\n"),
            reason => self.print(&format!("\r\nreboot: System {}\r\n", reason.name())),
        }
    }

    /// Adds keys. They are lost if there are too many, and if the guest has stopped.
    pub(super) fn type_keys(&mut self, keys: &[u8]) {
        if self.stage < Stage::Stopped {
            let room = MAX_TYPED.saturating_sub(self.typed.len());
            self.typed.extend(keys.iter().take(room));
        }
    }

    /// Lets the guest read the keys that were typed. Returns how it stops if it was told to. A
    /// guest that is paused or boots does not read.
    pub(super) fn read_keys(
        &mut self,
        record: &Record,
        passwords: &BTreeMap<String, Password>,
        now: SystemTime,
    ) -> Option<ShutdownReason> {
        self.follow(record, now);
        if record.guest.paused || self.stage != Stage::Booted {
            return None;
        }
        while let Some(key) = self.typed.pop_front() {
            if let Some(reason) = self.read_key(key, record, passwords, now) {
                return Some(reason);
            }
        }
        None
    }

    /// The end of what was printed, at most [`CONSOLE_TAIL`] bytes.
    pub(super) fn text(&self) -> Vec<u8> {
        self.printed.iter().copied().collect()
    }

    /// How much was printed in all, in bytes.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// What was printed after the first `offset` bytes, as far as it is kept.
    pub(super) fn printed_after(&self, offset: u64) -> Vec<u8> {
        let new = usize::try_from(self.total.saturating_sub(offset)).unwrap_or(usize::MAX);
        let skipped = self.printed.len().saturating_sub(new);
        self.printed.iter().skip(skipped).copied().collect()
    }

    fn read_key(
        &mut self,
        key: u8,
        record: &Record,
        passwords: &BTreeMap<String, Password>,
        now: SystemTime,
    ) -> Option<ShutdownReason> {
        let after_return = mem::take(&mut self.was_return);
        match (self.escape, key) {
            (Escape::None, _) => {}
            (Escape::Begun, b'[' | b'O') => {
                self.escape = Escape::Parameters;
                return None;
            }
            (Escape::Parameters, ..0x40) => return None,
            (Escape::Begun | Escape::Parameters, _) => {
                self.escape = Escape::None;
                return None;
            }
        }
        match key {
            b'\n' if after_return => {}
            b'\r' | b'\n' => {
                self.was_return = key == b'\r';
                self.print("\r\n");
                let line = String::from_utf8_lossy(&mem::take(&mut self.line)).into_owned();
                return self.read_line(&line, record, passwords, now);
            }
            0x1b => self.escape = Escape::Begun,
            // Backspace.
            0x7f | 0x08 => self.erase_character(),
            // Ctrl-U.
            0x15 => {
                while !self.line.is_empty() {
                    self.erase_character();
                }
            }
            // Ctrl-C.
            0x03 => {
                self.line.clear();
                self.print("^C\r\n");
                self.prompt(record);
            }
            // Ctrl-D.
            0x04 if self.line.is_empty() && matches!(self.reader, Reader::Shell(_)) => {
                self.print("logout\r\n");
                self.ask_login(record);
            }
            ..0x20 => {}
            _ if self.line.len() < MAX_LINE => {
                self.line.push(key);
                if self.echoes() {
                    self.print_bytes(&[key]);
                }
            }
            _ => {}
        }
        None
    }

    fn erase_character(&mut self) {
        while let Some(byte) = self.line.pop() {
            // The first byte of a character in UTF-8.
            if byte & 0xc0 != 0x80 {
                if self.echoes() {
                    self.print("\x08 \x08");
                }
                return;
            }
        }
    }

    fn echoes(&self) -> bool {
        !matches!(self.reader, Reader::Password(_))
    }

    fn read_line(
        &mut self,
        line: &str,
        record: &Record,
        passwords: &BTreeMap<String, Password>,
        now: SystemTime,
    ) -> Option<ShutdownReason> {
        match mem::take(&mut self.reader) {
            Reader::Nobody => {}
            Reader::Login => match line.trim() {
                "" => self.ask_login(record),
                user if passwords.contains_key(user) => {
                    self.reader = Reader::Password(user.to_owned());
                    self.prompt(record);
                }
                user => self.log_in(user, record),
            },
            Reader::Password(user) => {
                let right = passwords
                    .get(&user)
                    .is_some_and(|password| ***password.reveal() == *line.as_bytes());
                if right {
                    self.log_in(&user, record);
                } else {
                    self.print("\r\nLogin incorrect");
                    self.ask_login(record);
                }
            }
            Reader::Shell(user) => {
                let seen = Seen { record, user: &user, now: record.guest_time(now) };
                let reaction = shell::run(line, &seen);
                self.print_lines(&reaction.text);
                if reaction.logs_out {
                    self.ask_login(record);
                    return None;
                }
                self.reader = Reader::Shell(user);
                if reaction.stop.is_some() {
                    return reaction.stop;
                }
                self.prompt(record);
            }
        }
        None
    }

    fn ask_login(&mut self, record: &Record) {
        self.reader = Reader::Login;
        self.line.clear();
        self.print("\r\n");
        self.prompt(record);
    }

    fn log_in(&mut self, user: &str, record: &Record) {
        self.print("\r\nThis guest is simulated. Type help for its commands.\r\n");
        self.reader = Reader::Shell(user.to_owned());
        self.prompt(record);
    }

    fn prompt(&mut self, record: &Record) {
        let host = shell::host_name(record);
        let prompt = match &self.reader {
            Reader::Nobody => return,
            Reader::Login => format!("{host} login: "),
            Reader::Password(_) => "Password: ".to_owned(),
            Reader::Shell(user) if user == "root" => format!("root@{host}:~# "),
            Reader::Shell(user) => format!("{user}@{host}:~$ "),
        };
        self.print(&prompt);
    }

    /// Prints lines that end with line feeds.
    fn print_lines(&mut self, lines: &str) {
        self.print(&lines.replace('\n', "\r\n"));
    }

    fn print(&mut self, text: &str) {
        self.print_bytes(text.as_bytes());
    }

    fn print_bytes(&mut self, bytes: &[u8]) {
        self.total = self.total.saturating_add(bytes.len() as u64);
        self.printed.extend(bytes);
        let excess = self.printed.len().saturating_sub(CONSOLE_TAIL);
        self.printed.drain(..excess);
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::SimSettings;
    use super::super::testing::config;
    use super::*;
    use crate::core::model::{DomId, Uuid};
    use proptest::prelude::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn record(name: &str) -> Record {
        let settings = SimSettings::default();
        let mut record =
            Record::new(DomId(7), Uuid::nil(), config(name, 64), UNIX_EPOCH, &settings);
        record.guest.paused = false;
        record
    }

    fn later() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(60)
    }

    /// What is printed when these keys are typed after the boot, and how the guest stops.
    fn typed(
        keys: &str,
        passwords: &BTreeMap<String, Password>,
    ) -> (String, Option<ShutdownReason>) {
        let record = record("web");
        let mut terminal = Terminal::default();
        terminal.follow(&record, later());
        let before = terminal.total();
        terminal.type_keys(keys.as_bytes());
        let stop = terminal.read_keys(&record, passwords, later());
        let text = String::from_utf8_lossy(&terminal.printed_after(before)).into_owned();
        (text, stop)
    }

    fn answer(keys: &str) -> String {
        typed(keys, &BTreeMap::new()).0
    }

    #[test]
    fn a_guest_boots_and_asks_for_a_login() {
        let record = record("web");
        let mut terminal = Terminal::default();
        terminal.follow(&record, UNIX_EPOCH);
        assert!(terminal.text().ends_with(b"root=/dev/sda1 ro\r\n"));
        terminal.follow(&record, later());
        terminal.follow(&record, later());
        let text = String::from_utf8(terminal.text()).unwrap();
        assert_eq!(text.matches("web login: ").count(), 1);
        assert_eq!(terminal.total(), text.len() as u64);
    }

    #[test]
    fn a_user_without_a_password_gets_a_shell() {
        let text = answer("root\recho  a  b\r");
        assert_eq!(
            text,
            "root\r\n\r\nThis guest is simulated. Type help for its commands.\r\n\
             root@web:~# echo  a  b\r\na b\r\nroot@web:~# "
        );
        assert!(answer("\r\n\r\nann\r\n").ends_with("ann@web:~$ "));
        assert!(answer("root\r\x04").ends_with("root@web:~# logout\r\n\r\nweb login: "));
    }

    #[test]
    fn a_password_that_was_set_is_asked_for_and_not_echoed() {
        let password = Password::new("geheim".into()).unwrap();
        let passwords = BTreeMap::from([("root".to_owned(), password)]);
        let (wrong, _) = typed("root\rfalsch\r", &passwords);
        assert_eq!(wrong, "root\r\nPassword: \r\n\r\nLogin incorrect\r\nweb login: ");
        let (right, _) = typed("root\rgeheim\r", &passwords);
        assert!(right.ends_with("root@web:~# ") && !right.contains("geheim"), "{right}");
    }

    #[test]
    fn keys_edit_the_line() {
        assert!(answer("root\rhalt\x15ecoh\x7f\x7fho 1\x1b[A\x1b[1;5C2\r").contains("\r\n12\r\n"));
        assert!(answer("root\rhalt\x03").ends_with("# halt^C\r\nroot@web:~# "));
        assert!(answer("root\recho a\u{e4}\x7fb\r").contains("\r\nab\r\n"));
        let (_, stop) = typed("root\rpoweroff\rreboot\r", &BTreeMap::new());
        assert_eq!(stop, Some(ShutdownReason::Poweroff));
    }

    #[test]
    fn keys_wait_for_a_guest_that_does_not_read() {
        let mut record = record("web");
        let mut terminal = Terminal::default();
        terminal.type_keys(b"root\r");
        assert_eq!(terminal.read_keys(&record, &BTreeMap::new(), UNIX_EPOCH), None);
        terminal.type_keys(&[b'x'; 2 * MAX_TYPED]);
        assert_eq!(terminal.typed.len(), MAX_TYPED);
        terminal.read_keys(&record, &BTreeMap::new(), later());
        assert!(terminal.text().ends_with(b"xxx") && terminal.typed.is_empty());

        record.guest.stop(ShutdownReason::Crash);
        terminal.follow(&record, later());
        let text = terminal.text();
        terminal.type_keys(b"echo\r");
        terminal.read_keys(&record, &BTreeMap::new(), later());
        assert!(text.ends_with(b"simulated\r\n") && terminal.text() == text);
    }

    #[test]
    fn what_is_kept_has_a_bound() {
        let mut terminal = Terminal::default();
        terminal.print_bytes(&vec![b'x'; CONSOLE_TAIL]);
        terminal.print("end");
        assert_eq!(terminal.text().len(), CONSOLE_TAIL);
        assert_eq!(terminal.printed_after(terminal.total() - 4), b"xend");
        assert_eq!(terminal.printed_after(0).len(), CONSOLE_TAIL);
        assert_eq!(terminal.printed_after(u64::MAX), b"");
    }

    proptest! {
        #[test]
        fn any_keys_are_read(keys in prop::collection::vec(any::<u8>(), 0..400)) {
            let record = record("web");
            let mut terminal = Terminal::default();
            terminal.type_keys(b"root\r");
            terminal.type_keys(&keys);
            terminal.read_keys(&record, &BTreeMap::new(), later());
            prop_assert!(terminal.line.len() <= MAX_LINE);
        }
    }
}

//! A guest's console: its log, and its terminal.
//!
//! xenconsoled gives each guest a pseudo-terminal, and QEMU one for the serial port of an HVM
//! guest. XenStore has their paths. Who opens such a terminal takes output away from everybody else
//! who has it open, so that there is a lock, which `xl console` respects as well.

use super::host::XenHost;
use super::pty::Pty;
use crate::core::error::Error;
use crate::core::model::DomId;
use crate::core::ports::CONSOLE_TAIL;
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, isatty, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The directory in which xenconsoled logs consoles, if it is started with `--log=guest`.
const LOG_DIR: &str = "/var/log/xen/console";

/// Where xenconsole, the program behind `xl console`, has a lock for each domid.
const LOCK: &str = "/var/lock/xenconsole.";

/// How long a new domain may be without a terminal.
const TERMINAL_LIMIT: Duration = Duration::from_secs(3);

/// How long a terminal may be silent before what it had kept counts as read.
const QUIET: Duration = Duration::from_millis(30);

const STEP: Duration = Duration::from_millis(10);

/// The terminal of a guest, and its output until now.
pub(super) struct Terminal {
    pub(super) pty: Pty,
    pub(super) recent: Vec<u8>,
}

impl XenHost {
    /// Opens the terminal of a guest. Blocks for as long as a domain that has just been built has
    /// none.
    pub(super) fn open_console(&self, domid: u32, name: &str) -> Result<Terminal, Error> {
        let unusable = |error| Error::backend("The console cannot be opened", error);
        let lock = lock(domid)?;
        let path = self.terminal_path(domid)?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut terminal = open(path.as_str(), flags, Mode::empty())
            .map(File::from)
            .map_err(|errno| unusable(errno.into()))?;
        if !isatty(&terminal) {
            return Err(unusable(io::Error::other(format!("{path} is no terminal"))));
        }
        let raw = tcgetattr(&terminal).and_then(|mut modes| {
            modes.make_raw();
            tcsetattr(&terminal, OptionalActions::Now, &modes)
        });
        raw.map_err(|errno| unusable(errno.into()))?;
        let kept = read_kept(&mut terminal).map_err(unusable)?;
        // Without a log there is what the terminal had kept.
        let recent = join(tail(name).unwrap_or_default(), kept);
        Ok(Terminal { pty: Pty::new(terminal, lock).map_err(unusable)?, recent })
    }

    /// The path of a guest's terminal: that of an HVM guest's serial port, if it has one.
    fn terminal_path(&self, domid: u32) -> Result<String, Error> {
        let began = Instant::now();
        loop {
            self.required_dominfo(domid)?;
            // Guests cannot write these nodes.
            let path = ["serial/0/tty", "console/tty"].iter().find_map(|node| {
                self.xenstore.text(DomId(domid), node).filter(|path| is_terminal(path))
            });
            if let Some(path) = path {
                return Ok(path);
            }
            if began.elapsed() > TERMINAL_LIMIT {
                return Err(Error::Unsupported(
                    "The domain has no console: see whether xenconsoled runs; an HVM guest needs \
                     (serial pty)"
                        .to_owned(),
                ));
            }
            sleep(STEP);
        }
    }
}

/// Whether the path, which is XenStore's, is that of a pseudo-terminal.
fn is_terminal(path: &str) -> bool {
    let number = path.strip_prefix("/dev/pts/");
    number.is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The lock of a console, which ends with the file.
fn lock(domid: u32) -> Result<File, Error> {
    let path = format!("{LOCK}{domid}");
    let unusable = |error: io::Error| Error::backend("The console's lock cannot be taken", error);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = open(path, flags, Mode::RUSR | Mode::WUSR)
        .map(File::from)
        .map_err(|errno| unusable(errno.into()))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => Err(Error::Unsupported(
            "Another program has the console: leave xl console, or virsh console".to_owned(),
        )),
        Err(errno) => Err(unusable(errno.into())),
    }
}

/// What the guest printed while nobody had the terminal open, at most [`CONSOLE_TAIL`] bytes.
fn read_kept(terminal: &mut File) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let mut piece = [0; 4096];
    let mut silent_since = Instant::now();
    while kept.len() < CONSOLE_TAIL && silent_since.elapsed() < QUIET {
        match terminal.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => {
                kept.extend_from_slice(&piece[..count]);
                silent_since = Instant::now();
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(STEP),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(kept)
}

/// The output until now, of the end of the log, read last, and of what the terminal had kept. The
/// log has that, too, and may have more, which will be read from the terminal later.
fn join(mut log: Vec<u8>, kept: Vec<u8>) -> Vec<u8> {
    if kept.is_empty() {
        return log;
    }
    let position = log.windows(kept.len()).rposition(|part| part == kept);
    match position {
        Some(start) => {
            log.truncate(start + kept.len());
            log
        }
        // xenconsoled keeps no log, or one with times.
        None => kept,
    }
}

/// The end of what a guest has printed.
pub(super) fn tail(name: &str) -> Result<Vec<u8>, Error> {
    // A name with slashes must not lead out of the directory.
    let file = Path::new(LOG_DIR).join(format!("guest-{}.log", name.replace('/', "_")));
    read_tail(&file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::Unsupported(format!(
            "{} is not there: start xenconsoled with --log=guest, then it keeps what guests print",
            file.display()
        )),
        _ => Error::backend("The console's log cannot be read", error),
    })
}

fn read_tail(file: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(file)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(CONSOLE_TAIL as u64)))?;
    let mut tail = Vec::new();
    file.take(CONSOLE_TAIL as u64).read_to_end(&mut tail)?;
    Ok(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_terminal_had_kept_is_not_shown_twice() {
        let join = |log: &str, kept: &str| {
            String::from_utf8(super::join(log.into(), kept.into())).unwrap()
        };
        assert_eq!(join("boot\r\nlogin: ", "login: "), "boot\r\nlogin: ");
        assert_eq!(join("boot\r\nlogin: ", ""), "boot\r\nlogin: ");
        assert_eq!(join("a\r\na\r\nlate", "a\r\n"), "a\r\na\r\n");
        assert_eq!(join("", "boot"), "boot");
        assert_eq!(join("[12:00] boot", "boot\r\nlogin"), "boot\r\nlogin");
    }

    #[test]
    fn only_pseudo_terminals_are_opened() {
        assert!(is_terminal("/dev/pts/17"));
        for path in ["", "/dev/pts/", "/dev/pts/../sda", "/dev/tty1", "pts/1", "/dev/pts/1 "] {
            assert!(!is_terminal(path), "{path}");
        }
    }
}

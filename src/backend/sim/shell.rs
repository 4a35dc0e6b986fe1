//! The commands of a simulated guest's shell.

use super::record::Record;
use super::system::KERNEL_RELEASE;
use crate::core::model::{Device, ShutdownReason};
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};
use xend_guest_protocol::hostname::Hostname;

/// What a command sees of its guest.
pub(super) struct Seen<'a> {
    pub(super) record: &'a Record,
    pub(super) user: &'a str,
    /// The guest's time.
    pub(super) now: SystemTime,
}

/// What a command does.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reaction {
    /// The output, whose lines end with line feeds.
    pub(super) text: String,
    pub(super) stop: Option<ShutdownReason>,
    pub(super) logs_out: bool,
}

struct Command {
    name: &'static str,
    about: &'static str,
    run: fn(&Seen<'_>, &[&str]) -> Reaction,
}

static COMMANDS: [Command; 19] = [
    Command { name: "cat", about: "print files", run: cat },
    Command { name: "clear", about: "clear the screen", run: |_, _| text("\x1b[H\x1b[2J") },
    Command { name: "date", about: "print the time", run: date },
    Command { name: "dmesg", about: "print the kernel's messages", run: dmesg },
    Command { name: "echo", about: "print words", run: |_, words| line(&words.join(" ")) },
    Command { name: "exit", about: "log out", run: |_, _| log_out() },
    Command { name: "free", about: "print the memory", run: free },
    Command { name: "halt", about: "stop the guest", run: |_, _| stop(ShutdownReason::Halt) },
    Command { name: "help", about: "print this list", run: |_, _| help() },
    Command {
        name: "hostname",
        about: "print the name",
        run: |seen, _| line(&host_name(seen.record)),
    },
    Command { name: "ip", about: "print the addresses", run: ip },
    Command { name: "logout", about: "log out", run: |_, _| log_out() },
    Command { name: "ls", about: "list the files that were written from outside", run: ls },
    Command { name: "nproc", about: "print the number of VCPUs", run: nproc },
    Command {
        name: "poweroff",
        about: "switch the guest off",
        run: |_, _| stop(ShutdownReason::Poweroff),
    },
    Command { name: "reboot", about: "reboot the guest", run: |_, _| stop(ShutdownReason::Reboot) },
    Command { name: "uname", about: "print the system's name", run: uname },
    Command { name: "uptime", about: "print how long the guest has run", run: uptime },
    Command { name: "whoami", about: "print the user", run: |seen, _| line(seen.user) },
];

/// Runs a line.
pub(super) fn run(line: &str, seen: &Seen<'_>) -> Reaction {
    let words: Vec<&str> = line.split_whitespace().collect();
    let Some((name, arguments)) = words.split_first() else { return Reaction::default() };
    match COMMANDS.iter().find(|command| command.name == *name) {
        Some(command) => (command.run)(seen, arguments),
        None => text(&format!("sh: {name}: command not found\n")),
    }
}

/// The name that a guest gives itself.
pub(super) fn host_name(record: &Record) -> String {
    let own = record.guest.system.host_name.as_ref().map(Hostname::as_str);
    own.unwrap_or(record.config.name.as_str()).to_owned()
}

fn text(text: &str) -> Reaction {
    Reaction { text: text.to_owned(), ..Reaction::default() }
}

fn line(line: &str) -> Reaction {
    text(&format!("{line}\n"))
}

fn log_out() -> Reaction {
    Reaction { text: "logout\n".to_owned(), logs_out: true, ..Reaction::default() }
}

fn stop(reason: ShutdownReason) -> Reaction {
    Reaction { stop: Some(reason), ..Reaction::default() }
}

fn help() -> Reaction {
    let mut list = String::new();
    for Command { name, about, .. } in &COMMANDS {
        let _ = writeln!(list, "{name:<10} {about}");
    }
    text(&list)
}

/// What the kernel of a guest prints when it boots.
pub(super) fn kernel_messages(record: &Record) -> String {
    format!(
        "[    0.000000] Linux version {KERNEL_RELEASE} (simulated)\n\
         [    0.000000] Command line: {}\n",
        kernel_line(record)
    )
}

fn kernel_line(record: &Record) -> String {
    let image = record.config.image.as_ref();
    image.map(|image| image.args.to_string()).unwrap_or_default()
}

fn cat(seen: &Seen<'_>, paths: &[&str]) -> Reaction {
    let mut output = String::new();
    for path in paths {
        let written = seen.record.guest.system.files.get(*path);
        match (*path, written) {
            (_, Some(content)) => output.push_str(&String::from_utf8_lossy(&content.0)),
            ("/proc/cmdline", _) => {
                let _ = writeln!(output, "{}", kernel_line(seen.record));
            }
            ("/etc/hostname", _) => {
                let _ = writeln!(output, "{}", host_name(seen.record));
            }
            _ => {
                let _ = writeln!(output, "cat: {path}: No such file or directory");
            }
        }
    }
    text(&output)
}

fn ls(seen: &Seen<'_>, _: &[&str]) -> Reaction {
    let mut list = String::new();
    for (path, content) in &seen.record.guest.system.files {
        let _ = writeln!(list, "{:>8} {path}", content.0.len());
    }
    text(&list)
}

fn date(seen: &Seen<'_>, _: &[&str]) -> Reaction {
    let now = jiff::Timestamp::try_from(seen.now).unwrap_or_default();
    line(&now.strftime("%a %b %e %H:%M:%S UTC %Y").to_string())
}

fn dmesg(seen: &Seen<'_>, _: &[&str]) -> Reaction {
    text(&kernel_messages(seen.record))
}

fn free(seen: &Seen<'_>, _: &[&str]) -> Reaction {
    let total = seen.record.memory_at(seen.now);
    let used = total / 3;
    text(&format!(
        "{:>18} {:>11} {:>11}\nMem:   {total:>11} {used:>11} {:>11}\n",
        "total",
        "used",
        "free",
        total - used
    ))
}

fn nproc(seen: &Seen<'_>, _: &[&str]) -> Reaction {
    line(&seen.record.online_vcpus().count_ones().to_string())
}

fn ip(seen: &Seen<'_>, _: &[&str]) -> Reaction {
    let mut list = String::from("lo               UNKNOWN        127.0.0.1/8 ::1/128\n");
    let vifs = seen.record.config.devices.iter().filter_map(|device| match device {
        Device::Vif(vif) => Some(vif),
        _ => None,
    });
    for (number, vif) in vifs.enumerate() {
        let addresses = seen.record.guest.system.addresses_of(vif);
        let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        let _ = writeln!(list, "eth{number:<13} UP             {}", addresses.join(" "));
    }
    text(&list)
}

fn uname(seen: &Seen<'_>, options: &[&str]) -> Reaction {
    match options {
        [] => line("Linux"),
        ["-r"] => line(KERNEL_RELEASE),
        _ => {
            let host = host_name(seen.record);
            line(&format!("Linux {host} {KERNEL_RELEASE} x86_64 GNU/Linux"))
        }
    }
}

fn uptime(seen: &Seen<'_>, _: &[&str]) -> Reaction {
    let ran: Duration = seen.record.guest.run_time_at(seen.now);
    let minutes = ran.as_secs() / 60;
    line(&format!("up {}:{:02}, {} s", minutes / 60, minutes % 60, ran.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::super::settings::SimSettings;
    use super::super::testing::config;
    use super::*;
    use crate::core::model::{DomId, Uuid};
    use crate::core::op::Content;
    use std::time::UNIX_EPOCH;

    fn answer(line: &str) -> Reaction {
        let settings = SimSettings::default();
        let mut record =
            Record::new(DomId(7), Uuid::nil(), config("web", 64), UNIX_EPOCH, &settings);
        record.guest.paused = false;
        let files = &mut record.guest.system.files;
        files.insert("/etc/motd".to_owned(), Content(b"hello\n".to_vec()));
        let now = UNIX_EPOCH + Duration::from_secs(3700);
        run(line, &Seen { record: &record, user: "ann", now })
    }

    #[test]
    fn commands_answer() {
        for (command, output) in [
            ("", ""),
            ("echo a  b", "a b\n"),
            ("hostname", "web\n"),
            ("whoami", "ann\n"),
            ("uname", "Linux\n"),
            ("uname -a", "Linux web 6.1.0-sim x86_64 GNU/Linux\n"),
            ("nproc", "1\n"),
            ("uptime", "up 1:01, 3700 s\n"),
            ("date", "Thu Jan  1 01:01:40 UTC 1970\n"),
            ("cat /etc/motd /nosuch", "hello\ncat: /nosuch: No such file or directory\n"),
            ("cat /etc/hostname", "web\n"),
            ("ls", "       6 /etc/motd\n"),
            ("rm -rf /", "sh: rm: command not found\n"),
        ] {
            assert_eq!(answer(command).text, output, "{command}");
        }
        assert!(answer("free").text.contains("65536"));
        assert!(answer("ip a").text.starts_with("lo "));
        assert!(answer("dmesg").text.contains("Linux version"));
    }

    #[test]
    fn the_help_has_every_command_in_order() {
        let help = answer("help").text;
        assert_eq!(help.lines().count(), COMMANDS.len());
        assert!(COMMANDS.is_sorted_by_key(|command| command.name));
    }

    #[test]
    fn a_guest_can_be_stopped() {
        assert_eq!(answer("reboot now").stop, Some(ShutdownReason::Reboot));
        assert_eq!(answer("halt").stop, Some(ShutdownReason::Halt));
        assert!(answer("exit").logs_out && answer("logout").logs_out);
    }
}

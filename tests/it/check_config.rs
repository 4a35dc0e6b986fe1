//! `xend --check-config`: what a start would say is said before it.

use crate::tls_support::write_certificate;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A directory with a configuration.
struct Fixture {
    dir: TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The messages about a configuration, in which `DIR` is the directory. Each has a line of its
    /// own, and their numbers are those of the summary.
    fn check_with(&self, config: &[u8], arguments: &[&str]) -> Vec<String> {
        self.check_up_to(config, arguments, "")
    }

    /// The messages about a file with a value that keeps the daemon from starting.
    fn refused(&self, config: &[u8]) -> Vec<String> {
        let rest = "; files, directories and listeners are checked when the errors are mended";
        self.check_up_to(config, &["--unix", "a"], rest)
    }

    fn check_up_to(&self, config: &[u8], arguments: &[&str], rest: &str) -> Vec<String> {
        let file = self.path("config.sxp");
        fs::write(&file, config).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_xend"))
            .args(["--check-config", "--config", "config.sxp"])
            .args(
                (!arguments.contains(&"--state-dir"))
                    .then_some(["--state-dir", "state"])
                    .into_iter()
                    .flatten(),
            )
            .args(arguments)
            .current_dir(&self.dir)
            .env("HOME", self.dir.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let shown = self.dir.path().to_str().unwrap();
        let messages: Vec<_> = String::from_utf8(output.stderr)
            .unwrap()
            .lines()
            .map(|line| line.replace(shown, "DIR"))
            .collect();
        let counted = |kind: &str, noun: &str| match messages
            .iter()
            .filter(|message| message.starts_with(kind))
            .count()
        {
            0 => format!("no {noun}s"),
            1 => format!("1 {noun}"),
            many => format!("{many} {noun}s"),
        };
        let errors = counted("Error: ", "error");
        let warnings = counted("Warning: ", "warning");
        let summary = format!("config.sxp: {errors}, {warnings}{rest}\n");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), summary, "{messages:?}");
        let status = i32::from(errors != "no errors");
        assert_eq!(output.status.code(), Some(status), "{messages:?}");
        messages
    }

    fn check(&self, config: &str) -> Vec<String> {
        let config = config.replace("DIR", self.dir.path().to_str().unwrap());
        self.check_with(config.as_bytes(), &["--unix", "xend-socket"])
    }

    /// The only message.
    fn only(&self, config: &str) -> String {
        let messages = self.check(config);
        let [message] = messages.as_slice() else { panic!("{config}: {messages:?}") };
        message.clone()
    }
}

#[test]
fn a_port_or_path_of_two_listeners_is_an_error() {
    let fixture = Fixture::new();
    assert_eq!(
        fixture.only("(xend-tcp-xmlrpc-server yes)\n(xend-tcp-xmlrpc-server-port 8000)"),
        "Error: config.sxp:2:1: XML-RPC on 127.0.0.1:8000 is not served: HTTP on 127.0.0.1:8000 \
         has the same port, choose another one, see xend-tcp-xmlrpc-server-port"
    );
    let message = fixture
        .only("(xend-metrics-server yes) (xend-relocation-server yes) (xend-relocation-port 8007)");
    assert!(
        message.starts_with(
            "Error: config.sxp:1:56: The relocation server on 0.0.0.0:8007 is not served: Metrics \
             on 127.0.0.1:8007 has the same port"
        ),
        "{message}"
    );
    let taken = ["--unix", "a", "--xmlrpc", "a"];
    let messages = fixture.check_with(b"", &taken);
    let wanted = "Error: XML-RPC on a is not served: HTTP on a has the same path, choose another \
                  one, see xend-unix-xmlrpc-server";
    assert_eq!(messages, [wanted]);
    assert!(fixture.check("(xend-metrics-server yes) (argo-server yes)").len() == 1, "no accounts");
}

#[test]
fn an_address_that_this_machine_does_not_have_is_a_warning() {
    let fixture = Fixture::new();
    let advice = "is not served as long as no interface of this machine has 203.0.113.77: ip -br \
                  address lists what they have";
    let config = "(xend-metrics-server yes)\n(xend-metrics-address 203.0.113.77)";
    let wanted = format!(
        "Warning: config.sxp:2:1: Metrics on 203.0.113.77:8007 {advice}, see xend-metrics-address"
    );
    assert_eq!(fixture.only(config), wanted);
    let messages = fixture.check(
        "(xend-relocation-ssl-server yes) (xend-relocation-server yes)\n\
         (xend-relocation-address 203.0.113.77)",
    );
    assert!(messages.iter().any(|message| message.contains(advice)), "{messages:?}");
}

#[test]
fn a_listener_without_a_login_is_a_warning() {
    let fixture = Fixture::new();
    for (config, listener, advice) in [
        ("(xend-address '')", "HTTP on 0.0.0.0:8000", "(xend-http-auth users)"),
        ("(xend-address '::')", "HTTP on [::]:8000", "(xend-address localhost)"),
        (
            "(xend-access-without-password yes) (xen-api-server ((9363 none)))",
            "the Xen-API on 0.0.0.0:9363",
            "password or users",
        ),
        (
            "(xend-access-without-password yes) (xend-tcp-xmlrpc-server yes) \
             (xend-tcp-xmlrpc-server-address '')",
            "XML-RPC on 0.0.0.0:8006",
            "(xend-tcp-xmlrpc-server-auth users)",
        ),
    ] {
        let message = fixture.only(config);
        let wanted = format!(
            "Whoever can connect to {listener} controls every domain without a password: write "
        );
        assert!(message.starts_with("Warning: config.sxp:1:"), "{message}");
        assert!(message.contains(&wanted) && message.contains(advice), "{message}");
    }
    assert!(
        fixture
            .only("(xend-relocation-server yes) (xend-relocation-hosts-allow '')")
            .contains("Every host may send domains to 0.0.0.0:8002: xend-relocation-hosts-allow")
    );
    // Named hosts, this machine, and figures that change nothing.
    for config in [
        "(xend-access-without-password yes) (xen-api-server ((9363 none '^192\\\\.0\\\\.2\\\\.')))",
        "(xend-metrics-server yes) (xend-metrics-address '')",
        "(xend-tcp-xmlrpc-server yes)",
    ] {
        assert_eq!(fixture.check(config), [""; 0], "{config}");
    }
    let messages = fixture.check_with(b"", &["--unix", "off", "--http", "0.0.0.0:8000"]);
    assert!(messages[0].starts_with("Warning: Whoever can connect to HTTP on "), "{messages:?}");
}

#[test]
fn files_of_logins_and_keys_are_read() {
    let fixture = Fixture::new();
    let users = "(xend-users-file users.sxp)";
    assert!(
        fixture.only(users).starts_with(
            "Warning: config.sxp:1:1: xend-users-file: there are no accounts, so that"
        )
    );
    let with_login = "(xend-users-file users.sxp) (xend-http-auth users)";
    assert_eq!(
        fixture.only(with_login),
        "Warning: config.sxp:1:1: Nobody can log in: there are no accounts in users.sxp, see xend \
         user add"
    );
    fs::create_dir(fixture.path("users.sxp")).unwrap();
    assert_eq!(fixture.only(users), "Error: users.sxp: is no file");
    fs::remove_dir(fixture.path("users.sxp")).unwrap();
    symlink("nowhere", fixture.path("users.sxp")).unwrap();
    assert_eq!(fixture.only(users), "Error: users.sxp: is a link that leads nowhere");

    let password = "(xen-api-server ((127.0.0.1:9363 password)))";
    let said = "Nobody can log in to the Xen-API: DIR/state/passwords: ";
    let missing = format!("Warning: {said}there are no users, xend password USER prints a line");
    assert!(fixture.only(password).starts_with(&missing));
    fs::create_dir(fixture.path("state")).unwrap();
    fs::write(fixture.path("state/passwords"), "a:b").unwrap();
    fs::set_permissions(fixture.path("state/passwords"), fs::Permissions::from_mode(0o644))
        .unwrap();
    assert!(fixture.only(password).ends_with("run chmod 600"));
    fs::set_permissions(fixture.path("state/passwords"), fs::Permissions::from_mode(0o600))
        .unwrap();
    assert_eq!(fixture.check(password), [""; 0]);

    // A listener of the command line has the keys of the file.
    let keys = b"(xend-http-key key) (xend-http-cert cert)";
    let arguments = ["--unix", "off", "--http", "127.0.0.1:0"];
    let messages = fixture.check_with(keys, &arguments);
    let wanted = "Error: HTTP on 127.0.0.1:0 is not served: Cannot use cert: ";
    assert!(messages.len() == 1 && messages[0].starts_with(wanted), "{messages:?}");
    write_certificate(fixture.dir.path());
    assert_eq!(fixture.check_with(keys, &arguments), [""; 0]);
    fs::write(fixture.path("key"), "").unwrap();
    let messages = fixture.check_with(keys, &arguments);
    assert!(messages[0].contains("Cannot use key: "), "{messages:?}");
    let sending = "(xend-relocation-server-ssl-key-file key) (xend-relocation-ssl-ca-file cert) \
                   (xend-relocation-server-ssl-cert-file cert)";
    let message = fixture.only(sending);
    let wanted = "Error: config.sxp:1:1: Domains are not sent over encrypted connections: ";
    assert!(message.starts_with(wanted), "{message}");
}

#[test]
fn directories_and_paths_are_looked_at() {
    let fixture = Fixture::new();
    fs::write(fixture.path("file"), "").unwrap();
    let long = "d".repeat(120);
    for (config, wanted) in [
        ("(xend-storage-path DIR/file/x)", "Warning: config.sxp:1:1: DIR/file/x cannot be used: "),
        ("(logfile DIR)", "Warning: config.sxp:1:1: logfile: "),
        ("(logfile DIR/file/log)", "Warning: config.sxp:1:1: logfile: "),
    ] {
        let message = fixture.only(config);
        assert!(message.starts_with(wanted), "{message}");
    }
    for (socket, wanted) in [
        ("file", "HTTP on file is not served: file is not a socket: move it away"),
        ("file/a", "HTTP on file/a is not served: Cannot use the directory file: "),
        (long.as_str(), "Cannot bind the socket "),
    ] {
        let messages = fixture.check_with(b"", &["--unix", socket]);
        assert!(messages.len() == 1 && messages[0].starts_with("Error: "), "{messages:?}");
        assert!(messages[0].contains(wanted), "{messages:?}");
    }
    fs::write(fixture.path("state"), "").unwrap();
    let messages = fixture.check_with(b"", &["--unix", "a"]);
    let wanted = "Error: DIR/state cannot be used: ";
    assert!(messages.len() == 1 && messages[0].starts_with(wanted), "{messages:?}");
}

#[test]
fn a_file_in_latin_1_is_read_and_its_mistakes_have_a_place() {
    let fixture = Fixture::new();
    let check = |text: &[u8]| fixture.check_with(text, &["--unix", "a"]);
    let accepted = b"# Gr\xfc\xdfe\n(vncpasswd 'gr\xfcn') (xend-domain-files '/srv/b\xfccher')";
    assert_eq!(check(accepted), [""; 0]);
    let advice = "the value is not UTF-8: convert the file, as iconv -f LATIN1 -t UTF-8 does";
    assert_eq!(
        check(b"# a\n  (xend-unix-group 'b\xfccher')"),
        [format!("Error: config.sxp:2:20: xend-unix-group: {advice}: the default is used, none")]
    );
    assert_eq!(
        check(b"('gr\xfcn' 1)"),
        ["Warning: config.sxp:1:1: Unknown key gr\\xfcn is ignored"]
    );
    for (text, wanted) in [
        (&b"(keymap d\xfc)\n(keymap \xfc)"[..], "2:9: invalid character: code 252: put a value"),
        (
            b"\xef\xbb\xbf(keymap de)",
            "1:1: invalid character: code 239: the file begins with a byte",
        ),
        (b"\xff\xfe(\0k\0", "1:1: invalid character: code 255: the file is UTF-16, save it"),
    ] {
        let messages = fixture.refused(text);
        let [message] = messages.as_slice() else { panic!("{messages:?}") };
        assert!(message.starts_with(&format!("Error: config.sxp:{wanted}")), "{message}");
    }
}

#[test]
fn all_mistakes_of_a_file_are_said_at_once() {
    let fixture = Fixture::new();
    let messages = fixture.refused(
        b"(sim-cpus 0) (xend-port 80o0) (xend-http-auth user)\n(xend-http-key k) (loglevle info)",
    );
    let places: Vec<_> = messages.iter().map(|message| &message[..24]).collect();
    let wanted = [
        "Error: config.sxp:1:11: ",
        "Error: config.sxp:1:47: ",
        "Warning: config.sxp:2:19",
        "Error: config.sxp:1:25: ",
    ];
    assert_eq!(places, wanted, "{messages:?}");
    assert!(messages[3].ends_with("HTTP over TCP is not served"), "{messages:?}");
    // What belongs together is looked at when its parts are right.
    let half = fixture.refused(b"(xend-http-key k)");
    assert!(half.len() == 1 && half[0].contains("belong together"), "{half:?}");
}

#[test]
fn what_lets_every_user_of_the_machine_in_is_a_warning() {
    let fixture = Fixture::new();
    let all = "every user of this machine controls every domain: ";
    let socket = fixture.only("(xend-unix-mode 0666)");
    let wanted =
        format!("Warning: config.sxp:1:1: xend-unix-mode: {all}write (xend-unix-mode 0660)");
    assert!(socket.starts_with(&wanted), "{socket}");
    let loopback = fixture.only("(xend-http-trust-loopback yes)");
    let wanted = format!("Warning: config.sxp:1:1: xend-http-trust-loopback: {all}");
    assert!(loopback.starts_with(&wanted), "{loopback}");
    for fine in [
        "(xend-unix-mode 0660)",
        "(xend-unix-mode 0664)",
        // Nobody can connect.
        "(xend-http-trust-loopback yes) (xend-http-server no)",
    ] {
        assert_eq!(fixture.check(fine), [""; 0], "{fine}");
    }
    // With accounts, the kernel tells who connects.
    let with_accounts = "(xend-users-file DIR/users.sxp) (xend-unix-mode 0666)";
    let messages = fixture.check(with_accounts);
    assert!(
        messages.iter().all(|message| !message.contains("xend-unix-mode: every")),
        "{messages:?}"
    );
}

#[test]
fn directories_above_the_state_directory_are_not_made() {
    let fixture = Fixture::new();
    let messages = fixture.check_with(b"", &["--unix", "a", "--state-dir", "x/y/state"]);
    let wanted = "the directory DIR/x is missing, make it first";
    let [message] = messages.as_slice() else { panic!("{messages:?}") };
    assert!(message.starts_with("Error: DIR/x/y/state cannot be used") && message.contains(wanted));
}

/// The words of clap, which knows options and commands apart, are not those of an operator.
#[test]
fn an_option_beside_a_command_says_what_to_type() {
    for (arguments, command) in [
        (&["--check-config", "start"][..], "start"),
        (&["--http", "127.0.0.1:0", "check", "a"][..], "check"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_xend")).args(arguments).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        let option = arguments[0];
        let wanted = format!(
            "{option} is an option of the daemon, which has no command: leave out {option} or {command}"
        );
        assert!(stderr.contains(&wanted), "{stderr}");
    }
}

#[test]
fn a_misspelt_log_level_is_refused() {
    let fixture = Fixture::new();
    let level = fixture.refused(b"(loglevel debgu)");
    assert!(level[0].ends_with(", did you mean DEBUG?"), "{level:?}");
    for (level, wanted) in [
        ("verbose", "'verbose' is not a level (off, error, warn, info, debug, trace)"),
        ("debgu", "did you mean debug?"),
    ] {
        let mut xend = Command::new(env!("CARGO_BIN_EXE_xend"));
        let output = xend.args(["--check-config", "--log", level]).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(wanted), "{stderr}");
    }
}

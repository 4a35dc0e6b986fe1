//! The console of a guest over a WebSocket: viewers, what they type, who may, and how it ends.

use crate::http_accounts_support::{AccountsHost, account, root};
use crate::http_support::{Daemon, guest};
use crate::websocket_support::{self, tcp, unix};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use tokio::task::block_in_place;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};
use xend::core::caller::Caller;
use xend::core::model::DomainRef;
use xend::core::op::{Change, DomainOp};
use xend::core::rights::Right;

/// A viewer of a console.
struct Viewer<S> {
    socket: WebSocket<S>,
    /// The output so far.
    seen: String,
}

impl<S: Read + Write> Viewer<S> {
    /// Opens the console; the status and the body of a refusal.
    fn open(
        stream: S,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, (u16, String)> {
        let socket = websocket_support::open(stream, path, headers)?;
        Ok(Self { socket, seen: String::new() })
    }

    fn type_keys(&mut self, keys: &str) {
        self.socket.send(Message::binary(keys.as_bytes().to_vec())).unwrap();
    }

    /// Reads until the output has this, and forgets it.
    fn expect(&mut self, text: &str) {
        loop {
            if let Some(at) = self.seen.find(text) {
                self.seen.drain(..at + text.len());
                return;
            }
            match self.socket.read().unwrap() {
                Message::Binary(output) => self.seen.push_str(&String::from_utf8_lossy(&output)),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?} after {:?}", self.seen),
            }
        }
    }

    fn closed(&mut self) -> (CloseCode, String) {
        websocket_support::closed(&mut self.socket)
    }
}

fn on_socket(daemon: &Daemon, path: &str) -> Viewer<UnixStream> {
    Viewer::open(unix(daemon), path, &[]).unwrap()
}

fn running(name: &str, options: &[&str]) -> Daemon {
    let daemon = Daemon::start(options);
    assert_eq!(daemon.create(&guest(name, "")).code, 201);
    daemon.post(&format!("/xend/domain/{name}"), "op=unpause");
    daemon
}

const CONSOLE: &str = "/xend/domain/web/console";

#[test]
fn viewers_log_in_and_see_what_the_others_type() {
    let daemon = running("web", &[]);
    let mut first = Viewer::open(tcp(daemon.tcp), CONSOLE, &[]).unwrap();
    first.expect("web login: ");
    first.type_keys("root\r");
    first.expect("root@web:~# ");
    let mut second = on_socket(&daemon, CONSOLE);
    second.expect("web login: root\r\n");
    second.expect("root@web:~# ");
    second.socket.send(Message::text("echo from the second\r")).unwrap();
    for viewer in [&mut first.seen, &mut second.seen] {
        viewer.clear();
    }
    first.expect("\r\nfrom the second\r\n");
    second.expect("\r\nfrom the second\r\n");
    drop(first);
    second.type_keys("hostname\r");
    second.expect("\r\nweb\r\n");

    // Without a WebSocket it is the end of the output, as ever.
    let text = daemon.get(CONSOLE).text();
    assert!(text.contains("from the second") && text.ends_with("root@web:~# "), "{text}");
    // One who comes later gets all of it once.
    drop(second);
    let mut third =
        on_socket(&daemon, &format!("/xend/domain/{}/console", daemon.value("web", "uuid")));
    third.type_keys("echo 1\r");
    third.expect("from the second\r\n");
    third.expect("\r\nweb\r\nroot@web:~# echo 1\r\n1\r\n");
}

#[test]
fn a_console_ends_with_its_domain() {
    let daemon = running("web", &[]);
    let mut console = on_socket(&daemon, CONSOLE);
    console.expect("login: ");
    console.type_keys("root\rpoweroff\r");
    console.expect("reboot: System poweroff");
    let (code, reason) = console.closed();
    assert_eq!(code, CloseCode::Normal, "{reason}");
    daemon.until("the domain is gone", |daemon| daemon.domain("web").is_none());

    assert_eq!(daemon.create(&guest("web", "")).code, 201);
    let mut console = on_socket(&daemon, CONSOLE);
    // A paused guest has not printed anything, and what is typed waits for it.
    console.type_keys("ann\r");
    daemon.post("/xend/domain/web", "op=unpause");
    console.expect("ann@web:~$ ");
    daemon.post("/xend/domain/web", "op=destroy");
    assert_eq!(console.closed().0, CloseCode::Normal);
}

#[test]
fn a_console_outlives_the_time_limit_of_requests_and_ends_with_the_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("xend-config.sxp");
    std::fs::write(&config, "(xend-request-timeout 1)\n").unwrap();
    let daemon = Daemon::start_with_config(dir, &config, &[]);
    assert_eq!(daemon.create(&guest("web", "")).code, 201);
    daemon.post("/xend/domain/web", "op=unpause");
    let mut console = Viewer::open(tcp(daemon.tcp), CONSOLE, &[]).unwrap();
    console.expect("login: ");
    std::thread::sleep(std::time::Duration::from_millis(1500));
    console.type_keys("root\r");
    console.expect("root@web:~# ");
    let end = std::thread::spawn(move || console.closed());
    let (status, _dir) = daemon.end(Signal::TERM);
    assert!(status.success(), "{status}");
    assert_eq!(end.join().unwrap(), (CloseCode::Away, "xend stops".to_owned()));
}

#[test]
fn what_cannot_be_opened_says_why() {
    let daemon = running("web", &[]);
    let refused = |path: &str, headers: &[(&'static str, &str)]| {
        Viewer::open(tcp(daemon.tcp), path, headers).map(drop).unwrap_err()
    };
    let (code, text) = refused("/xend/domain/nosuch/console", &[]);
    assert!(code == 404 && text.contains("nosuch"), "{code} {text}");
    let (code, text) = refused("/xend/domain/0/console", &[("accept", "application/json")]);
    assert!(code == 403 && text.contains("privileged domain 0"), "{code} {text}");
    let (code, text) = refused(CONSOLE, &[("sec-websocket-version", "12")]);
    assert!(code == 426 && text.contains("version 13 is expected"), "{code} {text}");
    daemon.post(
        "/xend/domain",
        "op=new&config=(vm (name parked) (memory 32) (image (linux (kernel /k))))",
    );
    assert_eq!(refused("/xend/domain/parked/console", &[]).0, 500);

    // A foreign page in the browser of somebody here.
    for (header, value) in [
        ("origin", "http://evil.example"),
        ("sec-fetch-site", "cross-site"),
        ("host", "evil.example"),
    ] {
        assert_eq!(refused(CONSOLE, &[(header, value)]).0, 403, "{header}");
    }
    let own = format!("http://{}", daemon.tcp);
    let host = daemon.tcp.to_string();
    Viewer::open(tcp(daemon.tcp), CONSOLE, &[("origin", &own), ("host", &host)]).unwrap();
}

#[test]
fn input_that_is_no_websocket_or_too_long_costs_one_connection() {
    let daemon = running("web", &[]);
    let mut good = on_socket(&daemon, CONSOLE);
    good.expect("login: ");
    let mut leaving = on_socket(&daemon, CONSOLE);
    leaving.socket.close(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() })).unwrap();
    assert_eq!(leaving.closed().0, CloseCode::Normal, "the answer");
    for (sent, code) in [
        // A frame of 64 KiB and one byte, masked.
        (&[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0][..], CloseCode::Size),
        (&[0xff; 64], CloseCode::Protocol),
        (&[0x81, 0x81, 0, 0, 0, 0, 0xff], CloseCode::Invalid),
        (b"GET / HTTP/1.1\r\n\r\n", CloseCode::Protocol),
    ] {
        let mut broken = on_socket(&daemon, CONSOLE);
        broken.socket.get_mut().write_all(sent).unwrap();
        assert_eq!(broken.closed().0, code, "{sent:x?}");
    }
    // Much that fits is cut by the guest, not by the daemon.
    good.type_keys(&"y".repeat(60_000));
    good.type_keys("\x15root\r");
    good.expect("web:~# ");
}

#[test]
fn a_viewer_that_does_not_read_keeps_nobody_waiting() {
    let daemon = running("web", &[]);
    let mut slow = on_socket(&daemon, CONSOLE);
    slow.expect("login: ");
    let mut quick = on_socket(&daemon, CONSOLE);
    quick.type_keys("root\r");
    quick.expect("root@web:~# ");
    for _ in 0..1500 {
        quick.type_keys("help\r");
        quick.expect("root@web:~# ");
    }
    assert_eq!(slow.closed().0, CloseCode::Again);
    // It comes back to the end of the output.
    let mut again = on_socket(&daemon, CONSOLE);
    again.expect("print the user\r\nroot@web:~# ");
}

#[test]
fn viewers_have_a_bound() {
    let daemon = running("web", &[]);
    let mut viewers: Vec<_> = (0..100).map(|_| on_socket(&daemon, CONSOLE)).collect();
    let (code, text) = Viewer::open(unix(&daemon), CONSOLE, &[]).map(drop).unwrap_err();
    assert_eq!((code, text.as_str()), (503, "There are 100 consoles already, try again later"));
    viewers[99].expect("login: ");
    viewers[0].type_keys("root\r");
    for viewer in &mut viewers {
        viewer.expect("root@web:~# ");
    }
    viewers.clear();
    daemon.until("there is room again", |daemon| Viewer::open(unix(daemon), CONSOLE, &[]).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_to_the_console_is_needed_as_long_as_it_is_open() {
    let host = AccountsHost::start().await;
    let with =
        |rights: &[Right]| host.accounts.replace(vec![account("steve", "a", rights), root()], None);
    let address = host.users.address;
    let open = |domain: &str, headers: &[(&'static str, &str)]| {
        let path = format!("/xend/domain/{domain}/console");
        block_in_place(|| Viewer::open(tcp(address), &path, headers))
    };
    let steve = [("x-user", "steve")];
    let (code, text) = open("lj", &steve).map(drop).unwrap_err();
    assert!(code == 500 && text.contains("console needs the right console on lj"), "{code} {text}");
    assert_eq!(open("secret", &steve).map(drop).unwrap_err().0, 404);
    assert_eq!(open("lj", &[]).map(drop).unwrap_err().0, 401, "nobody");

    with(&[Right::Console]);
    let mut console = open("lj", &steve).unwrap();
    block_in_place(|| console.expect("login: "));
    with(&[Right::Power]);
    let (code, reason) = block_in_place(|| console.closed());
    assert_eq!(
        (code, reason.as_str()),
        (CloseCode::Policy, "You may not use this console any more")
    );

    // The account is gone.
    with(&[Right::Console]);
    let mut console = open("lj", &steve).unwrap();
    host.accounts.replace(vec![root()], None);
    assert_eq!(block_in_place(|| console.closed()).0, CloseCode::Policy);

    // The session is over. A cookie alone opens nothing: a foreign page could have sent it.
    with(&[Right::Console]);
    let cookie = host.log_in("steve");
    let cookie = cookie.trim_end().strip_prefix("Cookie: ").unwrap();
    assert_eq!(open("lj", &[("cookie", cookie)]).map(drop).unwrap_err().0, 403);
    let page = [("cookie", cookie), ("origin", "http://localhost")];
    let mut console = open("lj", &page).unwrap();
    block_in_place(|| console.expect("login: "));
    let cookie = format!("Cookie: {cookie}\r\nOrigin: http://localhost\r\n");
    host.post("/xend/logout", &cookie, "");
    assert_eq!(block_in_place(|| console.closed()).0, CloseCode::Policy);

    // A user has fewer places than the operators, and a domain that is destroyed ends them all.
    let mut viewers: Vec<_> = (0..10).map(|_| open("lj", &steve).unwrap()).collect();
    assert_eq!(open("lj", &steve).map(drop).unwrap_err().0, 503);
    let operator = open("lj", &[("x-user", "root")]).unwrap();
    let change = Change::Domain(DomainRef::new("lj"), DomainOp::Destroy);
    host.engine.execute(&Caller::internal(), change).await.unwrap();
    viewers.push(operator);
    for viewer in &mut viewers {
        assert_eq!(block_in_place(|| viewer.closed()).0, CloseCode::Normal);
    }
}

//! The screen of a guest over a WebSocket: RFB, who may, and how it ends.

use crate::http_accounts_support::{AccountsHost, account, root};
use crate::http_support::{Daemon, Listener, ask, encoded, guest};
use crate::rights_support::device;
use crate::sim_support::{config, with_devices};
use crate::websocket_support::{self, tcp, unix};
use rustix::process::Signal;
use std::io::{Read, Write};
use tokio::task::block_in_place;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};
use xend::core::caller::Caller;
use xend::core::op::{Change, DomainOp};
use xend::core::rights::Right;

const SCREEN: &str = "/xend/domain/web/screen";
/// A frame buffer with a password.
const FRAME_BUFFER: &str = "(device (vfb (vnc 1) (vncpasswd geheim)))";

const WIDTH: usize = 320;
const HEIGHT: usize = 200;

/// A viewer of a screen, which knows no password.
struct Viewer<S> {
    socket: WebSocket<S>,
    received: Vec<u8>,
}

impl<S: Read + Write> Viewer<S> {
    /// Opens the screen and plays the handshake; the status and the body of a refusal.
    fn open(
        stream: S,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, (u16, String)> {
        let socket = websocket_support::open(stream, path, headers)?;
        let mut viewer = Self { socket, received: Vec::new() };
        assert_eq!(viewer.hear(12), b"RFB 003.008\n");
        viewer.say(b"RFB 003.008\n");
        assert_eq!(viewer.hear(2), [1, 1], "no password");
        viewer.say(&[1]);
        assert_eq!(viewer.hear(4), [0; 4]);
        viewer.greet();
        Ok(viewer)
    }

    /// The messages after the handshake.
    fn greet(&mut self) {
        self.say(&[1]);
        let init = self.hear(20);
        assert_eq!(init[..4], [1, 64, 0, 200]);
        let length = self.hear(4);
        let name = self.hear(length[3].into());
        assert!(["web", "one.screen"].contains(&std::str::from_utf8(&name).unwrap()));
    }

    fn say(&mut self, bytes: &[u8]) {
        self.socket.send(Message::binary(bytes.to_vec())).unwrap();
    }

    fn hear(&mut self, count: usize) -> Vec<u8> {
        while self.received.len() < count {
            match self.socket.read().unwrap() {
                Message::Binary(bytes) => self.received.extend(bytes),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
        self.received.drain(..count).collect()
    }

    /// Asks for the whole screen, or for what changes. Returns the pixels of the first part, of 4
    /// bytes.
    fn pixels(&mut self, is_incremental: bool) -> Vec<u8> {
        self.say(&[3, is_incremental.into(), 0, 0, 0, 0, 1, 64, 0, 200]);
        let update = self.hear(4);
        assert_eq!(update[..2], [0, 0]);
        let part = self.hear(12);
        let number = |at: usize| usize::from(u16::from_be_bytes([part[at], part[at + 1]]));
        self.hear(number(4) * number(6) * 4)
    }

    fn press_a_key(&mut self) {
        self.say(&[4, 1, 0, 0, 0, 0, 0, 97, 4, 0, 0, 0, 0, 0, 0, 97]);
    }

    fn closed(&mut self) -> (CloseCode, String) {
        websocket_support::closed(&mut self.socket)
    }
}

/// The pixel of a whole screen.
fn at(pixels: &[u8], x: usize, y: usize) -> &[u8] {
    &pixels[(y * WIDTH + x) * 4..][..4]
}

const YELLOW: [u8; 4] = [0, 255, 255, 0];

fn running() -> Daemon {
    let daemon = Daemon::start(&[]);
    assert_eq!(daemon.create(&guest("web", FRAME_BUFFER)).code, 201);
    daemon.post("/xend/domain/web", "op=unpause");
    daemon
}

#[test]
fn a_viewer_sees_and_uses_the_screen_without_its_password() {
    let daemon = running();
    let mut first = Viewer::open(tcp(daemon.tcp), SCREEN, &[]).unwrap();
    let before = first.pixels(false);
    assert_eq!(before.len(), WIDTH * HEIGHT * 4);
    assert_eq!(at(&before, 60, 50), YELLOW);
    first.press_a_key();
    let bar = first.pixels(true);
    assert_eq!(bar.len(), WIDTH * 20 * 4, "the bar of the keys");
    // Another one, by UUID and on the socket, sees it as well.
    let uuid = daemon.value("web", "uuid");
    let path = format!("/xend/domain/{uuid}/screen");
    let mut second = Viewer::open(unix(&daemon), &path, &[]).unwrap();
    let after = second.pixels(false);
    assert_ne!(at(&before, 4, 190), at(&after, 4, 190));
    assert_eq!(at(&after, 60, 50), YELLOW);
    second.press_a_key();
    assert_ne!(first.pixels(true), bar);
}

#[test]
fn older_clients_come_in_and_others_do_not() {
    let daemon = running();
    for (version, offer) in [("003.003", &[0, 0, 0, 1][..]), ("003.007", &[1, 1])] {
        let headers = [("sec-websocket-protocol", "binary")];
        let socket = websocket_support::open(unix(&daemon), SCREEN, &headers).unwrap();
        let mut viewer = Viewer { socket, received: Vec::new() };
        assert_eq!(viewer.hear(12), b"RFB 003.008\n");
        viewer.say(format!("RFB {version}\n").as_bytes());
        assert_eq!(viewer.hear(offer.len()), offer, "{version}");
        if version == "003.007" {
            viewer.say(&[1]);
        }
        viewer.greet();
        assert_eq!(at(&viewer.pixels(false), 60, 50), YELLOW);
    }
    let mut other = websocket_support::open(unix(&daemon), SCREEN, &[]).unwrap();
    other.send(Message::text("Is anybody there?")).unwrap();
    let (code, reason) = websocket_support::closed(&mut other);
    assert_eq!((code, reason.as_str()), (CloseCode::Protocol, "The client does not speak RFB"));
    // What the guest does not understand ends the connection, as with a real one.
    let mut broken = Viewer::open(unix(&daemon), SCREEN, &[]).unwrap();
    broken.say(&[255; 64]);
    assert_eq!(broken.closed().0, CloseCode::Normal);
}

#[test]
fn the_page_has_the_address_and_no_password() {
    let daemon = running();
    let answer = daemon.get(SCREEN);
    assert_eq!((answer.code, answer.text().as_str()), (200, "127.0.0.1:5900"));
    let browse = |path: &str| {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Mozilla/5.0\r\nAccept: text/html\r\n\
             Connection: close\r\n\r\n"
        );
        ask(&Listener::Tcp(daemon.tcp), request.as_bytes())
    };
    let page = browse(SCREEN);
    let text = page.text();
    assert!(text.contains("127.0.0.1:5900") && !text.contains("geheim"), "{text}");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("img-src 'self' data:;"), "{policy}");
    assert!(browse("/xend/domain/web").text().contains("href=\"/xend/domain/web/screen\""));
    let console = browse("/xend/domain/web/console");
    assert!(!console.header("content-security-policy").unwrap().contains("data:"));

    // The script, and what it imports.
    let script = text.split('"').find(|part| part.ends_with("/screen.js")).unwrap();
    assert_eq!(browse(script).code, 200);
    let module = script.replace("screen.js", "novnc/core/rfb.js");
    assert!(browse(&module).text().contains("class RFB"));
    for path in ["novnc/core", "novnc/../style.css", "novnc/LICENSE.txt"] {
        assert_eq!(browse(&script.replace("screen.js", path)).code, 404, "{path}");
    }
}

#[test]
fn what_cannot_be_opened_says_why() {
    let daemon = running();
    daemon.create(&guest("blind", ""));
    let config = guest("parked", FRAME_BUFFER);
    daemon.post("/xend/domain", &format!("op=new&config={}", encoded(&config)));
    let refused = |path: &str, headers: &[(&'static str, &str)]| {
        websocket_support::open(tcp(daemon.tcp), path, headers).map(drop).unwrap_err()
    };
    for (domain, code, reason) in [
        ("nosuch", 404, "No such domain nosuch"),
        ("blind", 500, "The domain has no screen"),
        ("parked", 500, "parked"),
        ("0", 500, "open the screen of"),
    ] {
        let path = format!("/xend/domain/{domain}/screen");
        let (status, text) = refused(&path, &[]);
        assert!(status == code && text.contains(reason), "{status} {text}");
        let answer = daemon.get(&path);
        assert!(answer.code == code && answer.text().contains(reason), "{answer:?}");
    }
    let (code, text) = refused("/xend/domain/blind/screen", &[("accept", "application/json")]);
    assert!(code == 501 && text.contains("vfb"), "{code} {text}");
    // A foreign page in the browser of somebody here.
    for (header, value) in [
        ("origin", "http://evil.example"),
        ("sec-fetch-site", "cross-site"),
        ("host", "evil.example"),
    ] {
        assert_eq!(refused(SCREEN, &[(header, value)]).0, 403, "{header}");
    }
}

#[test]
fn a_screen_ends_with_its_domain_and_with_the_daemon() {
    let daemon = running();
    let mut viewer = Viewer::open(unix(&daemon), SCREEN, &[]).unwrap();
    viewer.pixels(false);
    daemon.post("/xend/domain/web", "op=destroy");
    let (code, reason) = viewer.closed();
    assert_eq!(
        (code, reason.as_str()),
        (CloseCode::Normal, "The screen is closed: the domain is gone")
    );
    assert_eq!(daemon.create(&guest("web", FRAME_BUFFER)).code, 201);
    let mut viewer = Viewer::open(unix(&daemon), SCREEN, &[]).unwrap();
    viewer.pixels(false);
    let end = std::thread::spawn(move || viewer.closed());
    let (status, _dir) = daemon.end(Signal::TERM);
    assert!(status.success(), "{status}");
    assert_eq!(end.join().unwrap(), (CloseCode::Away, "xend stops".to_owned()));
}

#[test]
fn viewers_have_a_bound_and_keep_nobody_waiting() {
    let daemon = running();
    let mut viewers: Vec<_> =
        (0..100).map(|_| Viewer::open(unix(&daemon), SCREEN, &[]).unwrap()).collect();
    let (code, text) = websocket_support::open(unix(&daemon), SCREEN, &[]).map(drop).unwrap_err();
    assert_eq!((code, text.as_str()), (503, "There are 100 screens already, try again later"));
    // One that asks for much and reads nothing.
    for _ in 0..20 {
        viewers[0].say(&[3, 0, 0, 0, 0, 0, 1, 64, 0, 200]);
    }
    viewers[1].press_a_key();
    assert_eq!(viewers[99].pixels(false).len(), WIDTH * HEIGHT * 4);
    viewers.clear();
    daemon.until("there is room again", |daemon| {
        websocket_support::open(unix(daemon), SCREEN, &[]).is_ok()
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_to_the_console_is_needed_as_long_as_the_screen_is_open() {
    let host = AccountsHost::start().await;
    let screen = with_devices(config("one.screen", 80), [device("(vfb (vnc 1))")]);
    host.engine.execute(&Caller::internal(), Change::Create(Box::new(screen))).await.unwrap();
    let with =
        |rights: &[Right]| host.accounts.replace(vec![account("steve", "a", rights), root()], None);
    let address = host.users.address;
    let path = "/xend/domain/one.screen/screen";
    let open = |headers: &[(&'static str, &str)]| {
        block_in_place(|| Viewer::open(tcp(address), path, headers))
    };
    let steve = [("x-user", "steve")];
    let needed = "screen needs the right console on one.screen";
    let (code, text) = open(&steve).map(drop).unwrap_err();
    assert!(code == 500 && text.contains(needed), "{code} {text}");
    let page = block_in_place(|| host.get(path, "X-User: steve\r\n"));
    assert!(page.code == 500 && page.text().contains(needed), "{page:?}");
    assert_eq!(open(&[]).map(drop).unwrap_err().0, 401, "nobody");

    with(&[Right::Console]);
    let page = block_in_place(|| host.get(path, "X-User: steve\r\n"));
    assert_eq!(page.text(), "127.0.0.1:5900");
    let mut viewer = open(&steve).unwrap();
    block_in_place(|| viewer.pixels(false));
    with(&[Right::Power]);
    let (code, reason) = block_in_place(|| viewer.closed());
    assert_eq!(
        (code, reason.as_str()),
        (CloseCode::Policy, "You may not use this screen any more")
    );

    // The session is over. A cookie alone opens nothing: a foreign page could have sent it.
    with(&[Right::Console]);
    let cookie = host.log_in("steve");
    let cookie = cookie.trim_end().strip_prefix("Cookie: ").unwrap();
    assert_eq!(open(&[("cookie", cookie)]).map(drop).unwrap_err().0, 403);
    let mut viewer = open(&[("cookie", cookie), ("origin", "http://localhost")]).unwrap();
    let cookie = format!("Cookie: {cookie}\r\nOrigin: http://localhost\r\n");
    host.post("/xend/logout", &cookie, "");
    assert_eq!(block_in_place(|| viewer.closed()).0, CloseCode::Policy);

    // A user has fewer places than the operators, and a domain that is destroyed ends them all.
    let mut viewers: Vec<_> = (0..10).map(|_| open(&steve).unwrap()).collect();
    assert_eq!(open(&steve).map(drop).unwrap_err().0, 503);
    viewers.push(open(&[("x-user", "root")]).unwrap());
    host.change("one.screen", DomainOp::Destroy).await;
    for viewer in &mut viewers {
        assert_eq!(block_in_place(|| viewer.closed()).0, CloseCode::Normal);
    }
}

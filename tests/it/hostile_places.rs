//! Clients that take places and say nothing, or next to nothing: they keep nobody else waiting, and
//! no stop.

use crate::http_support::{
    Daemon as Process, Listener as Address, ask as ask_process, connect as connect_process, guest,
    post,
};
use crate::ports::free_port;
use crate::server_support::{
    Daemon, GENEROUS, Wire, config_in, read_answer, read_to_end, tcp_address, tunables,
};
use crate::tls_support::{encrypted, write_certificate};
use arc_swap::ArcSwap;
use axum::Router;
use axum::routing::any;
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream as BlockingStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use xend::config::TlsFiles;
use xend::core::caller::Caller;
use xend::server::places::raise_file_limit;
use xend::server::{ClientStream, Inherited, Server, listen};

/// A request timeout that no test waits for: what ends earlier has another reason.
const ENDLESS: u64 = 600;

fn hello() -> Router {
    Router::new().fallback(any(|body: String| async move { format!("hello {body}") }))
}

/// A server with an encrypted port.
struct Encrypted {
    server: Server,
    address: SocketAddr,
    dir: TempDir,
}

impl Encrypted {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        write_certificate(dir.path());
        let mut config = config_in(&dir);
        let tls = TlsFiles { key: dir.path().join("key"), cert: dir.path().join("cert") };
        config.http_tls = Some(tls);
        let listeners = listen::open(&config, Inherited::default()).await.unwrap().http;
        let address = tcp_address(&listeners).unwrap();
        let server = Server::new(Arc::new(ArcSwap::from_pointee(tunables(ENDLESS))), 512);
        for listener in listeners {
            server.attach(listener, hello());
        }
        Self { server, address, dir }
    }

    async fn get(&self) -> String {
        let address = self.address;
        let cert = self.dir.path().join("cert");
        let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let asking = tokio::task::spawn_blocking(move || encrypted(address, &cert, request));
        timeout(GENEROUS, asking).await.expect("an answer").unwrap()
    }
}

/// Sends a byte again and again until the server closes the connection.
async fn drip_until_closed(stream: &mut TcpStream, byte: u8) {
    let closed = async {
        let mut buffer = [0; 1024];
        loop {
            tokio::select! {
                read = stream.read(&mut buffer) => if matches!(read, Ok(0) | Err(_)) {
                    return;
                },
                () = sleep(Duration::from_millis(50)) => {}
            }
            if stream.write_all(&[byte]).await.is_err() {
                return;
            }
        }
    };
    timeout(GENEROUS, closed).await.expect("the server closes the connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_without_a_handshake_keep_nobody_waiting() {
    raise_file_limit();
    let server = Encrypted::start().await;
    let mut silent = Vec::new();
    for _ in 0..700 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    let answer = server.get().await;
    assert!(answer.ends_with("hello "), "{answer}");
    // The limit of the handshake ends them, since the server's own one has not passed.
    let ends = async {
        for stream in &mut silent {
            assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
        }
    };
    timeout(GENEROUS, ends).await.expect("silent connections end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_has_a_limit_as_a_whole() {
    let server = Encrypted::start().await;
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    // The beginning of a ClientHello of 16 KiB.
    slow.write_all(&[22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc, 3, 3]).await.unwrap();
    drip_until_closed(&mut slow, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_handshakes_or_half_sent_requests() {
    let server = Encrypted::start().await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    assert!(server.get().await.ends_with("hello "));
    server.server.stop();
    timeout(GENEROUS, server.server.drained()).await.expect("all connections end");
    assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0);

    let daemon = Daemon::start(hello(), tunables(ENDLESS)).await;
    let mut halves = Vec::new();
    for half in [
        "GET",
        "GET / HTTP/1.1\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf",
        "GET / HTTP/1.1\r\n\r\nGET /next HT",
    ] {
        let mut wire = daemon.tcp().await;
        wire.write_all(half.as_bytes()).await.unwrap();
        halves.push(wire);
    }
    let mut next = halves.pop().unwrap();
    assert!(read_answer(&mut next).await.ends_with("hello "));
    daemon.stop();
    timeout(GENEROUS, daemon.server.drained()).await.expect("all connections end");
    for mut wire in halves {
        // A connection that was closed with unread bytes is reset.
        assert_eq!(wire.read(&mut [0]).await.unwrap_or(0), 0);
    }
}

#[tokio::test]
async fn a_stop_does_not_wait_for_clients_that_take_no_response() {
    let big = "x".repeat(64 << 20);
    let app = Router::new().fallback(any(move || {
        let big = big.clone();
        async move { big }
    }));
    let daemon = Daemon::start(app, tunables(ENDLESS)).await;
    let mut wire = daemon.tcp().await;
    wire.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(wire.read_u8().await.unwrap(), b'H');
    daemon.stop();
    timeout(GENEROUS, daemon.server.drained()).await.expect("the connection ends");
}

/// Answers lines: `work` when `gate` has a permit, anything else at once.
async fn lines(
    stream: ClientStream,
    gate: Arc<Semaphore>,
    stopping: CancellationToken,
) -> std::io::Result<()> {
    let mut stream = tokio::io::BufReader::new(stream);
    loop {
        let mut line = String::new();
        let read = tokio::select! {
            () = stopping.cancelled() => return Ok(()),
            read = stream.read_line(&mut line) => read?,
        };
        if read == 0 {
            return Ok(());
        }
        if line == "work\n" {
            gate.acquire().await.unwrap().forget();
        }
        stream.get_mut().write_all(b"done\n").await?;
    }
}

/// Serves [`lines`] with so many places.
async fn line_server(places: usize, gate: Arc<Semaphore>) -> (Server, SocketAddr, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let listeners = listen::open(&config_in(&dir), Inherited::default()).await.unwrap().http;
    let address = tcp_address(&listeners).unwrap();
    let server = Server::new(Arc::new(ArcSwap::from_pointee(tunables(ENDLESS))), places);
    for listener in listeners {
        let gate = Arc::clone(&gate);
        server.attach_connections(listener, "busy\n", move |stream, _: Caller, stopping| {
            let gate = Arc::clone(&gate);
            async move { drop(lines(stream, gate, stopping).await) }
        });
    }
    (server, address, dir)
}

async fn read_line(wire: &mut Wire) -> String {
    let mut line = Vec::new();
    let reading = async {
        while line.last() != Some(&b'\n') && wire.read_buf(&mut line).await.unwrap_or(0) > 0 {}
    };
    timeout(GENEROUS, reading).await.expect("a line");
    String::from_utf8(line).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_never_ends_takes_no_place_from_others() {
    let (_server, address, _dir) = line_server(2, Arc::new(Semaphore::new(0))).await;
    let drippers: Vec<_> = (0..2)
        .map(|_| {
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                drip_until_closed(&mut stream, b'x').await;
            })
        })
        .collect();
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client: Wire = Either::Left(TcpStream::connect(address).await.unwrap());
        client.write_all(b"now\n").await.unwrap();
        assert_eq!(read_line(&mut client).await, "done\n");
        // It keeps its place, so that the next client needs that of the other dripper.
        client.write_all(b"work\n").await.unwrap();
        clients.push(client);
    }
    for dripper in drippers {
        dripper.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_told_that_all_places_are_busy() {
    let gate = Arc::new(Semaphore::new(0));
    let (_server, address, _dir) = line_server(1, Arc::clone(&gate)).await;
    let connect = async || -> Wire { Either::Left(TcpStream::connect(address).await.unwrap()) };
    let mut first = connect().await;
    first.write_all(b"hello\n").await.unwrap();
    assert_eq!(read_line(&mut first).await, "done\n");
    first.write_all(b"work\n").await.unwrap();
    let mut second = connect().await;
    // It says something itself, which must not cost it the answer.
    second.write_all(b"hello\n").await.unwrap();
    assert_eq!(read_to_end(&mut second).await, "busy\n");
    gate.add_permits(1);
    assert_eq!(read_line(&mut first).await, "done\n");
}

/// A daemon with a relocation port for this host's own address alone.
fn relocation_host() -> (Process, SocketAddr) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hosts.sxp");
    std::fs::write(&file, r"(xend-relocation-hosts-allow '^127\.0\.0\.1$')").unwrap();
    let host = Process::start_with_config(dir, &file, &["--relocation", "127.0.0.1:0"]);
    let port = host.relocation.unwrap();
    (host, port)
}

/// A connection to the relocation port whose text is read by lines.
fn relocate(port: SocketAddr, request: &str) -> BufReader<BlockingStream> {
    let mut stream = BlockingStream::connect(port).unwrap();
    stream.set_read_timeout(Some(GENEROUS)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    BufReader::new(stream)
}

/// The next line; empty at the end.
fn answer(stream: &mut BufReader<BlockingStream>) -> String {
    let mut line = String::new();
    // A connection that was closed with unread bytes is reset.
    stream.read_line(&mut line).ok();
    line
}

const VERDICT: &str = "(verdict (id 0f6c1a52-7d3e-4b8a-9c11-52d0a7e40002))\n";

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_are_not_allowed_take_no_place_of_the_relocation_port() {
    let (host, port) = relocation_host();
    let connect = async || {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        socket.connect(port).await.unwrap()
    };
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(connect().await);
    }
    let asked = tokio::task::spawn_blocking(move || answer(&mut relocate(port, VERDICT)));
    assert_eq!(asked.await.unwrap(), "(not-taken)\n");
    let mut refused = String::new();
    let mut last = silent.pop().unwrap();
    timeout(GENEROUS, last.read_to_string(&mut refused)).await.expect("an end").unwrap();
    let reason = "This host is not allowed to send domains here, see xend-relocation-hosts-allow";
    assert!(refused.starts_with("(err ") && refused.contains(reason), "{refused}");
    // A byte again and again does not keep a connection.
    drip_until_closed(&mut connect().await, b'x').await;
    assert!(host.log().contains("it is not in xend-relocation-hosts-allow"), "{}", host.log());
}

#[test]
fn a_relocation_request_has_a_limit_as_a_whole() {
    let (_host, port) = relocation_host();
    let silent: Vec<_> = (0..40).map(|_| relocate(port, "")).collect();
    assert_eq!(answer(&mut relocate(port, VERDICT)), "(not-taken)\n");
    let mut slow = relocate(port, "(receive (version");
    let mut drip = slow.get_ref().try_clone().unwrap();
    let dripping = std::thread::spawn(move || {
        while drip.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let late = |answer: &str| {
        assert!(answer.contains("The request did not arrive within 5 s"), "{answer}");
    };
    late(&answer(&mut slow));
    for mut stream in silent {
        late(&answer(&mut stream));
    }
    drop(slow);
    dripping.join().unwrap();
}

#[test]
fn a_host_is_told_that_too_many_domains_are_arriving() {
    let (host, port) = relocation_host();
    let mut arriving = Vec::new();
    for number in 0..32 {
        let config = format!(
            "(domain (name web{number}) (uuid 0f6c1a52-7d3e-4b8a-9c11-52d0a7e5{number:04}) \
             (memory 64) (image (linux (kernel /k))))"
        );
        let id = format!("0f6c1a52-7d3e-4b8a-9c11-52d0a7e6{number:04}");
        let request = format!("(receive (version 1) (id {id}) (config {config}))\n");
        let mut stream = relocate(port, &request);
        assert_eq!(answer(&mut stream), "(ready)\n");
        arriving.push(stream);
    }
    let refused = answer(&mut relocate(port, VERDICT));
    let busy = "Busy: too many domains are arriving, try again later";
    assert!(refused.starts_with("(err ") && refused.contains(busy), "{refused}");
    assert!(host.log().contains("too many domains are arriving"), "{}", host.log());
    drop(arriving);
    host.until("the places are free", |_| answer(&mut relocate(port, VERDICT)) == "(not-taken)\n");
}

/// A daemon whose table of files is small; killed when dropped.
struct Small {
    child: Child,
    address: SocketAddr,
    dir: PathBuf,
}

impl Small {
    /// A daemon that may open so many files.
    fn start(dir: &Path, files: usize) -> Self {
        let mut child = Self::command(dir, files).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("Listening on http://");
        let address = address.unwrap_or_else(|| panic!("an address: {line}"));
        let address = address.trim_end_matches("/\n").parse().unwrap();
        Self { child, address, dir: dir.to_owned() }
    }

    fn command(dir: &Path, files: usize) -> Command {
        let config = dir.join("xend-config.sxp");
        std::fs::write(&config, "# empty\n").unwrap();
        let mut command = Command::new("sh");
        command
            .args(["-c", "ulimit -n \"$1\"; shift; exec \"$@\"", "sh", &files.to_string()])
            .arg(env!("CARGO_BIN_EXE_xend"))
            .args(["--http", "127.0.0.1:0", "--unix"])
            .arg(dir.join("sock"))
            .arg("--state-dir")
            .arg(dir.join("state"))
            .arg("--config")
            .arg(config)
            .env_remove("LISTEN_FDS")
            .env_remove("NOTIFY_SOCKET")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(dir.join("stderr")).unwrap());
        command
    }

    fn get(&self) -> u16 {
        let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        ask_process(&Address::Tcp(self.address), request).code
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("stderr")).unwrap()
    }

    /// How many files it has open.
    fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn places_shrink_to_the_open_files_and_the_log_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Small::start(dir.path(), 128);
    let silent: Vec<_> =
        (0..300).map(|_| BlockingStream::connect(daemon.address).unwrap()).collect();
    assert_eq!(daemon.get(), 200);
    drop(silent);
    assert_eq!(daemon.get(), 200);
    let log = daemon.log();
    let said = "Only 128 files may be open (RLIMIT_NOFILE): each listener has 16 connections \
                instead of 512, and each relocation port takes 1 domains at a time instead of 32";
    assert_eq!(log.matches(said).count(), 1, "{log}");
    assert!(!log.contains("Cannot accept"), "{log}");
}

#[test]
fn so_few_open_files_that_listeners_starve_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for files in [24, 40] {
        let mut refused = Small::command(dir.path(), files).spawn().unwrap();
        assert_eq!(refused.wait().unwrap().code(), Some(1), "{files}");
        let log = std::fs::read_to_string(dir.path().join("stderr")).unwrap();
        let said = format!(
            "Only {files} files may be open (RLIMIT_NOFILE), and the configured listeners need at \
             least "
        );
        assert!(log.contains(&said) && log.contains("raise LimitNOFILE="), "{log}");
    }
}

/// So few files that not even the reserve is enough: `accept` fails.
#[test]
fn a_full_table_of_files_is_survived() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Small::start(dir.path(), 128);
    // As if the daemon had many other files open.
    let limit = Some(daemon.open_files() as u64 + 3);
    let limits = Rlimit { current: limit, maximum: limit };
    prlimit(Some(Pid::from_child(&daemon.child)), Resource::Nofile, limits).unwrap();
    let silent: Vec<_> =
        (0..100).map(|_| BlockingStream::connect(daemon.address).unwrap()).collect();
    let began = Instant::now();
    while !daemon.log().contains("Cannot accept on ") {
        assert!(began.elapsed() < GENEROUS, "{}", daemon.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(silent);
    // Until it has noticed, no file is left to ask the kernel who a caller is.
    while daemon.get() != 200 {
        assert!(began.elapsed() < GENEROUS, "{}", daemon.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_stop_of_the_daemon_does_not_wait_for_half_sent_requests() {
    let daemon = Process::start(&["--relocation", "127.0.0.1:0"]);
    let half_head = b"POST /xend/domain HTTP/1.1\r\nHost: localhost\r\n".as_slice();
    let whole = post("/xend/domain", &format!("op=create&config={}", guest("half", "")));
    let half_body = &whole[..whole.len() - 10];
    let mut halves: Vec<_> = [half_head, half_body, b""]
        .into_iter()
        .flat_map(|half| {
            [Address::Tcp(daemon.tcp), Address::Unix(daemon.socket())].map(|listener| {
                let mut stream = connect_process(&listener);
                stream.write_all(half).unwrap();
                stream
            })
        })
        .collect();
    let mut relocation = relocate(daemon.relocation.unwrap(), "(receive (version");
    // A later request is answered, so these connections are open.
    assert_eq!(daemon.get("/xend/domain").code, 200);
    let (status, dir) = daemon.end(Signal::TERM);
    assert!(status.success());
    let log = std::fs::read_to_string(dir.path().join("stderr")).unwrap();
    assert!(!log.contains("Requests take longer than"), "{log}");
    for stream in &mut halves {
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok();
        assert_eq!(answer, b"");
    }
    assert_eq!(answer(&mut relocation), "");
}

/// What the relocation port answers; empty if nobody listens.
fn verdict_on(port: u16) -> String {
    let Ok(stream) = BlockingStream::connect(("127.0.0.1", port)) else { return String::new() };
    stream.set_read_timeout(Some(GENEROUS)).unwrap();
    (&stream).write_all(VERDICT.as_bytes()).unwrap();
    let mut line = String::new();
    // A port that is being closed resets connections.
    BufReader::new(stream).read_line(&mut line).ok();
    line
}

#[test]
fn a_reload_opens_moves_and_closes_the_relocation_port() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("xend-config.sxp");
    let first = free_port();
    let second = free_port();
    let on = |port: &dyn std::fmt::Display, more: &str| {
        let mut text = String::from("(xend-relocation-server yes)");
        write!(text, " (xend-relocation-address localhost) (xend-relocation-port {port}) {more}")
            .unwrap();
        text
    };
    std::fs::write(&file, "# empty\n").unwrap();
    let daemon = Process::start_with_config(dir, &file, &[]);
    assert_eq!(verdict_on(first), "");
    let reload = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let pid = rustix::process::Pid::from_raw(daemon.pid()).unwrap();
        rustix::process::kill_process(pid, Signal::HUP).unwrap();
    };

    reload(&on(&first, ""));
    daemon.until("the port is opened", |_| verdict_on(first) == "(not-taken)\n");
    reload(&on(&second, ""));
    daemon.until("the port is moved", |_| verdict_on(second) == "(not-taken)\n");
    daemon.until("the old port is closed", |_| verdict_on(first).is_empty());
    reload(&on(&second, r"(xend-relocation-hosts-allow '^192\.0\.2\.')"));
    daemon.until("the hosts are applied", |_| verdict_on(second).contains("not allowed"));

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    reload(&on(&taken.local_addr().unwrap().port(), ""));
    let kept = "Relocation stays as it is: Cannot listen on the relocation port";
    daemon.until("the error is logged", |daemon| daemon.log().contains(kept));
    reload(&on(&"eight", ""));
    let as_it_is = "Relocation stays as it is: see the errors above";
    daemon.until("the mistake is logged", |daemon| daemon.log().contains(as_it_is));
    assert!(verdict_on(second).contains("not allowed"), "the port is served all the same");
    assert!(!daemon.log().contains("has changed: restart xend"), "{}", daemon.log());

    reload("# empty\n");
    daemon.until("the port is closed", |_| verdict_on(second).is_empty());
}

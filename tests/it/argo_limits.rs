//! What the Argo protocol does to clients that send too much, nothing at all, or do not read.

use crate::argo_support::{ArgoHost, GENEROUS, account, nobody, operator};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use xend::core::caller::Caller;
use xend::core::rights::Right;
use xend::memory_budget::MemoryBudget;
use xend::wire::argo::MAX_LINE;

#[tokio::test]
async fn a_line_without_an_end_is_skipped() {
    let host = ArgoHost::new().await;
    let mut client = host.connect().await;
    let piece = [b'x'; 8 << 10];
    for _ in 0..1280 {
        client.send(&piece).await;
    }
    assert_eq!(client.line().await, "400 LINE TOO LONG\n", "at once, and once");
    client.send(b"\nnop\n").await;
    assert_eq!(client.answer().await, "200 OK\n300 END\n");
    let longest = format!("{:MAX_LINE$}", "nop");
    assert_eq!(client.ask(&longest).await, "200 OK\n300 END\n");
    assert_eq!(client.ask(&format!("{longest} ")).await, "400 LINE TOO LONG\n");
}

#[tokio::test]
async fn help_is_answered_a_few_times_before_a_login() {
    let host = ArgoHost::new().await;
    host.accounts.replace(vec![account("steve", &["lj"], &[Right::See])], None);
    let mut client = host.connect().await;
    for _ in 0..3 {
        assert!(client.ask("help").await.starts_with("200 OK\nauth USER PASSWORD "));
    }
    client.send("help\n".repeat(1000).as_bytes()).await;
    for _ in 0..1000 {
        assert_eq!(client.answer().await, "400 NOT AUTHENTICATED\n");
    }
    assert_eq!(client.ask("nop").await, "200 OK\n300 END\n");
    assert_eq!(client.ask("auth steve steve").await, "200 OK\n300 DONE\n");
    for _ in 0..10 {
        assert!(client.ask("help").await.starts_with("200 OK\n"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_ends_and_nop_keeps_it_open() {
    let host = ArgoHost::new().await;
    let mut client = host.connect_as(Caller::operator(nobody().via), 4096);
    for _ in 0..10 {
        sleep(Duration::from_secs(14 * 60)).await;
        assert_eq!(client.ask("nop").await, "200 OK\n300 DONE\n");
    }
    let began = Instant::now();
    // Bytes that make no line do not count, nor do empty lines.
    for bytes in [b"\r\n", b" \n", b"no", b"p "] {
        sleep(Duration::from_secs(215)).await;
        client.send(bytes).await;
    }
    assert_eq!(client.line().await, "400 IDLE FOR TOO LONG\n");
    assert_eq!(client.line().await, "");
    assert!((900..901).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_session_without_a_login_ends_soon() {
    let host = ArgoHost::new().await;
    host.accounts.replace(vec![account("steve", &["lj"], &[Right::See])], None);
    let mut client = host.connect_as(nobody(), 4096);
    sleep(Duration::from_secs(59)).await;
    assert_eq!(client.ask("nop").await, "200 OK\n300 END\n");
    let began = Instant::now();
    sleep(Duration::from_secs(30)).await;
    client.send(b"auth steve").await;
    assert_eq!(client.line().await, "400 IDLE FOR TOO LONG\n");
    assert!((60..61).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());

    let mut client = host.connect_as(nobody(), 4096);
    assert_eq!(client.ask("auth steve steve").await, "200 OK\n300 DONE\n");
    sleep(Duration::from_secs(14 * 60)).await;
    assert_eq!(client.ask("nop").await, "200 OK\n300 DONE\n");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_no_answer_is_left() {
    let host = ArgoHost::new().await;
    let (mut client, server) = tokio::io::duplex(64);
    let began = Instant::now();
    let argo = host.argo.clone();
    let session = tokio::spawn(async move {
        argo.serve(server, nobody(), CancellationToken::new()).await;
    });
    client.write_all(b"help\n").await.unwrap();
    session.await.unwrap();
    assert!((60..61).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_no_answer_delays_no_stop() {
    let host = ArgoHost::new().await;
    let (mut client, server) = tokio::io::duplex(64);
    let stopping = CancellationToken::new();
    let argo = host.argo.clone();
    let began = Instant::now();
    let session = tokio::spawn({
        let stopping = stopping.clone();
        async move { argo.serve(server, nobody(), stopping).await }
    });
    client.write_all(b"help\n").await.unwrap();
    sleep(Duration::from_secs(1)).await;
    stopping.cancel();
    session.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_answer_that_is_being_sent_takes_the_place_of_another_one() {
    let answers = MemoryBudget::new(100 << 10);
    let budget = answers.clone();
    let host = ArgoHost::with_options(|options| options.answers = budget).await;
    for number in 1..=300 {
        let uuid = format!("00000000-0000-4000-8000-{number:0>12}").parse().ok();
        host.define(&format!("web{number:0>240}"), |config| config.uuid = uuid).await;
    }
    let caller = || Caller::operator(nobody().via);
    let mut first = host.connect_as(caller(), 64);
    first.send(b"list available\n").await;
    assert_eq!(first.line().await, "200 OK\n");
    assert!(answers.reserved() > 70_000, "{}", answers.reserved());
    let mut second = host.connect_as(caller(), 64);
    assert_eq!(second.ask("list available").await, "400 BUSY, TRY AGAIN\n");
    assert_eq!(second.ask("nop").await, "200 OK\n300 DONE\n");
    while first.line().await != "300 DONE\n" {}
    assert_eq!(second.output("list available").await.len(), 300);
}

#[tokio::test]
async fn a_client_that_never_reads_is_left_over_tcp() {
    let host = ArgoHost::with_options(|options| {
        options.write_limit = Duration::from_millis(500);
    })
    .await;
    let mut stream = TcpStream::connect(host.listen().await).await.unwrap();
    let flood = async { while stream.write_all(b"help\nhelp\nhelp\nhelp\n").await.is_ok() {} };
    timeout(GENEROUS, flood).await.expect("the connection ends");
}

/// Answers wait for a slow reader, and nothing of them is lost.
#[tokio::test]
async fn a_slow_reader_gets_all() {
    let host = ArgoHost::new().await;
    host.accounts.replace(vec![operator("root")], None);
    let mut whole = host.connect_as(nobody(), 1 << 20);
    let help = whole.ask("help").await;
    let mut client = host.connect_as(nobody(), 16);
    client.send(b"help\n").await;
    let mut text = Vec::new();
    while text.len() < help.len() {
        tokio::task::yield_now().await;
        text.push(client.stream().read_u8().await.unwrap());
    }
    assert_eq!(text, help.as_bytes());
}

/// The most connections that this test tries.
const CONNECTIONS: u64 = 10_000;

/// Descriptors that other tests may need meanwhile.
const RESERVED: u64 = 4_000;

#[tokio::test]
async fn thousands_of_idle_sessions_are_cheap() {
    let host = ArgoHost::new().await;
    host.accounts.replace(vec![account("steve", &["lj"], &[Right::See])], None);
    let (_client, server) = tokio::io::duplex(64);
    let session = host.argo.serve(server, nobody(), CancellationToken::new());
    let size = size_of_val(&session);
    assert!(size < 8 << 10, "a session takes {size} bytes");
    drop(session);

    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let files = limit.maximum.unwrap_or(u64::MAX);
    let count = CONNECTIONS.min(files.saturating_sub(RESERVED));
    if count < CONNECTIONS {
        println!("Only {count} connections: no more than {files} files may be open");
    }
    // Another process holds the clients' ends: it has a limit of its own.
    let address = host.listen().await;
    let script = r#"
        use Socket;
        my ($count, $port) = @ARGV;
        for (1..$count) {
            socket($s[$_], PF_INET, SOCK_STREAM, 0) or die $!;
            connect($s[$_], sockaddr_in($port, INADDR_LOOPBACK)) or die $!;
            # The queue of connections that wait to be accepted is bounded.
            next if $_ % 500 && $_ < $count;
            syswrite $s[$_], "nop\n";
            my $socket = $s[$_];
            $answer = <$socket>;
        }
        $| = 1;
        print $answer;
        <STDIN>;
    "#;
    let holder = Command::new("perl")
        .args(["-e", script, &count.to_string(), &address.port().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut holder) = holder else {
        println!("Skipped: there is no perl");
        return;
    };
    let mut output = BufReader::new(holder.stdout.take().unwrap());
    let ready = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        line
    });
    assert_eq!(timeout(GENEROUS * 2, ready).await.expect("in time").unwrap(), "200 OK\n");
    let mut client = host.log_in("steve").await;
    assert_eq!(client.ask("list running").await, "200 OK\n300 DONE\n");
    drop(holder.stdin.take());
    holder.wait().unwrap();
}

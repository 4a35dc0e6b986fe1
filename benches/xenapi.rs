//! The Xen-API: the codec beside `dxr`'s, records of 1,000 VMs beside a bare handler with the same
//! bytes, a call about one object among 10, 1,000 and 10,000 VMs, reads beside 20 calls that wait
//! for events, tasks, and the memory of sessions.
//!
//! It prints ratios of one run. `cargo bench --bench xenapi`; `-- --test` runs a few rounds only.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a benchmark fails by a panic"
)]

mod support;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use support::client::{median, resident};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use xend::backend::sim::SimSettings;
use xend::core::caller::Caller;
use xend::core::model::DomainRef;
use xend::core::op::{Change, DomainOp};
use xend::memory_budget::MemoryBudgets;
use xend::shape::read_config;
use xend::sxp::{Limits, read_one};
use xend::wire::xmlrpc::codec::{self, XmlLimits};
use xend::wire::xmlrpc::{Endpoint, LoginPolicy, Value, XmlRpc};

/// Answers have more values than any call.
const ANSWER: XmlLimits = XmlLimits { depth: 128, count: usize::MAX };
/// Calls that wait for events at a time.
const WAITING: u32 = 20;

fn main() {
    let quick = std::env::args().any(|arg| arg == "--test");
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
        let small = Host::with(10, "d").await;
        let host = Host::with(if quick { 20 } else { 1_000 }, "d").await;
        one_object(&small, &host, quick).await;
        let records = host.records(quick).await;
        codecs(&records, quick);
        host.one_change(quick).await;
        host.waiting(quick).await;
        let large = Host::with(if quick { 20 } else { 10_000 }, "dbusy").await;
        one_object(&small, &large, quick).await;
        large.waiting(quick).await;
        host.tasks(quick).await;
        host.sessions(if quick { 100 } else { 10_000 }).await;
    });
}

/// Calls about one object among few and among many VMs.
async fn one_object(few: &Host, many: &Host, quick: bool) {
    let block = Duration::from_millis(if quick { 20 } else { 400 });
    let rounds = if quick { 1 } else { 6 };
    for (method, of_few, of_many) in [
        ("VM.get_name_label", few.vm().await, many.vm().await),
        ("VM.get_record", few.vm().await, many.vm().await),
        ("VBD.get_device", few.disk().await, many.disk().await),
    ] {
        let of_few = request(method, &few.params(&[of_few]));
        let of_many = request(method, &many.params(&[of_many]));
        let mut ratios = Vec::new();
        for _ in 0..rounds {
            let among_few = calls_per_second(few.address, &of_few, block).await;
            let among_many = calls_per_second(many.address, &of_many, block).await;
            ratios.push(among_few / among_many);
        }
        println!(
            "{method}: among {} VMs {:.2} times its time among {} (aim 1)",
            many.vms,
            median(&mut ratios),
            few.vms
        );
    }
}

/// Reading and printing an answer, ours beside dxr's on the same bytes.
fn codecs(answer: &str, quick: bool) {
    let rounds = if quick { 2 } else { 15 };
    let value = codec::read_answer(answer, &ANSWER).unwrap().unwrap();
    let theirs = dxr::MethodResponse::from_xml(answer).unwrap();
    let mut read = Vec::new();
    let mut print = Vec::new();
    for _ in 0..rounds {
        let ours = timed(|| drop(codec::read_answer(answer, &ANSWER).unwrap()));
        let other = timed(|| drop(dxr::MethodResponse::from_xml(answer).unwrap()));
        read.push(other / ours);
        let ours = timed(|| drop(codec::answer(&value)));
        let other = timed(|| drop(theirs.to_xml().unwrap()));
        print.push(other / ours);
    }
    println!(
        "codec on {} bytes: reading {:.1} times dxr's speed, printing {:.1} times (aim 2)",
        answer.len(),
        median(&mut read),
        median(&mut print)
    );
}

fn timed(work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    started.elapsed().as_secs_f64()
}

struct Host {
    vms: u32,
    /// The beginning of the VMs' names.
    name: &'static str,
    address: SocketAddr,
    session: String,
    _dir: tempfile::TempDir,
}

fn request(method: &str, params: &[Value]) -> Vec<u8> {
    let body = codec::call(method, params);
    format!(
        "POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

impl Host {
    /// A host with running VMs. `dbusy` is the beginning of names of guests that use their CPUs.
    async fn with(vms: u32, name: &'static str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = SimSettings { memory_mib: 1 << 24, ..SimSettings::default() };
        let engine = support::engine(dir.path(), settings).await;
        for n in 0..vms {
            let text = format!(
                "(vm (name {name}{n}) (memory 128) (vcpus 2) \
                 (image (linux (kernel /boot/vmlinuz) (args 'console=hvc0'))) \
                 (device (vbd (uname phy:/dev/vg0/d{n}) (dev sda1) (mode w))) (device (vif (bridge xenbr0))))"
            );
            let config =
                read_config(&read_one(text.as_bytes(), &Limits::default()).unwrap()).unwrap();
            engine.execute(&Caller::internal(), Change::Create(Box::new(config))).await.unwrap();
            let unpause = Change::Domain(DomainRef::new(format!("{name}{n}")), DomainOp::Unpause);
            engine.execute(&Caller::internal(), unpause).await.unwrap();
        }
        let host = engine.host_uuid().await.unwrap();
        let wire = XmlRpc::new(
            engine,
            host,
            0,
            String::new,
            MemoryBudgets::default(),
            CancellationToken::new(),
        );
        let address = support::serve(wire.router(Endpoint::XenApi(LoginPolicy::Trust))).await;
        let mut this = Self { vms, name, address, session: String::new(), _dir: dir };
        this.session = this.login().await;
        this
    }

    async fn login(&self) -> String {
        let params = [Value::text("root"), Value::text("")];
        match self.value("session.login_with_password", &params).await {
            Value::Text(session) => session,
            other => panic!("{other:?}"),
        }
    }

    async fn value(&self, method: &str, params: &[Value]) -> Value {
        let answer = once(self.address, &request(method, params)).await;
        match codec::read_answer(&answer, &ANSWER).unwrap() {
            Ok(Value::Struct(members)) => members[1].1.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// The only reference that a call answers.
    async fn reference(&self, method: &str, param: Value) -> Value {
        match self.value(method, &self.params(&[param])).await {
            Value::Array(references) => references[0].clone(),
            other => panic!("{other:?}"),
        }
    }

    async fn vm(&self) -> Value {
        self.reference("VM.get_by_name_label", Value::text(format!("{}7", self.name))).await
    }

    async fn disk(&self) -> Value {
        self.reference("VM.get_VBDs", self.vm().await).await
    }

    fn params(&self, more: &[Value]) -> Vec<Value> {
        std::iter::once(Value::text(self.session.as_str())).chain(more.iter().cloned()).collect()
    }

    /// The calls of `xm list`, beside a bare handler with the same bytes.
    async fn records(&self, quick: bool) -> String {
        let mut answers = String::new();
        let mut ours = Vec::new();
        let mut bare = Vec::new();
        let block = Duration::from_millis(if quick { 20 } else { 400 });
        for method in ["VM.get_all_records", "VM_metrics.get_all_records"] {
            let request = request(method, &self.params(&[]));
            let answer = once(self.address, &request).await;
            let body = Bytes::from(answer.clone());
            let other = support::serve(Router::new().fallback(move || {
                let body = body.clone();
                async move { ([(CONTENT_TYPE, "text/xml")], body) }
            }))
            .await;
            for _ in 0..if quick { 1 } else { 6 } {
                ours.push(1.0 / calls_per_second(self.address, &request, block).await);
                bare.push(1.0 / calls_per_second(other, &request, block).await);
            }
            if answers.is_empty() {
                answers = answer;
            }
        }
        let ours = median(&mut ours);
        let bare = median(&mut bare);
        println!(
            "get_all_records: {:.1} ms a call, a bare handler with the same bytes {:.2} ms: {:.1} times",
            ours * 1e3,
            bare * 1e3,
            ours / bare
        );
        for method in
            ["VDI", "VBD", "VIF", "network"].map(|class| format!("{class}.get_all_records"))
        {
            let calls =
                calls_per_second(self.address, &request(&method, &self.params(&[])), block).await;
            println!("{method}: {:.1} ms", 1e3 / calls);
        }
        answers
    }

    /// A list after each change of one VM, beside the list while nothing changes.
    async fn one_change(&self, quick: bool) {
        let vm = self.vm().await;
        let list = request("VM.get_all_records", &self.params(&[]));
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut buffer = Vec::new();
        let mut changed = Vec::new();
        let mut same = Vec::new();
        for round in 0..if quick { 2 } else { 60 } {
            let label = Value::text(format!("change {round}"));
            self.value("VM.set_name_description", &self.params(&[vm.clone(), label])).await;
            for times in [&mut changed, &mut same] {
                let started = Instant::now();
                exchange(&mut stream, &list, &mut buffer).await;
                times.push(started.elapsed().as_secs_f64());
            }
        }
        let changed = median(&mut changed);
        let same = median(&mut same);
        println!(
            "VM.get_all_records after a change of one VM: {:.2} ms, after none {:.2} ms: {:.1} times",
            changed * 1e3,
            same * 1e3,
            changed / same
        );
    }

    /// A read beside 20 calls that wait for events, and beside none.
    async fn waiting(&self, quick: bool) {
        let block = Duration::from_millis(if quick { 20 } else { 1_000 });
        let read = request("VM.get_name_label", &self.params(&[self.vm().await]));
        let mut ratios = Vec::new();
        for _ in 0..if quick { 1 } else { 3 } {
            let alone = calls_per_second(self.address, &read, block).await;
            let waiting = self.waiting_calls().await;
            let beside = calls_per_second(self.address, &read, block).await;
            for call in waiting {
                call.abort();
            }
            ratios.push(alone / beside);
        }
        println!(
            "VM.get_name_label among {} VMs: beside {WAITING} calls of event.next {:.2} times its \
             time alone (aim 1)",
            self.vms,
            median(&mut ratios)
        );
    }

    /// Calls that wait for events of all classes, each in a session of its own.
    async fn waiting_calls(&self) -> Vec<JoinHandle<()>> {
        let mut calls = Vec::new();
        for _ in 0..WAITING {
            let session = Value::Text(self.login().await);
            let every = Value::Array(vec![]);
            self.value("event.register", &[session.clone(), every]).await;
            let next = request("event.next", &[session]);
            let address = self.address;
            calls.push(tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                let mut buffer = Vec::new();
                loop {
                    exchange(&mut stream, &next, &mut buffer).await;
                }
            }));
        }
        calls
    }

    async fn tasks(&self, quick: bool) {
        let block = Duration::from_millis(if quick { 20 } else { 1_000 });
        let waited =
            calls_per_second(self.address, &request("VM.get_all", &self.params(&[])), block).await;
        let tasks =
            calls_per_second(self.address, &request("Async.VM.get_all", &self.params(&[])), block)
                .await;
        println!(
            "calls: {waited:.0} a second waited for, {tasks:.0} as tasks: {:.2}",
            tasks / waited
        );
    }

    async fn sessions(&self, count: usize) {
        let before = resident();
        let request =
            request("session.login_with_password", &[Value::text("root"), Value::text("")]);
        // An originator has 1,000 at most, so they come from several addresses.
        for (at, most) in (0..count).step_by(1_000).zip(1_u8..) {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(SocketAddr::from(([127, 0, 1, most], 0))).unwrap();
            let mut stream = socket.connect(self.address).await.unwrap();
            let mut buffer = Vec::new();
            for _ in at..count.min(at + 1_000) {
                exchange(&mut stream, &request, &mut buffer).await;
            }
        }
        let grown = resident().saturating_sub(before);
        println!(
            "{count} sessions: {} KiB more, {} bytes each",
            grown / 1024,
            grown / count as u64
        );
    }
}

async fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> usize {
    stream.write_all(request).await.unwrap();
    buffer.clear();
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
            let length = head
                .split("content-length: ")
                .nth(1)
                .unwrap()
                .lines()
                .next()
                .unwrap()
                .parse::<usize>()
                .unwrap();
            while buffer.len() < end + 4 + length {
                assert!(stream.read_buf(buffer).await.unwrap() > 0);
            }
            return end + 4;
        }
        assert!(stream.read_buf(buffer).await.unwrap() > 0);
    }
}

async fn once(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut buffer = Vec::new();
    let begin = exchange(&mut stream, request, &mut buffer).await;
    String::from_utf8(buffer[begin..].to_vec()).unwrap()
}

async fn calls_per_second(address: SocketAddr, request: &[u8], block: Duration) -> f64 {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut buffer = Vec::new();
    let mut calls = 0_u32;
    let started = Instant::now();
    while started.elapsed() < block || calls == 0 {
        exchange(&mut stream, request, &mut buffer).await;
        calls += 1;
    }
    f64::from(calls) / started.elapsed().as_secs_f64()
}

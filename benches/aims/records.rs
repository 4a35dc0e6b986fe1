//! The Xen-API: lists of records, and calls about one object.

use crate::Effort;
use crate::host::{Host, bare};
use crate::support;
use crate::support::client::{Client, median, once};
use crate::table::Aim::AtMost;
use crate::table::Table;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use xend::memory_budget::MemoryBudgets;
use xend::wire::xmlrpc::codec::{self, XmlLimits};
use xend::wire::xmlrpc::{Endpoint, LoginPolicy, Value, XmlRpc};

/// Answers have more values than any call.
const ANSWER: XmlLimits = XmlLimits { depth: 128, count: usize::MAX };
/// More than the interval of sweeps while there are readers.
const SWEEP: Duration = Duration::from_millis(230);

pub(crate) async fn measure(effort: Effort, table: &mut Table) {
    // Guests that do nothing: their figures stay the same.
    let still = XenApi::with(effort, 1_000, "d").await;
    still.both_lists(effort, table).await;
    still.device_lists(effort, table, "at rest").await;
    drop(still);
    let moving = XenApi::with(effort, 1_000, "dbusy").await;
    moving.device_lists(effort, table, "in motion").await;
    drop(moving);
    let few = XenApi::with(effort, 10, "dbusy").await;
    let many = XenApi::with(effort, 10_000, "dbusy").await;
    for method in ["VM.get_name_label", "VM.get_record", "VBD.get_device", "VM_metrics.get_record"]
    {
        let calls = [few.call_of(method).await, many.call_of(method).await];
        let mut ratios = Vec::new();
        for _ in 0..effort.rounds(7) {
            let of_few = calls_a_second(few.address, &calls[0], effort.time(400)).await;
            let of_many = calls_a_second(many.address, &calls[1], effort.time(400)).await;
            ratios.push(of_few / of_many);
        }
        let what = format!("{method} among 10,000 VMs, times that among 10");
        table.ratio(what, median(&mut ratios), AtMost(1.2));
    }
}

struct XenApi {
    _host: Host,
    name: String,
    address: SocketAddr,
    session: Value,
}

impl XenApi {
    async fn with(effort: Effort, vms: u32, name: &str) -> Self {
        let host = Host::with(effort.domains(vms).max(8), name).await;
        let wire = XmlRpc::new(
            host.engine.clone(),
            host.engine.host_uuid().await.unwrap(),
            0,
            String::new,
            MemoryBudgets::default(),
            CancellationToken::new(),
        );
        let address = support::serve(wire.router(Endpoint::XenApi(LoginPolicy::Trust))).await;
        let name = name.to_owned();
        let mut this = Self { _host: host, name, address, session: Value::Nil };
        let login = [Value::text("root"), Value::text("")];
        this.session = this.value(&request("session.login_with_password", &login)).await;
        this
    }

    fn call(&self, method: &str, more: &[Value]) -> Vec<u8> {
        let params: Vec<Value> =
            std::iter::once(self.session.clone()).chain(more.iter().cloned()).collect();
        request(method, &params)
    }

    async fn value(&self, request: &[u8]) -> Value {
        let answer = once(self.address, request).await;
        let text = String::from_utf8(answer.to_vec()).unwrap();
        match codec::read_answer(&text, &ANSWER).unwrap() {
            Ok(Value::Struct(members)) => members[1].1.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// The only reference that a call answers.
    async fn reference(&self, method: &str, param: Value) -> Value {
        match self.value(&self.call(method, &[param])).await {
            Value::Array(references) => references[0].clone(),
            other => panic!("{other:?}"),
        }
    }

    async fn vm(&self) -> Value {
        let name = Value::text(format!("{}7", self.name));
        self.reference("VM.get_by_name_label", name).await
    }

    /// A call about an object of the method's class.
    async fn call_of(&self, method: &str) -> Vec<u8> {
        let vm = self.vm().await;
        let object = match method.split('.').next() {
            Some("VBD") => self.reference("VM.get_VBDs", vm).await,
            Some("VM_metrics") => self.value(&self.call("VM.get_metrics", &[vm])).await,
            _ => vm,
        };
        self.call(method, &[object])
    }

    /// The calls of `xm list`, beside a bare handler with the same bytes: while nothing changes,
    /// and after each change of one VM.
    async fn both_lists(&self, effort: Effort, table: &mut Table) {
        let lists =
            ["VM.get_all_records", "VM_metrics.get_all_records"].map(|list| self.call(list, &[]));
        let mut bare_time = 0.0;
        let mut same_time = 0.0;
        for list in &lists {
            let other = bare(once(self.address, list).await).await;
            let mut ours = Vec::new();
            let mut theirs = Vec::new();
            for _ in 0..effort.rounds(7) {
                let time = effort.time(500);
                ours.push(1.0 / calls_a_second(self.address, list, time).await);
                theirs.push(1.0 / calls_a_second(other, list, time).await);
            }
            same_time += median(&mut ours);
            bare_time += median(&mut theirs);
        }
        let mut changed = Vec::new();
        let mut client = Client::connect(self.address).await;
        let vm = self.vm().await;
        for round in 0..effort.rounds(30) {
            let label = Value::text(format!("change {round}"));
            let change = self.call("VM.set_name_description", &[vm.clone(), label]);
            client.ask(&change).await;
            let started = Instant::now();
            for list in &lists {
                client.ask(list).await;
            }
            changed.push(started.elapsed().as_secs_f64());
        }
        let what = "VM and VM_metrics.get_all_records of 1,000 VMs, times a bare handler's";
        table.ratio(format!("{what}, unchanged"), same_time / bare_time, AtMost(2.0));
        table.ratio(
            format!("{what}, after a change of one VM"),
            median(&mut changed) / bare_time,
            AtMost(6.0),
        );
    }

    /// Each list after a sweep, which makes every list anew, as a monitor asks for it.
    async fn device_lists(&self, effort: Effort, table: &mut Table, how: &str) {
        let mut client = Client::connect(self.address).await;
        for class in ["VBD", "VIF", "VDI", "VM_metrics"] {
            let list = self.call(&format!("{class}.get_all_records"), &[]);
            let mut first = Vec::new();
            let mut rest = Vec::new();
            for _ in 0..effort.rounds(9) {
                tokio::time::sleep(SWEEP).await;
                let started = Instant::now();
                client.ask(&list).await;
                first.push(started.elapsed().as_secs_f64() * 1e3);
                rest.push(1e3 / calls_a_second(self.address, &list, effort.time(400)).await);
            }
            let what = format!("{class}.get_all_records, 1,000 VMs {how}");
            table.add(
                format!("{what}, first after a sweep"),
                median(&mut first),
                " ms",
                AtMost(10.0),
            );
            table.add(format!("{what}, again and again"), median(&mut rest), " ms", AtMost(10.0));
        }
    }
}

fn request(method: &str, params: &[Value]) -> Vec<u8> {
    let body = codec::call(method, params);
    let length = body.len();
    format!("POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}")
        .into()
}

async fn calls_a_second(address: SocketAddr, request: &[u8], time: Duration) -> f64 {
    let mut client = Client::connect(address).await;
    let started = Instant::now();
    let mut calls = 0_u32;
    while started.elapsed() < time || calls == 0 {
        client.ask(request).await;
        calls += 1;
    }
    f64::from(calls) / started.elapsed().as_secs_f64()
}

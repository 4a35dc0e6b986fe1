//! The work of calls that wait for events, and of lists: VMs that are compared and records that are
//! printed, on a simulated host.

use crate::backend::sim::{Sim, SimSettings};
use crate::core::caller::Caller;
use crate::core::engine::{Engine, EnginePorts, Settings};
use crate::core::op::Change;
use crate::core::snapshot::Snapshot;
use crate::memory_budget::MemoryBudget;
use crate::memory_budget::MemoryBudgets;
use crate::os::{OsEntropy, SystemClock};
use crate::shape::read_config;
use crate::store::DirStore;
use crate::sxp::{Limits, read_one};
use crate::wire::relocation::TcpTransport;
use crate::wire::xmlrpc::codec::{self, Call, XmlLimits};
use crate::wire::xmlrpc::context::Context;
use crate::wire::xmlrpc::endpoint::{Endpoint, LoginPolicy};
use crate::wire::xmlrpc::receive::ReceivedCall;
use crate::wire::xmlrpc::serve::XmlRpc;
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::dispatch;
use crate::wire::xmlrpc::xenapi::events::Registration;
use crate::wire::xmlrpc::xenapi::service::XenApi;
use axum::body::Body;
use axum::http::Request;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

const WAITING: usize = 20;

/// The answer to a call, with its status.
async fn answer(
    api: &Arc<XenApi>,
    policy: &LoginPolicy,
    caller: &Caller,
    received: &Arc<ReceivedCall>,
) -> Value {
    dispatch::with_status(dispatch::answer(api, policy, caller, received).await)
}

struct Host {
    api: Arc<XenApi>,
    _dir: TempDir,
}

impl Host {
    /// A host with Domain-0 and paused VMs, in which nothing happens by itself.
    async fn with(vms: usize) -> Self {
        Self::with_answers(vms, MemoryBudget::default()).await
    }

    async fn with_answers(vms: usize, answers: MemoryBudget) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(SystemClock);
        let entropy = Arc::new(OsEntropy);
        let state = dir.path().join("sim");
        let sim = Sim::open(&state, SimSettings::default(), clock.clone(), entropy.clone());
        let outside = EnginePorts {
            hypervisor: Arc::new(sim.unwrap()),
            store: Arc::new(DirStore::open(dir.path(), entropy.clone()).unwrap()),
            transport: Arc::new(TcpTransport::new(Duration::from_secs(60))),
            clock,
            entropy,
        };
        let engine = Engine::start(outside, Settings::default()).await.unwrap();
        for number in 0..vms {
            let text = format!(
                "(vm (name d{number}) (memory 16) (image (linux (kernel /boot/vmlinuz))) \
                 (device (vbd (uname phy:/dev/vg0/d{number}) (dev xvda) (mode w))))"
            );
            let tree = read_one(text.as_bytes(), &Limits::default()).unwrap();
            let create = Change::Create(Box::new(read_config(&tree).unwrap()));
            engine.execute(&Caller::internal(), create).await.unwrap();
        }
        let host = engine.host_uuid().await.unwrap();
        let stopping = CancellationToken::new();
        let context = Context::new(engine, host, 0, String::new, stopping);
        Self { api: Arc::new(XenApi::new(Arc::new(context), answers)), _dir: dir }
    }

    async fn call(&self, method: &str, params: Vec<Value>) -> Value {
        call(self.api.clone(), method.to_owned(), params).await
    }

    async fn log_in(&self) -> Value {
        self.call("session.login_with_password", vec![Value::text("root"), Value::text("")]).await
    }

    /// The reference of a VM.
    async fn vm(&self, session: &Value, name: &str) -> Value {
        let params = vec![session.clone(), Value::text(name)];
        let Value::Array(found) = self.call("VM.get_by_name_label", params).await else { panic!() };
        found[0].clone()
    }

    /// How many VMs calls have compared that wait for events.
    fn compared(&self) -> usize {
        let snapshot = self.api.context.engine().view(&Caller::internal()).snapshot();
        self.api.indices.of(&snapshot).vm_states(&snapshot).compared()
    }

    /// How many records of a class were printed since this was last asked.
    fn printed(&self, class: &'static str) -> usize {
        self.api.printed.of(Snapshot::ALL_DOMAINS, class).take_printed()
    }
}

/// The value that a call is answered with, as a client reads it.
async fn call(api: Arc<XenApi>, method: String, params: Vec<Value>) -> Value {
    let received = Arc::new(ReceivedCall::from(Call { method, params }));
    let answered = answer(&api, &LoginPolicy::Trust, &Caller::internal(), &received).await;
    let call = &received.call;
    let read = codec::read_answer(&codec::answer(&answered), &XmlLimits::default());
    let Ok(Ok(Value::Struct(mut members))) = read else { panic!("{}: {read:?}", call.method) };
    assert_eq!(members[0].1, Value::text("Success"), "{}: {members:?}", call.method);
    members.remove(1).1
}

/// A member of a struct.
fn part<'a>(event: &'a Value, name: &str) -> &'a Value {
    let Value::Struct(members) = event else { panic!("{event:?}") };
    let found = members.iter().find(|(key, _)| key == name);
    &found.unwrap_or_else(|| panic!("no {name} in {members:?}")).1
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_calls_look_at_what_has_changed_alone_and_share_the_record() {
    for vms in [3, 30] {
        let host = Host::with(vms).await;
        let mut waiting = JoinSet::new();
        let compared = host.compared();
        for _ in 0..WAITING {
            let session = host.log_in().await;
            let classes = Value::Array(vec![Value::text("VM"), Value::text("VBD")]);
            host.call("event.register", vec![session.clone(), classes]).await;
            waiting.spawn(call(host.api.clone(), "event.next".to_owned(), vec![session]));
        }
        let session = host.log_in().await;
        let vm = host.vm(&session, "d1").await;
        let label = Value::text("new");
        host.call("VM.set_name_description", vec![session, vm.clone(), label.clone()]).await;
        while let Some(events) = waiting.join_next().await {
            let Value::Array(events) = events.unwrap() else { panic!() };
            assert_eq!(events.len(), 1, "{events:?}");
            assert_eq!(part(&events[0], "class"), &Value::text("VM"));
            assert_eq!(part(&events[0], "operation"), &Value::text("mod"));
            assert_eq!(part(&events[0], "ref"), &vm);
            assert_eq!(part(part(&events[0], "snapshot"), "name_description"), &label);
        }
        assert_eq!(host.compared() - compared, WAITING, "each looked at one of {vms} VMs");
        assert_eq!(host.printed("VM"), 1, "they share its record");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_prints_the_records_that_have_changed() {
    let host = Host::with(5).await;
    let session = host.log_in().await;
    let records = async |class: &str| {
        let method = format!("{class}.get_all_records");
        let Value::Struct(records) = host.call(&method, vec![session.clone()]).await else {
            panic!()
        };
        records
    };
    assert_eq!((records("VM").await.len(), host.printed("VM")), (6, 6));
    assert_eq!((records("VDI").await.len(), host.printed("VDI")), (5, 5));
    assert_eq!((records("VM").await.len(), host.printed("VM")), (6, 0));
    let vm = host.vm(&session, "d1").await;
    let Value::Text(reference) = &vm else { panic!() };
    let params = vec![session.clone(), vm.clone(), Value::text("new")];
    host.call("VM.set_name_description", params).await;
    let all = records("VM").await;
    let (_, changed) = all.iter().find(|(of, _)| of == reference).unwrap();
    assert_eq!(part(changed, "name_description"), &Value::text("new"));
    assert_eq!(host.printed("VM"), 1);
    assert_eq!((records("VDI").await.len(), host.printed("VDI")), (5, 0));
    host.call("VM.hard_shutdown", vec![session.clone(), vm]).await;
    assert_eq!((records("VM").await.len(), host.printed("VM")), (5, 0));
    assert_eq!((records("VDI").await.len(), host.printed("VDI")), (4, 0));
    let Value::Array(references) = host.call("VM.get_all", vec![session.clone()]).await else {
        panic!()
    };
    assert_eq!(references.len(), 5);
}

/// The figures of Domain-0 move all the time, and so does the time of the last update.
#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_printed_once_a_sweep() {
    let host = Host::with(5).await;
    let session = host.log_in().await;
    let swept = || {
        let view = host.api.context.engine().view(&Caller::internal());
        view.snapshot().swept()
    };
    let mut calls = 0;
    let mut sweeps = 1;
    let mut last = swept();
    while sweeps < 4 {
        host.call("VM_metrics.get_all_records", vec![session.clone()]).await;
        calls += 1;
        sweeps += usize::from(swept() != last);
        last = swept();
    }
    let printed = host.printed("VM_metrics");
    assert!(printed <= 6 * sweeps, "{printed} records in {calls} calls and {sweeps} sweeps");
}

/// A session whose last answer is too long ago is told so once, and goes on from then.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_idle_for_too_long_has_lost_events() {
    let host = Host::with(2).await;
    let session = host.log_in().await;
    let classes = Value::Array(vec![Value::text("VM")]);
    host.call("event.register", vec![session.clone(), classes]).await;
    let vm = host.vm(&session, "d1").await;
    let describe = async |text: &str| {
        let params = vec![session.clone(), vm.clone(), Value::text(text)];
        host.call("VM.set_name_description", params).await;
    };
    describe("unseen").await;
    let Value::Text(reference) = &session else { panic!() };
    let sessions = &host.api.state.sessions;
    let keeps_moment = || {
        let last = |one: &mut Option<Registration>| one.as_ref().unwrap().last_answer();
        sessions.with_registration(reference, last).unwrap().moment.is_some()
    };
    host.api.forget_old();
    assert!(keeps_moment(), "little has been replaced");
    sessions.drop_old_moments(1 << 40);
    assert!(!keeps_moment());
    let next = Call { method: "event.next".to_owned(), params: vec![session.clone()] };
    let next = Arc::new(ReceivedCall::from(next));
    let lost = answer(&host.api, &LoginPolicy::Trust, &Caller::internal(), &next).await;
    assert_eq!(part(&lost, "ErrorDescription"), &Value::Array(vec![Value::text("EVENTS_LOST")]));
    describe("seen").await;
    let Value::Array(events) = host.call("event.next", vec![session.clone()]).await else {
        panic!()
    };
    assert_eq!(part(part(&events[0], "snapshot"), "name_description"), &Value::text("seen"));
}

/// Lists leave nothing behind of the VMs that have gone, and neither do records that are read with
/// events.
#[tokio::test(flavor = "multi_thread")]
async fn records_of_vms_that_have_gone_go_with_their_events() {
    let host = Host::with(2).await;
    let session = host.log_in().await;
    host.call("event.register", vec![session.clone(), Value::Array(vec![])]).await;
    let vm = host.vm(&session, "d1").await;
    let params = vec![session.clone(), vm.clone(), Value::text("new")];
    host.call("VM.set_name_description", params).await;
    host.call("event.next", vec![session.clone()]).await;
    let printed = host.api.printed.of(Snapshot::ALL_DOMAINS, "VM");
    assert_eq!(printed.count(), 1);
    host.call("VM.hard_shutdown", vec![session.clone(), vm]).await;
    host.call("event.next", vec![session.clone()]).await;
    assert_eq!(printed.count(), 0);
}

/// A list has to fit while it grows, whether it is kept or not.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_does_not_fit_is_refused_while_it_is_printed() {
    let host = Host::with_answers(3, MemoryBudget::new(1 << 10)).await;
    let session = host.log_in().await;
    for class in ["VM", "VM_metrics", "host_cpu"] {
        let method = format!("{class}.get_all_records");
        let call = Call { method, params: vec![session.clone()] };
        let received = Arc::new(ReceivedCall::from(call));
        let refused = answer(&host.api, &LoginPolicy::Trust, &Caller::internal(), &received).await;
        let description = part(&refused, "ErrorDescription");
        let Value::Array(texts) = description else { panic!("{description:?}") };
        assert_eq!(texts[0], Value::text("OPERATION_NOT_ALLOWED"), "{class}");
        assert_eq!(host.api.answers.reserved(), 0);
    }
}

/// What a call was made from stays reserved as long as it is in memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_becomes_a_task_is_kept_by_it() {
    let host = Host::with(0).await;
    let session = host.log_in().await;
    let params = vec![session.clone(), Value::text("3600")];
    let call = Call { method: "Async.debug.wait".to_owned(), params };
    let received = Arc::new(ReceivedCall::from(call));
    let kept = Arc::downgrade(&received);
    let begun = answer(&host.api, &LoginPolicy::Trust, &Caller::internal(), &received).await;
    drop(received);
    assert!(kept.upgrade().is_some(), "it is neither copied nor dropped");
    host.call("task.cancel", vec![session, part(&begun, "Value").clone()]).await;
    until(|| kept.upgrade().is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_work_and_its_memory_go_on_when_the_client_hangs_up() {
    let host = Host::with(0).await;
    let budget = MemoryBudget::default();
    let memory = budget.reserve(1000).unwrap();
    let (begun, has_begun) = oneshot::channel();
    let (end, is_to_end) = oneshot::channel::<()>();
    let work = async move {
        begun.send(()).unwrap();
        is_to_end.await.unwrap();
        drop(memory);
    };
    let mut waiting = Box::pin(host.api.context.engine().offload(1 << 20, work));
    tokio::select! {
        () = &mut waiting => panic!("it waits"),
        begun = has_begun => begun.unwrap(),
    }
    drop(waiting);
    assert_eq!(budget.reserved(), 1000);
    end.send(()).unwrap();
    until(|| budget.reserved() == 0).await;
}

/// Waits for what another task does.
async fn until(is_so: impl Fn() -> bool) {
    let waited = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waited).await.unwrap();
}

/// Other calls are served while the list is made, and while it is printed.
#[tokio::test(flavor = "multi_thread")]
async fn a_legacy_list_of_many_domains_is_made_and_printed_beside_other_calls() {
    let host = Host::with(70).await;
    let engine = host.api.context.engine();
    let stopping = CancellationToken::new();
    let wire = XmlRpc::new(
        engine.clone(),
        host.api.context.host(),
        0,
        String::new,
        MemoryBudgets::default(),
        stopping,
    );
    let router = wire.router(Endpoint::XenApi(LoginPolicy::Trust));
    let printed = async |method: &str| {
        let before = engine.places().printed();
        let call = codec::call(method, &[]);
        let mut request = Request::post("/").body(Body::from(call)).unwrap();
        request.extensions_mut().insert(Caller::internal());
        assert!(router.clone().oneshot(request).await.unwrap().status().is_success());
        engine.places().printed() - before
    };
    assert_eq!(printed("xend.domains").await, 2);
    assert_eq!(printed("xend.node.info").await, 0);
}

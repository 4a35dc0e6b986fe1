//! Histories of use follow their domains. The clock is the tests' own.

use crate::engine_support::TestHost;
use crate::sim_support::{config, device, name};
use std::time::Duration;
use xend::core::caller::Caller;
use xend::core::model::{DomainRef, Level, Resource, Span, Usage, UsageHistory, Uuid};
use xend::core::op::{Change, DomainOp};

/// Three rounds of samples and one of devices fit into it.
const MINUTE: Duration = Duration::from_secs(60);

async fn usage(host: &TestHost, domain: &str, span: Span) -> Vec<Usage> {
    let view = host.engine.view(&Caller::internal());
    known(&view.usage(&DomainRef::new(domain), span).await.unwrap().1)
}

fn known(history: &UsageHistory) -> Vec<Usage> {
    assert_eq!(history.steps.len(), usize::try_from(history.span.steps()).unwrap());
    history.steps.iter().filter(|step| !step.is_empty()).copied().collect()
}

async fn execute(host: &TestHost, change: Change) {
    host.engine.execute(&Caller::internal(), change).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_domain_and_the_host_have_a_history() {
    let host = TestHost::new().await;
    let mut guest = config("a", 64);
    guest.devices.push(device("(vbd (uname phy:/dev/vg0/a) (dev xvda) (mode w))"));
    guest.devices.push(device("(vif (bridge xenbr0))"));
    host.create(guest).await.unwrap();
    host.change("a", DomainOp::Unpause).await.unwrap();
    tokio::time::sleep(MINUTE * 20).await;
    let hour = usage(&host, "a", Span::Hour).await;
    assert!((18..=20).contains(&hour.len()), "{hour:?}");
    let last = hour.last().unwrap();
    let memory = Level { mean: 65_536.0, max: 65_536.0 };
    assert_eq!(last.of(Resource::Memory), Some(memory));
    for resource in Resource::ALL {
        let Level { mean, max } = last.of(resource).unwrap();
        assert!(mean >= 0.0 && max >= mean, "{resource:?}: {last:?}");
    }
    // Rates are known from the second round on.
    let reads = hour.iter().filter_map(|step| step.of(Resource::DiskRead));
    assert!(reads.clone().count() >= 17 && reads.clone().any(|read| read.max > 0.0), "{hour:?}");
    let month = usage(&host, "a", Span::Month).await;
    assert!((1..=2).contains(&month.len()), "{month:?}");
    let whole = host.engine.view(&Caller::internal()).host_usage(Span::Hour).await.unwrap();
    let whole = known(&whole);
    let of_host = whole.last().unwrap();
    assert!(of_host.of(Resource::Memory).unwrap().mean > 65_536.0, "{of_host:?}");
    assert!(of_host.of(Resource::NetSent).is_some(), "{of_host:?}");
}

#[tokio::test(start_paused = true)]
async fn a_history_follows_the_domain_and_goes_with_its_definition() {
    let host = TestHost::new().await;
    let guest = host.old_guest(|_| ()).await;
    tokio::time::sleep(MINUTE * 3).await;
    let before = usage(&host, "a", Span::Hour).await;
    assert!(before.len() >= 2, "{before:?}");
    host.change("a", DomainOp::Rename(name("b"))).await.unwrap();
    assert!(usage(&host, "b", Span::Hour).await.starts_with(&before));
    let file = host.dir.path().join("saved");
    host.change("b", DomainOp::Save { file: file.clone(), checkpoint: false, replace: true })
        .await
        .unwrap();
    tokio::time::sleep(MINUTE * 2).await;
    execute(&host, Change::Restore { file, paused: false }).await;
    let restored = usage(&host, "b", Span::Hour).await;
    assert!(restored.starts_with(&before) && restored.len() > before.len() - 1, "{restored:?}");

    let mut defined = config("c", 64);
    defined.uuid = Some(Uuid::from_u128(77));
    execute(&host, Change::Define(Box::new(defined.clone()))).await;
    host.change("c", DomainOp::Start { paused: false }).await.unwrap();
    tokio::time::sleep(MINUTE * 3).await;
    assert!(!usage(&host, "c", Span::Hour).await.is_empty());
    host.change("c", DomainOp::Destroy).await.unwrap();
    assert!(!usage(&host, "c", Span::Hour).await.is_empty(), "it is still defined");
    host.change("c", DomainOp::Delete).await.unwrap();
    execute(&host, Change::Define(Box::new(defined))).await;
    assert!(usage(&host, "c", Span::Hour).await.is_empty(), "the next one of this UUID");
    assert!(!usage(&host, &guest.uuid.to_string(), Span::Hour).await.is_empty());
}

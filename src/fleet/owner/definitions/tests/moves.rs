//! Definitions of domains that are sent to other hosts, which may not take them.

use super::*;
use crate::core::fleet::ClusterName;
use crate::core::ports::{Arrived, Destination, Handover, Leave};

const ID: Uuid = Uuid::from_u128(7);

/// A domain that is defined and runs on the first host, and was sent to the second.
async fn sent(kv: &MemoryKv, web: &Arc<CompleteConfig>) -> (Host, Host) {
    let (one, two) = (Host::member(kv, 1).await, Host::member(kv, 2).await);
    one.define(web).await.unwrap();
    one.owner.claim(web.uuid(), &web.name).await.unwrap();
    one.owner.run(web.uuid()).await.unwrap();
    let to = Destination { host: "xen2".to_owned(), port: 8002, encrypted: false, member: None };
    one.owner.hand_over(web.uuid(), &Handover { id: ID, to }).await.unwrap();
    (one, two)
}

fn arrived(fleet: Option<&ClusterName>) -> Arrived<'_> {
    Arrived { domain: uuid(1), id: ID, fleet, brings_definition: true }
}

/// The host asks for the domain, and does not hear that it has it.
async fn asks_in_vain(host: &Host, web: &Arc<CompleteConfig>, fleet: Option<&ClusterName>) {
    host.kv.lose_answer(Lost::Happened);
    let receive = host.owner.receive(arrived(fleet), &web.name, Some(web));
    let cut_off = async {
        sleep(Duration::from_millis(1)).await;
        host.kv.set_link(Link::Silent);
    };
    let (received, ()) = tokio::join!(receive, cut_off);
    received.unwrap_err();
    host.kv.set_link(Link::Up);
}

#[tokio::test(start_paused = true)]
async fn the_home_moves_with_the_domain() {
    let kv = MemoryKv::default();
    let web = config(1, "web", 64);
    let (one, two) = sent(&kv, &web).await;
    let domain = web.uuid();
    assert_eq!(shown(&kv, 1).await, "xen1 web 64");
    let keys = keys();
    let fleet = Some(keys.cluster());
    let leave = two.owner.receive(arrived(fleet), &web.name, Some(&web)).await.unwrap();
    assert!(matches!(leave, Leave::Granted));
    two.disk.save(&web);
    assert_eq!(shown(&kv, 1).await, "xen2 web 64");
    lock(&one.disk.defined).remove(&domain);
    one.owner.changed(domain, None);
    one.owner.release(domain);
    sleep(LATER).await;
    assert_eq!((shown(&kv, 1).await.as_str(), two.memory(1)), ("xen2 web 64", Some(64)));
    assert_eq!(one.memory(1), None);
    two.change(&config(1, "web", 65));
    sleep(SOON).await;
    assert_eq!(shown(&kv, 1).await, "xen2 web 65");
    check(&kv).await;
    // A source whose daemon was killed before it learnt of it.
    one.disk.save(&web);
    let mut one = one.restarted();
    one.begin();
    sleep(SOON).await;
    assert_eq!(shown(&kv, 1).await, "xen2 web 65");
}

/// A host that asks again finds that the definition is its own, too.
#[tokio::test(start_paused = true)]
async fn a_definition_comes_along_after_an_answer_that_was_lost() {
    let kv = MemoryKv::default();
    let web = config(1, "web", 64);
    let (one, two) = sent(&kv, &web).await;
    let keys = keys();
    let fleet = Some(keys.cluster());
    asks_in_vain(&two, &web, fleet).await;
    sleep(LATER).await;
    // It is known on neither host which of the two has it.
    assert_eq!((one.memory(1), two.memory(1)), (Some(64), None));
    let leave = two.owner.receive(arrived(fleet), &web.name, Some(&web)).await.unwrap();
    assert!(matches!(leave, Leave::Granted));
    two.disk.save(&web);
    two.change(&config(1, "web", 65));
    assert!(!one.owner.take_back(web.uuid(), true).await.unwrap());
    one.owner.release(web.uuid());
    sleep(LATER).await;
    assert_eq!(shown(&kv, 1).await, "xen2 web 65");
    assert_eq!(*lock(&one.disk.aside), [web.uuid()]);
    check(&kv).await;
}

#[tokio::test(start_paused = true)]
async fn a_definition_that_is_given_back_is_the_senders_again() {
    let web = config(1, "web", 64);
    let keys = keys();
    let fleet = Some(keys.cluster());
    for is_fenced in [true, false] {
        let kv = MemoryKv::default();
        let (one, two) = sent(&kv, &web).await;
        asks_in_vain(&two, &web, fleet).await;
        sleep(LATER).await;
        assert_eq!(shown(&kv, 1).await, "xen2 web 64", "it has happened");
        if is_fenced {
            let fence = put(keys.fence(&host_name(2), 1), b"declared");
            kv.commit(Txn { compares: vec![], ops: vec![fence] }).await.unwrap();
            let leave = two.owner.receive(arrived(fleet), &web.name, Some(&web)).await.unwrap();
            assert!(matches!(leave, Leave::Refused(_)));
            two.owner.release(web.uuid());
        } else {
            // Somebody destroys it.
            two.owner.release(web.uuid());
            two.owner.renounce(arrived(fleet)).await.unwrap();
        }
        sleep(SOON).await;
        assert_eq!(shown(&kv, 1).await, "- web 64");
        assert!(one.owner.take_back(web.uuid(), true).await.unwrap());
        sleep(SOON).await;
        assert_eq!(shown(&kv, 1).await, "xen1 web 64");
        assert!(lock(&one.disk.aside).is_empty());
        assert_eq!(one.memory(1), Some(64));
        check(&kv).await;
    }
}

/// The definition is nobody's in the fleet.
#[tokio::test(start_paused = true)]
async fn a_definition_of_a_stranger_that_is_not_taken_goes() {
    let kv = MemoryKv::default();
    let two = Host::member(&kv, 2).await;
    let web = config(1, "web", 64);
    asks_in_vain(&two, &web, None).await;
    assert_eq!(shown(&kv, 1).await, "xen2 web 64", "it has happened");
    two.owner.release(web.uuid());
    two.owner.renounce(arrived(None)).await.unwrap();
    sleep(SOON).await;
    assert_eq!(all_keys(&kv).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_in_a_fleet_is_refused_at_once() {
    let kv = MemoryKv::default();
    let mut web = DomainConfig::clone(&config(1, "web", 64));
    web.description = "x".repeat(300 << 10).as_str().into();
    let web = Arc::new(CompleteConfig::try_from(web).unwrap());
    let two = Host::member(&kv, 2).await;
    let leave = two.owner.receive(arrived(None), &web.name, Some(&web)).await.unwrap();
    assert!(matches!(leave, Leave::Refused(_)));
    // What was asked for before is undone first.
    two.owner.doubt(web.uuid());
    let leave = two.owner.receive(arrived(None), &web.name, Some(&web)).await.unwrap();
    assert!(matches!(leave, Leave::Refused(_)));
    assert_eq!(all_keys(&kv).await, [""; 0]);
}

/// Another toolstack renames a domain while it is not known which host has it.
#[tokio::test(start_paused = true)]
async fn a_new_name_does_not_say_that_a_domain_is_here() {
    let kv = MemoryKv::default();
    let web = config(1, "web", 64);
    let (one, two) = sent(&kv, &web).await;
    one.owner.renamed(web.uuid(), &DomName::adopted("www"));
    sleep(SOON).await;
    let keys = keys();
    let leave = two.owner.receive(arrived(Some(keys.cluster())), &web.name, Some(&web)).await;
    assert!(matches!(leave, Ok(Leave::Granted)), "{leave:?}");
}

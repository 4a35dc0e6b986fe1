//! Nothing about domains of others is in any answer of a wire to a user: every request of the table
//! about a domain of the user's, and every page in every format. The getters of the Xen-API are
//! looked at in `xmlrpc_accounts_objects.rs`.

use crate::rights_by_wire::requests;
use crate::rights_leaks::{Busy, all_without_host};
use crate::rights_support::{NamedBy, operator};
use crate::rights_table::row;
use crate::rights_wires::{FORMATS, LOG, Wire, Wires};
use xend::core::caller::Caller;
use xend::core::model::DomainRef;
use xend::core::op::{Change, DomainOp};
use xend::core::rights::Rights;

#[tokio::test(start_paused = true)]
async fn no_answer_about_an_own_domain_shows_anything_of_others() {
    let busy = Busy::new().await;
    let wires = Wires::new(&busy.world).await;
    let world = &busy.world;
    let steve = world.user(&["own*"], all_without_host());
    for (kind, wire, request) in requests() {
        let subject = world.add("own-one", row(kind).stage, &world.files()).await;
        let by = wire.names()[0];
        let reply = wires.ask(world, wire, &steve, request, &subject, by).await;
        busy.check(&reply.text, false, &format!("{wire:?} {request}"));
        world.remove(&subject).await;
    }
}

/// The pages of the reference, with a domain and a virtual network in their paths.
async fn pages(wires: &Wires, busy: &Busy) -> Vec<String> {
    let sxp = Wire::Http(FORMATS[0]);
    let own = &busy.own;
    let help =
        wires.ask(&busy.world, sxp, &operator(), "GET /xend/help", own, NamedBy::Name).await.text;
    let paths = help.split("(page (path ").skip(1).filter_map(|rest| rest.split(')').next());
    let paths: Vec<String> = paths
        .map(|path| path.trim_matches('\'').replace("{domain}", "own").replace("{id}", "lan"))
        .collect();
    assert!(paths.len() >= 15, "{paths:?}");
    let queries = ["", "?detail=1", "?state=all&detail=1", "?op=destroy", "?op=vcpuinfo&sort=cpu"];
    let with = |path: &String| queries.map(|query| format!("GET {path}{query}"));
    paths.iter().filter(|path| *path != "/xend/events").flat_map(with).collect()
}

#[tokio::test(start_paused = true)]
async fn no_page_shows_anything_of_others() {
    let busy = Busy::new().await;
    let wires = Wires::new(&busy.world).await;
    let plain = busy.world.user(&["own"], all_without_host());
    let host = busy.world.user(&["own"], Rights::all());
    let mut of_operator = String::new();
    for page in pages(&wires, &busy).await {
        for format in FORMATS {
            let ask = async |caller: &Caller| {
                let wire = Wire::Http(format);
                wires.ask(&busy.world, wire, caller, &page, &busy.own, NamedBy::Name).await.text
            };
            let case = format!("{page} as {format}");
            let shown = ask(&plain).await;
            busy.check(&shown, false, &case);
            assert!(!shown.contains(LOG), "{case}");
            busy.check(&ask(&host).await, true, &case);
            of_operator += &ask(&operator()).await;
        }
    }
    // The test would find it.
    for secret in ["SECRET-bob", "198.51.100.67", LOG] {
        assert!(of_operator.contains(secret), "{secret}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_stream_of_events_shows_anything_of_others() {
    let busy = Busy::new().await;
    let wires = Wires::new(&busy.world).await;
    let steve = busy.world.user(&["own"], all_without_host());
    let act = async || {
        for (name, op) in [
            ("SECRET-bob", DomainOp::Pause),
            ("own", DomainOp::Pause),
            ("SECRET-bob", DomainOp::Unpause),
            ("own", DomainOp::Unpause),
        ] {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            let change = Change::Domain(DomainRef::new(name), op);
            busy.world.execute(change).await.unwrap();
        }
    };
    for format in FORMATS {
        for query in ["", "?figures=1", "?figures=1&domain=own"] {
            let path = format!("/xend/events{query}");
            let (shown, ()) = tokio::join!(wires.listen(&steve, &path, format), act());
            busy.check(&shown, false, &path);
            assert!(shown.contains("own") && shown.contains("pause"), "{path} {format}: {shown}");
        }
    }
    let root = operator();
    let (shown, ()) = tokio::join!(wires.listen(&root, "/xend/events", FORMATS[0]), act());
    assert!(shown.contains("SECRET-bob"), "{shown}");
}

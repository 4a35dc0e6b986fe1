//! References that a user guesses: those of foreign objects are as unknown as random ones, to every
//! method and as every parameter.

use crate::xenapi_support::{record, strings, text};
use crate::xmlrpc_accounts_support::{
    AccountHost, CLASSES_OF_HOST, CLASSES_OF_VMS, SessionClient, account, guest,
};
use std::collections::BTreeMap;
use xend::core::caller::Caller;
use xend::core::rights::{Account, Limits};
use xend::wire::xmlrpc::Value;

const RANDOM: &str = "5b1ca7b2-6c4f-4a3e-8d2c-0f4f8f6a9e11";

/// Every right on the own VM: what is refused is refused because it is foreign.
fn accounts() -> Vec<Account> {
    let all = "see power console media devices memory-and-cpus configure save migrate guest create";
    vec![account("steve", "lj", all, Limits { disks: vec!["/".into()], ..Limits::default() })]
}

async fn host() -> AccountHost {
    let pci = "(device (pci (dev (domain 0x0) (bus 0x3) (slot 0x0) (func 0x0))))";
    AccountHost::new(accounts(), &[guest("lj", 1, ""), guest("other", 3, pci)]).await
}

/// The references of each class that the operator sees and the user does not.
fn foreign(operator: &SessionClient, user: &SessionClient) -> BTreeMap<&'static str, Vec<String>> {
    let of = |class: &'static str| {
        let known = user.all(class);
        let mut foreign = operator.all(class);
        foreign.retain(|one| !known.contains(one));
        (class, foreign)
    };
    let others = ["network", "task", "debug"];
    CLASSES_OF_VMS.into_iter().chain(CLASSES_OF_HOST).chain(others).map(of).collect()
}

/// Makes the parameters of a call from the user's VM and drive, and a reference.
type Make = fn(&Value, &Value, &str) -> Vec<Value>;

/// The methods of a class, with the numbers of their parameters.
fn methods(client: &SessionClient, class: &str) -> Vec<(String, usize)> {
    let all = strings(&client.call("host.list_methods", &[]).unwrap());
    let prefix = format!("{class}.");
    let own = all.into_iter().filter(|method| method.starts_with(&prefix));
    let count = |method: &str| -> usize {
        let many = vec![text("x"); 9];
        client.call(method, &many).unwrap_err()[2].parse().unwrap()
    };
    own.map(|method| (method.clone(), count(&method))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_knows_a_foreign_reference_as_little_as_a_random_one() {
    let host = host().await;
    let steve = host.log_in("steve").await;
    let operator = host.log_in_as_operator().await;
    operator.call("Async.debug.wait", &[text("60")]).unwrap();
    operator.call("debug.create", &[]).unwrap();
    let before = host.engine.view(&Caller::internal()).snapshot();
    let mut calls = 0;
    for (class, references) in foreign(&operator, &steve) {
        assert!(!references.is_empty() || class == "DSCSI_HBA", "{class}");
        for (method, count) in methods(&steve, class) {
            if count < 2 {
                continue;
            }
            for filler in [text("7"), record(&[])] {
                let answer = |reference: &str| {
                    let mut params = vec![filler.clone(); count - 1];
                    params[0] = text(reference);
                    let answer = steve.call(&method, &params);
                    answer.map_err(|failure| {
                        let shown = |one: String| one.replace(reference, "REFERENCE");
                        failure.into_iter().map(shown).collect::<Vec<_>>()
                    })
                };
                let unknown = answer(RANDOM);
                for reference in &references {
                    assert_eq!(answer(reference), unknown, "{method} {reference}");
                    calls += 1;
                }
                let is_found_by_label = method.ends_with("get_by_name_label");
                assert!(unknown.is_err() || is_found_by_label, "{method}");
            }
        }
    }
    assert!(calls > 1_000, "{calls}");
    let after = host.engine.view(&Caller::internal()).snapshot();
    assert_eq!(after.config_changes.number(), before.config_changes.number());
    let other = after.by_uuid(&operator.vm("other").parse().unwrap()).unwrap().state();
    assert_eq!(other, before.by_uuid(&operator.vm("other").parse().unwrap()).unwrap().state());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_reference_is_unknown_as_any_parameter() {
    let host = host().await;
    let steve = host.log_in("steve").await;
    let operator = host.log_in_as_operator().await;
    let all = foreign(&operator, &steve);
    let lj = text(&steve.vm("lj"));
    let of = |class: &str| all[class][0].clone();
    let mut disks = steve.all("VBD").into_iter();
    let is_drive = |vbd: &String| steve.on("VBD.get_type", vbd) == Ok(text("CD"));
    let drive = text(&disks.find(is_drive).unwrap());
    let cases: [(&str, &str, Make); 12] = [
        ("VBD.create", "VM", |_, _, of| {
            vec![record(&[("VM", text(of)), ("device", text("xvdf"))])]
        }),
        ("VBD.create", "VDI", |vm, _, of| {
            vec![record(&[("VM", vm.clone()), ("VDI", text(of)), ("device", text("xvdf"))])]
        }),
        ("VBD.media_change", "VDI", |_, drive, of| vec![drive.clone(), text(of)]),
        ("VIF.create", "VM", |_, _, of| vec![record(&[("VM", text(of))])]),
        ("VIF.create", "network", |vm, _, of| {
            vec![record(&[("VM", vm.clone()), ("network", text(of))])]
        }),
        ("console.create", "VM", |_, _, of| vec![record(&[("VM", text(of))])]),
        ("VTPM.create", "VM", |_, _, of| vec![record(&[("VM", text(of))])]),
        ("DPCI.create", "VM", |_, _, of| vec![record(&[("VM", text(of))])]),
        ("DPCI.create", "PPCI", |vm, _, of| {
            vec![record(&[("VM", vm.clone()), ("PPCI", text(of))])]
        }),
        ("DSCSI.create", "PSCSI", |vm, _, of| {
            vec![record(&[("VM", vm.clone()), ("PSCSI", text(of))])]
        }),
        ("DSCSI_HBA.create", "PSCSI_HBA", |vm, _, of| {
            vec![record(&[("VM", vm.clone()), ("PSCSI_HBA", text(of))])]
        }),
        ("VM.cpu_pool_migrate", "cpu_pool", |vm, _, of| vec![vm.clone(), text(of)]),
    ];
    for (method, class, make) in cases {
        for reference in [of(class), RANDOM.to_owned()] {
            let failure = steve.call(method, &make(&lj, &drive, &reference)).unwrap_err();
            assert_eq!(failure, ["HANDLE_INVALID", class, reference.as_str()], "{method}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_cannot_be_guessed() {
    let host = host().await;
    let steve = host.log_in("steve").await;
    let again = host.log_in("steve").await;
    let operator = host.log_in_as_operator().await;
    for reference in [&operator.session, &again.session] {
        for method in ["get_record", "get_this_user", "get_last_active", "get_by_uuid"] {
            let answer = steve.call(&format!("session.{method}"), std::slice::from_ref(reference));
            assert_eq!(answer.unwrap_err()[0], "HANDLE_INVALID", "{method}");
        }
    }
    assert_eq!(steve.all("session").len(), 1);
    let Value::Text(own) = &steve.session else { panic!() };
    assert_eq!(steve.all("session"), [own.as_str()]);
    steve.call("session.logout", &[]).unwrap();
    assert_eq!(steve.call("VM.get_all", &[]).unwrap_err(), ["SESSION_INVALID", own.as_str()]);
    assert!(again.call("VM.get_all", &[]).is_ok());
}

//! Domains that come and go.

use crate::daemon::{Daemon, on_each_daemon};
use xend_xenstore::wire::MessageType;
use xend_xenstore::{Nodes, Refusal};

on_each_daemon!(
    a_domain_is_introduced,
    a_domain_that_has_shut_down_is_still_there,
    a_domain_takes_its_nodes_along,
    requests_about_unknown_domains,
);

fn a_domain_is_introduced(daemon: &mut impl Daemon) {
    let mut host = daemon.host();
    assert!(host.is_introduced(0).unwrap());
    assert!(!host.is_introduced(5).unwrap());
    daemon.introduce(5);
    assert!(host.is_introduced(5).unwrap());
    assert_eq!(host.domain_path(5).unwrap(), "/local/domain/5");
    assert_eq!(host.read("/local/domain/5/domid").unwrap(), b"5");
    daemon.destroy(5);
    assert!(!host.is_introduced(5).unwrap());
    assert_eq!(host.domain_path(5).unwrap(), "/local/domain/5");
    daemon.introduce(5);
    assert!(host.is_introduced(5).unwrap());
}

fn a_domain_that_has_shut_down_is_still_there(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut host = daemon.raw_host();
    host.ask(MessageType::Watch, "@releaseDomain\0t\0").unwrap();
    host.events();
    daemon.shut_down(5);
    assert_eq!(host.events(), ["@releaseDomain t"]);
    let mut client = daemon.host();
    assert!(client.is_introduced(5).unwrap());
    assert_eq!(client.read("/local/domain/5/name").unwrap(), b"guest-5");
    assert_eq!(daemon.guest(5).read("name").unwrap(), b"guest-5");
    client.resume(5).unwrap();
}

fn a_domain_takes_its_nodes_along(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    daemon.introduce(6);
    let mut host = daemon.host();
    host.mkdir("/shared").unwrap();
    host.set_permissions("/shared", &["b0".parse().unwrap()]).unwrap();
    daemon.guest(5).write("/shared/five", b"").unwrap();
    daemon.guest(6).write("/shared/six/below", b"").unwrap();
    // What others have made below one of its nodes goes, too.
    daemon.guest(5).write("/shared/six/five", b"").unwrap();
    host.mkdir("/shared/six/host").unwrap();
    daemon.destroy(6);
    assert_eq!(host.directory("/shared").unwrap(), ["five"]);
    assert!(host.read("/shared/six/host").unwrap_err().is_not_found());
}

fn requests_about_unknown_domains(daemon: &mut impl Daemon) {
    let mut host = daemon.raw_host();
    let introduced = host.ask(MessageType::IsDomainIntroduced, "99\0");
    assert_eq!(introduced, Ok(b"F\0".to_vec()));
    for kind in [MessageType::Release, MessageType::Resume] {
        assert_eq!(host.ask(kind, "99\0"), Err(Refusal::NotFound), "{kind:?}");
        assert_eq!(host.ask(kind, "0\0"), Err(Refusal::Invalid), "{kind:?}");
    }
    assert_eq!(host.ask(MessageType::Introduce, "99\x001\0"), Err(Refusal::Invalid));
}

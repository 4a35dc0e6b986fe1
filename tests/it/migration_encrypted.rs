//! Migration over encrypted connections between two daemons.

use crate::http_support::{Answer, Daemon, guest};
use crate::ports::free_port;
use crate::proxy_support::{Cut, Proxy};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::Ordering;
use tempfile::TempDir;

/// A host's own key and certificate in PEM.
struct Identity {
    key: String,
    cert: String,
}

impl Identity {
    /// A certificate that its owner signed, as `openssl req -x509` makes it.
    fn self_signed() -> Self {
        let mut params = CertificateParams::new(["xen.example.org".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let cert = params.self_signed(&key).unwrap().pem();
        Self { key: key.serialize_pem(), cert }
    }

    fn write(&self, dir: &Path) {
        std::fs::write(dir.join("host.key"), &self.key).unwrap();
        std::fs::write(dir.join("host.crt"), &self.cert).unwrap();
    }
}

/// An authority that signs certificates of hosts.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    cert: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let cert = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), cert }
    }

    fn sign(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap().pem();
        Identity { key: key.serialize_pem(), cert }
    }
}

/// A host with an encrypted relocation port.
struct Host {
    daemon: Daemon,
    relocation: SocketAddr,
}

impl Host {
    /// A host that accepts the certificates `peers`, with further configuration.
    fn start(own: &Identity, peers: &str, more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        own.write(dir.path());
        std::fs::write(dir.path().join("hosts.crt"), peers).unwrap();
        Self::start_in(dir, more)
    }

    fn start_in(dir: TempDir, more: &str) -> Self {
        let free = free_port();
        let config = dir.path().join("xend-config.sxp");
        let text = format!(
            "(xend-relocation-ssl-server yes) (xend-relocation-ssl-port {free})
             (xend-relocation-address 127.0.0.1) (xend-relocation-ssl-ca-file hosts.crt)
             (xend-relocation-server-ssl-key-file host.key)
             (xend-relocation-server-ssl-cert-file host.crt) {more}\n"
        );
        std::fs::write(&config, text).unwrap();
        let daemon = Daemon::start_with_config(dir, &config, &[]);
        let line =
            daemon.announced.iter().find_map(|line| line.strip_prefix("Encrypted relocation on "));
        let relocation = line.unwrap().parse().unwrap();
        Self { daemon, relocation }
    }

    fn start_guest(&self, name: &str) {
        assert_eq!(self.daemon.create(&guest(name, "")).code, 201);
        let started = self.daemon.post(&format!("/xend/domain/{name}"), "op=unpause");
        assert_eq!(started.code, 200);
    }

    /// Sends the guest `web`.
    fn migrate(&self, host: &str, port: u16, more: &str) -> Answer {
        let form = format!("op=migrate&destination={host}&port={port}&live=1{more}");
        self.daemon.post("/xend/domain/web", &form)
    }

    fn has_guest(&self) -> bool {
        self.daemon.domain("web").is_some()
    }

    fn log(&self) -> String {
        self.daemon.log()
    }
}

/// Two hosts that know each other's self-signed certificates.
fn two_hosts(more: &str) -> (Host, Host) {
    let one = Identity::self_signed();
    let other = Identity::self_signed();
    (Host::start(&one, &other.cert, more), Host::start(&other, &one.cert, more))
}

#[test]
fn a_domain_moves_there_and_back_between_hosts_with_self_signed_certificates() {
    let (a, b) = two_hosts("");
    let proxy = Proxy::to(b.relocation);
    a.start_guest("web");
    let answer = a.migrate("127.0.0.1", proxy.address.port(), "&ssl=1");
    assert_eq!((answer.code, answer.text().as_str()), (200, ""), "{}{}", a.log(), b.log());
    assert!(!a.has_guest() && b.has_guest());
    let sent = proxy.sent();
    assert!(sent.len() > 1000);
    // The configuration and the memory are not readable on the way.
    let contains = |text: &str| sent.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(!contains("(receive") && !contains("vmlinuz"));
    // Back, over the port that this host's configuration names for other hosts.
    let answer = b.migrate("127.0.0.1", a.relocation.port(), "&ssl=1");
    assert_eq!(answer.code, 200, "{}", answer.text());
    assert!(a.has_guest() && !b.has_guest());
}

#[test]
fn the_configuration_can_encrypt_all_migrations() {
    let (a, b) = two_hosts("(xend-relocation-ssl yes)");
    a.start_guest("web");
    let answer = a.migrate("127.0.0.1", b.relocation.port(), "");
    assert_eq!(answer.code, 200, "{}", answer.text());
    // libvirt always sends the flag, which counts.
    let answer = b.migrate("127.0.0.1", a.relocation.port(), "&ssl=0");
    assert_eq!(answer.code, 500);
    assert!(b.has_guest());
}

#[test]
fn an_authority_vouches_for_hosts_under_their_names() {
    let authority = Authority::new();
    let host = || Host::start(&authority.sign("localhost"), &authority.cert, "");
    let a = host();
    let b = host();
    a.start_guest("web");
    let answer = a.migrate("127.0.0.1", b.relocation.port(), "&ssl=1");
    assert!(answer.text().contains("its certificate is not accepted"), "{}", answer.text());
    assert!(a.has_guest());
    let answer = a.migrate("localhost", b.relocation.port(), "&ssl=1");
    assert_eq!(answer.code, 200, "{}", answer.text());
    assert!(b.has_guest());
}

#[test]
fn a_host_with_another_certificate_gets_no_domain_and_sends_none() {
    let known = Identity::self_signed();
    let stranger = Identity::self_signed();
    let a = Host::start(&known, &known.cert, "");
    let b = Host::start(&stranger, &known.cert, "");
    a.start_guest("web");
    let answer = a.migrate("127.0.0.1", b.relocation.port(), "&ssl=1");
    let text = answer.text();
    assert_eq!(answer.code, 500);
    assert!(text.contains("its certificate is not accepted"), "{text}");
    assert!(text.contains("xend-relocation-ssl-ca-file"), "{text}");
    assert!(a.has_guest());
    assert_eq!(a.daemon.post("/xend/domain/web", "op=destroy").code, 202);
    // The stranger accepts the known host, which does not accept the stranger.
    b.start_guest("web");
    let answer = b.migrate("127.0.0.1", a.relocation.port(), "&ssl=1");
    assert!(answer.text().contains("it refuses the encryption"), "{}", answer.text());
    assert!(b.has_guest() && !a.has_guest());
}

#[test]
fn an_encrypted_port_takes_no_plain_connection_and_the_other_way_round() {
    let (a, b) = two_hosts("(xend-relocation-server yes)");
    a.start_guest("web");
    let answer = a.migrate("127.0.0.1", b.relocation.port(), "&ssl=0");
    let said = format!("destination: {} does not answer (", b.relocation);
    let text = answer.text();
    assert!(answer.code == 500 && text.contains(&said), "{text}");
    assert!(text.contains("if its port is encrypted, use ssl=1"), "{text}");
    let plain = Daemon::start(&["--relocation", "127.0.0.1:0"]);
    let port = plain.relocation.unwrap().port();
    let answer = a.migrate("127.0.0.1", port, "&ssl=1");
    assert!(answer.text().contains("cannot be reached"), "{}", answer.text());
    assert!(a.has_guest());
    // Without certificates nothing is sent.
    assert_eq!(plain.create(&guest("web", "")).code, 201);
    plain.post("/xend/domain/web", "op=unpause");
    let form = format!("op=migrate&destination=127.0.0.1&port={}&ssl=1", b.relocation.port());
    let answer = plain.post("/xend/domain/web", &form);
    assert!(answer.text().contains("xend-relocation-server-ssl-key-file is not set"));
    assert!(plain.domain("web").is_some());
}

#[test]
fn a_cut_of_an_encrypted_connection_leaves_the_domain_on_exactly_one_host() {
    let (a, b) = two_hosts("");
    let proxy = Proxy::to(b.relocation);
    a.start_guest("web");
    proxy.cut(&[]);
    assert_eq!(a.migrate("127.0.0.1", proxy.address.port(), "&ssl=1").code, 200);
    let there = proxy.there.load(Ordering::SeqCst);
    let back = proxy.back.load(Ordering::SeqCst);
    assert_eq!(b.daemon.post("/xend/domain/web", "op=destroy").code, 202);
    let cuts = (1..8).flat_map(|n| [Cut::There(there * n / 8), Cut::Back(back * n / 8)]);
    for cut in cuts.chain([Cut::AtOnce]) {
        a.daemon.until("the domain is gone", |_| !a.has_guest() && !b.has_guest());
        a.start_guest("web");
        proxy.cut(&[cut]);
        let answer = a.migrate("127.0.0.1", proxy.address.port(), "&ssl=1");
        a.daemon.until(&format!("{cut:?}: one host has it"), |_| a.has_guest() != b.has_guest());
        assert_eq!(answer.code == 200, b.has_guest(), "{cut:?}: {}", answer.text());
        let at = if b.has_guest() { &b } else { &a };
        at.daemon.until("it runs", |daemon| !daemon.value("web", "state").contains('s'));
        assert_eq!(at.daemon.post("/xend/domain/web", "op=destroy").code, 202);
    }
}

#[test]
fn a_reload_reads_the_certificates_again() {
    let (a, b) = two_hosts("");
    a.start_guest("web");
    // Who is accepted is told that there is such a domain.
    b.start_guest("web");
    let until_it_says = |words: &str| {
        a.daemon.until(words, |_| {
            let answer = a.migrate("127.0.0.1", b.relocation.port(), "&ssl=1");
            answer.text().contains(words)
        });
    };
    until_it_says("already exists");
    let new = Identity::self_signed();
    new.write(a.daemon.dir.path());
    reload(&a.daemon);
    until_it_says("it refuses the encryption");
    std::fs::write(b.daemon.dir.path().join("hosts.crt"), &new.cert).unwrap();
    reload(&b.daemon);
    until_it_says("already exists");
    // A file that cannot be used leaves the old certificates.
    std::fs::write(a.daemon.dir.path().join("host.key"), "no key").unwrap();
    reload(&a.daemon);
    a.daemon.until("it is said", |_| a.log().contains("Keeping the old certificates"));
    until_it_says("already exists");
}

#[test]
fn a_wrong_file_leaves_the_port_out() {
    let own = Identity { key: "no key".to_owned(), cert: Identity::self_signed().cert };
    let dir = tempfile::tempdir().unwrap();
    own.write(dir.path());
    std::fs::write(dir.path().join("hosts.crt"), &own.cert).unwrap();
    let config = dir.path().join("xend-config.sxp");
    let text = "(xend-relocation-ssl-server yes) (xend-relocation-ssl-ca-file hosts.crt)
        (xend-relocation-server-ssl-key-file host.key)
        (xend-relocation-server-ssl-cert-file host.crt)
        (argo-server yes) (argo-key host.key) (argo-cert host.crt)\n";
    std::fs::write(&config, text).unwrap();
    let daemon = Daemon::start_with_config(dir, &config, &[]);
    assert!(!daemon.announced.iter().any(|line| line.contains("relocation")));
    let log = daemon.log();
    assert!(
        log.contains(":2:9: the relocation server on 0.0.0.0:8003 is not served: Cannot use ")
            && log.contains("host.key: ")
            && log.contains("see xend-relocation-server-ssl-key-file"),
        "{log}"
    );
    // A reload does not open them, and says so, whatever the files are now.
    Identity::self_signed().write(daemon.dir.path());
    reload(&daemon);
    for said in [
        "There is no encrypted migration, and a reload does not change that: if the files are right",
        "could not be served at the start, and a reload does not open it: if its files are right",
    ] {
        daemon.until(said, |daemon| daemon.log().contains(said));
    }
}

fn reload(daemon: &Daemon) {
    kill_process(Pid::from_raw(daemon.pid()).unwrap(), Signal::HUP).unwrap();
}

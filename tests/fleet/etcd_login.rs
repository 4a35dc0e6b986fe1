//! Certificates and users of etcd.

use crate::etcd_server::EtcdServer;
use crate::kv_suite::{put, txn, write};
use etcd_client::{Permission, RoleRevokePermissionOptions};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::fs;
use std::path::Path;
use xend::fleet::{ClientCertificate, Etcd, EtcdLogin, EtcdSettings, Kv, KvError};

/// Writes `NAME.key` and `NAME.crt`, signed by the authority.
fn issue(dir: &Path, authority: &CertifiedIssuer<'_, KeyPair>, name: &str) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    let cert = params.signed_by(&key, authority).unwrap();
    fs::write(dir.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    fs::write(dir.join(format!("{name}.crt")), cert.pem()).unwrap();
}

#[tokio::test]
async fn certificates_are_shown_and_checked() {
    let files = tempfile::tempdir().unwrap();
    let dir = files.path();
    for name in ["ca", "other-ca"] {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(dir.join(format!("{name}.crt")), ca.pem()).unwrap();
        if name == "ca" {
            issue(dir, &ca, "server");
            issue(dir, &ca, "xen1");
        }
    }
    let Some(server) = EtcdServer::start_in(
        dir,
        "https",
        &[
            "--cert-file=DIR/server.crt",
            "--key-file=DIR/server.key",
            "--trusted-ca-file=DIR/ca.crt",
            "--client-cert-auth",
        ],
    ) else {
        return;
    };
    let own = ClientCertificate { key: dir.join("xen1.key"), cert: dir.join("xen1.crt") };
    let with = |ca: &str, certificate: Option<ClientCertificate>| {
        Etcd::new(EtcdSettings { ca: Some(dir.join(ca)), certificate, ..server.settings() })
    };
    write(&with("ca.crt", Some(own.clone())), vec![put("/s/a", "1")]).await;
    for (kv, reason) in
        [(with("ca.crt", None), ""), (with("other-ca.crt", Some(own.clone())), "certificate")]
    {
        let Err(KvError::Unreachable(error)) = kv.get("/s/a").await else { panic!() };
        assert!(error.contains(reason), "{error}");
    }
    let missing = with("missing.crt", Some(own)).get("/s/a").await;
    let Err(KvError::Refused(error)) = missing else { panic!("{missing:?}") };
    assert!(error.contains("missing.crt"), "{error}");
}

#[tokio::test]
async fn a_user_has_what_etcd_permits() {
    let Some(server) = EtcdServer::start() else { return };
    let mut admin = server.administrator().await;
    admin.user_add("root", "geheim", None).await.unwrap();
    admin.user_grant_role("root", "root").await.ok();
    admin.role_add("root").await.ok();
    admin.user_grant_role("root", "root").await.ok();
    admin.role_add("xen1").await.unwrap();
    let own = Permission::read_write("/s/").with_prefix();
    admin.role_grant_permission("xen1", own).await.unwrap();
    admin.user_add("xen1", "passwort", None).await.unwrap();
    admin.user_grant_role("xen1", "xen1").await.unwrap();
    admin.auth_enable().await.unwrap();
    let login = |password: &str| {
        let password_file = server.dir.path().join(format!("password-{password}"));
        fs::write(&password_file, format!("{password}\n")).unwrap();
        let login = Some(EtcdLogin { user: "xen1".to_owned(), password_file });
        Etcd::new(EtcdSettings { login, ..server.settings() })
    };
    let kv = login("passwort");
    write(&kv, vec![put("/s/a", "1")]).await;
    assert_eq!(kv.list("/s/").await.unwrap().entries.len(), 1);
    for refused in [
        kv.commit(txn(vec![], vec![put("/t/a", "1")])).await.map(drop),
        kv.get("/t/a").await.map(drop),
        kv.watch("/t/", xend::fleet::Revision(1)).await.map(drop),
        login("falsch").get("/s/a").await.map(drop),
        server.client().get("/s/a").await.map(drop),
    ] {
        assert!(matches!(refused, Err(KvError::Refused(_))), "{refused:?}");
    }
    let wrong = login("falsch").get("/s/a").await.unwrap_err().to_string();
    assert!(!wrong.contains("falsch"), "{wrong}");
    let range = RoleRevokePermissionOptions::new().with_prefix();
    let client = etcd_client::ConnectOptions::new().with_user("root", "geheim");
    let mut admin = etcd_client::Client::connect([server.url()], Some(client)).await.unwrap();
    admin.role_revoke_permission("xen1", "/s/", Some(range)).await.unwrap();
    let refused = kv.commit(txn(vec![], vec![put("/s/a", "2")])).await;
    assert!(matches!(refused, Err(KvError::Refused(_))), "{refused:?}");
}

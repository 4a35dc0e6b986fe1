//! The fleet in the configuration.

#[cfg(feature = "fleet")]
mod with_the_feature {
    use crate::config::tests::{config, load, messages};
    use crate::config::{Config, RunOptions};
    use crate::fleet::EtcdEndpoint;
    use std::path::Path;

    fn error(text: &str) -> String {
        load(text, &RunOptions::default()).unwrap_err()
    }

    #[test]
    fn a_host_is_in_no_fleet_by_default() {
        assert_eq!(config("").fleet, None);
        // What belongs together matters with a fleet alone.
        assert_eq!(config("(xend-fleet-host xen1) (xend-fleet-etcd-user a)").fleet, None);
    }

    #[test]
    fn a_fleet_on_this_machine_needs_its_name_alone() {
        let Config { fleet: Some(fleet), .. } = config("(xend-fleet lab)") else { panic!() };
        assert_eq!(fleet.cluster.as_str(), "lab");
        assert!(!fleet.host.as_str().is_empty());
        assert_eq!(fleet.etcd.endpoints[0].url(), "http://127.0.0.1:2379");
        assert!(fleet.takes_users);
        assert_eq!(messages("(xend-fleet lab)"), [""; 0]);
    }

    /// Its hosts know each other's certificates.
    #[test]
    fn a_host_in_a_fleet_needs_no_file_of_other_hosts() {
        let text = "(xend-relocation-ssl-server yes) (xend-relocation-server-ssl-key-file /k)
            (xend-relocation-server-ssl-cert-file /c)";
        let peers =
            |more: &str| config(&format!("{text} {more}")).relocation_tls.map(|files| files.peers);
        assert_eq!(peers("(xend-fleet lab)"), Ok(None));
        let both = peers("(xend-fleet lab) (xend-relocation-ssl-ca-file /p)");
        assert_eq!(both, Ok(Some("/p".into())));
        let messages = messages(&format!("{text} (xend-fleet lab)"));
        assert_eq!(messages, [""; 0]);
    }

    #[test]
    fn a_fleet_has_certificates_and_storages() {
        let text = "(xend-fleet lab) (xend-fleet-host xen1) (xend-fleet-storages san nfs san)
            (xend-fleet-etcd https://etcd1 'https://etcd2:23 https://etcd3')
            (xend-fleet-etcd-ca-file /ca) (xend-fleet-etcd-cert-file /c)
            (xend-fleet-etcd-key-file /k) (xend-fleet-etcd-user u)
            (xend-fleet-etcd-password-file /p) (xend-fleet-old-etcd yes)
            (xend-fleet-users no)";
        let Config { fleet: Some(fleet), .. } = config(text) else { panic!() };
        assert_eq!(fleet.host.as_str(), "xen1");
        assert_eq!(fleet.storages, ["nfs", "san"]);
        let urls: Vec<_> = fleet.etcd.endpoints.iter().map(EtcdEndpoint::url).collect();
        assert_eq!(urls, ["https://etcd1:2379", "https://etcd2:23", "https://etcd3:2379"]);
        assert_eq!(fleet.etcd.ca.as_deref(), Some(Path::new("/ca")));
        assert_eq!(fleet.etcd.certificate.unwrap().key, Path::new("/k"));
        assert_eq!(fleet.etcd.login.unwrap().user, "u");
        assert!(fleet.etcd.allows_old && !fleet.takes_users);
        assert_eq!(messages(text), [""; 0]);
    }

    #[test]
    fn a_fleet_that_others_can_read_is_warned_of() {
        let text = "(xend-fleet lab)\n(xend-fleet-etcd http://127.0.0.1 http://192.0.2.1)";
        let messages = messages(text);
        let [warning] = messages.as_slice() else { panic!("{messages:?}") };
        assert!(warning.starts_with("FILE:2:1: xend-fleet-etcd: "), "{warning}");
        assert!(warning.contains("http://192.0.2.1:2379") && warning.contains("use https"));
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let https = "(xend-fleet-etcd https://a) (xend-fleet-etcd-ca-file /c)";
        for (text, key, reason) in [
            ("(xend-fleet-etcd https://a)", "xend-fleet-etcd", "needs xend-fleet-etcd-ca-file"),
            ("(xend-fleet-etcd https://a http://b)", "xend-fleet-etcd", "http or https for all"),
            ("(xend-fleet-etcd-ca-file /c)", "xend-fleet-etcd-ca-file", "has no https"),
            (
                "(xend-fleet-etcd-key-file /k) (xend-fleet-etcd-cert-file /c)",
                "xend-fleet-etcd-cert-file",
                "has no https",
            ),
            (
                &format!("{https} (xend-fleet-etcd-cert-file /c)"),
                "xend-fleet-etcd-cert-file",
                "xend-fleet-etcd-key-file and",
            ),
            ("(xend-fleet-etcd-user u)", "xend-fleet-etcd-user", "xend-fleet-etcd-password-file"),
            ("(xend-fleet-etcd-password-file p)", "xend-fleet-etcd-password-file", "etcd-user"),
        ] {
            let error = error(&format!("(xend-fleet lab) {text}"));
            assert!(error.contains(&format!(": {key}: ")), "{error}");
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn wrong_values_name_the_key() {
        for (entry, reason) in [
            ("(xend-fleet a/b)", "name of a fleet"),
            ("(xend-fleet)", "needs a value"),
            ("(xend-fleet-host -x)", "name of a host"),
            ("(xend-fleet-etcd etcd1:2379)", "'etcd1:2379' is not a URL of etcd"),
            ("(xend-fleet-etcd)", "needs a URL of etcd"),
            ("(xend-fleet-storages a/b)", "'a/b' is not a name of a storage"),
            ("(xend-fleet-old-etcd maybe)", "yes or no"),
        ] {
            let error = error(entry);
            let key = entry[1..].split([' ', ')']).next().unwrap();
            assert!(error.contains(key) && error.contains(reason), "{error}");
        }
    }
}

#[cfg(not(feature = "fleet"))]
#[test]
fn a_build_without_fleets_says_how_to_get_them() {
    use crate::config::RunOptions;
    use crate::config::tests::{load, messages};
    let error = load("\n(xend-fleet lab)", &RunOptions::default()).unwrap_err();
    assert!(error.starts_with("FILE:2:13: xend-fleet: this xend knows no fleets"), "{error}");
    assert!(error.contains("--features fleet"), "{error}");
    // The rest of a file for all hosts is read.
    assert_eq!(messages("(xend-fleet-etcd http://a) (xend-fleet-host xen1)"), [""; 0]);
}

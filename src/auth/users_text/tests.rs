use super::*;
use crate::core::model::Uuid;
use crate::core::rights::{Grant, Right, Rights};
use crate::sxp::position;

const HASH: &str = "'$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$c29tZWhhc2hzb21l'";

fn users(text: &str) -> Users {
    let text = text.replace("HASH", HASH);
    read(text.as_bytes(), true).unwrap_or_else(|mistakes| panic!("{text}: {mistakes:?}"))
}

/// The access of the first user.
fn access(text: &str) -> Access {
    users(text).accounts.remove(0).access
}

/// The mistakes, each as `LINE:COLUMN: message`.
fn mistakes(text: &str) -> Vec<String> {
    let text = text.replace("HASH", HASH);
    let found = read(text.as_bytes(), false).unwrap_err();
    let show = |mistake: &Mistake| {
        let (line, column) = position(text.as_bytes(), mistake.offset);
        format!("{line}:{column}: {}", mistake.message)
    };
    found.iter().map(show).collect()
}

fn rights(rights: &[Right]) -> Rights {
    rights.iter().copied().collect()
}

fn grant(domains: &[&str], of: &[Right]) -> Grant {
    let domains = domains.iter().map(|domain| domain.parse().unwrap()).collect();
    Grant { domains, rights: rights(of) }
}

#[test]
fn an_account_has_what_its_text_says() {
    let uuid = Uuid::from_u128(7);
    let text = format!(
        "# ours\n\
         (user steve (password HASH) (domains lj 'one.my.*') (rights see power))\n\
         (user ann pam (uid 1000 1001) (domains {uuid}) (rights all)\n\
           (grant (domains builder) (rights see)) (grant (domains x) (rights console)))\n\
         (user root (password HASH) operator)\n\
         (anonymous (domains lj) (rights see))\n"
    );
    let Users { accounts, anonymous } = users(&text);
    assert_eq!(
        accounts.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(),
        ["steve", "ann", "root"]
    );
    let [steve, ann, root] = <[Account; 3]>::try_from(accounts).unwrap();
    assert_eq!(steve.credential, Credential::Hash(HASH.trim_matches('\'').to_owned()));
    assert_eq!(steve.access.grants, [grant(&["lj", "one.my.*"], &[Right::See, Right::Power])]);
    assert_eq!((ann.credential, ann.uids), (Credential::Pam, vec![1000, 1001]));
    assert_eq!(
        ann.access.grants,
        [
            grant(&[&uuid.to_string()], &Right::ALL),
            grant(&["builder"], &[Right::See]),
            grant(&["x"], &[Right::Console]),
        ]
    );
    assert!(root.access.operator && !ann.access.operator);
    let anonymous = anonymous.unwrap();
    assert_eq!(anonymous.access.grants, [grant(&["lj"], &[Right::See])]);
    assert_eq!((anonymous.name.as_str(), anonymous.credential), ("anonymous", Credential::None));
    assert_eq!(users("# nobody\n"), Users::default());
}

#[test]
fn roles_give_rights_domains_and_limits() {
    let text = "(user ann (uid 1) (role owner more) (domains a) (rights see) (limits (vcpus 1) (disks /a)))\n\
        (role owner (rights power) (limits (domains 4) (vcpus 8) (disks /a /b) (kernels /k) (files /f)))\n\
        (role more (domains b) (rights console) (grant (domains c) (rights media)) (limits (domains 6) (bridges br0)))";
    let access = access(text);
    assert_eq!(
        access.grants,
        [
            grant(&["a"], &[Right::See, Right::Power]),
            grant(&["c"], &[Right::Media]),
            grant(&["b"], &[Right::Console]),
        ]
    );
    let limits = access.limits;
    assert_eq!((limits.domains, limits.memory_mib, limits.vcpus), (Some(6), None, Some(1)));
    assert_eq!(
        (limits.disks, limits.bridges),
        (vec!["/a".to_owned(), "/b".into()], vec!["br0".to_owned()])
    );
    assert_eq!((limits.kernels, limits.files), (vec!["/k".into()], vec!["/f".into()]));
}

#[test]
fn facts_about_the_host_need_no_domain() {
    let host = access("(user ann (uid 1) (role host)) (role host (rights host-facts))");
    assert!(host.has(Right::HostFacts) && !host.has(Right::See));
    assert!(access("(user ann (uid 1))").grants.is_empty());
}

#[test]
fn mistakes_say_where_and_what_to_write_instead() {
    for (text, wanted) in [
        ("(user", "1:6: unexpected EOF"),
        ("(usr a)", "1:1: usr: unknown, user is a key"),
        ("\n steve", "2:2: the file: a part of it is not of the form (key value)"),
        ("(user)", "1:1: user: needs a name of up to 64 letters"),
        ("(user 'a b')", "1:7: user: needs a name of up to 64 letters"),
        ("(user -a)", "1:7: user: needs a name of up to 64 letters"),
        ("(role a:b)", "1:7: role: needs a name of up to 64 letters"),
        ("(user anonymous (uid 1))", "1:1: user anonymous: the name is reserved"),
        ("(user a)", "1:1: user a: nobody can log in, add a password, pam or (uid NUMBER)"),
        ("(user a pam)", "1:1: user a: this xend is built without PAM, set a password"),
        ("(user a (pam))", "1:9: pam: write it without parentheses"),
        ("(user a geheim)", "1:9: user: a part of it is not of the form (key value)"),
        ("(user a (pasword HASH))", "1:9: pasword: unknown, password is a key"),
        (
            "(user a (password geheim))",
            "1:9: password: this is no argon2 hash, set it with xend user password",
        ),
        ("(user a (password geheim geheim))", "1:9: password: takes one hash in quotes"),
        ("(user a (password HASH) pam)", "1:79: a password and pam exclude each other"),
        ("(user a (uid x))", "1:14: uid: \"x\" is not the number of a user of this machine"),
        ("(user a (uid +1))", "1:14: uid: \"+1\" is not the number"),
        ("(user a (uid))", "1:9: uid: needs a value"),
        ("(user a (uid 1) (uid 2))", "1:17: uid: given twice, put all values into one"),
        ("(user a (uid 1))(user b (uid 1))", "1:17: user b: uid 1 is given to a already"),
        ("(user a (uid 1))\n(user a (uid 2))", "2:1: user a: there are two of them"),
        ("(user a (uid 1) (role x))", "1:23: role: there is no role x, write (role x ..)"),
        ("(user a (uid 1) (role (x)))", "1:23: role: needs plain words"),
        ("(role x) (role x)", "1:10: role x: there are two of them"),
        ("(role x (password HASH))", "1:9: password: unknown, use one of domains, rights"),
        ("(role x (domains a))", "1:1: role x: domains without rights"),
        ("(user a (uid 1) (domains a))", "1:1: user a: domains without rights"),
        ("(user a (uid 1) (rights see))", "1:1: user a: rights without domains"),
        ("(user a (uid 1) (role x)) (role x (rights see))", "1:1: user a: rights without domains"),
        ("(user a (uid 1) operator (rights all) (domains a))", "1:1: user a: an operator may do"),
        (
            "(user a (uid 1) (domains a) (rights see fly))",
            "1:41: rights: \"fly\" is not a right, use",
        ),
        ("(user a (uid 1) (domains ''))", "1:26: domains: A name, a pattern like web*"),
        ("(user a (uid 1) (grant (domains a)))", "1:17: grant: needs domains and rights"),
        ("(user a (uid 1) (grant (right see)))", "1:24: right: unknown, rights is a key"),
        ("(user a (uid 1) (limits (ram 4)))", "1:25: ram: unknown, use one of domains, memory"),
        (
            "(user a (uid 1) (limits (memory 4G)))",
            "1:33: memory: \"4G\" is not a whole number of MiB, write 4096",
        ),
        (
            "(user a (uid 1) (limits (vcpus 4294967296)))",
            "1:32: vcpus: 4294967296 is out of range, 0 to 4294967295",
        ),
        ("(user a (uid 1) (limits (vcpus 1 2)))", "1:25: vcpus: takes one number only"),
        ("(user a (uid 1) (limits (vcpus 1) (vcpus 2)))", "1:35: vcpus: given twice"),
        (
            "(user a (uid 1) (limits (disks a)))",
            "1:32: disks: \"a\" is not the beginning of a path",
        ),
        ("(user a (uid 1) (limits (bridges 'a b')))", "1:34: bridges: \"a b\" is not the name"),
        (
            "(user a (uid 1) (limits (files /a/../b)))",
            "1:32: files: \"/a/../b\" is not an absolute",
        ),
        ("(anonymous (password HASH))", "1:12: password: unknown, use one of role"),
        ("(anonymous) (anonymous)", "1:13: anonymous: there are two of them"),
    ] {
        let found = mistakes(text);
        assert!(
            found.len() == 1 && found[0].starts_with(wanted),
            "{text}: {found:?}, not {wanted}"
        );
        assert!(!found[0].contains("argon2id") && !found[0].contains("geheim"), "{found:?}");
    }
}

#[test]
fn all_mistakes_are_found_in_order() {
    let text = "(user a)\n(usr b)\n(user c (uid x))";
    let lines: Vec<_> = mistakes(text).iter().map(|mistake| mistake[..1].to_owned()).collect();
    assert_eq!(lines, ["1", "2", "3"]);
    assert_eq!(mistakes(&"(usr)".repeat(100)).len(), MAX_MISTAKES);
}

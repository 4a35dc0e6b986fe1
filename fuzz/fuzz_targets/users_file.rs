//! The users file: no text makes its reader panic, its accounts can be put in force, and a file
//! that is edited by `xend user` can be read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use xend::auth::{UserChange, UsersFile, add_user, remove_user, set_user};
use xend::core::rights::Accounts;
use xend_fuzz::memory_dir;

fuzz_target!(|bytes: &[u8]| {
    let dir = memory_dir();
    let path = dir.path().join("users.sxp");
    fs::write(&path, bytes).unwrap();
    // Others may not read it, or it is refused unread.
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let file = UsersFile::new(&path);
    let accounts = Accounts::default();
    let Ok(read) = file.accounts() else {
        assert!(file.reload(&accounts).is_err());
        return;
    };
    file.reload(&accounts).expect("it was read a moment ago");
    let changes = [
        UserChange::Item("uid", vec!["4000000000".to_owned()]),
        UserChange::Item("domains", vec!["web".to_owned()]),
        UserChange::Item("rights", vec!["see".to_owned()]),
        UserChange::Limit("memory", vec!["64".to_owned()]),
    ];
    let edited = |what: &str| {
        let text = || String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        file.accounts().unwrap_or_else(|error| panic!("{what}: {error}\n{}", text()));
    };
    if add_user(&path, "fuzzed", &changes).is_ok() {
        edited("added");
    }
    for account in read.iter().take(4) {
        if set_user(&path, &account.name, &[UserChange::Operator(true)]).is_ok() {
            edited("changed");
        }
        if remove_user(&path, &account.name).is_ok() {
            edited("removed");
        }
    }
});

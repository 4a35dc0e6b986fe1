//! Changes of the users file that keep everything else in it, byte for byte: comments, order,
//! blanks.

use super::users_file::{ReadBy, UsersFileError, check_there, parse, read_private};
use super::users_text::LIMITS;
use crate::durable;
use crate::parent_dir;
use crate::sxp::{self, Reader, Sxp};
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The mode of the file's directory if it is made: others have files there, too, and the file
/// itself is private.
const DIR_MODE: u32 = 0o755;

/// Time limit of waiting for another command.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How often it is looked whether the other command has ended.
const POLL: Duration = Duration::from_millis(50);

/// A change of the user with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserChange {
    /// A new password, of which this is the hash. It replaces PAM.
    Password(String),
    /// PAM instead of a password.
    Pam,
    /// Whether the user is an operator.
    Operator(bool),
    /// The values of an item such as `domains`; none to remove it.
    Item(&'static str, Vec<String>),
    /// The values of a limit; none to remove it.
    Limit(&'static str, Vec<String>),
}

/// Adds a user. The file is made if there is none.
pub fn add_user(path: &Path, name: &str, changes: &[UserChange]) -> Result<(), UsersFileError> {
    edit(path, |text| {
        let mut text = text.to_vec();
        if find(&text, name)?.is_some() {
            return Err(format!("there is a user {name} already"));
        }
        if text.last().is_some_and(|byte| *byte != b'\n') {
            text.push(b'\n');
        }
        Sxp::list([Sxp::from("user"), Sxp::from(name)]).print(&mut text);
        text.push(b'\n');
        apply(text, name, changes)
    })
}

/// Changes a user.
pub fn set_user(path: &Path, name: &str, changes: &[UserChange]) -> Result<(), UsersFileError> {
    check_there(path)?;
    edit(path, |text| {
        existing(text, name)?;
        apply(text.to_vec(), name, changes)
    })
}

/// Removes a user.
pub fn remove_user(path: &Path, name: &str) -> Result<(), UsersFileError> {
    check_there(path)?;
    edit(path, |text| {
        let user = existing(text, name)?;
        let range = with_line(text, span(text, &user));
        Ok(replaced(text, range, b""))
    })
}

/// Replaces the file by what `change` makes of it. Commands at the same time take turns.
fn edit(
    path: &Path,
    change: impl FnOnce(&[u8]) -> Result<Vec<u8>, String>,
) -> Result<(), UsersFileError> {
    let shown = path.display();
    let failed = |error: io::Error| UsersFileError(format!("{shown}: {error}"));
    let target = durable::target(path).map_err(failed)?;
    parent_dir::make(&target, DIR_MODE).map_err(failed)?;
    let _lock = lock(parent_dir::of(&target)).map_err(failed)?;
    let old = match read_private(&target, ReadBy::Command) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        read => read.map_err(failed)?,
    };
    let new = change(&old).map_err(|reason| UsersFileError(format!("{shown}: {reason}")))?;
    // Mistakes that the file has already are reported where they are now.
    parse(path, &new).map_err(|error| parse(path, &old).err().unwrap_or(error))?;
    write(&target, &new).map_err(failed)
}

/// Locks a directory until the file is dropped.
fn lock(dir: &Path) -> io::Result<File> {
    let dir = File::open(dir)?;
    let end = Instant::now() + LONGEST_WAIT;
    while let Err(error) = flock(&dir, FlockOperation::NonBlockingLockExclusive) {
        if error != rustix::io::Errno::WOULDBLOCK || Instant::now() > end {
            return Err(error.into());
        }
        sleep(POLL);
    }
    Ok(dir)
}

/// Replaces the content of a file, which keeps its owner.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = durable::begin(path)?;
    file.write_all(content)?;
    if let Ok(old) = fs::metadata(path) {
        let new = file.as_file().metadata()?;
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            fchown(file.as_file(), Some(old.uid()), Some(old.gid()))?;
        }
    }
    durable::commit(file, path)
}

fn apply(mut text: Vec<u8>, name: &str, changes: &[UserChange]) -> Result<Vec<u8>, String> {
    for change in changes {
        let user = existing(&text, name)?;
        text = match change {
            UserChange::Password(hash) => {
                set_credential(&text, &user, &item("password", std::slice::from_ref(hash)))
            }
            UserChange::Pam => set_credential(&text, &user, &Sxp::from("pam")),
            UserChange::Operator(is_operator) => {
                let word = Sxp::from("operator");
                let old = user.tail().iter().find(|one| **one == word);
                set(&text, &user, old, is_operator.then_some(&word))
            }
            UserChange::Item(key, values) => set_item(&text, &user, key, values),
            UserChange::Limit(key, values) => match user.get("limits") {
                Some(limits) => set_item(&text, limits, key, values),
                None if values.is_empty() => text,
                None => {
                    let limits = Sxp::list([Sxp::from("limits"), item(key, values)]);
                    set(&text, &user, None, Some(&limits))
                }
            },
        };
    }
    Ok(text)
}

/// `(key value ..)`
fn item(key: &str, values: &[String]) -> Sxp {
    let values = values.iter().map(|value| Sxp::from(value.as_str()));
    Sxp::list([Sxp::from(key)].into_iter().chain(values))
}

fn set_item(text: &[u8], list: &Sxp, key: &str, values: &[String]) -> Vec<u8> {
    let new = (!values.is_empty()).then(|| item(key, values));
    set(text, list, list.get(key), new.as_ref())
}

/// Replaces the password or `pam` of a user.
fn set_credential(text: &[u8], user: &Sxp, new: &Sxp) -> Vec<u8> {
    let is_pam = |one: &&Sxp| **one == Sxp::from("pam");
    let old = user.get("password").or_else(|| user.tail().iter().find(is_pam));
    set(text, user, old, Some(new))
}

/// Replaces an element of a list, removes it, or adds one at the list's end.
fn set(text: &[u8], list: &Sxp, old: Option<&Sxp>, new: Option<&Sxp>) -> Vec<u8> {
    match (old, new) {
        (None, None) => text.to_vec(),
        (Some(old), Some(new)) => replaced(text, span(text, old), &new.to_bytes()),
        (Some(old), None) => {
            let Range { mut start, end } = with_line(text, span(text, old));
            // Of an element within a line, the blanks before it go, too.
            if text.get(end.wrapping_sub(1)) != Some(&b'\n') {
                start -= blanks_before(text, start);
            }
            replaced(text, start..end, b"")
        }
        (None, Some(new)) => {
            let end_item = list.as_list().and_then(<[Sxp]>::last);
            let Range { start, end } = end_item.map_or(0..0, |item| span(text, item));
            // On a line of its own if the element before is.
            let indent = blanks_before(text, start);
            let begins_line = start > indent && text.get(start - indent - 1) == Some(&b'\n');
            let mut added = if begins_line && indent > 0 {
                [b"\n", text.get(start - indent..start).unwrap_or_default()].concat()
            } else {
                b" ".to_vec()
            };
            new.print(&mut added);
            replaced(text, end..end, &added)
        }
    }
}

/// The user with this name.
fn find(text: &[u8], name: &str) -> Result<Option<Sxp>, String> {
    let all = sxp::read_all(text, &LIMITS).map_err(|error| format!("{error:#}"))?;
    let is_user = |one: &Sxp| {
        one.head() == Some("user") && one.tail().first().and_then(Sxp::as_str) == Some(name)
    };
    Ok(all.into_iter().find(is_user))
}

fn existing(text: &[u8], name: &str) -> Result<Sxp, String> {
    find(text, name)?.ok_or_else(|| format!("there is no user {name}"))
}

/// Where an expression is in the text that it was read from.
fn span(text: &[u8], expression: &Sxp) -> Range<usize> {
    let start = expression.offset() as usize;
    let mut reader = Reader::new(text.get(start..).unwrap_or_default(), &LIMITS);
    // It was read before.
    reader.next().ok();
    start..start + reader.offset()
}

/// The whole lines of a part if nothing else is on them, else the part.
fn with_line(text: &[u8], part: Range<usize>) -> Range<usize> {
    let start = part.start - blanks_before(text, part.start);
    let after = text.get(part.end..).unwrap_or_default();
    let blanks = after.iter().take_while(|byte| is_blank(**byte)).count();
    let begins_line = start == 0 || text.get(start - 1) == Some(&b'\n');
    if begins_line && after.get(blanks) == Some(&b'\n') {
        start..part.end + blanks + 1
    } else {
        part
    }
}

/// The number of blanks in the same line before a place.
fn blanks_before(text: &[u8], place: usize) -> usize {
    let before = text.get(..place).unwrap_or_default();
    before.iter().rev().take_while(|byte| is_blank(**byte)).count()
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn replaced(text: &[u8], range: Range<usize>, new: &[u8]) -> Vec<u8> {
    let before = text.get(..range.start).unwrap_or_default();
    let after = text.get(range.end..).unwrap_or_default();
    [before, new, after].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::hash::cheap_hash;
    use std::os::unix::fs::PermissionsExt;
    use std::thread;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn changed(text: &str, changes: &[UserChange]) -> String {
        String::from_utf8(apply(text.as_bytes().to_vec(), "a", changes).unwrap()).unwrap()
    }

    #[test]
    fn a_change_keeps_everything_else() {
        use UserChange::{Item, Limit, Operator, Pam, Password};
        let one_line = "# first\n(user b pam)\n(user a (password 'x') (domains c) ) # his\n";
        let lines = "(user a # his\n\t(password 'x') # secret\n\t(domains c 'd e') # two\n\t(limits (vcpus 2))\n)";
        for (text, change, wanted) in [
            (one_line, Password("$y".into()), one_line.replace("'x'", "'$y'")),
            (one_line, Pam, one_line.replace("(password 'x')", "pam")),
            (one_line, Operator(true), one_line.replace("(domains c)", "(domains c) operator")),
            (one_line, Operator(false), one_line.to_owned()),
            (
                one_line,
                Item("domains", words(&["c", "web*"])),
                one_line.replace("(domains c)", "(domains c 'web*')"),
            ),
            (one_line, Item("domains", vec![]), one_line.replace(" (domains c)", "")),
            (
                one_line,
                Item("rights", words(&["see"])),
                one_line.replace("(domains c)", "(domains c) (rights see)"),
            ),
            (
                one_line,
                Limit("vcpus", words(&["4"])),
                one_line.replace("(domains c)", "(domains c) (limits (vcpus 4))"),
            ),
            (one_line, Limit("vcpus", vec![]), one_line.to_owned()),
            (lines, Password("$y".into()), lines.replace("'x'", "'$y'")),
            (
                lines,
                Item("uid", words(&["7"])),
                lines.replace("(vcpus 2))", "(vcpus 2))\n\t(uid 7)"),
            ),
            (lines, Item("domains", vec![]), lines.replace("\t(domains c 'd e') #", " #")),
            (lines, Item("limits", vec![]), lines.replace("\t(limits (vcpus 2))\n", "")),
            (lines, Limit("vcpus", words(&["3"])), lines.replace("(vcpus 2)", "(vcpus 3)")),
            (
                lines,
                Limit("disks", words(&["/a", "/b"])),
                lines.replace("(vcpus 2)", "(vcpus 2) (disks /a /b)"),
            ),
            (lines, Limit("vcpus", vec![]), lines.replace(" (vcpus 2)", "")),
            ("(user a pam)", Password("y".into()), "(user a (password y))".to_owned()),
            ("(user a pam operator)", Operator(false), "(user a pam)".to_owned()),
            ("(user a)", Pam, "(user a pam)".to_owned()),
        ] {
            assert_eq!(changed(text, std::slice::from_ref(&change)), wanted, "{change:?}");
        }
    }

    #[test]
    fn users_are_added_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/users.sxp");
        let uid = |uid: &str| [UserChange::Item("uid", words(&[uid]))];
        add_user(&path, "a", &uid("1")).unwrap();
        let text = || fs::read_to_string(&path).unwrap();
        assert_eq!(text(), "(user a (uid 1))\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        // What is taken away is the umask's.
        let dir = fs::metadata(dir.path().join("new")).unwrap().permissions().mode();
        assert_eq!(dir & 0o700, 0o700);
        assert_ne!(dir & 0o055, 0, "others cannot reach their files in it");
        fs::write(&path, "# ours\n(user a (uid 1)) # first\n  # end").unwrap();
        add_user(&path, "b", &uid("2")).unwrap();
        assert_eq!(text(), "# ours\n(user a (uid 1)) # first\n  # end\n(user b (uid 2))\n");
        let error = add_user(&path, "b", &uid("3")).unwrap_err().to_string();
        assert!(error.ends_with("users.sxp: there is a user b already"), "{error}");
        remove_user(&path, "a").unwrap();
        assert_eq!(text(), "# ours\n # first\n  # end\n(user b (uid 2))\n");
        remove_user(&path, "b").unwrap();
        assert_eq!(text(), "# ours\n # first\n  # end\n");
        for error in [remove_user(&path, "b"), set_user(&path, "b", &[])] {
            let error = error.unwrap_err().to_string();
            assert!(error.ends_with("users.sxp: there is no user b"), "{error}");
        }
    }

    #[test]
    fn a_change_that_the_file_cannot_have_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users.sxp");
        let hash = cheap_hash("x");
        add_user(&path, "a", &[UserChange::Password(hash)]).unwrap();
        let before = fs::read(&path).unwrap();
        let no_rights = [UserChange::Item("domains", words(&["lj"]))];
        let error = set_user(&path, "a", &no_rights).unwrap_err().to_string();
        let wanted = format!("{}:1:1: user a: domains without rights", path.display());
        assert!(error.starts_with(&wanted), "{error}");
        assert!(add_user(&path, "b", &[]).is_err());
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_and_the_owner_stay() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        let link = dir.path().join("link");
        add_user(&file, "a", &[UserChange::Item("uid", words(&["1"]))]).unwrap();
        if rustix::process::geteuid().is_root() {
            // Root works on the files of others.
            std::os::unix::fs::chown(&file, Some(1), Some(7)).unwrap();
        }
        let owner =
            |path: &Path| (fs::metadata(path).unwrap().uid(), fs::metadata(path).unwrap().gid());
        let before = owner(&file);
        std::os::unix::fs::symlink("file", &link).unwrap();
        set_user(&link, "a", &[UserChange::Item("uid", words(&["2"]))]).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "(user a (uid 2))\n");
        assert_eq!(owner(&file), before);
    }

    #[test]
    fn a_link_whose_file_is_missing_stays_one() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("real/users.sxp", &link).unwrap();
        add_user(&link, "a", &[UserChange::Item("uid", words(&["1"]))]).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let text = fs::read_to_string(dir.path().join("real/users.sxp")).unwrap();
        assert_eq!(text, "(user a (uid 1))\n");
    }

    #[test]
    fn directories_above_the_files_are_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("srv/xen/users.sxp");
        let error = add_user(&path, "a", &[UserChange::Item("uid", words(&["1"]))]).unwrap_err();
        let missing = dir.path().join("srv");
        let reason = format!("the directory {} is missing, make it first", missing.display());
        assert_eq!(error.to_string(), format!("{}: {reason}", path.display()));
        assert!(!missing.exists());
    }

    #[test]
    fn commands_at_the_same_time_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users.sxp");
        thread::scope(|scope| {
            for n in 1..=10 {
                let path = &path;
                scope.spawn(move || {
                    let uid = UserChange::Item("uid", vec![n.to_string()]);
                    add_user(path, &format!("user{n}"), &[uid]).unwrap();
                });
            }
        });
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 10);
    }
}

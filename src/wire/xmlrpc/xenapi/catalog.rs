//! The names of all methods, and the methods behind them.

use super::classes::table::{self, CLASSES};
use super::hosts::XenApiHosts;
use super::login::{LOGIN, LOGIN_PARAMS, LOGIN_REQUIRED};
use super::method::Method;
use super::schema::Class;

/// The prefix of a method that the client does not wait for.
pub(crate) const ASYNC: &str = "Async.";

/// The method that a name without [`ASYNC`] stands for, with its class.
pub(crate) fn find(name: &str, hosts: XenApiHosts) -> Option<(&'static Class, Method)> {
    let (class, method) = name.split_once('.')?;
    let class = table::class(class)?;
    let method = Method::find(class, method).filter(|method| method.is_offered(hosts))?;
    Some((class, method))
}

/// The names of a class's methods, without the class.
fn names(class: &Class, hosts: XenApiHosts) -> impl Iterator<Item = (String, Method)> {
    let found = move |name: String| Method::find(class, &name).map(|method| (name, method));
    let all = Method::names(class).into_iter().filter_map(found);
    all.filter(move |(_, method)| method.is_offered(hosts))
}

/// The names of all methods, as `host.list_methods` answers them.
pub(crate) fn all_methods(hosts: XenApiHosts) -> Vec<String> {
    let mut all = vec![LOGIN.to_owned()];
    for class in CLASSES {
        for (name, method) in names(class, hosts) {
            let name = format!("{}.{name}", class.name);
            let task = method.can_be_task().then(|| format!("{ASYNC}{name}"));
            all.push(name);
            all.extend(task);
        }
    }
    all
}

/// The classes with the names of their methods. The method that begins a session is one of the
/// class `session`.
pub(crate) fn classes(hosts: XenApiHosts) -> impl Iterator<Item = (&'static str, Vec<String>)> {
    CLASSES.iter().map(move |class| {
        let login = (class.name == "session").then(|| LOGIN.to_owned());
        let own = names(class, hosts).map(|(name, _)| format!("{}.{name}", class.name));
        (class.name, login.into_iter().chain(own).collect())
    })
}

/// The names of the methods for `system.listMethods`. It leaves out tasks, as in xend: clients take
/// the word before the first dot for a class.
pub(crate) fn methods(hosts: XenApiHosts) -> impl Iterator<Item = String> {
    all_methods(hosts).into_iter().filter(|method| !method.starts_with(ASYNC))
}

/// The names of a method's parameters, and the number of required ones.
pub(crate) fn parameters(
    method: &str,
    hosts: XenApiHosts,
) -> Option<(&'static [&'static str], usize)> {
    if method == LOGIN {
        return Some((LOGIN_PARAMS, LOGIN_REQUIRED));
    }
    let (_, method) = find(method.strip_prefix(ASYNC).unwrap_or(method), hosts)?;
    Some((method.params(), *method.param_count().start()))
}

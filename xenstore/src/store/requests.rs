//! Requests that read and change nodes.

use super::arguments::{number, one, text_and_bytes, texts, two};
use super::domains::Domains;
use super::node::{Entry, Need, Node, Who};
use super::paths;
use super::quota::{GUEST_NODE_SIZE, GUEST_NODES, GUEST_PERMISSIONS, at_most};
use super::view::View;
use crate::error::Refusal;
use crate::perms::Permission;
use crate::wire::{MAX_PAYLOAD, MessageType, join};
use std::sync::Arc;

/// Answers a request with the payload of its reply.
pub(crate) fn answer(
    view: &mut dyn View,
    domains: &Domains,
    who: Who,
    kind: MessageType,
    payload: &[u8],
) -> Result<Vec<u8>, Refusal> {
    match kind {
        MessageType::Directory => Ok(find_one(view, who, payload)?.names.clone().into_bytes()),
        MessageType::DirectoryPart => directory_part(view, who, payload),
        MessageType::Read => Ok(find_one(view, who, payload)?.value.clone()),
        MessageType::GetPerms => {
            let node = find_one(view, who, payload)?;
            let entries = node.permissions.iter().map(|entry| entry.permission.to_string());
            let entries: Vec<String> = entries.collect();
            Ok(join(entries.iter().map(String::as_str)))
        }
        MessageType::Write => write(view, who, payload).map(done),
        MessageType::Mkdir => mkdir(view, who, payload).map(done),
        MessageType::Remove => remove(view, who, payload).map(done),
        MessageType::SetPerms => set_permissions(view, domains, who, payload).map(done),
        _ => Err(Refusal::Unsupported),
    }
}

/// The reply to a request that was carried out.
pub(crate) fn done((): ()) -> Vec<u8> {
    join(["OK"])
}

/// A node, if the domain may do this with it. Whether a node exists is told only to those who may
/// do the same with the node above; special nodes have none.
fn find(view: &mut dyn View, who: Who, path: &str, need: Need) -> Result<Arc<Node>, Refusal> {
    let node = view.get(path)?;
    let refusal = match node {
        Some(node) if node.allows(who, need) => return Ok(node),
        Some(_) => Refusal::Access,
        None => Refusal::NotFound,
    };
    if paths::is_special(path) {
        return Err(refusal);
    }
    let mut above = path;
    while let Some(parent) = paths::parent(above) {
        if let Some(node) = view.get(parent)? {
            let need = if need == Need::Read { Need::Read } else { Need::Write };
            return Err(if node.allows(who, need) { refusal } else { Refusal::Access });
        }
        above = parent;
    }
    Err(Refusal::Access)
}

fn find_one(view: &mut dyn View, who: Who, payload: &[u8]) -> Result<Arc<Node>, Refusal> {
    let path = paths::resolve(who.domid, one(payload)?)?;
    find(view, who, &path, Need::Read)
}

/// The generation of a node, and the names of its children from an offset on, as many as fit. An
/// empty name ends the list.
fn directory_part(view: &mut dyn View, who: Who, payload: &[u8]) -> Result<Vec<u8>, Refusal> {
    let (path, offset) = two(payload)?;
    let path = paths::resolve(who.domid, path)?;
    let offset: usize = number(offset)?;
    let node = find(view, who, &path, Need::Read)?;
    let rest = node.names.as_bytes().get(offset..).unwrap_or_default();
    let mut reply = join([&*node.generation.to_string()]);
    // There is room for the empty name.
    let room = MAX_PAYLOAD - 1 - reply.len();
    let part = rest.get(..room).map_or(rest, whole_names);
    reply.extend_from_slice(part);
    if part.len() == rest.len() {
        reply.push(0);
    }
    Ok(reply)
}

fn whole_names(names: &[u8]) -> &[u8] {
    let end = names.iter().rposition(|byte| *byte == 0).map_or(0, |last| last + 1);
    names.get(..end).unwrap_or_default()
}

fn write(view: &mut dyn View, who: Who, payload: &[u8]) -> Result<(), Refusal> {
    let (path, value) = text_and_bytes(payload)?;
    let path = paths::resolve(who.domid, path)?;
    match find(view, who, &path, Need::Write) {
        Ok(node) => {
            let node = Node { value: value.to_vec(), ..Node::clone(&node) };
            check_size(view, who, &node)?;
            view.tree().check_room(value.len())?;
            view.put(&path, node)?;
        }
        Err(Refusal::NotFound) => create(view, who, &path, value)?,
        Err(refusal) => return Err(refusal),
    }
    view.changed(&path, false, None);
    Ok(())
}

fn mkdir(view: &mut dyn View, who: Who, payload: &[u8]) -> Result<(), Refusal> {
    let path = paths::resolve(who.domid, one(payload)?)?;
    match find(view, who, &path, Need::Write) {
        Ok(_) => Ok(()),
        Err(Refusal::NotFound) => {
            create(view, who, &path, &[])?;
            view.changed(&path, false, None);
            Ok(())
        }
        Err(refusal) => Err(refusal),
    }
}

/// Makes a node and those above it that are not there. They get the permissions of the node above
/// them, and guests own what they make.
fn create(view: &mut dyn View, who: Who, path: &str, value: &[u8]) -> Result<(), Refusal> {
    let mut missing = vec![path];
    let (above, above_path) = loop {
        let lowest = missing.last().copied().unwrap_or(path);
        let parent = paths::parent(lowest).ok_or(Refusal::NotFound)?;
        match view.get(parent)? {
            Some(node) => break (node, parent),
            None => missing.push(parent),
        }
    };
    if !who.is_host() {
        at_most(view.tree().owned_by(who.domid) + missing.len(), GUEST_NODES, Refusal::NoSpace)?;
    }
    let mut permissions = above.permissions.clone();
    if let Some(owner) = permissions.first_mut().filter(|_| !who.is_host()) {
        owner.permission.domid = who.domid;
    }
    let highest = paths::name(missing.last().unwrap_or(&path));
    let mut above = Node::clone(&above);
    above.add_child(highest);
    let mut changed = vec![(above_path, above)];
    for (place, path) in missing.iter().enumerate().rev() {
        let mut node = Node { permissions: permissions.clone(), ..Node::of_host() };
        match place.checked_sub(1).and_then(|below| missing.get(below)) {
            Some(below) => node.add_child(paths::name(below)),
            None => node.value = value.to_vec(),
        }
        changed.push((path, node));
    }
    for (_, node) in &changed {
        check_size(view, who, node)?;
    }
    let made = changed.iter().skip(1).map(|(path, node)| path.len() + node.size());
    view.tree().check_room(made.sum::<usize>() + highest.len() + 1)?;
    changed.into_iter().try_for_each(|(path, node)| view.put(path, node))
}

/// Removes a node and all below it, the lowest first.
fn remove(view: &mut dyn View, who: Who, payload: &[u8]) -> Result<(), Refusal> {
    let path = paths::resolve(who.domid, one(payload)?)?;
    match find(view, who, &path, Need::Write) {
        Ok(_) => remove_tree(view, &path),
        // It is no error that it is gone already.
        Err(Refusal::NotFound) => {
            let parent = paths::parent(&path).ok_or(Refusal::Invalid)?;
            view.get(parent)?.map(drop).ok_or(Refusal::NotFound)
        }
        Err(refusal) => Err(refusal),
    }
}

/// Removes a node and all below it, whoever owns them.
pub(crate) fn remove_tree(view: &mut dyn View, path: &str) -> Result<(), Refusal> {
    let parent_path = paths::parent(path).ok_or(Refusal::Invalid)?;
    let parent = view.get(parent_path)?.ok_or(Refusal::Invalid)?;
    let name = paths::name(path);
    // A transaction has seen the node above before the node was made outside.
    if parent.children().all(|child| child != name) {
        return Err(Refusal::Io);
    }
    // Each node is visited twice: first its children go before it.
    let mut visits = vec![(path.to_owned(), false)];
    while let Some((at, are_children_gone)) = visits.pop() {
        if are_children_gone {
            view.changed(&at, at != path, None);
            view.remove(&at)?;
        } else if let Some(node) = view.get(&at)? {
            let children = node.children().rev();
            let children: Vec<_> = children.map(|name| (paths::child(&at, name), false)).collect();
            visits.push((at, true));
            visits.extend(children);
        }
    }
    let mut parent = Node::clone(&parent);
    parent.remove_child(name);
    view.put(parent_path, parent)
}

fn set_permissions(
    view: &mut dyn View,
    domains: &Domains,
    who: Who,
    payload: &[u8],
) -> Result<(), Refusal> {
    let texts = texts(payload)?;
    let (path, entries) = texts.split_first().ok_or(Refusal::Invalid)?;
    if !who.is_host() {
        at_most(entries.len(), GUEST_PERMISSIONS, Refusal::NoSpace)?;
    }
    let entry = |text: &&str| {
        let permission: Permission = text.parse().map_err(|_| Refusal::Invalid)?;
        Ok(Entry { permission, is_void: !domains.contains(permission.domid) })
    };
    let permissions = entries.iter().map(entry).collect::<Result<Vec<Entry>, Refusal>>()?;
    let owner = permissions.first().ok_or(Refusal::Invalid)?;
    if owner.is_void {
        return Err(Refusal::NotFound);
    }
    let owner = owner.permission.domid;
    let path = paths::resolve_watched(who.domid, path)?;
    let before = find(view, who, &path, Need::SetPermissions)?;
    if !who.is_host() && owner != before.owner() {
        return Err(Refusal::NotPermitted);
    }
    let node = Node { permissions, ..Node::clone(&before) };
    check_size(view, who, &node)?;
    view.tree().check_room(node.size())?;
    view.put(&path, node)?;
    // Watches on special nodes hear of domains alone.
    if !paths::is_special(&path) {
        // Those who could read it hear of it, too.
        view.changed(&path, false, Some(&before));
    }
    Ok(())
}

fn check_size(view: &mut dyn View, who: Who, node: &Node) -> Result<(), Refusal> {
    if who.is_host() || node.size() < GUEST_NODE_SIZE {
        return Ok(());
    }
    view.fail();
    Err(Refusal::NoSpace)
}

//! What is told with an event: the object as it is now. Clients that keep all objects, as Xen
//! Orchestra's do, read it there and do not ask for each.

use super::doing::Doing;
use super::failure::Failure;
use super::{Args, CLASSES, Caller, Uuid, Value, Work, World};

fn text<'a>(event: &'a [(String, Value)], name: &str) -> &'a str {
    match event.iter().find(|(key, _)| key == name) {
        Some((_, Value::Text(text))) => text,
        _ => "",
    }
}

/// Adds `snapshot` to events about objects that are there. An event about one that has gone since
/// is left out: that it has gone is the next one.
pub(super) async fn add(caller: &Caller, world: &World, events: Value) -> Result<Value, Failure> {
    let Value::Array(events) = events else { return Ok(events) };
    let mut now = World::look(&world.wire, caller, &world.session, world.who.clone()).await?;
    let mut looked_at = Vec::new();
    let mut told = Vec::with_capacity(events.len());
    for event in events {
        let Value::Struct(mut event) = event else { continue };
        if text(&event, "operation") != "del" {
            let class = CLASSES.iter().find(|class| class.name == text(&event, "class"));
            let (Some(class), Ok(uuid)) = (class, Uuid::try_parse(text(&event, "ref"))) else {
                continue;
            };
            let vm = now.vm_behind(uuid);
            for need in Doing::Record.needs(class) {
                if !looked_at.contains(&(need, vm)) {
                    now.look_at(caller, need, vm).await?;
                    looked_at.push((need, vm));
                }
            }
            let args = Args { names: &[], values: &[] };
            let Ok(Work::Said(record)) = Doing::Record.make(class, &now, Some(uuid), &args) else {
                continue;
            };
            event.push(("snapshot".to_owned(), record));
        }
        told.push(Value::Struct(event));
    }
    Ok(Value::Array(told))
}

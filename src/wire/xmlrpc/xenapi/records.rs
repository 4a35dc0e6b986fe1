//! Answers with records: one of an event's object, and the lists of a class's objects.
//!
//! Lists are made on threads that may be busy for long, and sent again while nothing has changed. A
//! record that shows the same as before is not printed again (`printed.rs`).

use super::failure::{Failure, FailureContext};
use super::fetch::Fetcher;
use super::host_view::HostView;
use super::method::{Method, label};
use super::printed::{List, PrintedClass};
use super::read_field::{if_present, read_field, read_record};
use super::schema::{Class, ReadInputs};
use super::service::XenApi;
use super::values::refs;
use crate::core::error::Error;
use crate::core::model::Uuid;
use crate::core::view::View;
use crate::wire::xmlrpc::codec::{self, PrintedStruct};
use crate::wire::xmlrpc::value::Value;
use bytes::Bytes;
use std::panic;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};

/// The record of one object. Callers of one scope who ask for it at the same time share it.
pub(crate) async fn one(
    api: &XenApi,
    view: &View,
    host: &mut HostView,
    class: &'static Class,
    object: Uuid,
) -> Result<Value, Failure> {
    let fetcher = Fetcher { view, reuses: true };
    for need in class.needs {
        fetcher.fetch(host, *need, None).await?;
    }
    for need in Method::GetRecord.needs(class) {
        fetcher.fetch(host, need, Some(object)).await?;
    }
    let Some(inputs) = class.inputs else { return read_record(class, host, object) };
    let printed = api.printed.of(host.scope(), class.name);
    Ok(Value::printed(print_record(&printed, class, inputs, host, object)?))
}

/// The references or records of all objects of a class.
pub(crate) async fn list(
    api: &XenApi,
    view: &View,
    mut host: HostView,
    class: &'static Class,
    list: List,
) -> Result<Value, Failure> {
    let printed = class.inputs.map(|inputs| (inputs, api.printed.of(host.scope(), class.name)));
    let known = |host: &HostView| {
        let (_, printed) = printed.as_ref()?;
        printed.list(list, &host.version).map(Value::printed)
    };
    if let Some(known) = known(&host) {
        return Ok(known);
    }
    // One call fetches and prints while the others wait: they would all do the same.
    let _turn = match &printed {
        Some((_, printed)) => Some(printed.turn().await),
        None => None,
    };
    if let Some(known) = known(&host) {
        return Ok(known);
    }
    let fetcher = Fetcher { view, reuses: class.inputs.is_some() };
    let needs = if list == List::Records { Method::GetRecord.needs(class) } else { vec![] };
    for need in class.needs.iter().copied().chain(needs) {
        fetcher.fetch(&mut host, need, None).await?;
    }
    let Some((inputs, printed)) = &printed else {
        return busy(move || print_anew(class, list, &host)).await.map(Value::printed);
    };
    let inputs = *inputs;
    let printing = printed.clone();
    let text = busy(move || print_list(&printing, class, inputs, list, &host)).await?;
    api.printed.trim();
    Ok(Value::printed(text))
}

/// The references of a class's objects that have this label. All are read.
pub(crate) async fn find_by_label(
    host: HostView,
    class: &'static Class,
    wanted: String,
) -> Result<Value, Failure> {
    let Some(label) = label(class) else { return Ok(refs([])) };
    let wanted = Some(Value::Text(wanted));
    let find = move || {
        let mut found = Vec::new();
        for object in (class.all)(&host)? {
            if if_present(read_field(class, label, &host, object))? == wanted {
                found.push(object);
            }
        }
        Ok(refs(found))
    };
    busy(find).await
}

/// Lists that are printed at a time. Further ones wait, so that they leave processors to others.
static PRINTING: Semaphore = Semaphore::const_new(2);

/// Does work that takes long, on a thread that nobody waits for.
async fn busy<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let _place = PRINTING.acquire().await;
    match spawn_blocking(work).await.map_err(JoinError::try_into_panic) {
        Ok(done) => done,
        // As if it had happened here.
        Err(Ok(panicked)) => panic::resume_unwind(panicked),
        Err(Err(_)) => Err(Failure::from_error(Error::Stopping, &FailureContext::default())),
    }
}

fn print_record(
    printed: &PrintedClass,
    class: &Class,
    inputs: ReadInputs,
    host: &HostView,
    object: Uuid,
) -> Result<Bytes, Failure> {
    let print = || Ok(codec::printed(&read_record(class, host, object)?));
    printed.record(object, inputs(host, object)?, print)
}

/// Prints a list, and keeps it.
fn print_list(
    printed: &PrintedClass,
    class: &Class,
    inputs: ReadInputs,
    list: List,
    host: &HostView,
) -> Result<Bytes, Failure> {
    let all = (class.all)(host)?;
    if list == List::References {
        let text = codec::printed(&refs(all));
        printed.keep_references(host.version, &text);
        return Ok(text);
    }
    let mut joined = PrintedStruct::with_capacity(printed.list_length(list));
    let mut places = Vec::with_capacity(all.len());
    for object in all {
        let record = print_record(printed, class, inputs, host, object);
        let Some(record) = if_present(record)? else { continue };
        let place = joined.add(&object.to_string(), &record);
        places.push((object, record, place));
    }
    let text = joined.finish();
    printed.keep_records(host.version, &text, places);
    Ok(text)
}

/// Prints a list of which nothing is kept.
fn print_anew(class: &Class, list: List, host: &HostView) -> Result<Bytes, Failure> {
    let all = (class.all)(host)?;
    if list == List::References {
        return Ok(codec::printed(&refs(all)));
    }
    let mut records = Vec::with_capacity(all.len());
    for object in all {
        if let Some(record) = if_present(read_record(class, host, object))? {
            records.push((object.to_string(), record));
        }
    }
    Ok(codec::printed(&Value::Struct(records)))
}

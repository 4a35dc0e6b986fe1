//! Answers with records: one of an event's object, and the lists of a class's objects.
//!
//! Lists are made on threads that may be busy for long, and sent again while nothing has changed. A
//! record that shows the same as before is not printed again (`printed.rs`).

use super::failure::Failure;
use super::fetch::Fetcher;
use super::host_view::HostView;
use super::method::{Method, label};
use super::other_hosts::{OtherHosts, read_fleet};
use super::printed::{List, PrintedClass};
use super::read_field::{if_present, read_field, read_record};
use super::schema::{Class, ReadInputs};
use super::service::XenApi;
use super::values::refs;
use crate::answer_memory::SharedText;
use crate::core::fleet::FleetView;
use crate::core::model::{DomName, Uuid};
use crate::core::view::View;
use crate::memory_budget::{MemoryBudget, OverBudget};
use crate::wire::xmlrpc::codec::{self, PrintedStruct};
use crate::wire::xmlrpc::value::Value;
use std::sync::Arc;

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
    let record = print_record(&printed, class, inputs, host, object)?;
    printed.forget_gone(|object| (class.check)(host, object).is_ok());
    Ok(Value::printed(record))
}

/// Forgets the record of an object that has gone.
pub(crate) fn forget(api: &XenApi, scope: u64, class: &'static str, object: Uuid) {
    api.printed.of(scope, class).forget(object);
}

/// The references or records of all objects of a class.
pub(crate) async fn list(
    api: &XenApi,
    view: &View,
    mut host: HostView,
    class: &'static Class,
    list: List,
) -> Result<Value, Failure> {
    let fleet = fleet_of(api, view, &host, class).await?;
    let printed = class.inputs.map(|inputs| (inputs, api.printed.of(host.scope(), class.name)));
    let known = |host: &HostView| {
        // What others have may have changed since.
        let (_, printed) = printed.as_ref().filter(|_| fleet.is_none())?;
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
    let engine = api.context.engine();
    let answers = &api.answers;
    if let Some(fleet) = &fleet {
        let print = || {
            let session = &host.session;
            let others = OtherHosts::of(api, view, session, fleet, host.snapshot());
            let printed = printed.as_ref().map(|(inputs, printed)| (*inputs, &**printed));
            print_with_others(answers, printed, class, list, &host, &others)
        };
        let value = engine.print(LONG, print).await?;
        api.printed.trim();
        return Ok(value);
    }
    let Some((inputs, printed)) = &printed else {
        return engine.print(LONG, || print_anew(answers, class, list, &host)).await;
    };
    let print = || print_list(answers, printed, class, *inputs, list, &host);
    let text = engine.print(LONG, print).await?;
    api.printed.trim();
    Ok(Value::printed(text))
}

/// The references of a class's objects that have this label. All are read.
pub(crate) async fn find_by_label(
    api: &XenApi,
    view: &View,
    host: HostView,
    class: &'static Class,
    wanted: String,
) -> Result<Value, Failure> {
    let Some(label) = label(class) else { return Ok(refs([])) };
    let fleet = fleet_of(api, view, &host, class).await?;
    let find_on = |host: &HostView| {
        if let Some(find) = class.by_label {
            return Ok(find(host, &wanted));
        }
        let mut found = Vec::new();
        for object in (class.all)(host)? {
            let label = if_present(read_field(class, label, host, object))?;
            if matches!(label, Some(Value::Text(label)) if label == wanted) {
                found.push(object);
            }
        }
        Ok::<_, Failure>(found)
    };
    let find = || {
        let mut found = find_on(&host)?;
        if let Some(fleet) = &fleet {
            let others = OtherHosts::of(api, view, &host.session, fleet, host.snapshot());
            for other in others.with_vms_named(&DomName::adopted(&wanted)) {
                found.extend(find_on(&other)?);
            }
        }
        Ok(refs(found))
    };
    api.context.engine().print(LONG, find).await
}

/// The fleet whose other hosts have objects of a class as well, if it is shown.
async fn fleet_of(
    api: &XenApi,
    view: &View,
    host: &HostView,
    class: &Class,
) -> Result<Option<Arc<FleetView>>, Failure> {
    if host.shows_fleet() && class.is_in_fleet() { read_fleet(api, view).await } else { Ok(None) }
}

/// The size of a list that is about to be printed: nobody knows, and most are long.
const LONG: usize = usize::MAX;

/// There is no memory for an answer.
fn busy(over: OverBudget) -> Failure {
    Failure::not_allowed(&over.to_string())
}

fn print_record(
    printed: &PrintedClass,
    class: &Class,
    inputs: ReadInputs,
    host: &HostView,
    object: Uuid,
) -> Result<SharedText, Failure> {
    let print = || Ok(codec::printed(&read_record(class, host, object)?));
    let inputs = inputs(host, object).inspect_err(|failure| {
        if failure.is_no_object() {
            printed.forget(object);
        }
    })?;
    printed.record(object, &inputs, print)
}

/// Prints a list, and keeps it.
fn print_list(
    answers: &MemoryBudget,
    printed: &PrintedClass,
    class: &Class,
    inputs: ReadInputs,
    list: List,
    host: &HostView,
) -> Result<SharedText, Failure> {
    let all = (class.all)(host)?;
    if list == List::References {
        let text = SharedText::new(codec::printed(&refs(all)));
        printed.keep_references(host.version, &text);
        return Ok(text);
    }
    let length = printed.list_length(list);
    let mut joined = PrintedStruct::new(answers.buffer(), length).map_err(busy)?;
    let mut places = Vec::with_capacity(all.len());
    for object in all {
        let record = print_record(printed, class, inputs, host, object);
        let Some(record) = if_present(record)? else { continue };
        let place = joined.add(&object.to_string(), record.text()).map_err(busy)?;
        places.push((object, record, place));
    }
    let text = SharedText::new(joined.finish().map_err(busy)?);
    printed.keep_records(host.version, &text, places);
    Ok(text)
}

/// Prints a list with the objects of other hosts, of which nothing is kept. Those of this host come
/// first: old clients take the first host.
fn print_with_others(
    answers: &MemoryBudget,
    printed: Option<(ReadInputs, &PrintedClass)>,
    class: &Class,
    list: List,
    host: &HostView,
    others: &OtherHosts<'_>,
) -> Result<Value, Failure> {
    let mut all = (class.all)(host)?;
    if list == List::References {
        for other in others.all() {
            all.extend((class.all)(&other)?);
        }
        return Ok(refs(all));
    }
    let mut joined = PrintedStruct::new(answers.buffer(), 0).map_err(busy)?;
    for object in all {
        let record = match printed {
            Some((inputs, printed)) => {
                let record = print_record(printed, class, inputs, host, object);
                if_present(record)?.map(|record| record.text().clone())
            }
            None => if_present(read_record(class, host, object))?.map(|one| codec::printed(&one)),
        };
        if let Some(record) = record {
            joined.add(&object.to_string(), &record).map_err(busy)?;
        }
    }
    if let Some((_, printed)) = printed {
        printed.forget_gone(|object| (class.check)(host, object).is_ok());
    }
    for other in others.all() {
        for object in (class.all)(&other)? {
            let record = codec::printed(&read_record(class, &other, object)?);
            joined.add(&object.to_string(), &record).map_err(busy)?;
        }
    }
    Ok(Value::printed(SharedText::new(joined.finish().map_err(busy)?)))
}

/// Prints a list of which nothing is kept. The records are not all in memory beside their text.
fn print_anew(
    answers: &MemoryBudget,
    class: &Class,
    list: List,
    host: &HostView,
) -> Result<Value, Failure> {
    let all = (class.all)(host)?;
    if list == List::References {
        return Ok(refs(all));
    }
    let mut joined = PrintedStruct::new(answers.buffer(), 0).map_err(busy)?;
    for object in all {
        if let Some(record) = if_present(read_record(class, host, object))? {
            joined.add(&object.to_string(), &codec::printed(&record)).map_err(busy)?;
        }
    }
    Ok(Value::printed(SharedText::new(joined.finish().map_err(busy)?)))
}

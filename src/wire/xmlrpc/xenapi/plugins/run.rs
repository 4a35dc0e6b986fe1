//! Carrying out a call of a plug-in.

use super::call::{Asker, DomainWork, PluginCall, Work};
use super::failure::{from_error, no_node, rebooted};
use crate::core::error::Error;
use crate::core::model::{DomId, DomainRef};
use crate::core::op::{Change, GuestAnswer, Outcome, StoreOp};
use crate::core::view::View;
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::service::XenApi;
use serde_json::Value as Json;

/// Carries the call out. The answer is JSON: texts that are none are quoted. A task, which keeps
/// its result, has no answer that repeats the arguments.
pub(crate) async fn run(
    api: &XenApi,
    view: &View,
    call: PluginCall,
    asker: Asker,
) -> Result<Value, Failure> {
    let PluginCall { function, work } = call;
    let (dom_id, work) = match work {
        // It is pickled, as its Python did.
        Work::Answer(text) => return Ok(Value::text(text)),
        Work::OfDomain { dom_id, work } => (dom_id, work),
    };
    let is_hidden = asker == Asker::Task && work.repeats_arguments();
    let if_missing = work.if_missing();
    let or_missing = |failure| if_missing.map(str::to_owned).ok_or(failure);
    let done = match domain(view, dom_id) {
        Some(domain) => carry_out(api, view, domain, work).await,
        None => Err(Error::NoSuchDomain(dom_id.to_string())),
    };
    let answer = match done {
        Ok(Some(answer)) => answer,
        Ok(None) => or_missing(no_node(function))?,
        Err(Error::NoSuchDomain(_) | Error::Gone(_) | Error::NotStarted(_)) => {
            or_missing(rebooted(function, dom_id))?
        }
        Err(error) => return Err(from_error(function, error)),
    };
    Ok(Value::Text(as_json(if is_hidden { "" } else { &answer })))
}

/// The domain with this domid, by its UUID: it does not become another one meanwhile.
fn domain(view: &View, dom_id: i64) -> Option<DomainRef> {
    let number = u32::try_from(dom_id).ok()?;
    let snapshot = view.snapshot();
    snapshot.by_domid(DomId(number)).map(|found| DomainRef::new(found.uuid.to_string()))
}

/// Does the work. `None` if the node is missing.
async fn carry_out(
    api: &XenApi,
    view: &View,
    domain: DomainRef,
    work: DomainWork,
) -> Result<Option<String>, Error> {
    let execute = async |change| api.context.engine().execute(view.caller(), change).await;
    Ok(match work {
        DomainWork::Ask { op, limit } => {
            match execute(Change::Guest { domain, op, limit }).await? {
                Outcome::Guest(GuestAnswer::Response(response)) => Some(text(&response)),
                Outcome::Guest(GuestAnswer::Message(message)) => Some(message),
                _ => None,
            }
        }
        DomainWork::Read { path, .. } => {
            view.store_node(&domain, &path).await?.map(|value| text(&value))
        }
        DomainWork::List(path) => {
            let nodes = view.store_tree(&domain, &path).await?;
            let below = |(node, value): &(String, Vec<u8>)| {
                let name = node.strip_prefix(path.as_str())?.trim_start_matches('/');
                Some(format!("{}: {}", Json::from(name), as_json(&text(value))))
            };
            let records: Vec<String> = nodes.iter().filter_map(below).collect();
            Some(format!("{{{}}}", records.join(", ")))
        }
        DomainWork::Write { path, value } => {
            let answer = String::from_utf8_lossy(&value.0).into_owned();
            execute(Change::GuestStore(domain, StoreOp::Write { path, value })).await?;
            Some(answer)
        }
        DomainWork::Remove(path) => {
            execute(Change::GuestStore(domain, StoreOp::Remove(path))).await?;
            Some(String::new())
        }
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// The text if it is JSON, else the text as JSON.
fn as_json(text: &str) -> String {
    if serde_json::from_str::<Json>(text).is_ok() {
        text.to_owned()
    } else {
        Json::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_json() {
        let response = r#"{"returncode":"0","message":""}"#;
        let number = "12345678901234567890123";
        for json in [response, number, "17", "\"web1\"", "null"] {
            assert_eq!(as_json(json), json);
        }
        for (text, quoted) in
            [("web1", "\"web1\""), ("", "\"\""), ("None", "\"None\""), ("a\"\n", "\"a\\\"\\n\"")]
        {
            assert_eq!(as_json(text), quoted);
        }
    }
}

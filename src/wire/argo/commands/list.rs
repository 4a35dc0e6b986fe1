//! `list running`, `list available`.

use crate::core::rights::{Need, Right};
use crate::core::snapshot::DomainView;
use crate::wire::argo::answer::{Answer, Refusal};
use crate::wire::argo::call::Call;
use crate::wire::argo::command::{Command, Run};
use crate::wire::argo::signature::Signature;
use std::collections::{BTreeSet, HashSet};

pub(in crate::wire::argo) static LIST: Command = Command {
    signature: Signature::new(
        "list",
        "running|available",
        Need::Anyone,
        "List the instances that run, or all that there are.",
    ),
    run: Run::Plain(|call| Box::pin(list(call))),
};

/// Names of instances that the caller sees, sorted. Domain-0 is no instance but the host.
async fn list(call: &Call<'_>) -> Answer {
    let access = call.caller().access();
    let sees_nothing = Right::ALL.iter().all(|right| !access.has(*right));
    if sees_nothing && !call.is_authenticated {
        return Err(Refusal::NotAuthenticated);
    }
    let domains = call.view.domains().await.map_err(|error| call.failure(&error))?;
    let guests = domains.domains().filter(|domain| !domain.is_privileged());
    if call.words.iter().any(|word| word == "running") {
        let running = guests.filter(|domain| domain.domid().is_some());
        return Ok(running.map(|domain| domain.name().as_str()).collect());
    }
    let mut names: HashSet<String> = guests.map(|domain| name(domain)).collect();
    let mut sorted = BTreeSet::new();
    if let Some(files) = &call.argo.options().domain_files {
        let unread = || Refusal::Failed("The configuration files cannot be read".to_owned());
        for file in files.all().await.ok_or_else(unread)? {
            let name = file.config.name.as_str();
            if names.remove(name) || !access.rights_on(None, name).is_empty() {
                // As in the first Argo, files are listed in the order of their own names.
                sorted.insert((file.stem, name.to_owned()));
            }
        }
    }
    sorted.extend(names.into_iter().map(|name| (name.clone(), name)));
    Ok(sorted.into_iter().map(|(_, name)| name).collect())
}

fn name(domain: &DomainView) -> String {
    domain.name().to_string()
}

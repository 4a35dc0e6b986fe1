//! The pages of `/xend/task`: operations under way, and those that clients do not wait for.

use super::listing::list_page;
use crate::core::model::{DomName, Uuid};
use crate::core::snapshot::{DomainView, Snapshot};
use crate::wire::http::html::parts::{action, domain_link, domain_path, moment, progress};
use crate::wire::http::operations::by_page::label_of;
use crate::wire::http::operations::save::CANCEL;
use crate::wire::http::request::RequestInfo;
use crate::wire::http::tasks::Task;
use std::sync::Arc;
use xend_templates::{Cell, Fact, Link, ListPage, Table, TableColumn};

/// The most operations of the page. A host does a few at a time.
const MAX_UNDER_WAY: usize = 200;

/// The most characters of an answer that its page shows. Programs read it as a whole.
const MAX_ANSWER: usize = 2000;

/// The page for people. `tasks` are in the order in which they began.
pub(crate) fn page(
    request: &RequestInfo,
    follow: String,
    snapshot: &Snapshot,
    tasks: &[(Uuid, Task)],
) -> ListPage {
    ListPage {
        follow: Some(follow),
        tables: vec![under_way(request, snapshot), begun_by_programs(snapshot, tasks)],
        ..list_page(request, "Tasks", "")
    }
}

fn under_way(request: &RequestInfo, snapshot: &Snapshot) -> Table {
    let busy = snapshot.domains().filter(|view| view.progress.is_some()).take(MAX_UNDER_WAY);
    let row = |view: &Arc<DomainView>| {
        let progress = progress(view)?;
        Some(vec![
            Cell::Link(domain_link(view)),
            Cell::Text(progress.operation),
            share(progress.percent),
            Cell::Text(progress.amount),
            cancel(request, view),
        ])
    };
    Table {
        id: "busy".to_owned(),
        title: "Under way".to_owned(),
        columns: vec![
            TableColumn::text("Domain"),
            TableColumn::text("Operation"),
            TableColumn::text("Progress"),
            TableColumn::text("Amount"),
            TableColumn::text("Actions"),
        ],
        rows: busy.filter_map(row).collect(),
        empty: "No domain is being saved, restored, migrated or dumped.".to_owned(),
        pager: None,
    }
}

fn share(percent: u8) -> Cell {
    Cell::Share { percent: f64::from(percent), text: format!("{percent} %") }
}

/// The button that cancels what is done with a domain, if that can be cancelled.
fn cancel(request: &RequestInfo, view: &DomainView) -> Cell {
    let can_cancel = progress(view).is_some_and(|progress| progress.can_be_cancelled)
        && CANCEL.is_offered_on(&request.access(), view);
    Cell::Actions {
        href: domain_path(view),
        name: view.name().to_string(),
        actions: can_cancel.then(|| action(&CANCEL, "")).into_iter().collect(),
    }
}

/// The page of one task.
pub(crate) fn task_page(
    request: &RequestInfo,
    follow: String,
    snapshot: &Snapshot,
    id: Uuid,
    own: &Task,
) -> ListPage {
    let task = own.to_json(id, snapshot);
    let name = task.domain.unwrap_or_default();
    let view = snapshot.by_name(&DomName::adopted(name));
    let ended = own.ended.as_ref().map(|ended| moment(ended.at));
    let under_way = view.filter(|_| own.is_transfer && own.ended.is_none());
    let row = vec![
        Cell::Text(label_of(task.op)),
        view.map_or_else(|| Cell::Text(name.to_owned()), |view| Cell::Link(domain_link(view))),
        Cell::State(task.state.to_owned()),
        task.progress_percent.map_or_else(|| Cell::Text(String::new()), share),
        Cell::Moment(moment(own.began)),
        ended.map_or_else(|| Cell::Text(String::new()), Cell::Moment),
        under_way.map_or_else(|| Cell::Text(String::new()), |view| cancel(request, view)),
    ];
    let columns = ["Operation", "Domain", "State", "Progress", "Began", "Ended", "Actions"];
    let table = Table {
        id: "task".to_owned(),
        title: "Task".to_owned(),
        columns: columns.into_iter().map(TableColumn::text).collect(),
        rows: vec![row],
        ..Table::default()
    };
    let problem = task.problem.map(|problem| Fact::new("Problem", problem.detail()));
    let answer = task.result.map(|result| Fact::new("Answer", beginning(result.get())));
    ListPage {
        follow: Some(follow),
        parent: Some("/xend/task".to_owned()),
        facts: problem.into_iter().chain(answer).collect(),
        tables: vec![table],
        links: vec![Link::new("All tasks", "/xend/task")],
        ..list_page(request, &format!("Task: {} {name}", label_of(task.op)), "")
    }
}

/// The beginning of a text that can be long.
fn beginning(text: &str) -> String {
    let shown: String = text.chars().take(MAX_ANSWER).collect();
    if shown.len() < text.len() { shown + "…" } else { shown }
}

fn begun_by_programs(snapshot: &Snapshot, tasks: &[(Uuid, Task)]) -> Table {
    let row = |(id, own): &(Uuid, Task)| {
        let task = own.to_json(*id, snapshot);
        let name = task.domain.unwrap_or_default();
        let view = snapshot.by_name(&DomName::adopted(name));
        let percent = task.progress_percent.filter(|_| own.ended.is_none());
        let percent = percent.map(|percent| format!("{percent} %"));
        let problem = task.problem.map(|problem| problem.detail().to_owned());
        vec![
            Cell::Link(Link::new(label_of(task.op), format!("/xend/task/{}", task.id))),
            view.map_or_else(|| Cell::Text(name.to_owned()), |view| Cell::Link(domain_link(view))),
            Cell::State(task.state.to_owned()),
            Cell::Text(problem.or(percent).unwrap_or_default()),
            Cell::Moment(moment(own.began)),
            match &own.ended {
                Some(ended) => Cell::Moment(moment(ended.at)),
                None => Cell::Text(String::new()),
            },
        ]
    };
    Table {
        id: "tasks".to_owned(),
        title: "Begun by programs".to_owned(),
        columns: vec![
            TableColumn::text("Task"),
            TableColumn::text("Domain"),
            TableColumn::text("State"),
            TableColumn::text("Result"),
            TableColumn::text("Began"),
            TableColumn::text("Ended"),
        ],
        rows: tasks.iter().rev().map(row).collect(),
        empty: "No tasks. Programs begin one with Prefer: respond-async.".to_owned(),
        pager: None,
    }
}

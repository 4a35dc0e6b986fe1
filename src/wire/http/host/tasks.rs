//! The page of `/xend/task`: operations under way, and those that clients do not wait for.

use super::listing::list_page;
use crate::core::model::{DomName, Uuid};
use crate::core::rights::OpKind;
use crate::core::snapshot::{DomainView, Snapshot};
use crate::wire::http::html::parts::{domain_link, domain_path, moment, progress};
use crate::wire::http::request::RequestInfo;
use crate::wire::http::tasks::Task;
use std::sync::Arc;
use xend_templates::{Action, Cell, Link, ListPage, Table, TableColumn};

/// The most operations of the page. A host does a few at a time.
const MAX_UNDER_WAY: usize = 200;

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
        let access = request.access();
        let may_cancel = progress.can_be_cancelled
            && access.may_on(OpKind::Cancel, view.uuid, view.name().as_str());
        let cancel = Action { op: "cancel".into(), label: "Cancel".into(), confirm: None };
        Some(vec![
            Cell::Link(domain_link(view)),
            Cell::Text(progress.operation),
            Cell::Share {
                percent: f64::from(progress.percent),
                text: format!("{} %", progress.percent),
            },
            Cell::Text(progress.amount),
            Cell::Actions {
                href: domain_path(view),
                name: view.name().to_string(),
                actions: may_cancel.then_some(cancel).into_iter().collect(),
            },
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

fn begun_by_programs(snapshot: &Snapshot, tasks: &[(Uuid, Task)]) -> Table {
    let row = |(id, own): &(Uuid, Task)| {
        let task = own.to_json(*id, snapshot);
        let name = task.domain.unwrap_or_default();
        let view = snapshot.by_name(&DomName::adopted(name));
        let percent = task.progress_percent.map(|percent| format!("{percent} %"));
        let problem = task.problem.map(|problem| problem.detail().to_owned());
        vec![
            Cell::Link(Link::new(task.op, format!("/xend/task/{}", task.id))),
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

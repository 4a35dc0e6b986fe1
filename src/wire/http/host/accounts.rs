//! `GET /xend/node/user`: accounts and sessions, for operators. Nothing here shows a password, its
//! hash, or the secret of a session.

use super::listing::{PAGE_PARAM, Part, empty_text, list_page, respond};
use crate::core::rights::{Credential, User};
use crate::wire::http::context::Http;
use crate::wire::http::errors::operation_failed;
use crate::wire::http::html::units::duration;
use crate::wire::http::json::host::{Account, Accounts, Grant, PageSession};
use crate::wire::http::operation::Param;
use crate::wire::http::request::RequestInfo;
use axum::extract::State;
use axum::response::Response;
use xend_templates::{Cell, ListPage, Table, TableColumn};

/// The accounts and the sessions of a page.
const PER_PAGE: usize = 200;

/// The parameters of the page.
pub(crate) const QUERY: [Param; 1] = [PAGE_PARAM];

/// `GET /xend/node/user`
pub(crate) async fn get(
    State(http): State<Http>,
    request: RequestInfo,
) -> Result<Response, Response> {
    let view = http.view(&request.caller);
    let users = view.accounts().map_err(|error| operation_failed(&request, "accounts", &error))?;
    let part = Part::of(&request.query, PER_PAGE)
        .map_err(|invalid| operation_failed(&request, "accounts", &invalid.into()))?;
    let sessions = http.sessions().all();
    let totals = [users.len(), sessions.len()];
    let accounts = Accounts {
        accounts: part.select(users.iter()).into_iter().map(|user| account(user)).collect(),
        sessions: part.select(sessions.into_iter()),
    };
    Ok(respond(&request, &accounts, || page(&request, &accounts, part, totals)))
}

fn account(user: &User) -> Account {
    let access = user.access();
    let grant = |grant: &crate::core::rights::Grant| Grant {
        domains: grant.domains.iter().map(ToString::to_string).collect(),
        rights: grant.rights.iter().map(|right| right.name().to_owned()).collect(),
    };
    Account {
        name: user.name().to_owned(),
        is_operator: access.operator,
        login: match user.credential() {
            Credential::Hash(_) => "password",
            Credential::Pam => "pam",
            Credential::None => "socket",
        },
        grants: access.grants.iter().map(grant).collect(),
    }
}

/// The page. `totals` are the numbers of all accounts and of all sessions.
fn page(request: &RequestInfo, accounts: &Accounts, part: Part, totals: [usize; 2]) -> ListPage {
    let about = "Accounts are kept in the file of xend-users-file, and changed with xend user.";
    ListPage {
        tables: vec![
            Table {
                pager: part.pager(request, totals[0]),
                empty: empty_text("accounts", totals[0], false),
                ..account_table(&accounts.accounts)
            },
            Table {
                pager: part.pager(request, totals[1]),
                empty: empty_text("sessions", totals[1], false),
                ..session_table(&accounts.sessions)
            },
        ],
        ..list_page(request, "Users", about)
    }
}

fn account_table(accounts: &[Account]) -> Table {
    let row = |account: &Account| {
        let grant =
            |grant: &Grant| format!("{}: {}", grant.domains.join(", "), grant.rights.join(", "));
        let grants: Vec<String> = account.grants.iter().map(grant).collect();
        let login = match account.login {
            "password" => "Password",
            "pam" => "Password of this machine (PAM)",
            _ => "Unix socket alone",
        };
        vec![
            Cell::Text(account.name.clone()),
            Cell::Text(if account.is_operator { "Operator" } else { "User" }.to_owned()),
            Cell::Text(login.to_owned()),
            Cell::Text(if account.is_operator { "everything".into() } else { grants.join("; ") }),
        ]
    };
    Table {
        id: "accounts".to_owned(),
        title: "Accounts".to_owned(),
        columns: vec![
            TableColumn::text("Name"),
            TableColumn::text("Role"),
            TableColumn::text("Login"),
            TableColumn::text("Rights"),
        ],
        rows: accounts.iter().map(row).collect(),
        ..Table::default()
    }
}

fn session_table(sessions: &[PageSession]) -> Table {
    let row = |session: &PageSession| {
        vec![
            Cell::Text(session.user.clone()),
            Cell::Text(ago(session.age_seconds)),
            Cell::Text(ago(session.idle_seconds)),
        ]
    };
    Table {
        id: "sessions".to_owned(),
        title: "Sessions".to_owned(),
        columns: vec![
            TableColumn::text("User"),
            TableColumn::text("Logged in"),
            TableColumn::text("Last used"),
        ],
        rows: sessions.iter().map(row).collect(),
        ..Table::default()
    }
}

/// A time in words: `12 min ago`.
fn ago(seconds: u64) -> String {
    format!("{} ago", duration(seconds))
}

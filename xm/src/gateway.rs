//! Requests to xend: pages and operations in S-expressions, a few calls of XML-RPC, and events.

use crate::answers::{
    content, domain_answer, is_unknown_parameter, read, read_json, refused, succeeded,
};
use crate::domain::Domain;
use crate::events::Events;
use crate::failure::{Failure, reason};
use crate::password::authorization;
use crate::targets::{DOMAINS, domain_path, domains_target, escaped, fleet_target, form};
use crate::wire::address::Address;
use crate::wire::console::{Console, NotOpened};
use crate::wire::http::{Answer, Connection, Request, is_encrypted};
use crate::wire::stream::Stream;
use crate::wire::tls::is_plain;
use crate::wire::xmlrpc::{self, Value};
use serde_json::Value as Json;
use std::cell::{OnceCell, RefCell};
use std::io;
use std::time::Duration;
use xend_sxp::Sxp;

const SXP: &str = "application/sxp";
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// How long xend may be silent during a request. A migration takes its time, and xend ends what
/// makes no progress.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long xend may be silent when it is asked for what it knows.
const QUESTION_LIMIT: Duration = Duration::from_secs(60);

/// How long a stream of events may be silent: xend sends a heartbeat every 5 s.
const EVENTS_LIMIT: Duration = Duration::from_secs(60);

/// How long xend may take to open a console; it may wait for a new domain's.
const CONSOLE_LIMIT: Duration = Duration::from_secs(60);

/// The path of XML-RPC.
const RPC: &str = "/RPC2";

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Question,
    Change,
}

/// A xend. It is connected to when it is first needed.
pub(crate) struct Gateway {
    address: Address,
    /// How long the answer to a change may take.
    limit: Duration,
    /// How long the answer to a question may take.
    question_limit: Duration,
    /// How long the answer to the request for a console may take.
    console_limit: Duration,
    connection: RefCell<Option<Connection<Stream>>>,
    authorization: OnceCell<Option<String>>,
}

impl Gateway {
    /// The xend at this address.
    pub(crate) fn new(address: Address) -> Self {
        Self {
            address,
            limit: LIMIT,
            question_limit: QUESTION_LIMIT,
            console_limit: CONSOLE_LIMIT,
            connection: RefCell::new(None),
            authorization: OnceCell::new(),
        }
    }

    /// The same xend, whose answers may take this long: what takes longer goes on there.
    pub(crate) fn with_limit(&self, limit: Duration) -> Self {
        Self {
            address: self.address.clone(),
            limit: limit.min(LIMIT),
            question_limit: limit.min(QUESTION_LIMIT),
            console_limit: limit.min(CONSOLE_LIMIT),
            connection: RefCell::new(None),
            authorization: self.authorization.clone(),
        }
    }

    /// Whether it runs on this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.address.is_local()
    }

    /// The name or address of its host.
    pub(crate) fn host(&self) -> &str {
        match &self.address {
            Address::Unix(_) => "localhost",
            Address::Tcp { host, .. } => host,
        }
    }

    /// A page as an S-expression.
    pub(crate) fn page(&self, target: &str) -> Result<Sxp, Failure> {
        let answer = succeeded(self.ask(&get(target, SXP))?)?;
        read(&answer.body)
    }

    /// The host, and the name and version of the server.
    pub(crate) fn host_and_server(&self) -> Result<(Sxp, String), Failure> {
        let answer = succeeded(self.ask(&get("/xend/node", SXP))?)?;
        Ok((read(&answer.body)?, answer.server))
    }

    /// A page of plain text.
    pub(crate) fn text(&self, target: &str) -> Result<Vec<u8>, Failure> {
        Ok(succeeded(self.ask(&get(target, SXP))?)?.body)
    }

    /// A page as JSON.
    pub(crate) fn json(&self, target: &str) -> Result<Json, Failure> {
        read_json(&succeeded(self.ask(&get(target, JSON))?)?)
    }

    /// A domain. Its failure is that it does not exist.
    pub(crate) fn domain(&self, name: &str) -> Result<Domain, Failure> {
        let answer = self.ask(&get(&domain_path(name)?, SXP))?;
        Domain::read(read(&domain_answer(name, answer)?.body)?)
    }

    /// A domain as JSON.
    pub(crate) fn domain_json(&self, name: &str) -> Result<Json, Failure> {
        read_json(&domain_answer(name, self.ask(&get(&domain_path(name)?, JSON))?)?)
    }

    /// The domains in a state: `all`, `running`, `paused`, ...
    pub(crate) fn domains(&self, state: &str) -> Result<Vec<Domain>, Failure> {
        let list = self.page(&domains_target(state))?;
        list.as_list().unwrap_or_default().iter().cloned().map(Domain::read).collect()
    }

    /// The domains in a state, as JSON.
    pub(crate) fn domains_json(&self, state: &str) -> Result<Json, Failure> {
        self.json(&domains_target(state))
    }

    /// The domains in a state on all hosts of the fleet, as JSON.
    pub(crate) fn fleet_domains(&self, state: &str) -> Result<Json, Failure> {
        let answer = self.ask(&get(&fleet_target(state), JSON))?;
        if is_unknown_parameter(&answer, "host") {
            return Err(Failure::new(
                "xend is in no fleet: xm list without --all lists the domains of its host",
            ));
        }
        read_json(&succeeded(answer)?)
    }

    /// Carries out an operation of a page.
    pub(crate) fn operate(
        &self,
        page: &str,
        op: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Option<Sxp>, Failure> {
        let form = form(op, parameters);
        content(&succeeded(self.post(page, &form, Purpose::Change)?)?)
    }

    /// Carries out an operation on a domain.
    pub(crate) fn operate_on(
        &self,
        domain: &str,
        op: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Option<Sxp>, Failure> {
        let form = form(op, parameters);
        self.on_domain(domain, &form, Purpose::Change)
    }

    /// The same with values that need not be UTF-8.
    pub(crate) fn operate_with_bytes(
        &self,
        domain: Option<&str>,
        op: &str,
        parameters: &[(&str, &[u8])],
    ) -> Result<Option<Sxp>, Failure> {
        let form = form(op, parameters);
        match domain {
            Some(domain) => self.on_domain(domain, &form, Purpose::Change),
            None => content(&succeeded(self.post(DOMAINS, &form, Purpose::Change)?)?),
        }
    }

    /// Carries out an operation with a configuration that xm has written itself.
    pub(crate) fn configure(
        &self,
        domain: Option<&str>,
        op: &str,
        config: &Sxp,
        others: &[(&str, &str)],
    ) -> Result<Option<Sxp>, Failure> {
        let config = config.to_bytes();
        let others = others.iter().map(|(name, value)| (*name, value.as_bytes()));
        let parameters: Vec<_> =
            std::iter::once(("config", config.as_slice())).chain(others).collect();
        self.operate_with_bytes(domain, op, &parameters).map_err(Failure::without_place)
    }

    /// Carries out an operation on a domain that changes nothing.
    pub(crate) fn ask_about(
        &self,
        domain: &str,
        op: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Option<Sxp>, Failure> {
        let form = form(op, parameters);
        self.on_domain(domain, &form, Purpose::Question)
    }

    fn on_domain(&self, name: &str, form: &str, purpose: Purpose) -> Result<Option<Sxp>, Failure> {
        content(&domain_answer(name, self.post(&domain_path(name)?, form, purpose)?)?)
    }

    /// Calls a function of XML-RPC.
    pub(crate) fn call(&self, method: &str, parameters: &[Value]) -> Result<Value, Failure> {
        self.rpc(method, parameters, Purpose::Change)
    }

    /// Calls a function of XML-RPC that changes nothing.
    pub(crate) fn query(&self, method: &str, parameters: &[Value]) -> Result<Value, Failure> {
        self.rpc(method, parameters, Purpose::Question)
    }

    fn rpc(&self, method: &str, parameters: &[Value], purpose: Purpose) -> Result<Value, Failure> {
        let takes_domain = method.starts_with("xend.domain.") || method == "xend.cpu_pool.migrate";
        if takes_domain && parameters.first() == Some(&Value::text("")) {
            return Err(Failure::no_such_domain(""));
        }
        let text = xmlrpc::call(method, parameters);
        let body = Some(("text/xml", text.as_bytes()));
        let request = Request { method: "POST", target: RPC, accept: "*/*", body };
        let answer = succeeded(self.request(&request, purpose)?)?;
        let outcome =
            xmlrpc::answer(&answer.body).map_err(|reason| Failure::not_understood(&reason))?;
        outcome.map_err(|(code, text)| match code {
            3 => Failure::no_such_domain(&text),
            _ => Failure::new(text),
        })
    }

    /// Follows the events of all domains or of one, on a connection of its own.
    pub(crate) fn events(&self, domain: Option<&str>) -> Result<Events, Failure> {
        self.events_in(domain, SXP)
    }

    /// The same, of which each line is JSON.
    pub(crate) fn json_events(&self, domain: Option<&str>) -> Result<Events, Failure> {
        self.events_in(domain, JSON)
    }

    fn events_in(&self, domain: Option<&str>, format: &str) -> Result<Events, Failure> {
        let target = match domain {
            Some("") => return Err(Failure::no_such_domain("")),
            Some(domain) => format!("/xend/events?domain={}", escaped(domain)),
            None => "/xend/events".to_owned(),
        };
        let connection = self.connect(EVENTS_LIMIT)?;
        match connection.stream(&get(&target, format)).map_err(|error| self.broken(&error))? {
            Ok(lines) => Ok(Events::new(lines)),
            Err(answer) => {
                let answer = self.admitted(answer)?;
                Err(match domain {
                    Some(name) if answer.code == 404 => Failure::no_such_domain(name),
                    _ => refused(&answer),
                })
            }
        }
    }

    /// Opens the console of a domain.
    pub(crate) fn console(&self, domain: &str) -> Result<Console, Failure> {
        let path = format!("{}/console", domain_path(domain)?);
        let connection = self.connect(self.console_limit)?;
        let authorization = connection.authorization().map(str::to_owned);
        let host = self.address.host_header();
        match Console::open(connection.into_stream(), &host, &path, authorization.as_deref()) {
            Ok(console) => Ok(console),
            Err(NotOpened::Refused(text)) => {
                // The page says why.
                domain_answer(domain, self.ask(&get(&path, SXP))?)?;
                let refused = "xend refuses to open the console".to_owned();
                Err(Failure::new(if text.is_empty() { refused } else { text }))
            }
            Err(NotOpened::Broken(error)) => Err(self.broken(&error)),
            Err(NotOpened::NotUnderstood(reason)) => Err(Failure::not_understood(&reason)),
        }
    }

    /// A plain connection, for a client of XML-RPC.
    pub(crate) fn raw(&self) -> Result<Stream, Failure> {
        Ok(self.connect(self.limit)?.into_stream())
    }

    fn post(&self, page: &str, form: &str, purpose: Purpose) -> Result<Answer, Failure> {
        let body = Some((FORM, form.as_bytes()));
        self.request(&Request { method: "POST", target: page, accept: SXP, body }, purpose)
    }

    fn ask(&self, request: &Request<'_>) -> Result<Answer, Failure> {
        self.request(request, Purpose::Question)
    }

    /// Makes a request on the connection of the last one, if that is still open.
    fn request(&self, request: &Request<'_>, purpose: Purpose) -> Result<Answer, Failure> {
        let limit = match purpose {
            Purpose::Question => self.question_limit,
            Purpose::Change => self.limit,
        };
        let kept = self.connection.borrow_mut().take().filter(Connection::is_open);
        let mut connection = match kept {
            Some(connection) => {
                connection.set_limit(limit).map_err(|error| self.broken(&error))?;
                connection
            }
            None => self.connect(limit)?,
        };
        let answer = connection.ask(request).map_err(|error| self.broken(&error))?;
        if connection.is_kept() {
            self.connection.replace(Some(connection));
        }
        self.admitted(answer)
    }

    /// The answer to a caller whom xend knows.
    fn admitted(&self, answer: Answer) -> Result<Answer, Failure> {
        match &self.address {
            _ if answer.code != 401 => Ok(answer),
            Address::Tcp { user: Some(user), .. } => {
                Err(Failure::new(format!("xend refuses {user}: the name or the password is wrong")))
            }
            _ => Err(Failure::new("xend asks for an account: give it as USER@HOST")),
        }
    }

    fn connect(&self, limit: Duration) -> Result<Connection<Stream>, Failure> {
        if self.authorization.get().is_none() {
            // A password is asked for once.
            let _ = self.authorization.set(authorization(&self.address)?);
        }
        let authorization = self.authorization.get().cloned().flatten();
        let stream = Stream::connect(&self.address, limit);
        let stream = stream.map_err(|error| self.not_connected(&error))?;
        Ok(Connection::new(stream, self.address.host_header(), authorization))
    }

    fn broken(&self, error: &io::Error) -> Failure {
        if let (true, Some(typed)) = (is_encrypted(error), self.address.typed(true)) {
            return Failure::new(format!("xend expects encryption on this port: use {typed}"));
        }
        let text = match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted => "it closed the connection".to_owned(),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "it took too long".to_owned(),
            _ => reason(error),
        };
        Failure::new(format!("No answer from xend: {text}."))
    }

    /// In xm's words.
    fn not_connected(&self, error: &io::Error) -> Failure {
        if let (true, Some(typed)) = (is_plain(error), self.address.typed(false)) {
            let needs_password = matches!(self.address, Address::Tcp { user: Some(_), .. });
            let advice = if needs_password && !self.address.is_local() {
                "give it a key and a certificate (xend-http-key), or use a tunnel".to_owned()
            } else {
                format!("use {typed}")
            };
            return Failure::new(format!("xend does not encrypt on this port: {advice}"));
        }
        let advice = match &self.address {
            Address::Unix(_) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Failure::new("The socket of xend is not for this user: try again as root.");
            }
            // It runs, and is not what it should be.
            _ if error.kind() == io::ErrorKind::Other => String::new(),
            Address::Unix(path) => format!(" Is xend running? Its socket is {}.", path.display()),
            Address::Tcp { host, port, .. } => format!(" Is xend running on {host}, port {port}?"),
        };
        Failure::new(format!("Unable to connect to xend: {}.{advice}", reason(error)))
    }
}

fn get<'a>(target: &'a str, accept: &'a str) -> Request<'a> {
    Request { method: "GET", target, accept, body: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::os::unix::net::UnixListener;
    use std::thread;

    #[test]
    fn a_caller_who_is_not_known_is_told_why() {
        let told = |address: &str| {
            let gateway = Gateway::new(Address::parse(address).unwrap());
            let body = b"Log in".to_vec();
            let answer = Answer {
                code: 401,
                reason: "Unauthorized".to_owned(),
                server: String::new(),
                body,
            };
            gateway.admitted(answer).unwrap_err().to_string()
        };
        assert_eq!(told("https://a"), "xend asks for an account: give it as USER@HOST");
        assert_eq!(told("https://s@a"), "xend refuses s: the name or the password is wrong");
    }

    #[test]
    fn a_xend_that_never_answers_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let mut gateway = Gateway::new(Address::Unix(path));
        gateway.question_limit = Duration::from_millis(20);
        assert_eq!(gateway.limit, LIMIT);
        let silence = "No answer from xend: it took too long.";
        assert_eq!(gateway.domains("all").unwrap_err().to_string(), silence);
        assert_eq!(gateway.query("x", &[]).unwrap_err().to_string(), silence);
        assert_eq!(gateway.ask_about("a", "x", &[]).unwrap_err().to_string(), silence);
        gateway.console_limit = Duration::from_millis(20);
        assert_eq!(gateway.console("a").err().unwrap().to_string(), silence);
        drop(listener);
    }

    #[test]
    fn a_xend_that_has_ended_is_connected_to_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let answering = thread::spawn(move || {
            for _ in 0..2 {
                let (stream, _) = listener.accept().unwrap();
                let mut lines = BufReader::new(&stream).lines();
                while !lines.next().unwrap().unwrap().is_empty() {}
                (&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n()").unwrap();
            }
        });
        let gateway = Gateway::new(Address::Unix(path));
        assert_eq!(gateway.domains("all").unwrap().len(), 0);
        // The connection has been closed meanwhile: nothing was asked on it.
        while gateway.connection.borrow().as_ref().is_some_and(Connection::is_open) {}
        assert_eq!(gateway.domains("all").unwrap().len(), 0);
        answering.join().unwrap();
        let ended = gateway.domains("all").unwrap_err().to_string();
        assert!(
            ended.starts_with("Unable to connect to xend: Connection refused. Is xend running?")
        );
        assert!(gateway.console("a").err().unwrap().to_string().starts_with("Unable to connect"));
    }

    #[test]
    fn a_console_that_xend_closes_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let closing = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(&stream).lines();
            while !lines.next().unwrap().unwrap().is_empty() {}
        });
        let gateway = Gateway::new(Address::Unix(path));
        let failure = gateway.console("a").err().unwrap();
        assert_eq!(failure.to_string(), "No answer from xend: it closed the connection.");
        closing.join().unwrap();
    }
}

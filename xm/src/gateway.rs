//! Requests to xend: pages and operations in S-expressions, a few calls of XML-RPC, and events.

use crate::domain::Domain;
use crate::failure::{Failure, reason};
use crate::password::password;
use crate::wire::address::Address;
use crate::wire::console::Console;
use crate::wire::http::{Answer, Connection, Lines, Request, is_encrypted};
use crate::wire::stream::Stream;
use crate::wire::tls::is_plain;
use crate::wire::xmlrpc::{self, Value};
use base64ct::{Base64, Encoding as _};
use serde_json::Value as Json;
use std::cell::{OnceCell, RefCell};
use std::fmt::Write as _;
use std::io;
use std::time::Duration;
use tungstenite::http::Uri;
use tungstenite::{ClientRequestBuilder, HandshakeError};
use xend_sxp::{Limits, Sxp, read_first};

const SXP: &str = "application/sxp";
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// How long xend may be silent during a request. A migration takes its time, and xend ends what
/// makes no progress.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a stream of events may be silent: xend sends a heartbeat every 5 s.
const EVENTS_LIMIT: Duration = Duration::from_secs(60);

/// How long xend may take to open a console; it may wait for a new domain's.
const CONSOLE_LIMIT: Duration = Duration::from_secs(60);

/// The largest answer that is read as an S-expression.
const LIMITS: Limits = Limits { bytes: 256 << 20, count: 32 << 20, ..Limits::DEFAULT };

/// The path of XML-RPC.
const RPC: &str = "/RPC2";

/// A xend. It is connected to when it is first needed.
pub(crate) struct Gateway {
    address: Address,
    /// How long an answer may take.
    limit: Duration,
    connection: RefCell<Option<Connection<Stream>>>,
    authorization: OnceCell<Option<String>>,
}

impl Gateway {
    /// The xend at this address.
    pub(crate) fn new(address: Address) -> Self {
        Self {
            address,
            limit: LIMIT,
            connection: RefCell::new(None),
            authorization: OnceCell::new(),
        }
    }

    /// The same xend, whose answers may take this long: what takes longer goes on there.
    pub(crate) fn with_limit(&self, limit: Duration) -> Self {
        Self {
            address: self.address.clone(),
            limit: limit.min(LIMIT),
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
        let answer = self.ask(&get(&domain_path(name), SXP))?;
        Ok(Domain::new(read(&domain_answer(name, answer)?.body)?))
    }

    /// A domain as JSON.
    pub(crate) fn domain_json(&self, name: &str) -> Result<Json, Failure> {
        read_json(&domain_answer(name, self.ask(&get(&domain_path(name), JSON))?)?)
    }

    /// The domains in a state: `all`, `running`, `paused`, ...
    pub(crate) fn domains(&self, state: &str) -> Result<Vec<Domain>, Failure> {
        let list = self.page(&domains_target(state))?;
        Ok(list.as_list().unwrap_or_default().iter().cloned().map(Domain::new).collect())
    }

    /// The domains in a state, as JSON.
    pub(crate) fn domains_json(&self, state: &str) -> Result<Json, Failure> {
        self.json(&domains_target(state))
    }

    /// Carries out an operation of a page.
    pub(crate) fn operate(
        &self,
        page: &str,
        op: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Option<Sxp>, Failure> {
        content(&succeeded(self.post(page, op, parameters)?)?)
    }

    /// Carries out an operation on a domain.
    pub(crate) fn operate_on(
        &self,
        domain: &str,
        op: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Option<Sxp>, Failure> {
        let answer = self.post(&domain_path(domain), op, parameters)?;
        content(&domain_answer(domain, answer)?)
    }

    /// Calls a function of XML-RPC.
    pub(crate) fn call(&self, method: &str, parameters: &[Value]) -> Result<Value, Failure> {
        let text = xmlrpc::call(method, parameters);
        let body = Some(("text/xml", text.as_bytes()));
        let answer = self.ask(&Request { method: "POST", target: RPC, accept: "*/*", body })?;
        let answer = succeeded(answer)?;
        let outcome = xmlrpc::answer(&answer.body).map_err(|reason| not_understood(&reason))?;
        outcome.map_err(|(code, text)| match code {
            3 => Failure::no_such_domain(&text),
            _ => Failure::new(text),
        })
    }

    /// Follows the events of all domains or of one, on a connection of its own.
    pub(crate) fn events(&self, domain: Option<&str>) -> Result<Lines<Stream>, Failure> {
        self.event_lines(domain, SXP)
    }

    /// The same, of which each line is JSON.
    pub(crate) fn json_events(&self, domain: Option<&str>) -> Result<Lines<Stream>, Failure> {
        self.event_lines(domain, JSON)
    }

    fn event_lines(&self, domain: Option<&str>, format: &str) -> Result<Lines<Stream>, Failure> {
        let target = match domain {
            Some(domain) => format!("/xend/events?domain={}", escaped(domain)),
            None => "/xend/events".to_owned(),
        };
        let connection = self.connect(EVENTS_LIMIT)?;
        match connection.stream(&get(&target, format)).map_err(|error| self.broken(&error))? {
            Ok(lines) => Ok(lines),
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
        let path = format!("{}/console", domain_path(domain));
        let connection = self.connect(CONSOLE_LIMIT)?;
        let request = upgrade(&self.address, &path, connection.authorization())?;
        match tungstenite::client(request, connection.into_stream()) {
            Ok((socket, _)) => Console::new(socket).map_err(|error| self.broken(&error)),
            Err(HandshakeError::Failure(tungstenite::Error::Http(answer))) => {
                // The page says why.
                let page = self.ask(&get(&path, SXP))?;
                domain_answer(domain, page)?;
                let body = answer.into_body().unwrap_or_default();
                let text = String::from_utf8_lossy(&body).into_owned();
                let refused = "xend refuses to open the console".to_owned();
                Err(Failure::new(if text.is_empty() { refused } else { text }))
            }
            Err(error) => Err(not_understood(&error.to_string())),
        }
    }

    /// A plain connection, for a client of XML-RPC.
    pub(crate) fn raw(&self) -> Result<Stream, Failure> {
        Ok(self.connect(self.limit)?.into_stream())
    }

    fn post(&self, page: &str, op: &str, parameters: &[(&str, &str)]) -> Result<Answer, Failure> {
        let mut form = format!("op={}", escaped(op));
        for (name, value) in parameters {
            let _ = write!(form, "&{name}={}", escaped(value));
        }
        let body = Some((FORM, form.as_bytes()));
        self.ask(&Request { method: "POST", target: page, accept: SXP, body })
    }

    /// Makes a request on the connection of the last one, if that is still open.
    fn ask(&self, request: &Request<'_>) -> Result<Answer, Failure> {
        let kept = self.connection.borrow_mut().take().filter(Connection::is_kept);
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.connect(self.limit)?,
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
        Ok(Connection::new(stream, host_header(&self.address), authorization))
    }

    fn broken(&self, error: &io::Error) -> Failure {
        if let (true, Some(typed)) = (is_encrypted(error), self.address.typed(true)) {
            return Failure::new(format!("xend expects encryption on this port: use {typed}"));
        }
        let text = match error.kind() {
            io::ErrorKind::UnexpectedEof => "it closed the connection".to_owned(),
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

/// The path of a domain's page.
pub(crate) fn domain_path(name: &str) -> String {
    format!("/xend/domain/{}", escaped(name))
}

fn domains_target(state: &str) -> String {
    format!("/xend/domain?detail=1&state={}", escaped(state))
}

fn get<'a>(target: &'a str, accept: &'a str) -> Request<'a> {
    Request { method: "GET", target, accept, body: None }
}

/// Escapes what has a meaning in paths and forms.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The request for a WebSocket.
fn upgrade(
    address: &Address,
    path: &str,
    authorization: Option<&str>,
) -> Result<ClientRequestBuilder, Failure> {
    let url = format!("ws://{}{path}", host_header(address));
    let url: Uri = url.parse().map_err(|_| Failure::new(format!("{url} is no address")))?;
    let request = ClientRequestBuilder::new(url);
    Ok(match authorization {
        Some(authorization) => request.with_header("Authorization", authorization),
        None => request,
    })
}

fn host_header(address: &Address) -> String {
    match address {
        Address::Unix(_) => "localhost".to_owned(),
        Address::Tcp { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
        Address::Tcp { host, port, .. } => format!("{host}:{port}"),
    }
}

/// HTTP Basic, for an address with an account.
fn authorization(address: &Address) -> Result<Option<String>, Failure> {
    let Address::Tcp { user: Some(user), .. } = address else { return Ok(None) };
    if address.is_in_the_clear() {
        return Err(Failure::new(
            "A password would cross the network in the clear: use https://, or a tunnel",
        ));
    }
    let login = format!("{user}:{}", password(user)?);
    Ok(Some(format!("Basic {}", Base64::encode_string(login.as_bytes()))))
}

/// The first expression of an answer.
fn read(text: &[u8]) -> Result<Sxp, Failure> {
    read_first(text, &LIMITS).map_err(|error| not_understood(&error.to_string()))
}

fn read_json(answer: &Answer) -> Result<Json, Failure> {
    serde_json::from_slice(&answer.body).map_err(|error| not_understood(&error.to_string()))
}

fn not_understood(reason: &str) -> Failure {
    Failure::new(format!("The answer of xend makes no sense: {reason}"))
}

fn content(answer: &Answer) -> Result<Option<Sxp>, Failure> {
    if answer.body.is_empty() { Ok(None) } else { read(&answer.body).map(Some) }
}

fn succeeded(answer: Answer) -> Result<Answer, Failure> {
    if (200..300).contains(&answer.code) { Ok(answer) } else { Err(refused(&answer)) }
}

fn domain_answer(name: &str, answer: Answer) -> Result<Answer, Failure> {
    if answer.code == 404 { Err(Failure::no_such_domain(name)) } else { succeeded(answer) }
}

/// Why xend refused: `(xend.err 'message')`, else the text, else the status.
fn refused(answer: &Answer) -> Failure {
    let error = read_first(&answer.body, &LIMITS).ok();
    let error = error.filter(|error| error.head() == Some("xend.err"));
    let message = error.and_then(|error| Some(error.tail().first()?.as_str()?.to_owned()));
    let text = String::from_utf8_lossy(&answer.body);
    Failure::new(match message {
        Some(message) => message,
        None if answer.body.is_empty() || text == "''" => {
            format!("xend answered {} {}", answer.code, answer.reason)
        }
        None => text.into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: u16, body: &str) -> Answer {
        Answer { code, reason: "Reason".to_owned(), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn refusals_have_xends_message() {
        for (code, body, message) in [
            (500, "(xend.err 'Invalid VM Name')", "Invalid VM Name"),
            (404, "No such vnet 3", "No such vnet 3"),
            (406, "''", "xend answered 406 Reason"),
            (503, "", "xend answered 503 Reason"),
        ] {
            assert_eq!(refused(&answer(code, body)).to_string(), message);
        }
        let gone = domain_answer("a", answer(404, "No such domain a")).unwrap_err();
        assert_eq!(gone, Failure::no_such_domain("a"));
    }

    #[test]
    fn a_caller_who_is_not_known_is_told_why() {
        let told = |address: &str| {
            let gateway = Gateway::new(Address::parse(address).unwrap());
            gateway.admitted(answer(401, "Log in")).unwrap_err().to_string()
        };
        assert_eq!(told("https://a"), "xend asks for an account: give it as USER@HOST");
        assert_eq!(told("https://s@a"), "xend refuses s: the name or the password is wrong");
    }

    #[test]
    fn names_are_escaped() {
        assert_eq!(domain_path("a b/c+d"), "/xend/domain/a%20b%2Fc%2Bd");
        assert_eq!(domain_path("web-1.x"), "/xend/domain/web-1.x");
    }

    #[test]
    fn passwords_do_not_leave_in_the_clear() {
        let address = Address::parse("http://steve@xen.example.org").unwrap();
        assert!(authorization(&address).unwrap_err().to_string().contains("in the clear"));
        let address = Address::parse("https://xen.example.org").unwrap();
        assert_eq!(authorization(&address), Ok(None));
    }
}

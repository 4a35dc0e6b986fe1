//! The wires of a host, asked by any caller: the requests of `rights_table.rs` with their words in
//! place, and what an answer means.

use crate::rights_support::{NamedBy, Subject, World, operator, parsed};
use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use http_body_util::BodyExt as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use xend::core::caller::{Caller, Via};
use xend::core::model::{ClientData, CpuSet, Pool, Scheduler};
use xend::core::op::{Change, PoolOp};
use xend::core::ports::{Entropy as _, LoginError, Logins};
use xend::core::rights::User;
use xend::memory_budget::MemoryBudgets;
use xend::os::OsEntropy;
use xend::sxp::Sxp;
use xend::wire::argo::{Argo, ArgoOptions, DomainFiles};
use xend::wire::http::Http;
use xend::wire::xmlrpc::codec::{self, XmlLimits};
use xend::wire::xmlrpc::{Endpoint, LegacyPolicy, LoginPolicy, Value, XmlRpc};
use xend::xm_file::read_domain;
use xend::xmconfig::Defaults;

/// The formats of HTTP, as browsers and clients ask for them. Who asks for JSON sends it, too.
pub(crate) const FORMATS: [&str; 3] = ["application/sxp", "application/json", "text/html"];

/// A wire, and for HTTP the format of its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Http(&'static str),
    Legacy,
    XenApi,
    Argo,
}

impl Wire {
    pub(crate) const ALL: [Self; 6] = [
        Self::Http(FORMATS[0]),
        Self::Http(FORMATS[1]),
        Self::Http(FORMATS[2]),
        Self::Legacy,
        Self::XenApi,
        Self::Argo,
    ];

    /// The ways in which a request of the wire can name a domain.
    pub(crate) const fn names(self) -> &'static [NamedBy] {
        match self {
            Self::Http(_) | Self::Legacy => &NamedBy::ALL,
            Self::XenApi => &[NamedBy::Uuid],
            Self::Argo => &[NamedBy::Name],
        }
    }
}

/// An answer of a wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    /// Everything that the client sees but a length.
    pub(crate) text: String,
    pub(crate) is_ok: bool,
    /// Whether the wire says that the caller has not the right.
    pub(crate) is_refusal: bool,
    /// Whether the wire says that the object does not exist.
    pub(crate) is_missing: bool,
}

/// A source of accounts without any.
struct NoLogins;

#[async_trait]
impl Logins for NoLogins {
    async fn log_in(&self, _: &str, _: &str, _: &Via) -> Result<Arc<User>, LoginError> {
        Err(LoginError::Refused("there are no accounts".to_owned()))
    }
    fn by_uid(&self, _: u32) -> Option<Arc<User>> {
        None
    }
    fn anonymous(&self) -> Option<Arc<User>> {
        None
    }
}

/// The text of the daemon's log, which only operators see.
pub(crate) const LOG: &str = "the daemon's log";

/// All wires in front of a host.
pub(crate) struct Wires {
    http: Router,
    legacy: Router,
    xenapi: Router,
    argo: Argo,
    /// The words of objects of the host, by `$` name.
    host: BTreeMap<&'static str, String>,
}

impl Wires {
    pub(crate) async fn new(world: &World) -> Self {
        let engine = || world.engine.clone();
        let stopping = CancellationToken::new;
        let http = Http::new(engine(), || 1 << 20, || LOG.to_owned(), stopping());
        let uuid = world.engine.host_uuid().await.unwrap();
        let xmlrpc =
            XmlRpc::new(engine(), uuid, 0, || LOG.to_owned(), MemoryBudgets::default(), stopping());
        let read = |_: &str, text: &[u8]| {
            let domain = read_domain(text, &Defaults::default());
            domain.map_err(|error| error.to_string())
        };
        let files = DomainFiles::new(world.config_files(), Box::new(read));
        let options = ArgoOptions { domain_files: Some(files), ..ArgoOptions::default() };
        let mut wires = Self {
            http: http.router(),
            legacy: xmlrpc.router(Endpoint::Legacy(LegacyPolicy::Trust)),
            xenapi: xmlrpc.router(Endpoint::XenApi(LoginPolicy::Trust)),
            argo: Argo::new(engine(), Arc::new(NoLogins), options),
            host: BTreeMap::new(),
        };
        let pool = Pool {
            name: "spare".to_owned(),
            scheduler: Scheduler::Credit,
            cpus: CpuSet::default(),
            ncpu: 1,
            auto_start: false,
        };
        let uuid = OsEntropy.uuid();
        let define = PoolOp::Define { uuid, pool, client_data: ClientData::default() };
        world.execute(Change::Pool("spare".to_owned(), define)).await.unwrap();
        let session = wires.log_in(&operator()).await;
        for (word, call, at) in [
            ("$host", "host.get_all []", 0),
            ("$sr", "SR.get_all []", 0),
            ("$cpu", "host_cpu.get_all []", 3),
            ("$ppci", "PPCI.get_all []", 2),
            ("$pif", "PIF.get_all []", 0),
            ("$network", r#"network.get_by_name_label ["xenbr0"]"#, 0),
            ("$pool0", r#"cpu_pool.get_by_name_label ["Pool-0"]"#, 0),
            ("$pool", r#"cpu_pool.get_by_name_label ["spare"]"#, 0),
        ] {
            let answer = wires.call(&operator(), &session, call, &BTreeMap::new()).await;
            let Ok(Value::Array(all)) = answer else { panic!("{call}: {answer:?}") };
            let Some(Value::Text(reference)) = all.get(at) else { panic!("{call}: {all:?}") };
            wires.host.insert(word, reference.clone());
        }
        wires
    }

    /// Makes a request about a subject.
    pub(crate) async fn ask(
        &self,
        world: &World,
        wire: Wire,
        caller: &Caller,
        request: &str,
        subject: &Subject,
        by: NamedBy,
    ) -> Reply {
        let mut words = self.host.clone();
        let unused = OsEntropy.uuid().simple().to_string();
        words.extend([
            ("$domain", subject.named(by)),
            ("$domid", subject.domid.to_string()),
            ("$name", subject.name.clone()),
            ("$uuid", subject.uuid.to_string()),
            ("$file", subject.file.display().to_string()),
            ("$new_file", world.files().join(&subject.name).display().to_string()),
            ("$config", crate::rights_support::config_text(&subject.name)),
            ("$disk", subject.disk.to_string()),
            ("$drive", subject.drive.to_string()),
            ("$vif", subject.vif.to_string()),
            ("$image", subject.image.to_string()),
            ("$pbd", subject.pbd.to_string()),
            ("$vnet", subject.vnet()),
            ("$unused", format!("n{unused}")),
            ("$bridge", format!("b{}", &unused[..8])),
            ("$tag", (u16::from_str_radix(&unused[..3], 16).unwrap() + 1).min(4094).to_string()),
        ]);
        match wire {
            Wire::Http(format) => self.ask_http(caller, request, &words, format).await,
            Wire::Legacy => self.ask_legacy(caller, request, &words).await,
            Wire::XenApi => self.ask_xenapi(caller, request, &words).await,
            Wire::Argo => self.ask_argo(caller, &filled(request, &words)).await,
        }
    }

    async fn ask_http(&self, caller: &Caller, request: &str, words: &Words, format: &str) -> Reply {
        let mut parts = request.splitn(3, ' ');
        let method = parts.next().unwrap();
        let path = filled(parts.next().unwrap(), words);
        let form = parts.next();
        let (media, body) = if format == FORMATS[1] {
            let body = form.map(|form| json_body(form, words).to_string());
            ("application/json", body.unwrap_or_default())
        } else {
            let form = form.map(|form| encoded_form(form, words)).unwrap_or_default();
            ("application/x-www-form-urlencoded", form)
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("user-agent", "test")
            .header("accept", format)
            .header("content-type", media)
            .extension(caller.clone())
            .body(Body::from(body))
            .unwrap();
        let answer = self.http.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let phrase = answer.extensions().get::<hyper::ext::ReasonPhrase>().cloned();
        let mut text = format!("{status} {phrase:?}\n");
        for (name, value) in answer.headers() {
            if name != "content-length" {
                writeln!(text, "{name}: {}", String::from_utf8_lossy(value.as_bytes())).unwrap();
            }
        }
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        text += &String::from_utf8_lossy(&body);
        let is_refusal = status >= 400 && text.contains("Not allowed");
        Reply { text, is_ok: status < 400, is_refusal, is_missing: status == 404 }
    }

    /// What a page that does not end sends in this time.
    pub(crate) async fn listen(&self, caller: &Caller, path: &str, format: &str) -> String {
        let request = Request::get(path).header("user-agent", "test").header("accept", format);
        let request = request.extension(caller.clone()).body(Body::empty()).unwrap();
        let mut body = self.http.clone().oneshot(request).await.unwrap().into_body();
        let mut text = String::new();
        let read = async {
            while let Some(Ok(frame)) = body.frame().await {
                text += &String::from_utf8_lossy(frame.data_ref().unwrap());
            }
        };
        let _ = timeout(Duration::from_secs(10), read).await;
        text
    }

    async fn ask_legacy(&self, caller: &Caller, request: &str, words: &Words) -> Reply {
        let (method, params) = xml_call(request, words);
        match post_xml(&self.legacy, caller, &method, &params).await {
            Ok(value) => Reply::ok(format!("{value:?}")),
            Err((code, text)) => Reply {
                is_ok: false,
                is_refusal: text.starts_with("Not allowed"),
                is_missing: code == 3,
                text: format!("fault{code} {text}"),
            },
        }
    }

    async fn ask_xenapi(&self, caller: &Caller, request: &str, words: &Words) -> Reply {
        let session = self.log_in(caller).await;
        let answer = self.call(caller, &session, request, words).await;
        let end = [Value::text(&session)];
        let _ = post_xml(&self.xenapi, caller, "session.logout", &end).await;
        match answer {
            Ok(value) => Reply::ok(format!("{value:?}")),
            Err(error) => Reply {
                is_ok: false,
                is_refusal: error[0] == "PERMISSION_DENIED",
                is_missing: error[0] == "HANDLE_INVALID",
                text: error.join(" "),
            },
        }
    }

    /// A session of the Xen-API.
    pub(crate) async fn log_in(&self, caller: &Caller) -> String {
        let user = [Value::text("root"), Value::text("")];
        let answer = post_xml(&self.xenapi, caller, "session.login_with_password", &user).await;
        let Ok(Value::Text(session)) = status(answer.unwrap()) else { panic!("no session") };
        session
    }

    /// A call of the Xen-API in a session.
    pub(crate) async fn call(
        &self,
        caller: &Caller,
        session: &str,
        request: &str,
        words: &Words,
    ) -> Result<Value, Vec<String>> {
        let (method, mut params) = xml_call(request, words);
        params.insert(0, Value::text(session));
        status(post_xml(&self.xenapi, caller, &method, &params).await.unwrap())
    }

    async fn ask_argo(&self, caller: &Caller, line: &str) -> Reply {
        let (client, server) = tokio::io::duplex(1 << 16);
        let (mut read, mut write) = tokio::io::split(client);
        let serve = self.argo.serve(server, caller.clone(), CancellationToken::new());
        let talk = async {
            write.write_all(format!("{line}\nexit\n").as_bytes()).await.unwrap();
            let mut text = String::new();
            read.read_to_string(&mut text).await.unwrap();
            text
        };
        let ((), text) = tokio::join!(serve, talk);
        Reply {
            is_ok: text.starts_with("200 "),
            is_refusal: text.starts_with("400 NOT ALLOWED"),
            is_missing: text.starts_with("400 NO SUCH INSTANCE"),
            text,
        }
    }
}

impl Reply {
    const fn ok(text: String) -> Self {
        Self { text, is_ok: true, is_refusal: false, is_missing: false }
    }
}

/// Words of a request, by their `$` names.
pub(crate) type Words = BTreeMap<&'static str, String>;

/// A text with the words in place: the longest name counts.
fn filled(text: &str, words: &Words) -> String {
    let mut names: Vec<_> = words.iter().collect();
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    names.into_iter().fold(text.to_owned(), |text, (name, word)| text.replace(name, word))
}

fn encoded_form(form: &str, words: &Words) -> String {
    let field = |field: &str| {
        let (key, value) = field.split_once('=').unwrap();
        format!("{key}={}", utf8_percent_encode(&filled(value, words), NON_ALPHANUMERIC))
    };
    form.split('&').map(field).collect::<Vec<_>>().join("&")
}

/// The flags of operations, which forms have as digits.
const FLAGS: [&str; 8] =
    ["paused", "force", "rm_cfg", "live", "crash", "reset", "extratime", "ssl"];

/// The body in JSON that stands for a form.
fn json_body(form: &str, words: &Words) -> Json {
    let member = |field: &str| {
        let (key, value) = field.split_once('=').unwrap();
        let value = filled(value, words);
        let json = match value.parse::<u64>() {
            _ if key == "config" => json_config(&parsed(&value)),
            Ok(number) if FLAGS.contains(&key) => json!(number == 1),
            Ok(number) => json!(number),
            Err(_) => json!(value),
        };
        let unit = UNITS.iter().find(|(name, _)| *name == key).map_or("", |(_, unit)| unit);
        (format!("{key}{unit}"), json)
    };
    form.split('&').map(member).collect::<serde_json::Map<_, _>>().into()
}

/// What JSON appends to the names of numbers with units.
const UNITS: [(&str, &str); 8] = [
    ("cap", "_percent"),
    ("latency", "_ns"),
    ("memory", "_mib"),
    ("period", "_ns"),
    ("size", "_mib"),
    ("slice", "_ns"),
    ("target", "_mib"),
    ("timeout", "_seconds"),
];

/// The configuration of a domain, a device or a vnet in JSON.
fn json_config(sxp: &Sxp) -> Json {
    let word = |sxp: &Sxp| sxp.tail()[0].as_str().unwrap().to_owned();
    let number = |sxp: &Sxp| json!(word(sxp).parse::<u64>().unwrap());
    let members = |items: &[Sxp]| -> serde_json::Map<String, Json> {
        let pair = |item: &Sxp| (item.head().unwrap().to_owned(), json!(word(item)));
        items.iter().map(pair).collect()
    };
    let device = |device: &Sxp| {
        let class = device.head().unwrap().to_owned();
        let mut members = members(device.tail());
        if class == "vfb" {
            return (class, json!({ "settings": members }));
        }
        if let Some((dev, kind)) = members.get("dev").and_then(Json::as_str).and_then(|dev| {
            dev.split_once(':').map(|(dev, kind)| (dev.to_owned(), kind.to_owned()))
        }) {
            members.insert("dev".to_owned(), dev.into());
            members.insert("type".to_owned(), kind.into());
        }
        (class, Json::Object(members))
    };
    let mut config = json!({});
    match sxp.head() {
        Some("vnet") => return members(sxp.tail()).into(),
        Some("vm") => {}
        _ => {
            let (class, device) = device(sxp);
            return json!({ class: device });
        }
    }
    for item in sxp.tail() {
        match item.head().unwrap() {
            "memory" => config["memory_mib"] = number(item),
            "maxmem" => config["max_memory_mib"] = number(item),
            "vcpus" => config["vcpus"] = number(item),
            "image" => {
                let image = &item.tail()[0];
                config["image"] = members(image.tail()).into();
                config["image"]["type"] = image.head().into();
            }
            "device" => {
                let (class, device) = device(&item.tail()[0]);
                let devices = &mut config["devices"][class];
                if devices.is_null() {
                    *devices = json!([]);
                }
                devices.as_array_mut().unwrap().push(device);
            }
            key => config[key] = word(item).into(),
        }
    }
    config
}

/// The method and the parameters of a call: `VM.pause ["$uuid"]`.
fn xml_call(request: &str, words: &Words) -> (String, Vec<Value>) {
    let (method, params) = request.split_once(' ').unwrap();
    let Json::Array(params) = serde_json::from_str(params).unwrap() else { panic!("{request}") };
    (method.to_owned(), params.iter().map(|param| xml_value(param, words)).collect())
}

fn xml_value(json: &Json, words: &Words) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(on) => Value::Bool(*on),
        Json::Number(number) => Value::Int(number.as_i64().unwrap()),
        Json::String(text) if text == "$config" => nested(&parsed(&words["$config"])),
        Json::String(text) => Value::Text(filled(text, words)),
        Json::Array(all) => Value::Array(all.iter().map(|one| xml_value(one, words)).collect()),
        Json::Object(members) => Value::Struct(
            members.iter().map(|(key, one)| (key.clone(), xml_value(one, words))).collect(),
        ),
    }
}

/// An S-expression as nested arrays, in which xm sends configurations.
fn nested(sxp: &Sxp) -> Value {
    match sxp.as_list() {
        Some(items) => Value::Array(items.iter().map(nested).collect()),
        None => Value::Text(String::from_utf8_lossy(sxp.as_bytes().unwrap_or_default()).into()),
    }
}

/// A call: its value, or its fault.
pub(crate) async fn post_xml(
    router: &Router,
    caller: &Caller,
    method: &str,
    params: &[Value],
) -> Result<Value, (i64, String)> {
    let body = Body::from(codec::call(method, params));
    let request = Request::post("/").extension(caller.clone()).body(body).unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    let answer = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    codec::read_answer(std::str::from_utf8(&answer).unwrap(), &XmlLimits::default()).unwrap()
}

/// The value in an answer of the Xen-API, or its error.
fn status(answer: Value) -> Result<Value, Vec<String>> {
    let Value::Struct(members) = answer else { panic!("{answer:?}") };
    let member = |name: &str| members.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    if member("Status") == Some(&Value::text("Success")) {
        return Ok(member("Value").unwrap().clone());
    }
    let Some(Value::Array(parts)) = member("ErrorDescription") else { panic!("{members:?}") };
    let text = |part: &Value| match part {
        Value::Text(text) => text.clone(),
        other => format!("{other:?}"),
    };
    Err(parts.iter().map(text).collect())
}

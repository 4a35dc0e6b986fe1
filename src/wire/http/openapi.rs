//! `GET /xend/openapi.json`: the JSON interface as an OpenAPI 3.1 document.
//!
//! It is made from the table of pages, as the router and the reference are, and from the types of
//! JSON (`json/`).

use super::context::Http;
use super::etag::TaggedJson;
use super::host::storage::UPLOAD_PATH;
use super::json::problem_kind::ProblemKind;
use super::json::schemas::{PATH, Schemas};
use super::operation::{Operation, Param, ParamKind, Success};
use super::page::{HostPages, Page, PageAnswer};
use super::request::RequestInfo;
use crate::core::rights::OpKind;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// The tags of answers with the figures of running domains.
const FIGURES_ASIDE: &str = "Tag of this answer. It is weak: what changes all the time while a domain \
     runs makes no difference to it: cpu_time_seconds, guest.memory and guest.updated_at";

/// `GET /xend/openapi.json`
pub(super) async fn get(
    State(http): State<Http>,
    Extension(pages): Extension<HostPages>,
    request: RequestInfo,
) -> Response {
    let made = http.openapi().get_or_init(|| TaggedJson::new(document(&pages.0)));
    made.clone().respond(request.has_tags.as_deref())
}

/// The text of the document.
fn document(pages: &[&Page]) -> Vec<u8> {
    let mut document = Document { pages, schemas: Schemas::new(), requests: Map::new() };
    let mut paths: Map<String, Value> = pages
        .iter()
        .filter_map(|page| Some((page.path.to_owned(), document.path(page)?)))
        .collect();
    paths.insert(UPLOAD_PATH.to_owned(), json!({"post": document.upload()}));
    let has_fleet = pages.iter().any(|page| page.kind == OpKind::ShowFleet);
    let of_fleet = if has_fleet { ProblemKind::OF_FLEET } else { &[] };
    let problems = ProblemKind::ALL
        .iter()
        .chain(of_fleet)
        .map(|kind| (kind.code.to_owned(), json!({"status": kind.status, "title": kind.title})));
    let problems: Map<String, Value> = problems.collect();
    let mut schemas = document.schemas.into_definitions();
    schemas.extend(document.requests);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "xend",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "xend's HTTP interface, for programs of today. Send Accept: \
                            application/json with every request: without it, answers are those \
                            that xend gave.",
            "license": {"name": "MIT OR Apache-2.0"}
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"basic": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "An account, on a listener with accounts"
                }
            },
            "x-problems": problems
        }
    })
    .to_string()
    .into_bytes()
}

/// A document that is being made.
struct Document<'a> {
    pages: &'a [&'a Page],
    schemas: Schemas,
    /// The schemas of operations' bodies.
    requests: Map<String, Value>,
}

impl Document<'_> {
    /// The entry of a page; `None` for a form.
    fn path(&mut self, page: &Page) -> Option<Value> {
        let mut path = json!({"get": self.get(page)?});
        let names = names_in_path(page).map(|name| {
            let about = match (page.answer, name) {
                (_, "host") => "The host's name",
                (PageAnswer::Vnet, _) => "The network's id",
                (PageAnswer::Task, _) => "The task's id",
                (PageAnswer::Image, _) => "The image's UUID",
                _ => "The domain's name, domid or UUID",
            };
            json!({
                "name": name,
                "in": "path",
                "required": true,
                "description": about,
                "schema": {"type": "string"}
            })
        });
        let names: Vec<Value> = names.collect();
        if !names.is_empty() {
            path["parameters"] = names.into();
        }
        if !page.operations.is_empty() {
            path["post"] = self.post(page);
        }
        Some(path)
    }

    fn get(&mut self, page: &Page) -> Option<Value> {
        let (media, schema) = self.schemas.page(page.answer)?;
        let mut parameters: Vec<Value> = page.query.iter().map(|it| self.query(it)).collect();
        let mut responses = json!({
            "200": {"description": "OK", "content": {media: {"schema": schema}}},
            "default": self.problem()
        });
        if page.has_tag() {
            let has_figures = matches!(
                page.answer,
                PageAnswer::Domains | PageAnswer::FleetDomains | PageAnswer::Domain
            );
            let about = if has_figures { FIGURES_ASIDE } else { "Tag of this answer" };
            let tag = json!({"description": about, "schema": {"type": "string"}});
            responses["200"]["headers"] = json!({"ETag": tag});
            parameters.push(json!({
                "name": "If-None-Match",
                "in": "header",
                "description": "ETag of the answer that the client has. No other condition counts",
                "schema": {"type": "string"}
            }));
            let figures = if has_figures { ", figures aside" } else { "" };
            let about = format!("The client has this answer{figures}");
            responses["304"] = json!({"description": about});
        }
        Some(json!({
            "operationId": format!("get_{}", self.id(page)),
            "summary": page.about,
            "parameters": parameters,
            "responses": responses
        }))
    }

    fn post(&mut self, page: &Page) -> Value {
        let id = self.id(page);
        let names: Vec<(&str, String)> =
            page.operations.iter().map(|it| (it.name, self.request(&id, it))).collect();
        let reference = |name: &str| json!({"$ref": format!("{PATH}{name}")});
        let body = match names.as_slice() {
            [(_, only)] => reference(only),
            several => {
                let mapping: Map<String, Value> = several
                    .iter()
                    .map(|(op, name)| ((*op).to_owned(), format!("{PATH}{name}").into()))
                    .collect();
                json!({
                    "oneOf": several.iter().map(|(_, name)| reference(name)).collect::<Vec<_>>(),
                    "discriminator": {"propertyName": "op", "mapping": mapping}
                })
            }
        };
        json!({
            "operationId": format!("post_{id}"),
            "summary": "Performs an operation.",
            "parameters": [{
                "name": "Prefer",
                "in": "header",
                "description": "respond-async: answer at once with a task that can be followed",
                "schema": {"type": "string"}
            }],
            "requestBody": {"required": true, "content": {"application/json": {"schema": body}}},
            "responses": self.responses(page)
        })
    }

    /// The page to which images are sent. It has no GET, and its body is no operation.
    fn upload(&mut self) -> Value {
        json!({
            "operationId": "post_node_storage_upload",
            "summary": "Stores a disk image. The body is the image, with its Content-Length; 64 KiB of it \
                        have to arrive within the time for a request.",
            "parameters": [{
                "name": "name",
                "in": "query",
                "description": "What the image is called",
                "schema": {"type": "string"}
            }],
            "requestBody": {
                "required": true,
                "content": {"application/octet-stream": {"schema": {"format": "binary"}}}
            },
            "responses": {
                "201": {
                    "description": "Created",
                    "headers": {"Location": {"schema": {"type": "string"}}}
                },
                "default": self.problem()
            }
        })
    }

    /// The answers of a page's operations, by their statuses.
    fn responses(&mut self, page: &Page) -> Value {
        let json = |schema: Value| json!({"application/json": {"schema": schema}});
        let mut answers: Vec<Value> = Vec::new();
        let mut responses = Map::new();
        for operation in page.operations {
            match operation.success {
                Success::Created | Success::Restored => {
                    let created = json!({
                        "description": "Created",
                        "headers": {"Location": {"schema": {"type": "string"}}},
                        "content": json(self.schemas.domain())
                    });
                    responses.insert("201".to_owned(), created);
                }
                Success::Made(_) => {
                    let made = json!({
                        "description": "Created",
                        "headers": {"Location": {"schema": {"type": "string"}}}
                    });
                    responses.insert("201".to_owned(), made);
                }
                Success::Accepted | Success::Empty | Success::Listed(_) | Success::Zero => {
                    responses.insert("204".to_owned(), json!({"description": "Done"}));
                }
                Success::Answer(answer) => {
                    let schema = self.schemas.answer(answer);
                    if !answers.contains(&schema) {
                        answers.push(schema);
                    }
                }
            }
        }
        let answer = match answers.len() {
            0 | 1 => answers.pop(),
            _ => Some(json!({"anyOf": answers})),
        };
        if let Some(answer) = answer {
            let ok = json!({"description": "The result", "content": json(answer)});
            responses.insert("200".to_owned(), ok);
        }
        let accepted = json!({
            "description": "Begun, with Prefer: respond-async",
            "headers": {"Location": {"schema": {"type": "string"}}},
            "content": json(self.schemas.task())
        });
        responses.insert("202".to_owned(), accepted);
        responses.insert("default".to_owned(), self.problem());
        Value::Object(responses)
    }

    /// Adds the schema of an operation's body, and gives its name.
    fn request(&mut self, page_id: &str, operation: &Operation) -> String {
        let name = format!("{}{}Request", pascal(page_id), pascal(operation.name));
        let mut properties = json!({"op": {"type": "string", "const": operation.name}});
        let mut required = vec![Cow::Borrowed("op")];
        for param in operation.params {
            let name = param.json_name();
            properties[&*name] = self.param(param);
            if param.default.is_none() {
                required.push(name);
            }
        }
        let schema = json!({
            "type": "object",
            "title": name,
            "description": operation.about,
            "required": required,
            "properties": properties,
            "additionalProperties": false
        });
        self.requests.insert(name.clone(), schema);
        name
    }

    fn query(&mut self, param: &Param) -> Value {
        let mut schema = self.param(param);
        let about = schema["description"].take();
        if let Some(schema) = schema.as_object_mut() {
            schema.remove("description");
        }
        json!({"name": param.name, "in": "query", "description": about, "schema": schema})
    }

    /// The schema of a parameter.
    fn param(&mut self, param: &Param) -> Value {
        let mut about = param.about.to_owned();
        let mut schema = match param.kind {
            ParamKind::Number(_) | ParamKind::Quantity(_) => {
                json!({"type": "integer", "minimum": 0})
            }
            ParamKind::Flag => json!({"type": "boolean"}),
            ParamKind::Word(words) => json!({"type": "string", "enum": words}),
            ParamKind::Password => json!({"type": "string", "format": "password"}),
            ParamKind::Text(_) | ParamKind::Lines(_) | ParamKind::Path => json!({"type": "string"}),
            ParamKind::Json(_) => json!({}),
            // Beside a reference, its own description counts.
            ParamKind::Config(kind) => return self.schemas.config(kind),
        };
        if !matches!(param.kind, ParamKind::Flag | ParamKind::Word(_)) {
            about.extend([" (", &param.kind.unit(), ")"]);
        }
        if let Some(default) = param.default.filter(|_| param.kind != ParamKind::Flag) {
            about.extend([". By default: ", default]);
        }
        schema["description"] = about.into();
        schema
    }

    fn problem(&mut self) -> Value {
        let schema = self.schemas.problem();
        json!({
            "description": "A failure",
            "content": {"application/problem+json": {"schema": schema}}
        })
    }

    /// The page in the names of operations and schemas: `domains`, `domain`, `domain_console`.
    fn id(&self, page: &Page) -> String {
        let segments = page.path.split('/').filter(|segment| !segment.is_empty());
        let words = segments.skip(1).filter(|segment| !segment.starts_with('{'));
        let words: Vec<&str> = words.map(|word| word.trim_end_matches(".json")).collect();
        let below = format!("{}/{{", page.path);
        let is_list = page.path != "/"
            && self.pages.iter().any(|other| {
                other.path.strip_prefix(below.as_str()).is_some_and(|rest| !rest.contains('/'))
            });
        match (page.path, words.is_empty()) {
            ("/", _) => "root".to_owned(),
            (_, true) => "directory".to_owned(),
            _ => format!("{}{}", words.join("_"), if is_list { "s" } else { "" }),
        }
    }
}

/// The names of the variable parts of a page's path.
fn names_in_path(page: &Page) -> impl Iterator<Item = &'static str> {
    page.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

/// `DomainSchedCreditGet` of `domain_sched_credit_get`.
fn pascal(name: &str) -> String {
    let mut text = String::new();
    for word in name.split('_').filter(|word| !word.is_empty()) {
        let (first, rest) = word.split_at(1);
        text.extend([&first.to_ascii_uppercase(), rest]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::http::pages;
    use std::collections::HashSet;

    /// The document of a host in a fleet, which has all pages.
    fn made() -> Value {
        serde_json::from_slice(&document(&pages::of_host(true).0)).unwrap()
    }

    #[test]
    fn a_host_in_no_fleet_has_nothing_about_one() {
        let alone = document(&pages::of_host(false).0);
        let alone = String::from_utf8(alone).unwrap().to_lowercase();
        let all = made().to_string().to_lowercase();
        for word in ["fleet", "/xend/host"] {
            assert!(!alone.contains(word) && all.contains(word), "{word}");
        }
    }

    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn a_list_has_a_tag() {
        let document = made();
        for (path, has_tag) in [("/xend/vnet", true), ("/xend/domain", true), ("/xend", false)] {
            let get = &document["paths"][path]["get"];
            assert_eq!(get["responses"]["304"].is_object(), has_tag, "{path}");
            assert_eq!(get["responses"]["200"]["headers"]["ETag"].is_object(), has_tag, "{path}");
        }
    }

    #[test]
    fn each_page_and_each_operation_is_in_the_document() {
        let document = made();
        let mut ids = HashSet::new();
        for page in pages::of_host(true).0.iter() {
            let path = &document["paths"][page.path];
            if page.is_form() {
                assert!(path.is_null(), "{}", page.path);
                continue;
            }
            for method in ["get", "post"] {
                if let Some(id) = path[method]["operationId"].as_str() {
                    assert!(ids.insert(id.to_owned()), "{id}");
                }
            }
            let schema = &path["post"]["requestBody"]["content"]["application/json"]["schema"];
            let count =
                schema["oneOf"].as_array().map_or(usize::from(schema.is_object()), Vec::len);
            assert_eq!(count, page.operations.len(), "{}", page.path);
        }
        assert!(ids.contains("get_domains") && ids.contains("post_domain"), "{ids:?}");
    }

    #[test]
    fn what_is_referred_to_is_there() {
        let document = made();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 50);
        for reference in found {
            let place = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(place).is_some(), "{reference}");
        }
    }

    /// A number without a unit counts, or names something.
    #[test]
    fn a_number_in_a_body_has_its_unit_in_its_name() {
        const WITHOUT_UNIT: [&str; 7] =
            ["key", "minutes", "port", "vcpu", "vcpus", "vif", "weight"];
        const UNITS: [&str; 4] = ["_mib", "_ns", "_percent", "_seconds"];
        let document = made();
        let mut found: HashSet<&str> = HashSet::new();
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            let properties = schema["properties"].as_object().filter(|it| it.contains_key("op"));
            for (key, value) in properties.into_iter().flatten() {
                if value["type"] != "integer" {
                    continue;
                }
                let unit = UNITS.iter().find(|unit| key.ends_with(**unit));
                assert!(unit.is_some() || WITHOUT_UNIT.contains(&key.as_str()), "{name}.{key}");
                found.extend(unit);
            }
        }
        assert_eq!(found.len(), UNITS.len(), "{found:?}");
        let target = &document["components"]["schemas"]["DomainMemTargetSetRequest"];
        assert_eq!(target["required"], json!(["op", "target_mib"]));
    }

    #[test]
    fn a_body_has_the_parameters_of_its_operation() {
        let schemas = &made()["components"]["schemas"];
        let save = &schemas["DomainSaveRequest"];
        assert_eq!(save["required"], json!(["op", "file"]));
        assert_eq!(save["properties"]["op"]["const"], "save");
        let create = &schemas["DomainsCreateRequest"]["properties"]["config"];
        assert_eq!(create["$ref"], format!("{PATH}DomainConfig"));
        assert_eq!(schemas["DomainConfig"]["required"], json!(["name", "memory_mib"]));
        let domain = schemas["Domain"]["required"].as_array().unwrap();
        assert!(domain.contains(&json!("vcpus")) && domain.contains(&json!("state")), "{domain:?}");
    }
}

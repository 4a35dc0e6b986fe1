//! `POST /xend/node/storage/upload`: a disk image, as the file of a form or as the body itself. It
//! is written as it arrives, and never as a whole in memory.

use super::storage::{PATH, image_path};
use crate::core::engine::ImageUpload;
use crate::core::error::Error;
use crate::core::model::{ClientData, ClientValue, Invalid, Uuid};
use crate::core::rights::OpKind;
use crate::long_body::{BodyDeadline, BodyProgress, LEAST, is_too_slow};
use crate::wire::http::body::DRAIN_LIMIT;
use crate::wire::http::context::Http;
use crate::wire::http::errors::{
    malformed_request, operation_failed, too_many_streams, truly_refused,
};
use crate::wire::http::format::Format;
use crate::wire::http::json::problem::Problem;
use crate::wire::http::json::problem_kind::ProblemKind;
use crate::wire::http::operations::storage::check_name;
use crate::wire::http::params::utf8;
use crate::wire::http::query_by_get::unknown_name;
use crate::wire::http::request::RequestInfo;
use crate::wire::http::response::{Content, respond, see_other, with_location};
use crate::wire::http::upload_form::{FormPiece, UploadForm};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;

/// The parts in which an image is written, in bytes.
const PART: usize = 1 << 20;

/// What to do about a request that is refused.
const HINT: &str = "Nothing was stored. Send the image again.";

/// The reason why an image was not taken.
enum Refusal {
    Engine(Error),
    /// The body broke off, or is no form.
    Malformed(String),
    /// What is sent is no image, or too slow, or has a parameter that there is not.
    Request(Problem),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        Self::Engine(invalid.into())
    }
}

/// `POST /xend/node/storage/upload`
pub(crate) async fn post(
    State(http): State<Http>,
    request: RequestInfo,
    raw_request: Request,
) -> Result<Response, Response> {
    let view = http.view(&request.caller);
    let failed = |error| operation_failed(&request, "upload", &error);
    let (parts, mut body) = raw_request.into_parts();
    let user = request.caller.user().map(|user| user.name());
    let taken = if let Err(error) = view.require(OpKind::CreateVdi, "upload") {
        Err(Refusal::Engine(error))
    } else if let Some(unknown) = unknown_name(&request.query, &["name"]) {
        Err(Refusal::Request(unknown))
    } else {
        let permit = http.upload_permits().acquire(user);
        let _permit = permit.map_err(|many| too_many_streams(&request, "uploads", &many))?;
        let deadline = parts.extensions.get::<BodyDeadline>();
        let incoming = Incoming { headers: &parts.headers, body: &mut body, deadline };
        incoming.take(&http, &request).await
    };
    let uuid = match taken {
        Ok(uuid) => uuid,
        Err(refusal) => {
            // Some clients wait for the answer before they send.
            if !parts.headers.contains_key(EXPECT) {
                drain(&mut body).await;
            }
            return Err(match refusal {
                Refusal::Engine(error) => failed(error),
                Refusal::Malformed(reason) => malformed_request(&request, &reason),
                Refusal::Request(refusal) => truly_refused(&request, &refusal, HINT),
            });
        }
    };
    if request.format == (Format::Html { explicit: true }) {
        return Ok(see_other(&format!("{PATH}?done=uploaded")));
    }
    Ok(created_image(&request, uuid))
}

/// `201`, with the Location of a new image.
pub(crate) fn created_image(request: &RequestInfo, uuid: Uuid) -> Response {
    let url = format!("{}{}", request.origin, image_path(uuid));
    with_location(respond(201, "Created", Content::Empty), &url)
}

/// A body that is arriving.
struct Incoming<'a> {
    headers: &'a HeaderMap,
    body: &'a mut Body,
    deadline: Option<&'a BodyDeadline>,
}

impl Incoming<'_> {
    /// Stores the image.
    async fn take(self, http: &Http, request: &RequestInfo) -> Result<Uuid, Refusal> {
        let Self { headers, body, deadline } = self;
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let length = text(CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let length = length.ok_or_else(|| {
            Invalid::new("Content-Length: missing, send the file with its length, as curl -T does")
        })?;
        let content_type = text(CONTENT_TYPE).unwrap_or_default();
        let mut form = match kind_of(content_type) {
            BodyKind::Form => Some(UploadForm::new(content_type).map_err(malformed)?),
            BodyKind::Image => None,
            BodyKind::Other(media) => return Err(Refusal::Request(no_image(&media))),
        };
        let mut name = request.query.text("name")?;
        name.as_deref().map_or(Ok(()), check_name)?;
        let upload = http.engine().begin_upload(&request.caller, length).await?;
        let progress = deadline.map(BodyDeadline::progress);
        let mut writer = Writer { upload, part: BytesMut::new(), progress };
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| broken_off(&error, deadline))?;
            let Ok(data) = frame.into_data() else { continue };
            if let Some(progress) = &mut writer.progress {
                progress.taken(data.len());
            }
            let Some(form) = &mut form else {
                writer.add(&data).await?;
                continue;
            };
            for piece in form.read(&data).map_err(malformed)? {
                match piece {
                    FormPiece::File(data) => writer.add(&data).await?,
                    // A field that was left alone is empty.
                    FormPiece::Field { name: field, value }
                        if field == "name" && !value.is_empty() =>
                    {
                        let value = utf8(&field, value)?;
                        check_name(&value)?;
                        name = Some(value);
                    }
                    FormPiece::Field { .. } => {}
                }
            }
        }
        if form.is_some_and(|form| !form.is_complete()) {
            return Err(malformed("it ends before its last boundary"));
        }
        let mut client_data = ClientData::default();
        client_data.set("name_label", name.map(ClientValue::Text))?;
        let upload = writer.end().await?;
        Ok(upload.finish(client_data).await?)
    }
}

/// What a body is by its `Content-Type`.
enum BodyKind {
    /// A form with a file.
    Form,
    Image,
    /// Something that nobody means to be an image, of this type.
    Other(String),
}

fn kind_of(content_type: &str) -> BodyKind {
    let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media.as_str() {
        "multipart/form-data" => BodyKind::Form,
        "application/x-www-form-urlencoded" | "application/json" => BodyKind::Other(media),
        _ if media.starts_with("multipart/") || media.ends_with("+json") => BodyKind::Other(media),
        _ => BodyKind::Image,
    }
}

fn no_image(media: &str) -> Problem {
    // curl --data-binary says so of any file.
    let text = format!(
        "Content-Type: {media} is no disk image: send the file as application/octet-stream, as \
         curl -T disk.img -X POST does, or as the file of a multipart/form-data form"
    );
    Problem::new(ProblemKind::UNKNOWN_MEDIA, text)
}

/// The end of a body that is not complete.
fn broken_off(error: &axum::Error, deadline: Option<&BodyDeadline>) -> Refusal {
    match deadline {
        Some(deadline) if is_too_slow(error) => {
            let text = format!(
                "The file arrived too slowly: at least {} KiB are expected every {} s, see \
                 xend-request-timeout in xend-config.sxp",
                LEAST >> 10,
                deadline.time().as_secs()
            );
            Refusal::Request(Problem::new(ProblemKind::TOO_SLOW, text))
        }
        _ => Refusal::Malformed(format!("The body broke off: {error}")),
    }
}

fn malformed(reason: &str) -> Refusal {
    Refusal::Malformed(format!("The form is malformed: {reason}"))
}

/// Writes an image in parts.
struct Writer {
    upload: ImageUpload,
    /// What is not written yet.
    part: BytesMut,
    progress: Option<BodyProgress>,
}

impl Writer {
    async fn add(&mut self, mut data: &[u8]) -> Result<(), Error> {
        while !data.is_empty() {
            let (now, later) = data.split_at(data.len().min(PART - self.part.len()));
            self.part.extend_from_slice(now);
            data = later;
            if self.part.len() == PART {
                self.write().await?;
            }
        }
        Ok(())
    }

    async fn write(&mut self) -> Result<(), Error> {
        let part: Bytes = self.part.split().freeze();
        self.upload.write(part).await?;
        if let Some(progress) = &mut self.progress {
            progress.restart();
        }
        Ok(())
    }

    /// Writes the rest.
    async fn end(mut self) -> Result<ImageUpload, Error> {
        if !self.part.is_empty() {
            self.write().await?;
        }
        Ok(self.upload)
    }
}

async fn drain(body: &mut Body) {
    let mut left = DRAIN_LIMIT;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        let Some(rest) = left.checked_sub(length) else { return };
        left = rest;
    }
}

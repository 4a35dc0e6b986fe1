//! `POST /xend/node/storage/upload`: a disk image, as the file of a form or as the body itself. It
//! is written as it arrives, and never as a whole in memory.

use super::storage::{PATH, image_path};
use crate::core::engine::ImageUpload;
use crate::core::error::Error;
use crate::core::model::{ClientData, ClientValue, Invalid, Uuid};
use crate::core::rights::OpKind;
use crate::long_body::BodyDeadline;
use crate::wire::http::body::DRAIN_LIMIT;
use crate::wire::http::context::Http;
use crate::wire::http::errors::{malformed_request, operation_failed, too_many_streams};
use crate::wire::http::format::Format;
use crate::wire::http::operations::storage::check_name;
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

/// The reason why an image was not taken.
enum Refusal {
    Engine(Error),
    /// The body broke off, or is no form.
    Malformed(String),
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
        let is_form = content_type.to_ascii_lowercase().starts_with("multipart/form-data");
        let mut form =
            if is_form { Some(UploadForm::new(content_type).map_err(malformed)?) } else { None };
        let mut name = request.query.text("name")?;
        name.as_deref().map_or(Ok(()), check_name)?;
        let upload = http.engine().begin_upload(&request.caller, length).await?;
        let mut writer = Writer { upload, part: BytesMut::new(), deadline };
        while let Some(frame) = body.frame().await {
            let frame = frame
                .map_err(|error| Refusal::Malformed(format!("The body broke off: {error}")))?;
            let Ok(data) = frame.into_data() else { continue };
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

fn malformed(reason: &str) -> Refusal {
    Refusal::Malformed(format!("The form is malformed: {reason}"))
}

/// Writes an image in parts.
struct Writer<'a> {
    upload: ImageUpload,
    /// What is not written yet.
    part: BytesMut,
    deadline: Option<&'a BodyDeadline>,
}

impl Writer<'_> {
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
        if let Some(deadline) = self.deadline {
            deadline.extend();
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

//! The memory of answers: a large one is reserved for as long as its client takes to read it.

use super::context::Http;
use super::errors::no_room_for_answer;
use crate::answer_memory::{AnswerMemory, SMALL_ANSWER, SharedText};
use crate::memory_budget::{MemoryBudget, OverBudget};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use http_body::Body as _;
use http_body_util::BodyExt as _;

/// Reserves the answer to a request, or answers that there is no room for it.
pub(super) async fn reserve(State(http): State<Http>, request: Request, next: Next) -> Response {
    let is_post = request.method() == Method::POST;
    let mut response = next.run(request).await;
    match reserve_body(http.answer_budget(), &mut response) {
        Ok(()) => response,
        Err(over) => no_room_for_answer(&response, is_post, over),
    }
}

/// A stream has no size: it is sent as it arises.
fn reserve_body(budget: &MemoryBudget, response: &mut Response) -> Result<(), OverBudget> {
    let size = response.body().size_hint().exact().unwrap_or(0);
    let Some(size) = usize::try_from(size).ok().filter(|size| *size > SMALL_ANSWER) else {
        return Ok(());
    };
    if let Some(shared) = response.extensions_mut().remove::<SharedText>() {
        *response.body_mut() = Body::from(shared.send(budget)?);
        return Ok(());
    }
    let memory = AnswerMemory::reserve(budget, size)?;
    let body = std::mem::take(response.body_mut());
    let held = body.map_frame(move |frame| frame.map_data(|data| memory.hold(data)));
    *response.body_mut() = Body::new(held);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::http::response::{Content, ok};
    use axum::http::StatusCode;
    use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};

    const SIZE: usize = 300 << 10;

    /// The bytes of the answer with this content, as they go to the connection.
    async fn sent(budget: &MemoryBudget, content: Content) -> Result<bytes::Bytes, OverBudget> {
        let mut response = ok(content);
        reserve_body(budget, &mut response)?;
        let frame = response.body_mut().frame().await.unwrap().unwrap();
        // The server drops the body before it has written the last of its bytes.
        drop(response);
        Ok(frame.into_data().unwrap())
    }

    #[tokio::test]
    async fn an_answer_is_reserved_until_it_is_written() {
        let budget = MemoryBudget::new(1 << 20);
        let page = || Content::Html("x".repeat(SIZE));
        let pages = [sent(&budget, page()).await.unwrap(), sent(&budget, page()).await.unwrap()];
        assert_eq!((pages[0].len(), budget.reserved()), (SIZE, 2 * SIZE));
        let list = SharedText::new("x".repeat(SIZE));
        let mut lists = vec![];
        for _ in 0..10 {
            lists.push(sent(&budget, Content::SharedSxp(list.clone())).await.unwrap());
        }
        assert_eq!(budget.reserved(), 3 * SIZE, "they share one list");
        assert_eq!(sent(&budget, page()).await, Err(OverBudget));
        let small = sent(&budget, Content::Html("x".repeat(SMALL_ANSWER))).await;
        assert_eq!(small.map(|small| small.len()), Ok(SMALL_ANSWER));
        drop((pages, lists));
        assert_eq!(budget.reserved(), 0);
    }

    #[tokio::test]
    async fn an_answer_without_room_is_refused_in_its_format() {
        for (content, media, beginning) in [
            (Content::Sxp("()".into()), "application/sxp", "(xend.err "),
            (Content::Json("[]".into()), "application/problem+json", "{"),
            (Content::Html("<p>".into()), "text/plain", "Too many"),
        ] {
            let refused = no_room_for_answer(&ok(content), false, OverBudget);
            assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(refused.headers()[CONTENT_TYPE], media);
            assert!(refused.headers().contains_key(RETRY_AFTER));
            let text = refused.into_body().collect().await.unwrap().to_bytes();
            assert!(text.starts_with(beginning.as_bytes()), "{text:?}");
        }
        let done = no_room_for_answer(&ok(Content::Empty), true, OverBudget);
        assert!(!done.headers().contains_key(RETRY_AFTER), "it would be done twice");
    }
}

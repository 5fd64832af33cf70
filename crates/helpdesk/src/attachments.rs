//! Attachments: uploads of any size that are measured, and downloads of any size.

use std::collections::VecDeque;

use axum::{
    Json,
    body::Body,
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use data_encoding::HEXLOWER;
use futures_util::{TryStreamExt, stream};
use http::{StatusCode, header};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    bearer::{Reader, Writer},
    error::Error,
    parameters::Parameters,
    state::Helpdesk,
    tickets,
};

/// The byte at this position, counted from 0, of every generated download.
#[must_use]
pub const fn pattern_byte(position: u64) -> u8 {
    (position % PERIOD).to_le_bytes()[0]
}

/// The latest attachments.
#[derive(Default)]
pub(crate) struct Attachments(VecDeque<Attachment>);

impl Attachments {
    /// Keeps an attachment in place of one of the same name; the oldest makes room.
    fn keep(&mut self, attachment: Attachment) {
        self.0.retain(|kept| kept.key != attachment.key);
        if self.0.len() == MOST_KEPT {
            self.0.pop_front();
        }
        self.0.push_back(attachment);
    }

    fn find(&self, key: &(String, String)) -> Option<&Attachment> {
        self.0.iter().find(|kept| kept.key == *key)
    }
}

/// `PUT` or `POST /tickets/{id}/attachments/{name}`: 201 with the number of bytes and their SHA-256 in hexadecimal.
pub(crate) async fn put(
    State(helpdesk): State<Helpdesk>,
    _: Writer,
    Path(key): Path<(String, String)>,
    body: Body,
) -> Result<Response, Error> {
    tickets::find(&mut helpdesk.state().tickets, &key.0)?;
    let measured = measure(body).await?;
    let answer = json!({ "bytes": measured.bytes, "sha256": measured.sha256 });
    helpdesk.state().attachments.keep(Attachment { key, bytes: measured.bytes, content: measured.content });
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// `GET /tickets/{id}/attachments/{name}`: what was uploaded, or a generated stream of the same length if that was more
/// than 1 MiB. With `?size=N`, a generated stream of N bytes, uploaded or not. See [`pattern_byte`].
pub(crate) async fn get(
    State(helpdesk): State<Helpdesk>,
    _: Reader,
    Path(key): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Error> {
    let parameters = Parameters::from_form(query.unwrap_or_default().as_bytes())?;
    let mut state = helpdesk.state();
    tickets::find(&mut state.tickets, &key.0)?;
    let (length, body) = if let Some(size) = parameters.get("size") {
        let size = size.parse().map_err(|_| Error::InvalidRequest("The parameter size is a number of bytes."))?;
        (size, pattern(size))
    } else {
        let attachment = state.attachments.find(&key).ok_or(Error::NotFound)?;
        let body = attachment.content.clone().map_or_else(|| pattern(attachment.bytes), Body::from);
        (attachment.bytes, body)
    };
    // Whatever it is, it must not run on this origin, where the login session is.
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, "attachment".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
    ];
    Ok((headers, body).into_response())
}

struct Attachment {
    /// Ticket and name.
    key: (String, String),
    bytes: u64,
    content: Option<Bytes>,
}

struct Measured {
    bytes: u64,
    sha256: String,
    /// `None` for more than `MOST_BYTES_KEPT`.
    content: Option<Bytes>,
}

async fn measure(body: Body) -> Result<Measured, Error> {
    let (mut bytes, mut hash, mut content) = (0, Sha256::new(), Some(BytesMut::new()));
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.try_next().await.map_err(|_| Error::InvalidRequest("The body ended early."))? {
        bytes += chunk.len() as u64;
        hash.update(&chunk);
        content = content.filter(|content| content.len() + chunk.len() <= MOST_BYTES_KEPT);
        if let Some(content) = &mut content {
            content.extend_from_slice(&chunk);
        }
    }
    Ok(Measured { bytes, sha256: HEXLOWER.encode(&hash.finalize()), content: content.map(BytesMut::freeze) })
}

fn pattern(size: u64) -> Body {
    let chunk: Bytes = (0..CHUNK).map(pattern_byte).collect();
    let mut left = size;
    let chunks = std::iter::from_fn(move || {
        let length = left.min(CHUNK);
        left -= length;
        let length = usize::try_from(length).ok().filter(|length| *length > 0)?;
        Some(Ok::<_, std::convert::Infallible>(chunk.slice(..length)))
    });
    Body::from_stream(stream::iter(chunks))
}

const MOST_KEPT: usize = 64;
const MOST_BYTES_KEPT: usize = 1024 * 1024;

/// A prime, so that a chunk that is lost or sent twice shows.
const PERIOD: u64 = 251;

/// A whole number of periods, so that every chunk is the same.
const CHUNK: u64 = PERIOD * 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Desk;

    const BOTH: &str = "read:tickets write:tickets";

    #[tokio::test]
    async fn an_upload_is_measured_and_comes_back() {
        let desk = Desk::new();
        let token = desk.access_token("alice@acme.test", BOTH).await;
        for method in ["PUT", "POST"] {
            let answer = desk.api(method, "/tickets/3/attachments/log.txt", &token, "abc").await;
            assert_eq!(answer.status, 201);
            assert_eq!(
                answer.json(),
                json!({
                    "bytes": 3,
                    "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
                })
            );
        }
        let answer = desk.api("GET", "/tickets/3/attachments/log.txt", &token, "").await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "abc"));
        assert_eq!(answer.headers["content-type"], "application/octet-stream");
        assert_eq!(answer.headers["content-length"], "3");
    }

    #[tokio::test]
    async fn a_large_upload_is_measured_and_not_kept() {
        let desk = Desk::new();
        let token = desk.access_token("alice@acme.test", BOTH).await;
        let chunks = (0..3).map(|_| Ok::<_, std::convert::Infallible>(vec![b'x'; 1024 * 1024]));
        let body = Body::from_stream(stream::iter(chunks));
        let answer = desk.api("PUT", "/tickets/1/attachments/large", &token, body).await;
        assert_eq!(
            answer.json(),
            json!({
                "bytes": 3_145_728,
                "sha256": "3bea8a9a07c1e8dcaa4c1b816815c35a29b4fb585ba6ecc70ea44840a794cfb3"
            })
        );
        assert!(desk.helpdesk.state().attachments.0[0].content.is_none());
        let response = desk.open("GET", "/tickets/1/attachments/large", &token, "").await;
        assert_eq!(response.headers()["content-length"], "3145728");
    }

    #[tokio::test]
    async fn a_generated_download_follows_the_pattern() {
        let desk = Desk::new();
        let token = desk.access_token("alice@acme.test", BOTH).await;
        let response = desk.open("GET", "/tickets/1/attachments/any?size=200000", &token, "").await;
        assert_eq!(response.headers()["content-length"], "200000");
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert_eq!(bytes.len(), 200_000);
        assert_eq!((bytes[0], bytes[250], bytes[251], bytes[199_999]), (0, 250, 0, 203));
        assert!((0..).zip(&bytes).all(|(position, byte)| *byte == pattern_byte(position)));
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_found() {
        let desk = Desk::new();
        let token = desk.access_token("alice@acme.test", BOTH).await;
        assert_eq!(desk.api("GET", "/tickets/1/attachments/none", &token, "").await.status, 404);
        assert_eq!(desk.api("GET", "/tickets/13/attachments/any?size=1", &token, "").await.status, 404);
        assert_eq!(desk.api("PUT", "/tickets/13/attachments/any", &token, "abc").await.status, 404);
        assert_eq!(desk.api("GET", "/tickets/1/attachments/any?size=big", &token, "").await.status, 400);
    }

    #[test]
    fn the_oldest_attachment_makes_room() {
        let mut attachments = Attachments::default();
        for number in 0..65 {
            let key = ("1".to_owned(), number.to_string());
            attachments.keep(Attachment { key, bytes: number, content: None });
        }
        assert_eq!(attachments.0.len(), 64);
        assert!(attachments.find(&("1".to_owned(), "0".to_owned())).is_none());
        assert_eq!(attachments.find(&("1".to_owned(), "64".to_owned())).unwrap().bytes, 64);
    }
}

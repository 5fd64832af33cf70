use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::Body as _;
use tokio::io::AsyncWrite;
use zeroize::Zeroize;

use crate::http1::head::Coding;
use crate::http1::{Http1Error, Wire};
use crate::upload::Upload;

/// A request on its way out.
#[derive(Default)]
pub(super) struct Sending {
    /// Heads, the sizes of chunks, and small pieces; written first.
    out: Vec<u8>,
    written: usize,
    /// A large piece of the body, behind that.
    piece: Bytes,
    /// What is behind a piece.
    behind: &'static [u8],
    body: Option<(Upload, Coding)>,
    progress: Progress,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Progress {
    /// Not a byte has left.
    #[default]
    Unbegun,
    /// Bytes have left, and more are to follow, or to be flushed.
    Begun,
    /// All of it has left.
    Flushed,
    /// The rest never will.
    GivenUp,
}

impl Sending {
    /// Begins with a request: its head is what `write` writes.
    pub(super) fn begin(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Coding) -> Coding {
        self.out.clear();
        (self.written, self.piece, self.behind, self.progress) = (0, Bytes::new(), b"", Progress::Unbegun);
        write(&mut self.out)
    }

    /// What follows the head.
    pub(super) fn follow(&mut self, body: Upload, coding: Coding) {
        self.body = (coding != Coding::Length(0)).then_some((body, coding));
    }

    /// The body, where not a byte of the request has left.
    pub(super) fn take_unbegun(&mut self) -> Option<Upload> {
        if self.progress != Progress::Unbegun {
            return None;
        }
        Some(self.body.take().map_or_else(|| Upload::again(Vec::new()).0, |(body, _)| body))
    }

    /// Whether all of it has left.
    pub(super) fn has_ended(&self) -> bool {
        self.body.is_none() && self.progress == Progress::Flushed
    }

    /// Nothing of the last request, its credential least of all, stays in a connection at rest.
    pub(super) fn wipe(&mut self) {
        self.out.zeroize();
    }

    /// Nothing more can be sent.
    pub(super) fn give_up(&mut self) {
        // Where not a byte has left, all of it can still be had back.
        if self.progress != Progress::Unbegun {
            self.body = None;
            self.progress = Progress::GivenUp;
        }
    }

    /// Sends as much as can be sent.
    pub(super) fn poll(&mut self, wire: &mut Wire, context: &mut Context<'_>) -> Poll<Result<(), Http1Error>> {
        if self.progress == Progress::GivenUp {
            return Poll::Pending;
        }
        loop {
            ready!(self.poll_drain(wire, context)).map_err(Http1Error::Io)?;
            let Some((body, coding)) = &mut self.body else { break };
            // The head goes out without waiting for the body.
            let Poll::Ready(frame) = Pin::new(body).poll_frame(context) else {
                ready!(self.poll_flush(wire, context))?;
                return Poll::Pending;
            };
            let Some(frame) = frame else {
                match coding {
                    Coding::Chunked => self.out.extend_from_slice(b"0\r\n\r\n"),
                    Coding::Length(0) => {}
                    Coding::Length(_) => return Poll::Ready(Err(Http1Error::UploadLength)),
                }
                self.body = None;
                continue;
            };
            let Ok(data) = frame.map_err(Http1Error::Upload)?.into_data() else { continue };
            if data.is_empty() {
                continue;
            }
            match coding {
                Coding::Length(left) => {
                    *left = left.checked_sub(data.len() as u64).ok_or(Http1Error::UploadLength)?;
                    if *left == 0 {
                        self.body = None;
                    }
                }
                Coding::Chunked => {
                    self.out.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
                    self.behind = b"\r\n";
                }
            }
            self.piece = data;
        }
        ready!(self.poll_drain(wire, context)).map_err(Http1Error::Io)?;
        self.poll_flush(wire, context)
    }

    fn poll_drain(&mut self, wire: &mut Wire, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        if !self.piece.is_empty() && self.piece.len() <= SMALL {
            self.out.extend_from_slice(&self.piece);
            self.piece = Bytes::new();
            self.out.extend_from_slice(std::mem::take(&mut self.behind));
        }
        loop {
            let rest = self.out.get(self.written..).unwrap_or_default();
            if !rest.is_empty() {
                self.written += ready!(self.poll_write(wire, context, Part::Out))?;
            } else if !self.piece.is_empty() {
                let written = ready!(self.poll_write(wire, context, Part::Piece))?;
                self.piece.advance(written);
            } else if self.behind.is_empty() {
                self.out.clear();
                self.written = 0;
                return Poll::Ready(Ok(()));
            } else {
                self.out.clear();
                self.written = 0;
                self.out.extend_from_slice(std::mem::take(&mut self.behind));
            }
        }
    }

    fn poll_write(&mut self, wire: &mut Wire, context: &mut Context<'_>, part: Part) -> Poll<std::io::Result<usize>> {
        let bytes = match part {
            Part::Out => self.out.get(self.written..).unwrap_or_default(),
            Part::Piece => &self.piece,
        };
        let written = ready!(Pin::new(wire).poll_write(context, bytes))?;
        if written == 0 {
            return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
        }
        self.progress = Progress::Begun;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(&mut self, wire: &mut Wire, context: &mut Context<'_>) -> Poll<Result<(), Http1Error>> {
        ready!(Pin::new(wire).poll_flush(context)).map_err(Http1Error::Io)?;
        if self.body.is_none() {
            self.progress = Progress::Flushed;
        }
        Poll::Ready(Ok(()))
    }
}

#[derive(Clone, Copy)]
enum Part {
    Out,
    Piece,
}

/// A piece this small is written together with what stands before it.
const SMALL: usize = 2048;

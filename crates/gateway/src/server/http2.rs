use hyper::server::conn::http2::Builder;
use hyper_util::rt::TokioTimer;

use crate::config::{NumbersConfig, TimeoutsConfig};
use crate::server::streams::Executor;

/// How HTTP/2 is served. The table by which headers are packed has the 4096 bytes of RFC 9113 §6.5.2, which nothing here makes larger.
pub(super) fn builder(executor: Executor, timeouts: &TimeoutsConfig, numbers: &NumbersConfig) -> Builder<Executor> {
    let mut builder = Builder::new(executor);
    builder.timer(TokioTimer::new()).max_header_list_size(MAX_HEADER_LIST).max_concurrent_streams(numbers.streams);
    builder.enable_connect_protocol().keep_alive_interval(timeouts.ping).keep_alive_timeout(timeouts.ping);
    builder.max_send_buf_size(SEND_BUFFER);
    builder
}

/// As much as a head may be in HTTP/1.1.
const MAX_HEADER_LIST: u32 = 16 * 1024;
/// What waits in one stream for its client.
const SEND_BUFFER: usize = 128 << 10;

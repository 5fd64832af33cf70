use bytes::{Bytes, BytesMut};
use http_body::Body;
use std::future::poll_fn;
use std::pin::Pin;

use crate::error::ProxyError;
use crate::gate::GateError;
use crate::inbound::Inbound;
use crate::space::Space;

/// The whole of a request's body, in memory.
pub(crate) async fn whole(mut body: Inbound, space: &mut dyn Space) -> Result<Bytes, ProxyError> {
    let mut read = BytesMut::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let Ok(data) = frame.map_err(|_| ProxyError::Gate(GateError::Framing))?.into_data() else { continue };
        space.take(data.len()).map_err(|_| ProxyError::Memory)?;
        if read.len() + data.len() > LONGEST {
            return Err(ProxyError::Memory);
        }
        read.extend_from_slice(&data);
    }
    Ok(read.freeze())
}

const LONGEST: usize = 512 << 10;

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use crate::body::Download;
use crate::connect::tcp;
use crate::error::ProxyError;
use crate::target::Target;
use crate::upload::Upload;

/// Sends a handshake over a connection that is made for it, and that no pool ever sees.
pub(crate) async fn send(
    target: &Target,
    connect_timeout: Duration,
    request: Request<Upload>,
) -> Result<Response<Download>, ProxyError> {
    let connected = tokio::time::timeout(connect_timeout, connect(target)).await;
    let mut sender = connected.map_err(|elapsed| ProxyError::Unreachable(Box::new(elapsed)))??;
    let response = sender.send_request(request).await.map_err(|error| ProxyError::Malformed(error.into()))?;
    Ok(response.map(Download::Dedicated))
}

async fn connect(target: &Target) -> Result<http1::SendRequest<Upload>, ProxyError> {
    let stream = tcp(target).await?;
    let Some((config, name)) = &target.tls else { return http1(stream).await };
    // Over HTTP/2 most servers know of no WebSocket: they are offered HTTP/1.1 alone.
    let mut config = config.as_ref().clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let connected = TlsConnector::from(Arc::new(config)).connect(name.clone(), stream).await;
    http1(connected.map_err(|error| ProxyError::Unreachable(Box::new(error)))?).await
}

async fn http1(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<http1::SendRequest<Upload>, ProxyError> {
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| ProxyError::Malformed(error.into()))?;
    tokio::task::spawn_local(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(error = %error, "an upstream connection ended");
        }
    });
    Ok(sender)
}

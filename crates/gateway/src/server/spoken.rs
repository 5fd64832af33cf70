use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// What a connection speaks: by ALPN, or by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// Reads as many first bytes as tell what is spoken, and gives them back: HTTP/2 with prior knowledge begins with its preface
/// (RFC 9113 §3.4).
pub(super) async fn spoken(stream: &mut TcpStream) -> std::io::Result<(Protocol, Bytes)> {
    let mut early = BytesMut::new();
    loop {
        let mut room = [0; PREFACE.len()];
        let room = room.get_mut(..PREFACE.len() - early.len()).unwrap_or_default();
        let length = stream.read(room).await?;
        early.extend_from_slice(room.get(..length).unwrap_or_default());
        if length == 0 || !PREFACE.starts_with(&early) {
            return Ok((Protocol::Http1, early.freeze()));
        }
        if early.len() == PREFACE.len() {
            return Ok((Protocol::Http2, early.freeze()));
        }
    }
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    async fn said(pieces: &[&[u8]]) -> (Protocol, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let mut client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("connects");
        client.set_nodelay(true).expect("set");
        let (mut server, _) = listener.accept().await.expect("accepts");
        let pieces: Vec<Vec<u8>> = pieces.iter().map(|piece| piece.to_vec()).collect();
        let writing = tokio::spawn(async move {
            for piece in pieces {
                client.write_all(&piece).await.expect("sent");
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        });
        let (protocol, early) = spoken(&mut server).await.expect("read");
        writing.await.expect("no panic");
        let mut rest = Vec::new();
        server.read_to_end(&mut rest).await.expect("read");
        (protocol, [&early[..], &rest].concat())
    }

    #[tokio::test]
    async fn the_preface_tells_and_not_a_byte_is_lost() {
        let behind = [PREFACE, b"and more"].concat();
        for (bytes, protocol) in [
            (behind.as_slice(), Protocol::Http2),
            (b"GET / HTTP/1.1\r\n\r\n", Protocol::Http1),
            (b"P", Protocol::Http1),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", Protocol::Http1),
            (b"PRI * HTTP/1.1\r\nHost: x\r\n\r\n", Protocol::Http1),
            (b"", Protocol::Http1),
        ] {
            assert_eq!(said(&[bytes]).await, (protocol, bytes.to_vec()));
            let (one, two) = bytes.split_at(bytes.len() / 2);
            assert_eq!(said(&[one, two]).await, (protocol, bytes.to_vec()), "in two parts");
        }
    }
}

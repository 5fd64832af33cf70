use proptest::prelude::*;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::*;

/// What is read of these bytes, and what is left behind them; each of `parts` arrives by itself.
async fn sent(parts: &[&[u8]]) -> (Result<Option<IpAddr>, HeaderError>, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let mut client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("connects");
    client.set_nodelay(true).expect("set");
    let (mut server, _) = listener.accept().await.expect("accepts");
    let parts: Vec<Vec<u8>> = parts.iter().map(|part| part.to_vec()).collect();
    let writing = tokio::spawn(async move {
        for part in parts {
            client.write_all(&part).await.expect("sent");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    });
    let taken = take(&mut server).await;
    writing.await.expect("no panic");
    let mut rest = Vec::new();
    server.read_to_end(&mut rest).await.expect("read");
    (taken, rest)
}

fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("short").to_be_bytes();
    [SIGNATURE.as_slice(), &[command, family], &length, body].concat()
}

fn said(address: &str) -> Option<IpAddr> {
    address.parse().ok()
}

#[tokio::test]
async fn nothing_behind_the_header_is_taken() {
    let four = [192, 0, 2, 1, 192, 0, 2, 2, 0x10, 0x20, 0x01, 0xbb];
    let tlv = [four.as_slice(), &[0x04, 0, 2, 7, 7]].concat();
    for (header, address) in [
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 4128 443\r\n".to_vec(), said("192.0.2.1")),
        (b"PROXY TCP6 2001:db8::1 2001:db8::2 4128 443\r\n".to_vec(), said("2001:db8::1")),
        (b"PROXY UNKNOWN\r\n".to_vec(), None),
        (b"PROXY UNKNOWN ff:ff::1 whatever 1 2\r\n".to_vec(), None),
        (v2(0x21, 0x11, &four), said("192.0.2.1")),
        (v2(0x21, 0x11, &tlv), said("192.0.2.1")),
        (v2(0x21, 0x21, &[0x20; 36]), said("2020:2020:2020:2020:2020:2020:2020:2020")),
        (v2(0x20, 0x11, &four), None),
        (v2(0x20, 0x00, &[]), None),
        (v2(0x21, 0x00, &[1, 2, 3]), None),
        (v2(0x21, 0x31, &[0; 216]), None),
    ] {
        let (taken, rest) = sent(&[&[header.as_slice(), b"GET / HTTP/1.1\r\n"].concat()]).await;
        assert_eq!(taken.ok(), Some(address), "{header:?}");
        assert_eq!(rest, b"GET / HTTP/1.1\r\n");
        let (one, two) = header.split_at(header.len() - 1);
        let (taken, rest) = sent(&[one, &[two, b"x"].concat()]).await;
        assert_eq!((taken.ok(), rest), (Some(address), b"x".to_vec()), "in two parts");
    }
}

#[tokio::test]
async fn what_is_no_header_is_refused() {
    let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(100));
    for bytes in [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"PROXY TCP4 192.0.2.1 192.0.2.2 4128\r\n".to_vec(),
        b"PROXY TCP4 192.0.2.1 192.0.2.2 4128 443 1\r\n".to_vec(),
        b"PROXY TCP4 192.0.2.1  192.0.2.2 4128 443\r\n".to_vec(),
        b"PROXY TCP4 2001:db8::1 2001:db8::2 4128 443\r\n".to_vec(),
        b"PROXY TCP4 192.0.2.1 192.0.2.2 4128 65536\r\n".to_vec(),
        b"PROXY TCP4 192.0.2.1 192.0.2.2 04128 443\r\n".to_vec(),
        b"PROXY TCP4 192.0.2.01 192.0.2.2 4128 443\r\n".to_vec(),
        b"PROXY TCP4 192.0.2.1 192.0.2.2 4128 443\n".to_vec(),
        b"PROXY UDP4 192.0.2.1 192.0.2.2 4128 443\r\n".to_vec(),
        b"PROXY UNKNOWNS\r\n".to_vec(),
        long.into_bytes(),
        v2(0x11, 0x11, &[0; 12]),
        v2(0x22, 0x11, &[0; 12]),
        v2(0x21, 0x11, &[0; 11]),
        v2(0x21, 0x21, &[0; 35]),
        v2(0x21, 0x12, &[0; 12]),
        v2(0x21, 0x11, &[0; MAX_BODY + 1]),
        b"PROXY TCP4 192".to_vec(),
        SIGNATURE.to_vec(),
        Vec::new(),
    ] {
        assert!(sent(&[&bytes]).await.0.is_err(), "{:?}", String::from_utf8_lossy(&bytes));
    }
}

proptest! {
    #[test]
    fn a_written_header_is_read(source: [u8; 4], target: [u8; 4], from: u16, to: u16, tlvs: Vec<u8>) {
        let (source, target) = (Ipv4Addr::from(source), Ipv4Addr::from(target));
        let line = format!("PROXY TCP4 {source} {target} {from} {to}\r\n");
        prop_assert_eq!(text(line.as_bytes()).ok(), Some(Some(source.into())));
        let ports = [from.to_be_bytes(), to.to_be_bytes()].concat();
        let body = [source.octets().as_slice(), &target.octets(), &ports, &tlvs].concat();
        prop_assert_eq!(binary(0x21, 0x11, &body).ok(), Some(Some(source.into())));
    }

    #[test]
    fn any_bytes_are_read_or_refused(line: Vec<u8>, command: u8, family: u8) {
        let _ = text(&line);
        let _ = text(&[b"PROXY TCP6 ", line.as_slice(), b"\r\n"].concat());
        let _ = binary(command, family, &line);
    }
}

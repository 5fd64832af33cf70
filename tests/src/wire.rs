use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::CANARY;

/// What lies between others' programs and the gateways: takes connections on one port, hands them to the replicas by turns, and keeps every
/// byte of both directions. What came from the gateways is searched for canaries when it ends.
pub struct Wire {
    port: u16,
    said: Arc<Mutex<Vec<u8>>>,
    answered: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    /// From `port` to those of the gateways, which may begin to listen later.
    #[must_use]
    pub fn start(port: u16, gateways: &[u16]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
        let wire = Self { port, said: Arc::default(), answered: Arc::default() };
        let (said, answered, gateways) = (wire.said.clone(), wire.answered.clone(), gateways.to_vec());
        let turn = AtomicUsize::new(0);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let next = gateways[turn.fetch_add(1, Ordering::Relaxed) % gateways.len()];
                let Ok(gateway) = TcpStream::connect(("127.0.0.1", next)) else { continue };
                let (back, forth) = (pair(&gateway, &client), pair(&client, &gateway));
                let (said, answered) = (said.clone(), answered.clone());
                std::thread::spawn(move || carry(forth, &said));
                std::thread::spawn(move || carry(back, &answered));
            }
        });
        wire
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What was sent to the gateways, of all connections as it came.
    #[must_use]
    pub fn said(&self) -> String {
        text(&self.said)
    }

    /// What the gateways sent.
    #[must_use]
    pub fn answered(&self) -> String {
        text(&self.answered)
    }

    /// How often these bytes were sent to the gateways.
    #[must_use]
    pub fn count(&self, what: &str) -> usize {
        self.said().matches(what).count()
    }
}

fn text(bytes: &Mutex<Vec<u8>>) -> String {
    String::from_utf8_lossy(&bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}

fn pair(from: &TcpStream, to: &TcpStream) -> (TcpStream, TcpStream) {
    (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"))
}

fn carry((mut from, mut to): (TcpStream, TcpStream), kept: &Mutex<Vec<u8>>) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(read) = from.read(&mut bytes) {
        let Some(piece) = bytes.get(..read).filter(|piece| !piece.is_empty()) else { break };
        kept.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(piece);
        if to.write_all(piece).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

impl Drop for Wire {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(!self.answered().contains(CANARY), "a token of the upstream's left the gateway");
        }
    }
}

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A TCP proxy on loopback between any two parties, whose faults are switched while connections live.
///
/// Nothing that was taken is lost on a connection that goes on: what a partition holds back is delivered when it has healed, as TCP
/// does it.
pub struct FaultProxy {
    port: u16,
    shared: Arc<Shared>,
}

/// What the proxy does to every connection, old and new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// Bytes pass at once.
    Fair,
    /// Bytes pass so much later, in both directions.
    Slow(Duration),
    /// A byte at a time, each after this pause, in both directions.
    Drip(Duration),
    /// Nothing passes in this direction.
    Stalled(Way),
    /// Nothing passes, and new connections are taken and left alone: a partition.
    Partitioned,
    /// New connections end at once; old ones go on.
    Closed,
}

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From whoever connected.
    ToServer,
    /// Back to whoever connected.
    ToClient,
}

/// How connections end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// In order: both sides read the end.
    Cut,
    /// Both sides are told that it broke.
    Reset,
    /// This direction alone; the other goes on.
    Half(Way),
}

struct Shared {
    target: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    weather: Weather,
    /// Connections end so when this many more bytes have passed this way.
    trap: Option<(Way, usize, End)>,
    pairs: Vec<Arc<Pair>>,
    taken: usize,
    over: bool,
}

/// Both sides of a connection.
struct Pair {
    client: TcpStream,
    server: TcpStream,
    reset: AtomicBool,
}

impl FaultProxy {
    /// A proxy to `target`, on a port of its own.
    #[must_use]
    pub fn start(target: u16) -> Self {
        Self::start_at(crate::free_port(), target)
    }

    /// A proxy at `port`, to `target`.
    #[must_use]
    pub fn start_at(port: u16, target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
        let state = State { weather: Weather::Fair, trap: None, pairs: Vec::new(), taken: 0, over: false };
        let target = SocketAddr::from(([127, 0, 0, 1], target));
        let shared = Arc::new(Shared { target, state: Mutex::new(state), changed: Condvar::new() });
        let accepting = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().filter_map(Result::ok) {
                if accepting.lock().over {
                    return;
                }
                let shared = accepting.clone();
                std::thread::spawn(move || shared.carry(client));
            }
        });
        Self { port, shared }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on.
    pub fn turn(&self, weather: Weather) {
        self.shared.lock().weather = weather;
        self.shared.changed.notify_all();
    }

    /// The connection over which the byte after `bytes` more would pass this way ends instead; once.
    pub fn end_after(&self, way: Way, bytes: usize, end: End) {
        self.shared.lock().trap = Some((way, bytes, end));
    }

    /// Whether [`FaultProxy::end_after`] still waits for its byte.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.shared.lock().trap.is_some()
    }

    /// Ends every connection there is.
    pub fn end_all(&self, end: End) {
        let mut state = self.shared.lock();
        for pair in &state.pairs {
            pair.end(end);
        }
        if !matches!(end, End::Half(_)) {
            state.pairs.clear();
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// How many connections it has taken so far.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.shared.lock().taken
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.end_all(End::Cut);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `holds`, or until all is over.
    fn wait(&self, mut holds: impl FnMut(&State) -> bool) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        while !state.over && !holds(&state) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    fn carry(self: Arc<Self>, client: TcpStream) {
        {
            let mut state = self.lock();
            state.taken += 1;
            if state.weather == Weather::Closed {
                return;
            }
        }
        drop(self.wait(|state| state.weather != Weather::Partitioned));
        let Ok(server) = TcpStream::connect(self.target) else { return };
        for stream in [&client, &server] {
            let _ = stream.set_nodelay(true);
        }
        let (Ok(client_), Ok(server_)) = (client.try_clone(), server.try_clone()) else { return };
        let pair = Arc::new(Pair { client: client_, server: server_, reset: AtomicBool::new(false) });
        self.lock().pairs.push(pair.clone());
        let (Ok(client_), Ok(server_)) = (client.try_clone(), server.try_clone()) else { return };
        let (back, pair_) = (self.clone(), pair.clone());
        let answers = std::thread::spawn(move || back.pump(Way::ToClient, server_, client_, &pair_));
        self.pump(Way::ToServer, client, server, &pair);
        let _ = answers.join();
        self.lock().pairs.retain(|other| !Arc::ptr_eq(other, &pair));
    }

    fn pump(&self, way: Way, mut from: TcpStream, mut to: TcpStream, pair: &Arc<Pair>) {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => {
                    let _ = to.shutdown(Shutdown::Both);
                    return;
                }
            };
            let mut left = buffer.get(..read).unwrap_or_default();
            let arrived = Instant::now();
            while !left.is_empty() {
                let Some(part) = self.admitted(way, left, arrived) else {
                    if let Some((_, _, end)) = self.lock().trap.take() {
                        pair.end(end);
                    }
                    return;
                };
                if to.write_all(left.get(..part).unwrap_or_default()).is_err() {
                    let _ = from.shutdown(Shutdown::Both);
                    return;
                }
                left = left.get(part..).unwrap_or_default();
            }
        }
        if !pair.reset.load(Ordering::Acquire) {
            let _ = to.shutdown(Shutdown::Write);
        }
    }

    /// How many of these bytes may pass now; waits until some may. `None` where the connection ends before any of them.
    fn admitted(&self, way: Way, bytes: &[u8], arrived: Instant) -> Option<usize> {
        let stalls = |weather| weather == Weather::Partitioned || weather == Weather::Stalled(way);
        let weather = self.wait(|state| !stalls(state.weather)).weather;
        let part = match weather {
            Weather::Slow(delay) => {
                std::thread::sleep(delay.saturating_sub(arrived.elapsed()));
                bytes.len()
            }
            Weather::Drip(pause) => {
                std::thread::sleep(pause);
                1
            }
            _ => bytes.len(),
        };
        let mut state = self.lock();
        let Some((trapped, left, _)) = &mut state.trap else { return Some(part) };
        if *trapped != way {
            return Some(part);
        }
        let part = part.min(*left);
        *left -= part;
        (part > 0).then_some(part)
    }
}

impl Pair {
    fn end(&self, end: End) {
        match end {
            End::Cut => {
                let _ = self.client.shutdown(Shutdown::Both);
                let _ = self.server.shutdown(Shutdown::Both);
            }
            End::Reset => {
                self.reset.store(true, Ordering::Release);
                for stream in [&self.client, &self.server] {
                    // The reset is sent when the last handle is dropped; the end of reading wakes who holds the others.
                    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
                    let _ = stream.shutdown(Shutdown::Read);
                }
            }
            End::Half(Way::ToServer) => drop(self.server.shutdown(Shutdown::Write)),
            End::Half(Way::ToClient) => drop(self.client.shutdown(Shutdown::Write)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends back what it gets, and a client behind the proxy.
    fn echo() -> (FaultProxy, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().filter_map(Result::ok) {
                std::thread::spawn(move || {
                    let mut copy = stream.try_clone().unwrap();
                    let _ = std::io::copy(&mut copy, &mut stream);
                });
            }
        });
        let proxy = FaultProxy::start(target);
        let client = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
        client.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        (proxy, client)
    }

    fn exchange(client: &mut TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
        client.write_all(text)?;
        let mut back = vec![0; text.len()];
        client.read_exact(&mut back)?;
        Ok(back)
    }

    #[test]
    fn a_partition_holds_back_and_loses_nothing() {
        let (proxy, mut client) = echo();
        assert_eq!(exchange(&mut client, b"one").unwrap(), b"one");
        for weather in [Weather::Partitioned, Weather::Stalled(Way::ToServer), Weather::Stalled(Way::ToClient)] {
            proxy.turn(weather);
            assert_eq!(exchange(&mut client, b"two").unwrap_err().kind(), ErrorKind::WouldBlock, "{weather:?}");
            proxy.turn(Weather::Fair);
            let mut back = [0; 3];
            client.read_exact(&mut back).unwrap();
            assert_eq!(&back, b"two");
        }
    }

    #[test]
    fn slow_is_slow() {
        let (proxy, mut client) = echo();
        for weather in [Weather::Slow(Duration::from_millis(50)), Weather::Drip(Duration::from_millis(20))] {
            proxy.turn(weather);
            let begun = Instant::now();
            assert_eq!(exchange(&mut client, b"three").unwrap(), b"three");
            assert!(begun.elapsed() >= Duration::from_millis(100), "{weather:?}");
        }
    }

    #[test]
    fn connections_end_as_they_are_told_to() {
        for (end, kind) in [(End::Cut, ErrorKind::UnexpectedEof), (End::Reset, ErrorKind::ConnectionReset)] {
            let (proxy, mut client) = echo();
            exchange(&mut client, b"one").unwrap();
            proxy.end_all(end);
            let mut byte = [0];
            assert_eq!(client.read_exact(&mut byte).unwrap_err().kind(), kind);

            let (proxy, mut client) = echo();
            proxy.end_after(Way::ToClient, 2, end);
            client.write_all(b"four").unwrap();
            let mut back = Vec::new();
            let _ = client.read_to_end(&mut back);
            assert!(back.len() <= 2, "{back:?}");
            assert!(!proxy.is_set());
        }
    }

    #[test]
    fn a_closed_door_is_closed_for_those_who_come() {
        let (proxy, mut client) = echo();
        exchange(&mut client, b"one").unwrap();
        proxy.turn(Weather::Closed);
        let mut late = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
        assert!(exchange(&mut late, b"two").is_err());
        assert_eq!(exchange(&mut client, b"one").unwrap(), b"one");
        proxy.end_all(End::Half(Way::ToClient));
        let mut byte = [0];
        assert_eq!(client.read(&mut byte).unwrap(), 0);
    }
}

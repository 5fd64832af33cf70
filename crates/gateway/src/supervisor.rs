//! What systemd is told where it started the gateway with `Type=notify`: the little of `sd_notify(3)` that is needed, without its library.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use rustix::time::{ClockId, clock_gettime};

use crate::config::Environment;

/// Something that whoever waits for the gateway wants to know.
#[derive(Debug, Clone, Copy)]
pub(crate) enum State {
    /// It listens, and whatever it needs has answered.
    Ready,
    /// It reads its configuration again, and serves meanwhile; `Ready` follows.
    Reloading,
    /// It was told to stop, and finishes what is under way.
    Stopping,
}

/// Says it to whoever started this process and asked to be told; nobody else hears of it. That it cannot be said ends nothing: a supervisor
/// that waits for it says so itself.
pub(crate) fn tell(environment: &dyn Environment, state: State) {
    let Some(place) = environment.variable("NOTIFY_SOCKET") else { return };
    if let Err(error) = send(&place, state) {
        tracing::warn!(error = %error, ?state, "systemd could not be told");
    }
}

fn send(place: &OsStr, state: State) -> io::Result<()> {
    let words = match state {
        State::Ready => "READY=1\nSTATUS=takes connections".to_owned(),
        State::Reloading => format!("RELOADING=1\nMONOTONIC_USEC={}\nSTATUS=reads its configuration", monotonic()),
        State::Stopping => "STOPPING=1\nSTATUS=finishes what is under way".to_owned(),
    };
    UnixDatagram::unbound()?.send_to_addr(words.as_bytes(), &address(place)?).map(drop)
}

/// By which systemd tells the answer to its wish from an older one, in microseconds.
fn monotonic() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1000)
}

/// A path, or what stands behind an @ in Linux's namespace without files.
fn address(place: &OsStr) -> io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(name) = place.as_bytes().strip_prefix(b"@") {
        return <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name);
    }
    SocketAddr::from_pathname(std::path::Path::new(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_at_a_path_and_without_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let name = format!("@{}", path.display());
        for place in [path.into_os_string(), name.into()] {
            let systemd = UnixDatagram::bind_addr(&address(&place).expect("an address")).expect("bound");
            send(&place, State::Ready).expect("sent");
            send(&place, State::Reloading).expect("sent");
            send(&place, State::Stopping).expect("sent");
            let mut heard = [0; 128];
            let length = systemd.recv(&mut heard).expect("heard");
            assert!(heard.get(..length).is_some_and(|said| said.starts_with(b"READY=1\n")));
            let length = systemd.recv(&mut heard).expect("heard");
            let said = heard.get(..length).map(String::from_utf8_lossy).expect("said");
            let at = said.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").and_then(|rest| rest.split('\n').next());
            assert!(at.and_then(|at| at.parse::<i64>().ok()).is_some_and(|at| at > 0), "{said}");
            let length = systemd.recv(&mut heard).expect("heard");
            assert!(heard.get(..length).is_some_and(|said| said.starts_with(b"STOPPING=1\n")));
        }
    }

    #[test]
    fn nobody_there_is_an_error() {
        assert!(send(OsStr::new("/no/such/socket"), State::Ready).is_err());
    }
}

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// The first of a gateway's listeners: refused where anybody listens there already. The kernel would let another process of this user share the
/// address, and give each some of the connections.
pub(crate) fn first(address: SocketAddr) -> io::Result<TcpListener> {
    let alone = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    alone.set_reuse_address(true)?;
    // It never listens, so that nobody connects to it.
    alone.bind(&address.into())?;
    drop(alone);
    bind(address)
}

/// A listener that shares its address with those of the other cores; the kernel spreads connections over them.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

const BACKLOG: i32 = 1024;

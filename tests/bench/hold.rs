//! Idle connections, held by processes of their own: one may have only so many files open.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::client::Shot;
use crate::peers::Running;

/// Connections that each have carried one request, and stay open until this is dropped.
pub(crate) struct Held(#[expect(dead_code, reason = "holds them by being there")] Vec<Running>);

/// Opens so many; as many as the system lets.
pub(crate) fn held(shot: &Shot, connections: u32) -> (Held, u32) {
    let program = std::env::current_exe().expect("a path");
    let (mut holders, mut open) = (Vec::new(), 0);
    for (number, first) in (0..connections).step_by(EACH as usize).enumerate() {
        let wanted = EACH.min(connections - first);
        let arguments = [u32::from(shot.port()), wanted, number as u32].map(|number| number.to_string());
        let mut command = Command::new(&program);
        let child = command.arg("hold").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut holder = Running::new(child.expect("it runs"));
        let child = holder.child();
        child.stdin.take().expect("an input").write_all(shot.request()).expect("written");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("an output")).read_line(&mut line).expect("a line");
        let got: u32 = line.trim().parse().expect("a number");
        holders.push(holder);
        open += got;
        if got < wanted {
            break;
        }
    }
    (Held(holders), open)
}

/// The process that holds: port, number of connections, number of the source address; the request on standard input.
pub(crate) fn hold(arguments: &[String]) {
    let [port, connections, source] = [0, 1, 2].map(|at| arguments[at].parse::<u32>().expect("a number"));
    let mut request = Vec::new();
    std::io::stdin().read_to_end(&mut request).expect("a request");
    let source = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 1)) + source);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut open = Vec::new();
        while open.len() < connections as usize {
            match opened(port as u16, source, &request).await {
                Ok(stream) => open.push(stream),
                Err(error) => {
                    eprintln!("no more than {}: {error}", open.len());
                    break;
                }
            }
        }
        println!("{}", open.len());
        std::io::stdout().flush().expect("written");
        std::future::pending::<()>().await;
    });
}

async fn opened(port: u16, source: Ipv4Addr, request: &[u8]) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(IpAddr::V4(source), 0))?;
    let mut stream = socket.connect(SocketAddr::from(([127, 0, 0, 1], port))).await?;
    stream.write_all(request).await?;
    let mut answer = vec![0; 16 << 10];
    let mut length = 0;
    while length < SHORTEST {
        match stream.read(&mut answer[length..]).await? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => length += read,
        }
    }
    Ok(stream)
}

/// Fewer than a process may have files open, and than there are ports for one address.
const EACH: u32 = 15_000;
/// Of the answer to `/small`, head and body.
const SHORTEST: usize = 200;

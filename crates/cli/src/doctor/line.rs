//! The line to the gateway: its name, its address, its certificate.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::findings::Findings;
use crate::gateway::Gateway;

/// `None` where the gateway cannot be reached.
pub(super) async fn examine(gateway: &Gateway, findings: &mut Findings) -> Option<()> {
    let url = gateway.url().at("/").ok()?;
    let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = url.port_or_known_default()?;
    let addresses = resolve(&host, port, findings).await?;
    let stream = connect(&addresses, port, findings).await?;
    if url.scheme() != "https" {
        findings.ok("certificate", "none is needed on this machine");
        return Some(());
    }
    let config = match crate::egress::tls() {
        Ok(config) => config,
        Err(error) => {
            findings.failed(
                "certificate",
                error.to_string(),
                "Check SSL_CERT_FILE, and install this system's certificates.",
            );
            return None;
        }
    };
    handshake(&host, stream, config, findings).await
}

async fn resolve(host: &str, port: u16, findings: &mut Findings) -> Option<Vec<SocketAddr>> {
    let remedy = "Check the gateway's URL, this machine's DNS settings (/etc/resolv.conf) and your VPN.";
    match tokio::time::timeout(PATIENCE, tokio::net::lookup_host((host, port))).await {
        Err(_) => findings.failed("DNS", format!("{host}: no answer in {} s", PATIENCE.as_secs()), remedy),
        Ok(Err(error)) => findings.failed("DNS", format!("{host}: {error}"), remedy),
        Ok(Ok(found)) => {
            let found: Vec<SocketAddr> = found.collect();
            let mut shown: Vec<String> = found.iter().map(|address| address.ip().to_string()).collect();
            shown.dedup();
            if !found.is_empty() {
                findings.ok("DNS", format!("{host} is {}", shown.join(", ")));
                return Some(found);
            }
            findings.failed("DNS", format!("{host} has no address"), remedy);
        }
    }
    None
}

async fn connect(addresses: &[SocketAddr], port: u16, findings: &mut Findings) -> Option<TcpStream> {
    match tokio::time::timeout(PATIENCE, TcpStream::connect(addresses)).await {
        Ok(Ok(stream)) => {
            findings.ok("connection", format!("port {port} answers"));
            return Some(stream);
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            let remedy =
                "Check the port in the gateway's URL; if it is right, the gateway does not run: tell its operator.";
            findings.failed("connection", format!("nothing listens on port {port}"), remedy);
        }
        Ok(Err(error)) => {
            findings.failed(
                "connection",
                format!("port {port}: {error}"),
                "Check your network, your VPN and its firewall.",
            );
        }
        Err(_) => {
            let says = format!("port {port}: no answer in {} s", PATIENCE.as_secs());
            findings.failed("connection", says, "Check your network, your VPN and its firewall.");
        }
    }
    None
}

async fn handshake(host: &str, stream: TcpStream, config: ClientConfig, findings: &mut Findings) -> Option<()> {
    let name = ServerName::try_from(host.to_owned()).ok()?;
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let (says, remedy) = match tokio::time::timeout(PATIENCE, connected).await {
        Ok(Ok(_)) => {
            findings.ok("certificate", format!("it is {host}'s, and trusted here"));
            return Some(());
        }
        Ok(Err(error)) => (explained(&error), remedy(&error)),
        Err(_) => (format!("no answer in {} s", PATIENCE.as_secs()), OTHER),
    };
    findings.failed("certificate", says, remedy);
    None
}

fn explained(error: &io::Error) -> String {
    let inner = error.get_ref().map_or_else(|| error.to_string(), ToString::to_string);
    inner.strip_prefix("invalid peer certificate: ").unwrap_or(&inner).to_owned()
}

fn remedy(error: &io::Error) -> &'static str {
    let inner = error.get_ref().map(|inner| inner as &(dyn Error + 'static)).and_then(|inner| inner.downcast_ref());
    let Some(rustls::Error::InvalidCertificate(why)) = inner else { return OTHER };
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "Check this machine's clock; if it is right, tell the gateway's operator to renew the certificate."
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "Check this machine's clock; it may be behind."
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "Check the host in the gateway's URL; the certificate is for another one."
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "If the gateway's authority is your organisation's own, let SSL_CERT_FILE name a file with its certificate; if not, somebody stands in between."
        }
        _ => OTHER,
    }
}

const OTHER: &str = "Check that the URL is an https one of the gateway's, and that nothing in between ends TLS.";
const PATIENCE: Duration = Duration::from_secs(10);

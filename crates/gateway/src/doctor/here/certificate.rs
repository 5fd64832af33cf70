//! The gateway's own certificate: for which names, and for how long.

use protocol::Clock;
use rustls_pki_types::{DnsName, IpAddr, ServerName};
use url::{Host, Url};
use webpki::EndEntityCert;

use super::super::report::{Finding, Report};
use super::clock::of_certificate;
use crate::config::Config;
use crate::system::SystemClock;

pub(super) fn examine(report: &mut Report, config: &Config) {
    let public = &config.gateway.public_url;
    let Some(tls) = &config.gateway.tls else {
        if public.scheme() == "https" {
            report.add(Finding::note(
                "TLS",
                "ends in front of the gateway, as tls is not set; its certificate is looked at there",
            ));
        }
        return;
    };
    let Some(leaf) = tls.cert_chain.first() else { return };
    let names = config.providers.iter().filter_map(|provider| provider.host.as_deref());
    let wanted = names.filter_map(|name| DnsName::try_from(name.to_owned()).ok()).map(ServerName::DnsName);
    let read = EndEntityCert::try_from(leaf);
    for name in host(public).into_iter().chain(wanted) {
        let about = format!("certificate for {}", name.to_str());
        report.add(match read.as_ref().map(|leaf| leaf.verify_is_valid_for_subject_name(&name)) {
            Ok(Ok(())) => Finding::well(about, "is for that name"),
            Ok(Err(_)) => {
                Finding::wrong(about, "is for other names; have one issued for this one, too, and name it in cert_file")
            }
            Err(_) => Finding::wrong(about, "cannot be read; look at cert_file"),
        });
    }
    report.add(lasts(of_certificate(leaf)));
}

fn host(public: &Url) -> Option<ServerName<'static>> {
    match public.host()? {
        Host::Domain(name) => DnsName::try_from(name.to_owned()).ok().map(ServerName::DnsName),
        Host::Ipv4(ip) => Some(ServerName::IpAddress(IpAddr::from(std::net::IpAddr::V4(ip)))),
        Host::Ipv6(ip) => Some(ServerName::IpAddress(IpAddr::from(std::net::IpAddr::V6(ip)))),
    }
}

/// `validity` in Unix seconds.
fn lasts(validity: Option<(i64, i64)>) -> Finding {
    let about = "certificate's time";
    let Some((begins, ends)) = validity else {
        return Finding::note(about, "cannot be read");
    };
    let now = i64::try_from(SystemClock.now().as_secs()).unwrap_or(i64::MAX);
    let days = (ends - now).div_euclid(DAY);
    if now < begins {
        return Finding::wrong(
            about,
            "has not begun by this machine's clock; look at the clock, or have another one issued",
        );
    }
    match days {
        ..0 => Finding::wrong(about, "is over; renew it, and see that it is renewed in time"),
        0..SOON => {
            Finding::wrong(about, format!("is over in {days} days; renew it, and see that it is renewed in time"))
        }
        _ => Finding::well(about, format!("is over in {days} days")),
    }
}

/// In seconds.
const DAY: i64 = 24 * 60 * 60;
/// In days.
const SOON: i64 = 14;

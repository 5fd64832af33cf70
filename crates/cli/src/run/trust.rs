use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;

/// Which certificates a program may trust: what it would have trusted, and the user's own authority. In files that live as long as the run.
pub(super) struct Trust {
    variables: Vec<(&'static str, PathBuf)>,
    _folder: TempDir,
}

impl Trust {
    /// Writes them. `variable` is the environment as it is, `roots` are the system's certificates.
    pub(super) fn write(
        authority: &str,
        roots: &[CertificateDer<'_>],
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> io::Result<Self> {
        let parents = [variable("XDG_RUNTIME_DIR"), variable("TMPDIR"), Some("/tmp".to_owned())];
        let parent = parents.into_iter().flatten().find(|parent| Path::new(parent).is_dir()).unwrap_or_default();
        // Whatever the umask is: whoever could put another file here would be trusted with everything.
        let mut builder = tempfile::Builder::new();
        let folder = builder.prefix("ath-run-").permissions(Permissions::from_mode(0o700)).tempdir_in(parent)?;
        let system: String = roots.iter().map(|root| pem(root)).collect();
        let mut variables = Vec::new();
        for (name, kind, heirs) in VARIABLES {
            let own = heirs.iter().find_map(|name| variable(name)).and_then(|path| std::fs::read_to_string(path).ok());
            let before = match (own, kind) {
                (Some(own), _) => own,
                (None, Kind::Replaces) => system.clone(),
                (None, Kind::Adds) => String::new(),
            };
            variables.push((*name, file(folder.path(), name, &before, authority)?));
        }
        Ok(Self { variables, _folder: folder })
    }

    /// The variables that lead to them.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        self.variables.iter().map(|(name, path)| (*name, path.as_path()))
    }
}

/// What a variable does to the certificates that a program trusts by itself.
#[derive(Clone, Copy)]
enum Kind {
    Replaces,
    Adds,
}

/// The variables, and those whose file a program would have taken without it, in the program's own order.
const VARIABLES: &[(&str, Kind, &[&str])] = &[
    ("SSL_CERT_FILE", Kind::Replaces, &["SSL_CERT_FILE"]),
    ("CURL_CA_BUNDLE", Kind::Replaces, &["CURL_CA_BUNDLE", "SSL_CERT_FILE"]),
    ("REQUESTS_CA_BUNDLE", Kind::Replaces, &["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]),
    ("GIT_SSL_CAINFO", Kind::Replaces, &["GIT_SSL_CAINFO"]),
    ("NODE_EXTRA_CA_CERTS", Kind::Adds, &["NODE_EXTRA_CA_CERTS"]),
    ("DENO_CERT", Kind::Adds, &["DENO_CERT"]),
];

fn file(folder: &Path, name: &str, before: &str, authority: &str) -> io::Result<PathBuf> {
    let path = folder.join(format!("{name}.pem"));
    let gap = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    file.write_all(format!("{before}{gap}{authority}").as_bytes())?;
    Ok(path)
}

fn pem(certificate: &[u8]) -> String {
    let text = BASE64.encode(certificate);
    let mut lines = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        lines.push_str(line);
        lines.push('\n');
        rest = after;
    }
    lines.push_str("-----END CERTIFICATE-----\n");
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(trust: &Trust, name: &str) -> String {
        let (_, path) = trust.variables().find(|(known, _)| *known == name).expect("a variable");
        std::fs::read_to_string(path).expect("a file")
    }

    #[test]
    fn nothing_that_was_trusted_is_lost() {
        let roots = [CertificateDer::from(vec![7; 100])];
        let folder = TempDir::new().expect("a folder");
        let own = folder.path().join("own.pem");
        std::fs::write(&own, "OWN").expect("written");
        let own = own.display().to_string();
        let variable = |name: &str| (name == "CURL_CA_BUNDLE" || name == "NODE_EXTRA_CA_CERTS").then(|| own.clone());
        let trust = Trust::write("AUTHORITY\n", &roots, &variable).expect("files");
        for (name, begins) in [
            ("SSL_CERT_FILE", "-----BEGIN CERTIFICATE-----\nBwcH"),
            ("CURL_CA_BUNDLE", "OWN\n"),
            ("REQUESTS_CA_BUNDLE", "OWN\n"),
            ("GIT_SSL_CAINFO", "-----BEGIN CERTIFICATE-----\nBwcH"),
            ("NODE_EXTRA_CA_CERTS", "OWN\n"),
            ("DENO_CERT", "AUTHORITY\n"),
        ] {
            let text = of(&trust, name);
            assert!(text.starts_with(begins) && text.ends_with("AUTHORITY\n"), "{name}: {text}");
        }
        let path = trust.variables().next().expect("one").1.to_owned();
        drop(trust);
        assert!(!path.exists(), "they end with the run");
    }
}

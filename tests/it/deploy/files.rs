//! The image, compose, Kubernetes' manifests, the systemd unit, the scripts and the configurations.

use std::fs;

use tempfile::TempDir;
use tests::binary;

use super::{ask, blocks, client, content, deployed, refused, root, tool};

#[test]
fn the_images_are_as_hadolint_wants_them() {
    for file in ["Dockerfile", "Dockerfile.prebuilt"] {
        content(&tool("hadolint"), &["--failure-threshold", "style", &deployed(file)], "");
    }
    refused(&tool("hadolint"), &["-"], "FROM debian\nRUN cd /tmp\n", "DL3003");
    // Both end in the same image.
    let end = |file: &str| {
        let text = fs::read_to_string(deployed(file)).expect("a file");
        let last = text.rsplit_once("FROM scratch\n").expect("from scratch").1.to_owned();
        last.lines().filter(|line| !line.starts_with("COPY")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(end("Dockerfile"), end("Dockerfile.prebuilt"));
}

#[test]
fn compose_reads_its_file() {
    let folder = TempDir::new().expect("a folder");
    let services = content("docker-compose", &["-f", &deployed("compose.yaml"), "config", "--services"], "");
    let mut services: Vec<&str> = services.lines().collect();
    services.sort_unstable();
    assert_eq!(services, ["gateway-1", "gateway-2", "nginx", "redis"]);
    // Every secret that a configuration names is one that compose mounts, and every one that is mounted is made or said to be yours.
    let text = fs::read_to_string(deployed("compose.yaml")).expect("a file");
    for file in ["gateway.toml", "redis.conf", "nginx.conf"] {
        let configuration = fs::read_to_string(deployed(file)).expect("a file");
        for rest in configuration.split("/run/secrets/").skip(1) {
            let name = rest.split(['"', ';', '\n']).next().expect("a name");
            assert!(text.contains(&format!("  {name}: {{ file: ./secrets/{name} }}")), "{name} of {file}");
        }
    }
    content(&deployed("make-secrets"), &[&folder.path().display().to_string()], "");
    for name in text.split("file: ./secrets/").skip(1).filter_map(|rest| rest.split(' ').next()) {
        assert!(name == "crm" || folder.path().join(name).exists(), "{name}");
    }
}

#[test]
fn kubernetes_takes_the_manifests() {
    let folder = TempDir::new().expect("a folder");
    let (own, others) = (folder.path().join("own.yaml"), folder.path().join("others.jsonl"));
    let (own, others) = (own.display().to_string(), others.display().to_string());
    let base = content("kubectl", &["kustomize", &deployed("kubernetes/base")], "");
    let kinds = content(&tool("python"), &[&client("manifests.py"), &own, &others], &base);
    assert_eq!(
        kinds.trim(),
        "ConfigMap Namespace NetworkPolicy PodDisruptionBudget Service Service ServiceAccount StatefulSet"
    );
    content(&tool("kubernetes-validate"), &["--strict", &own], "");
    let broken = base.replace("readOnlyRootFilesystem", "readOnlyRootFilesytem");
    content(&tool("python"), &[&client("manifests.py"), &own, &others], &broken);
    refused(&tool("kubernetes-validate"), &["--strict", &own], "", "readOnlyRootFilesytem");

    for file in ["httproute.yaml", "servicemonitor.yaml"] {
        let text = fs::read_to_string(deployed(&format!("kubernetes/more/{file}"))).expect("a file");
        content(&tool("python"), &[&client("manifests.py"), &own, &others], &text);
        let checked = fs::read_to_string(&others).expect("written");
        assert_eq!(content("node", &[&client("custom_resources.mjs")], &checked).trim(), "1 are right");
        refused("node", &[&client("custom_resources.mjs")], &checked.replace("\"spec\"", "\"specs\""), "spec");
    }
}

#[test]
fn systemd_takes_the_unit_and_finds_it_closed() {
    let folder = TempDir::new().expect("a folder");
    let unit = fs::read_to_string(deployed("systemd/ath-gateway.service")).expect("a file");
    // What it starts has to be there.
    let here = unit.replace("/usr/bin/ath-gateway", &binary().display().to_string());
    let file = folder.path().join("ath-gateway.service");
    fs::write(&file, &here).expect("written");
    let file = file.display().to_string();
    content("systemd-analyze", &["verify", "--man=no", &file], "");
    // In tenths: 2.0 is "OK", from 5 on it would be "MEDIUM".
    content("systemd-analyze", &["security", "--offline=yes", "--threshold=20", "--no-pager", &file], "");
    fs::write(&file, here.replace("NoNewPrivileges=yes", "NoNewPrivilege=yes")).expect("written");
    let ended = ask("systemd-analyze", &["verify", "--man=no", &file], "");
    assert!(super::all(&ended).contains("NoNewPrivilege"), "a misspelt key is found");
}

#[test]
fn the_scripts_and_the_yaml_are_clean() {
    let scripts = ["make-secrets", "one-machine", "image", "package", "site"].map(deployed);
    let scripts: Vec<&str> = scripts.iter().map(String::as_str).collect();
    content(&tool("shellcheck"), &scripts, "");
    let rules =
        "{extends: default, rules: {line-length: disable, document-start: disable, braces: {max-spaces-inside: 1}}}";
    let places = [
        "compose.yaml",
        "envoy.yaml",
        "kubernetes",
        "prometheus",
        "helm/ath-gateway/Chart.yaml",
        "helm/ath-gateway/values.yaml",
    ];
    for place in places.map(deployed) {
        content(&tool("yamllint"), &["--strict", "-d", rules, &place], "");
    }
    refused(&tool("yamllint"), &["--strict", "-d", rules, "-"], "a: 1\na: 2\n", "duplication");
}

#[test]
fn the_configurations_pass_the_gateways_own_check() {
    let folder = TempDir::new().expect("a folder");
    let place = folder.path().display().to_string();
    content(&deployed("make-secrets"), &[&place], "");
    fs::write(folder.path().join("crm"), "a-client-secret").expect("written");
    let values = fs::read_to_string(deployed("helm/ath-gateway/values.yaml")).expect("a file");
    let of_the_chart = values.split_once("\nconfig: |\n").expect("a configuration").1.replace("\n  ", "\n");
    let of = |file: &str| fs::read_to_string(root().join("deploy").join(file)).expect("a file");
    for text in [of("gateway.toml"), of("kubernetes/base/gateway.toml"), of_the_chart] {
        let path = folder.path().join("gateway.toml");
        fs::write(&path, text.replace("/run/secrets", &place).replace("/var/lib/ath-gateway", &place))
            .expect("written");
        let said = content(&binary().display().to_string(), &["check", "--config", &path.display().to_string()], "");
        assert!(said.contains("https://gateway.example.com/ath/callback"), "{said}");
    }
}

#[test]
fn the_guides_settings_pass_it_too() {
    let folder = TempDir::new().expect("a folder");
    let place = folder.path().display().to_string();
    content(&deployed("make-secrets"), &[&place], "");
    for name in ["redis-password", "sign-in", "crm"] {
        fs::write(folder.path().join(name), "a-secret").expect("written");
    }
    let gateway = "[gateway]\npublic_url = \"https://gateway.example.com\"\n\n";
    let provider = "[[provider]]\nid = \"crm\"\napi_base = \"https://crm.internal/api\"\n\n";
    let way = "[provider.oauth]\nauthorize_endpoint = \"https://crm.internal/authorize\"\ntoken_endpoint = \"https://crm.internal/token\"\n\
        client_id = \"ath-gateway\"\n";
    let scopes = "\n[provider.scopes]\n\"read\" = { says = \"See things\", allow = [\"GET /things\"] }\n";
    let stores = blocks("many-gateways.md", "toml");
    let keycloak = blocks("keycloak.md", "toml");
    assert_eq!((stores.len(), keycloak.len()), (2, 2));
    let mut texts: Vec<String> = stores.iter().map(|store| [gateway, store, provider, way, scopes].concat()).collect();
    texts.push([gateway, &keycloak[0], provider, way, scopes].concat());
    texts.push([gateway, &keycloak[0], provider, &keycloak[1], scopes].concat());
    for text in texts {
        let path = folder.path().join("gateway.toml");
        fs::write(&path, text.replace("/run/secrets", &place)).expect("written");
        content(&binary().display().to_string(), &["check", "--config", &path.display().to_string()], "");
    }
}

//! The chart: linted and rendered by helm's own libraries, and what comes of it held against Kubernetes' schemas.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{client, content, deployed, refused, tool};

fn rendered(values: &Value) -> String {
    let arguments = [client("helm_chart.py"), deployed("helm/ath-gateway")];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    content(&tool("python"), &arguments, &values.to_string())
}

/// The kinds of what is rendered, after everything was held against its schema.
fn kinds(manifests: &str) -> String {
    let folder = TempDir::new().expect("a folder");
    let (own, others) = (folder.path().join("own.yaml"), folder.path().join("others.jsonl"));
    let (own, others) = (own.display().to_string(), others.display().to_string());
    let kinds = content(&tool("python"), &[&client("manifests.py"), &own, &others], manifests);
    content(&tool("kubernetes-validate"), &["--strict", &own], "");
    let others = fs::read_to_string(&others).expect("written");
    content("node", &[&client("custom_resources.mjs")], &others);
    kinds.trim().to_owned()
}

fn without_journal() -> Value {
    let values = fs::read_to_string(deployed("helm/ath-gateway/values.yaml")).expect("a file");
    let config = values.split_once("\nconfig: |\n").expect("a configuration").1.replace("\n  ", "\n");
    let config = config.trim_start().replace("[store]\n", "[store]\njournal = \"off\"\n");
    json!({"config": config, "journal": {"enabled": false}})
}

#[test]
fn as_it_comes_it_is_two_gateways_with_a_volume_each() {
    let manifests = rendered(&json!({}));
    assert_eq!(
        kinds(&manifests),
        "ConfigMap NetworkPolicy PodDisruptionBudget Service Service ServiceAccount StatefulSet"
    );
    assert!(manifests.contains("replicas: 2") && manifests.contains("readOnlyRootFilesystem: true"), "{manifests}");
    assert!(!manifests.contains("kind: Secret\n"), "secrets are somebody else's");
}

#[test]
fn everything_switched_on_is_right_too() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let values = json!({
        "image": {"repository": "registry.internal/ath-gateway", "digest": digest},
        "imagePullSecrets": [{"name": "registry"}],
        "replicas": 3,
        "journal": {"enabled": true, "size": "2Gi", "storageClass": "local"},
        "route": {"enabled": true, "hostnames": ["agents.example.com"], "parentRefs": [{"name": "public"}]},
        "serviceMonitor": {"enabled": true, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": true, "labels": {"release": "prometheus"}},
        "service": {"type": "LoadBalancer", "port": 443, "annotations": {"a": "b"}},
        "networkPolicy": {"servicePorts": [443, 8443]},
        "podAnnotations": {"a": "b"}, "podLabels": {"team": "platform"},
        "nodeSelector": {"kubernetes.io/os": "linux"}, "priorityClassName": "high",
        "tolerations": [{"key": "gateways", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "extraEnv": [{"name": "SSL_CERT_FILE", "value": "/etc/ca/ca.crt"}],
        "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca"}],
    });
    let manifests = rendered(&values);
    assert_eq!(
        kinds(&manifests),
        "ConfigMap HTTPRoute NetworkPolicy PodDisruptionBudget PrometheusRule Service Service ServiceAccount ServiceMonitor StatefulSet"
    );
    assert!(manifests.contains(&format!("registry.internal/ath-gateway@{digest}")), "{manifests}");
    assert!(manifests.contains("AthGatewayStoreFails"), "{manifests}");
}

#[test]
fn without_a_journal_it_is_a_deployment_and_says_so() {
    let manifests = rendered(&without_journal());
    assert_eq!(
        kinds(&manifests),
        "ConfigMap Deployment NetworkPolicy PodDisruptionBudget Service Service ServiceAccount"
    );
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let arguments = [client("helm_chart.py"), deployed("helm/ath-gateway")];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    for (values, says) in [
        (json!({"replica": 3}), "replica"),
        (json!({"replicas": 0}), "replicas"),
        (json!({"image": {"repository": "x", "digest": "latest"}}), "digest"),
        (json!({"journal": {"enabled": false}}), "journal"),
        (json!({"config": without_journal()["config"]}), "journal"),
    ] {
        refused(&tool("python"), &arguments, &values.to_string(), says);
    }
}

#[test]
fn the_alerts_in_the_chart_are_the_ones_that_are_tested() {
    let read = |path: &str| fs::read_to_string(deployed(path)).expect("a file");
    assert_eq!(read("helm/ath-gateway/files/alerts.yaml"), read("prometheus/alerts.yaml"), "copy it again");
}

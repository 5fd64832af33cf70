use broker::{ConfiguredProof, Enterprise, EnterpriseKeys};

use super::*;

fn of(settings: &FrontSettings) -> Value {
    let urls = Urls::new(&"https://gw.example".parse().expect("a URL"));
    document(&urls, settings, &["openid", "crm"])
}

fn grants_of(settings: &FrontSettings) -> Vec<String> {
    serde_json::from_value(of(settings)["grant_types_supported"].clone()).expect("names")
}

fn machine(grant: GrantType) -> ConfiguredClient {
    ConfiguredClient {
        name: "Machine".to_owned(),
        developer: "Example".to_owned(),
        redirect_uris: Vec::new(),
        proof: ConfiguredProof::None,
        grants: vec![grant],
        may: None,
        id_token_audiences: Vec::new(),
        introspects: Vec::new(),
    }
}

#[test]
fn what_is_always_there() {
    let document = of(&FrontSettings::default());
    assert_eq!(document["issuer"], "https://gw.example");
    assert_eq!(document["authorization_endpoint"], "https://gw.example/oauth/authorize");
    assert_eq!(document["token_endpoint"], "https://gw.example/oauth/token");
    assert_eq!(document["jwks_uri"], "https://gw.example/.well-known/jwks.json");
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(document["response_types_supported"], json!(["code"]));
    assert_eq!(document["scopes_supported"], json!(["openid", "crm"]));
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    assert_eq!(document["request_uri_parameter_supported"], false);
    for required in ["subject_types_supported", "id_token_signing_alg_values_supported", "userinfo_endpoint"] {
        assert!(document.get(required).is_some(), "{required}");
    }
    let none = |name: &str| document[name].as_array().expect("a list").contains(&json!("none"));
    assert!(none("token_endpoint_auth_methods_supported") && none("revocation_endpoint_auth_methods_supported"));
    assert!(!none("introspection_endpoint_auth_methods_supported"));
}

#[test]
fn what_is_off_is_not_announced() {
    let closed = FrontSettings { registration: SelfRegistration::Closed, ..FrontSettings::default() };
    assert_eq!(of(&closed).get("registration_endpoint"), None);
    assert_eq!(of(&closed).get("client_id_metadata_document_supported"), None);
    let usual = of(&FrontSettings::default());
    assert_eq!(usual["registration_endpoint"], "https://gw.example/oauth/register");
    for documents in [ClientDocuments::At(Vec::new()), ClientDocuments::Everywhere] {
        let settings = FrontSettings { documents, ..FrontSettings::default() };
        assert_eq!(of(&settings)["client_id_metadata_document_supported"], true);
    }
}

#[test]
fn grants_that_need_configuring_are_announced_where_they_are_configured() {
    let (device, exchange) = (GrantType::DeviceCode.as_str(), GrantType::TokenExchange.as_str());
    assert_eq!(grants_of(&FrontSettings::default()), ["authorization_code", "refresh_token", device, exchange]);
    let mut settings = FrontSettings::default();
    settings.clients.insert("machine".to_owned(), machine(GrantType::ClientCredentials));
    assert!(grants_of(&settings).contains(&GrantType::ClientCredentials.as_str().to_owned()));
    for (taken, announced) in [(IdentityAssertions::Taken, true), (IdentityAssertions::Refused, false)] {
        let keys = EnterpriseKeys::Given(json!({"keys": []}));
        let enterprise = Enterprise { issuer: "https://idp.example".to_owned(), keys, identity_assertions: taken };
        let settings = FrontSettings { enterprise: Some(enterprise), ..FrontSettings::default() };
        assert_eq!(grants_of(&settings).contains(&GrantType::JwtBearer.as_str().to_owned()), announced);
        assert_eq!(of(&settings).get("authorization_grant_profiles_supported").is_some(), announced);
    }
}

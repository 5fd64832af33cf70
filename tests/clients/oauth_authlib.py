"""Authlib, unmodified, as an OAuth client of the gateway's: HTTP Basic, and its own introspection and revocation.

    oauth_authlib.py GATEWAY_URL PATH

PATH is that of a provider, `/helpdesk`. Exits 0 only if everything held; the last line is a report.
"""

import os
import sys
import urllib.parse

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc6749.errors import OAuth2Error
from authlib.oauth2.rfc8414 import get_well_known_url
from oauth_person import Person, discover, finish, remember

REDIRECT_URI = "http://127.0.0.1:49155/callback"


def main(gateway, path):
    steps, api, http = [], f"{gateway}{path}/tickets", requests.Session()
    received = []
    remember(http, received)
    resource, found = discover(http, api)
    steps.append("challenge")
    metadata = http.get(get_well_known_url(found["issuer"], external=True, suffix="oauth-authorization-server")).json()
    assert metadata == found, metadata
    steps.append("discovery")
    registered = http.post(metadata["registration_endpoint"], json={
        "client_name": "Authlib", "redirect_uris": [REDIRECT_URI], "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"], "token_endpoint_auth_method": "client_secret_basic",
    })
    assert registered.status_code == 201, registered.text
    client = registered.json()
    steps.append("registration")

    session = OAuth2Session(
        client["client_id"], client["client_secret"], token_endpoint_auth_method="client_secret_basic",
        scope="read:tickets", redirect_uri=REDIRECT_URI, code_challenge_method="S256",
    )
    remember(session, received)
    verifier = "v" * 64
    link, state = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier, resource=resource)
    person = Person(gateway)
    callback = person.consents(link, REDIRECT_URI)
    parameters = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(callback).query))
    assert (parameters["iss"], parameters["state"]) == (metadata["issuer"], state), parameters
    steps.append("authorization")

    token = session.fetch_token(metadata["token_endpoint"], authorization_response=callback, code_verifier=verifier, resource=resource)
    assert token["token_type"].lower() == "bearer" and token["scope"] == "read:tickets", token["scope"]
    first = dict(token)
    steps.append("token")
    assert session.get(api).json()["tickets"]
    steps.append("call")

    renewed = session.refresh_token(metadata["token_endpoint"], refresh_token=first["refresh_token"])
    assert renewed["refresh_token"] != first["refresh_token"], "the refresh token rotates"
    assert session.get(api).status_code == 200
    steps.append("refresh")

    told = session.introspect_token(metadata["introspection_endpoint"], token=renewed["access_token"], token_type_hint="access_token").json()
    assert (told["active"], told["client_id"], told["aud"]) == (True, client["client_id"], resource), told
    steps.append("introspection")

    access, refresh = renewed["access_token"], renewed["refresh_token"]
    assert session.revoke_token(metadata["revocation_endpoint"], token=access, token_type_hint="access_token").status_code == 200
    assert session.introspect_token(metadata["introspection_endpoint"], token=access).json() == {"active": False}
    assert session.revoke_token(metadata["revocation_endpoint"], token=refresh, token_type_hint="refresh_token").status_code == 200
    try:
        session.refresh_token(metadata["token_endpoint"], refresh_token=refresh)
    except (OAuthError, OAuth2Error) as error:
        assert error.error == "invalid_grant" and error.description, repr(error)
    else:
        raise AssertionError("a revoked refresh token was taken")
    steps.append("revocation")

    refused = http.get(api, headers={"authorization": f"Bearer {access}"})
    assert refused.status_code == 401 and 'error="invalid_token"' in refused.headers["www-authenticate"], refused.headers
    steps.append("refused")
    finish("Authlib", steps, received, person)


if __name__ == "__main__":
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    main(sys.argv[1].rstrip("/"), sys.argv[2])

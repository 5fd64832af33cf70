"""requests-oauthlib, unmodified, as an OAuth client of the gateway's with its secret in the form, which refreshes by itself.

    oauth_requests.py GATEWAY_URL PATH
"""

import os
import sys

import requests
from oauth_person import Person, discover, finish, remember
from oauthlib.oauth2 import InvalidGrantError, TokenExpiredError
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

REDIRECT_URI = "http://127.0.0.1:49156/callback"


def main(gateway, path):
    steps, api, http, received = [], f"{gateway}{path}/tickets", requests.Session(), []
    remember(http, received)
    resource, metadata = discover(http, api)
    steps += ["challenge", "discovery"]
    registered = http.post(metadata["registration_endpoint"], json={
        "client_name": "requests-oauthlib", "redirect_uris": [REDIRECT_URI], "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"], "token_endpoint_auth_method": "client_secret_post",
    })
    assert registered.status_code == 201, registered.text
    client_id, secret = registered.json()["client_id"], registered.json()["client_secret"]
    steps.append("registration")

    kept = []
    session = OAuth2Session(
        client_id, redirect_uri=REDIRECT_URI, scope=["read:tickets"], pkce="S256",
        auto_refresh_url=metadata["token_endpoint"], auto_refresh_kwargs={"client_id": client_id, "client_secret": secret},
        token_updater=kept.append,
    )
    remember(session, received)
    link, _ = session.authorization_url(metadata["authorization_endpoint"], resource=resource)
    person = Person(gateway)
    callback = person.consents(link, REDIRECT_URI)
    steps.append("authorization")
    token = session.fetch_token(
        metadata["token_endpoint"], authorization_response=callback, client_secret=secret, include_client_id=True, resource=resource,
    )
    assert token["scope"] == ["read:tickets"], token["scope"]
    first = dict(token)
    steps.append("token")
    assert session.get(api).json()["tickets"]
    steps.append("call")

    session.token = {**first, "expires_at": 1}
    assert session.get(api).status_code == 200, "it refreshes by itself"
    (renewed,) = kept
    assert renewed["refresh_token"] != first["refresh_token"], "the refresh token rotates"
    steps.append("refresh")

    # Introspection and revocation are no part of the library: its HTTP half does both.
    access, refresh = renewed["access_token"], renewed["refresh_token"]
    told = http.post(metadata["introspection_endpoint"], data={"token": refresh, "client_id": client_id, "client_secret": secret}).json()
    assert told["active"] is True and told["client_id"] == client_id, told
    told = http.post(metadata["introspection_endpoint"], data={"token": access}, auth=HTTPBasicAuth(client_id, secret)).json()
    assert (told["active"], told["aud"]) == (True, resource), told
    steps.append("introspection")
    ended = http.post(metadata["revocation_endpoint"], data={"token": refresh, "client_id": client_id, "client_secret": secret})
    assert ended.status_code == 200, ended.text
    try:
        session.refresh_token(metadata["token_endpoint"], refresh_token=refresh, client_id=client_id, client_secret=secret)
    except InvalidGrantError as error:
        assert error.description, repr(error)
    else:
        raise AssertionError("a revoked refresh token was taken")
    steps.append("revocation")

    refused = http.get(api, headers={"authorization": f"Bearer {access}"})
    assert refused.status_code == 401, "what came of the same consent ended with its refresh token"
    assert 'error="invalid_token"' in refused.headers["www-authenticate"], refused.headers
    try:
        OAuth2Session(client_id, token={**renewed, "expires_at": 1}).get(api)
    except TokenExpiredError:
        pass
    else:
        raise AssertionError("a token that has expired was sent")
    steps.append("refused")
    finish("requests-oauthlib", steps, received, person)


if __name__ == "__main__":
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
    main(sys.argv[1].rstrip("/"), sys.argv[2])

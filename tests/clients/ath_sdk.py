"""The official Python client, unmodified, as the agent; a stand-in browser as its user.

    ath_sdk.py GATEWAY_URL redirect|page|none

`redirect`: the agent has a redirect URI of its own. `page`: the flow ends on the gateway's page, and the person hands the code over.
`none`: nothing comes back to the agent, which sends a placeholder for the code, as a gateway in development takes it.
Exits 0 only if everything held. No byte that the client received may contain $CANARY.
"""

import html.parser
import http.server
import json
import os
import sys
import threading
import urllib.parse

import httpx
from ath import ATHGatewayClient
from ath.exceptions import ATHError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Form(html.parser.HTMLParser):
    """The first form of a page: where it goes and what it carries."""

    def __init__(self, text):
        super().__init__()
        self.action, self.fields, self.inside = None, {}, False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form" and self.action is None:
            self.action, self.inside = attributes["action"], True
        elif tag == "input" and self.inside and attributes.get("type") == "hidden":
            self.fields[attributes["name"]] = attributes.get("value", "")

    def handle_endtag(self, tag):
        if tag == "form":
            self.inside = False


class Site(http.server.BaseHTTPRequestHandler):
    """The agent's own site: its identity document and its redirect URI."""

    document, callback = {}, {}

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/callback":
            Site.callback = dict(urllib.parse.parse_qsl(url.query))
        body = json.dumps(self.document if url.path == "/agent.json" else {}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def step(text):
    print(text, flush=True)


def consent(link):
    """What the user does: allows, signs in at the helpdesk, allows there, goes on. Returns the last page."""
    with httpx.Client(follow_redirects=True, timeout=30) as browser:

        def submit(page, **fields):
            form = Form(page.text)
            target = urllib.parse.urljoin(str(page.url), form.action)
            origin = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(target))
            return browser.post(target, data={**form.fields, **fields}, headers={"origin": origin})

        page = browser.get(link)
        assert page.status_code == 200 and "See your tickets" in page.text, page.text
        page = submit(page, decision="allow")
        page = submit(page, username="alice@acme.test", password="demo1234")
        page = submit(page, decision="allow")
        assert "alice@acme.test" in page.text, page.text
        return submit(page, decision="continue")


def refused(call, code, status):
    try:
        call()
    except ATHError as error:
        assert (error.code, error.status) == (code, status), repr(error)
        assert error.details.get("message") and error.details.get("details", {}).get("hint"), error.details
    else:
        raise AssertionError(f"{code} was expected")


def main(gateway, style):
    canary = os.environ["CANARY"].encode()
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    own = f"http://127.0.0.1:{server.server_port}"
    agent_id = f"{own}/agent.json"
    developer = {"name": "Example Works", "id": "works"}
    Site.document = {
        "ath_version": "0.1", "agent_id": agent_id, "name": "Official Client", "developer": developer,
        "capabilities": [], "public_key": public.decode(),
    }
    received = []
    redirect_uri = f"{own}/callback" if style == "redirect" else None

    with ATHGatewayClient(gateway, agent_id, pem) as client:
        client._http.event_hooks = {"response": [lambda answer: received.append(str(answer.headers).encode() + answer.read())]}
        found = client.discover()
        assert "helpdesk" in [provider.provider_id for provider in found.supported_providers]
        step("discovered the gateway")
        registered = client.register(
            developer=developer,
            providers=[{"provider_id": "helpdesk", "scopes": ["read:tickets", "write:tickets"]}],
            purpose="Looks after tickets",
            redirect_uris=[redirect_uri] if redirect_uri else None,
        )
        assert registered.agent_status == "approved", registered
        step("registered")
        started = client.authorize("helpdesk", ["read:tickets", "write:tickets"], redirect_uri=redirect_uri)
        end = consent(started.authorization_url)
        if style == "redirect":
            assert Site.callback["ath_session_id"] == started.ath_session_id, Site.callback
            code = Site.callback["code"]
        else:
            assert "success=true" in str(end.url), end.url
            code = end.text.split('id="code">')[1].split("<")[0] if style == "page" else "placeholder"
        step("the user consented")
        token = client.exchange_token(code, started.ath_session_id)
        assert sorted(token.effective_scopes) == ["read:tickets", "write:tickets"], token
        step("exchanged the code")
        assert client.proxy("helpdesk", "GET", "/tickets?status=open")["tickets"]
        ticket = client.proxy("helpdesk", "POST", "/tickets", {"title": "Card payments fail", "team": "payments", "priority": "p1"})
        changed = client.proxy("helpdesk", "PATCH", f"/tickets/{ticket['id']}", {"status": "resolved"})
        assert changed["status"] == "resolved", changed
        assert "****" in json.dumps(client.proxy("helpdesk", "GET", "/echo"))
        step("listed, opened and changed tickets")
        refused(lambda: client.proxy("helpdesk", "DELETE", "/tickets/1"), "SCOPE_NOT_APPROVED", 403)
        refused(lambda: client.exchange_token(code, started.ath_session_id), "SESSION_NOT_FOUND", 400)
        step("was refused what it may not do")
        client.revoke()
        client.set_token(token.access_token)
        refused(lambda: client.proxy("helpdesk", "GET", "/tickets"), "TOKEN_REVOKED", 401)
        step("the token is revoked")

    assert received and not any(canary in answer for answer in received), "the client received a token of the upstream's"
    step(f"none of {sum(map(len, received))} bytes holds a token of the upstream's")


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"), sys.argv[2])

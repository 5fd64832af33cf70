"""What the OAuth clients in Python have in common: a person's stand-in browser, a record of all that a client was sent, the report at the end."""

import html.parser
import json
import os
import urllib.parse

import requests


class Forms(html.parser.HTMLParser):
    """The forms of a page: where each goes, what it carries, which values its buttons have."""

    def __init__(self, text):
        super().__init__()
        self.forms = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form":
            self.forms.append({"action": attributes.get("action", ""), "fields": {}, "asks": set(), "buttons": {}})
            self.inside = True
        elif tag == "input" and self.inside:
            kind = attributes.get("type", "text")
            if kind == "hidden" or "checked" in attributes:
                self.forms[-1]["fields"][attributes["name"]] = attributes.get("value", "")
            else:
                self.forms[-1]["asks"].add(attributes.get("name"))
        elif tag == "button" and self.inside and "value" in attributes:
            self.forms[-1]["buttons"][attributes["value"]] = attributes["name"]

    def handle_endtag(self, tag):
        if tag == "form":
            self.inside = False


class Person:
    """Somebody who signs in at the helpdesk and says yes to everything."""

    def __init__(self, gateway):
        self.gateway, self.browser, self.seen = gateway, requests.Session(), []

    def consents(self, link, redirect_uri):
        """Opens a link, and goes on until a page leads to the redirect URI; that URL, which is not opened."""
        page = self.go("GET", link, None, redirect_uri)
        for _ in range(10):
            if isinstance(page, str):
                return page
            assert page.status_code == 200, f"{page.url}: {page.status_code} {page.text}"
            page = self.press(page, redirect_uri)
        raise AssertionError(f"no end at {page.url}: {page.text}")

    def press(self, page, redirect_uri):
        for form in Forms(page.text).forms:
            decision = next((value for value in ("allow", "continue") if value in form["buttons"]), None)
            if "username" in form["asks"]:
                fields = {**form["fields"], "username": "alice@acme.test", "password": "demo1234"}
            elif decision:
                fields = {**form["fields"], form["buttons"][decision]: decision}
            else:
                continue
            return self.go("POST", urllib.parse.urljoin(page.url, form["action"]), fields, redirect_uri)
        raise AssertionError(f"nothing to press at {page.url}: {page.text}")

    def go(self, method, url, form, redirect_uri):
        for _ in range(12):
            headers = {"origin": "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(url))} if method == "POST" else {}
            page = self.browser.request(method, url, data=form, headers=headers, allow_redirects=False, timeout=30)
            if url.startswith(self.gateway + "/"):
                self.seen.append(str(page.headers).encode() + page.content)
            if not page.is_redirect:
                return page
            url, method, form = urllib.parse.urljoin(url, page.headers["location"]), "GET", None
            if url.startswith(redirect_uri):
                return url
        raise AssertionError(f"too many redirects, the last to {url}")


def discover(http, api):
    """From the challenge of a call without a token to the resource and the authorization server's metadata (RFC 9728, RFC 8414)."""
    refused = http.get(api)
    assert refused.status_code == 401, refused.status_code
    challenge = refused.headers["www-authenticate"]
    assert challenge.startswith("Bearer "), challenge
    described = http.get(challenge.split('resource_metadata="')[1].split('"')[0]).json()
    issuer = urllib.parse.urlsplit(described["authorization_servers"][0])
    metadata = http.get(f"{issuer.scheme}://{issuer.netloc}/.well-known/oauth-authorization-server{issuer.path}").json()
    assert metadata["issuer"] == described["authorization_servers"][0], metadata
    return described["resource"], metadata


def remember(session, received):
    """From here on everything that the session is sent is kept in that list."""
    session.hooks["response"].append(lambda answer, **_: received.append(str(answer.headers).encode() + answer.content))


def finish(client, steps, received, person):
    """Ends well, with a report, if nothing of the upstream's was among what came."""
    canary, everything = os.environ["CANARY"].encode(), received + person.seen
    assert len(everything) > 8, len(everything)
    assert not any(canary in answer for answer in everything), "a token of the upstream was seen"
    print(json.dumps({"client": client, "steps": steps, "bytes": sum(map(len, everything))}))
